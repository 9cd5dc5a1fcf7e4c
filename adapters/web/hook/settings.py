"""The keys of a network of webhooks in the configuration file."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from adapters.web.hook.signature import key_of
from adapters.web.hook.template import Template
from adapters.web.listener import Address
from bridge.contract import Dialect, Secret, Settings

NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,60}$"
_SHORTEST_SECRET: Final = 16
_SHORTEST_KEY: Final = 12


class Proof(StrEnum):
    """How a system proves that it is the one."""

    TOKEN = "token"  # noqa: S105 - a word, no token
    SIGNATURE = "signature"


class TextFormat(StrEnum):
    """What the texts of a system are."""

    PLAIN = "plain"
    MARKDOWN = "markdown"
    HTML = "html"


def _strong(secret: SecretStr) -> SecretStr:
    if len(secret) < _SHORTEST_SECRET or len(key_of(secret.get_secret_value())) < _SHORTEST_KEY:
        msg = "a secret this short can be guessed; make one with: openssl rand -hex 32"
        raise ValueError(msg)
    return secret


def _template(source: str) -> str:
    Template(source)
    return source


StrongSecret = Annotated[Secret, AfterValidator(_strong)]
TemplateText = Annotated[
    str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(_template)
]


class HookSettings(BaseModel):
    """One webhook: a system that posts to the bridge, is posted to, or both."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secret: StrongSecret | None = Field(
        default=None, description="What the system shares with the bridge, to post to it"
    )
    proof: Proof = Field(
        default=Proof.TOKEN,
        description="token: the system sends the secret itself, as Authorization: Bearer …; "
        "signature: it signs what it sends, as Standard Webhooks have it",
    )
    text: TemplateText | None = Field(
        default=None,
        description="What a message says, as a template over payload; when left out, the system "
        "speaks the bridge's own format",
    )
    author: TemplateText | None = Field(
        default=None,
        description="Who says it, as a template over payload; the hook's name when left out",
    )
    id: TemplateText | None = Field(
        default=None,
        description="What the system calls the event, as a template over payload; so that one "
        "that it posts twice comes once",
    )
    topic: TemplateText | None = Field(
        default=None,
        description="To which sub-conversation it belongs, as a template over payload",
    )
    text_format: TextFormat = Field(
        default=TextFormat.HTML,
        description="html: plain text, and HTML beside it in the bridge's own format; markdown; "
        "plain",
    )
    quiet: bool = Field(
        default=False, description="Its messages are notices, for which clients don't ring"
    )
    per_minute: int = Field(
        default=60, ge=1, le=6_000, strict=True,
        description="So many requests are taken in a minute; more are asked to come later",
    )  # fmt: skip
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/\S*)?$")] | None = Field(
        default=None, max_length=1_000, description="Where the bridge posts what is said elsewhere"
    )
    url_secret: StrongSecret | None = Field(
        default=None, description="With what the bridge signs what it posts"
    )

    @property
    def dialect(self) -> Dialect:
        """What the core converts from and to."""
        return Dialect(self.text_format.value)

    @property
    def key(self) -> bytes:
        """The key of signatures that come in."""
        return b"" if self.secret is None else key_of(self.secret.get_secret_value())

    @property
    def url_key(self) -> bytes:
        """The key of signatures that go out."""
        return b"" if self.url_secret is None else key_of(self.url_secret.get_secret_value())

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.secret is None and self.url is None:
            msg = "a hook needs a secret, for what comes in, or a url, for what goes out"
            raise ValueError(msg)
        if (self.url is None) is not (self.url_secret is None):
            msg = "url and url_secret belong together; write both or neither"
            raise ValueError(msg)
        if self.text is None and (self.author or self.id or self.topic):
            msg = "author, id and topic are templates beside text; write text as well"
            raise ValueError(msg)
        return self


HookName = Annotated[str, StringConstraints(pattern=NAME)]


class WebhookSettings(Settings, hide_input_in_errors=True):
    """Webhooks behind one port. Each group is one of `hooks`."""

    host: str = Field(
        default="127.0.0.1", min_length=1, max_length=255, description="Address it listens on"
    )
    port: int = Field(default=29310, ge=1, le=65535, strict=True, description="Port it listens on")
    hooks: dict[HookName, HookSettings] = Field(
        min_length=1, description="Each key is a hook's name: a-z, 0-9 and - _, at most 61"
    )

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(self.host, self.port)

    @property
    def listens(self) -> bool:
        """Whether anyone may post to it."""
        return any(hook.secret is not None for hook in self.hooks.values())
