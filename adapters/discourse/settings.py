"""The keys of a Discourse forum in the configuration file."""

from ipaddress import ip_address
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from adapters.web.listener import Address
from bridge.contract import Secret, Settings

_SHORTEST_SECRET: Final = 12
"""Discourse itself takes none that is shorter."""


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "http" and not _on_this_machine(parts.hostname or ""):
        msg = "the key and all messages would cross the network unencrypted; write https://"
        raise ValueError(msg)
    return url.rstrip("/")


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _strong(secret: SecretStr) -> SecretStr:
    if len(secret) < _SHORTEST_SECRET:
        msg = "a secret this short can be guessed; make one with: openssl rand -hex 32"
        raise ValueError(msg)
    return secret


class DiscourseSettings(Settings, hide_input_in_errors=True):
    """One forum."""

    url: Annotated[
        str,
        StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"),
        AfterValidator(_address),
    ] = Field(max_length=500, description="Where the forum is, as https://forum.society.example")
    username: str = Field(
        min_length=1, max_length=60, description="The user that posts for the doctors"
    )
    api_key: Secret = Field(description="A key of that user, made under Admin, API")
    webhook_secret: Annotated[Secret, AfterValidator(_strong)] | None = Field(
        default=None,
        description="What the forum signs its webhooks with; when left out, the bridge only asks",
    )
    webhook_host: str = Field(
        default="127.0.0.1", min_length=1, max_length=255,
        description="Address it listens on for webhooks",
    )  # fmt: skip
    webhook_port: int = Field(
        default=29311, ge=1, le=65535, strict=True, description="Port it listens on for webhooks"
    )
    webhook_path: Annotated[str, StringConstraints(pattern=r"^/[\w./-]*$")] = Field(
        default="/discourse", max_length=200, description="The path that the forum posts them to"
    )
    seconds: int = Field(
        default=60, ge=15, le=3_600, strict=True,
        description="How often the forum is asked what is new: every so many seconds",
    )  # fmt: skip
    chat_topics: dict[str, Annotated[int, Field(ge=1, strict=True)]] = Field(
        default_factory=dict,
        description="For each category, by its name in the link, the number of a topic that takes "
        "what is said outside of threads; without one, that begins a topic each time",
    )

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(self.webhook_host, self.webhook_port)

    @model_validator(mode="after")
    def _port_is_for_webhooks(self) -> Self:
        given = {"webhook_host", "webhook_port", "webhook_path"} & self.model_fields_set
        if given and self.webhook_secret is None:
            msg = "webhooks are taken only when there is a webhook_secret; write one"
            raise ValueError(msg)
        return self
