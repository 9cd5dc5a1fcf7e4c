"""The keys of an XMPP network in the configuration file."""

import ssl
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from slixmpp import JID, InvalidJID

from bridge.contract import Secret, Settings

COMPONENT_PORT = 5347
CLIENT_PORT = 5222
DIRECT_TLS_PORT = 5223


class Mode(StrEnum):
    """How the bridge connects."""

    COMPONENT = "component"
    """As an external component (XEP-0114): every doctor is an occupant of their own."""
    ACCOUNT = "account"
    """As a client with one account that speaks for all."""


class Tls(StrEnum):
    """Whether the connection of an account is encrypted."""

    REQUIRED = "required"
    OFF = "off"


def _yaml_off(value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """YAML 1.1 reads a bare `off` as false."""
    return Tls.OFF if value is False else value


class XmppSettings(Settings, hide_input_in_errors=True):
    """One XMPP network. Which keys it needs depends on `mode`."""

    mode: Mode = Field(
        description="component: every doctor has a nick of their own; account: one account for all"
    )
    jid: str = Field(
        max_length=1000,
        description="component: its domain (consilium.example.org); "
        "account: its address (consilium@example.org)",
    )
    secret: Secret | None = Field(default=None, description="component: the secret it shares")
    password: Secret | None = Field(default=None, description="account: its password")
    host: str | None = Field(
        default=None,
        min_length=1,
        description="Where the server is; for an account found by DNS when not given",
    )
    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        strict=True,
        description="component: 5347; account: 5222 (5223: TLS only)",
    )
    tls: Annotated[Tls, BeforeValidator(_yaml_off)] = Field(
        default=Tls.REQUIRED,
        description="account: required, or off for a server on this machine",
    )
    ca: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed the certificates of the server and its "
        "file service, when it is not a public one",
    )
    nick: str = Field(
        default="Consilium",
        min_length=1,
        max_length=60,
        description="The bridge's own nick in the rooms",
    )
    create_rooms: bool = Field(
        default=False, description="Make a room that does not exist, instead of waiting for it"
    )

    @property
    def key(self) -> str:
        """The secret or password of this mode."""
        found = self.secret if self.mode is Mode.COMPONENT else self.password
        return found.get_secret_value() if found else ""

    @property
    def where(self) -> str:
        """The server's address, for people."""
        if self.mode is Mode.COMPONENT:
            return f"{self.host or 'localhost'}:{self.port or COMPONENT_PORT}"
        return (
            f"{self.host}:{self.port or CLIENT_PORT}" if self.host else self.jid.partition("@")[2]
        )

    @model_validator(mode="after")
    def _fits_its_mode(self) -> Self:
        problems = list(_problems(self))
        if problems:
            raise ValidationError.from_exception_data(type(self).__name__, problems)
        return self


def _problems(settings: XmppSettings) -> Iterator[InitErrorDetails]:
    if settings.mode is Mode.COMPONENT:
        yield from _component_problems(settings)
    else:
        yield from _account_problems(settings)
    if settings.ca is not None:
        yield from _ca_problems(settings.ca)


def _component_problems(settings: XmppSettings) -> Iterator[InitErrorDetails]:
    if settings.secret is None:
        yield InitErrorDetails(type="missing", loc=("secret",), input=None)
    if not _is_jid(settings.jid, account=False):
        yield _wrong("jid", "a component's jid is its domain, such as consilium.example.org")
    for key in {"password", "tls"} & settings.model_fields_set:
        yield _wrong(key, f'the key "{key}" is for mode: account; remove it')


def _account_problems(settings: XmppSettings) -> Iterator[InitErrorDetails]:
    if settings.password is None:
        yield InitErrorDetails(type="missing", loc=("password",), input=None)
    if not _is_jid(settings.jid, account=True):
        yield _wrong("jid", "an account's jid looks like consilium@example.org")
    if "secret" in settings.model_fields_set:
        yield _wrong("secret", 'the key "secret" is for mode: component; write "password"')
    if settings.port is not None and settings.host is None:
        yield InitErrorDetails(type="missing", loc=("host",), input=None)
    if settings.tls is Tls.OFF and not is_loopback(settings.host):
        yield _wrong(
            "tls",
            "the password and all messages would cross the network unencrypted; "
            "write tls: required, or host: localhost if the server is on this machine",
        )


def _ca_problems(path: Path) -> Iterator[InitErrorDetails]:
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        yield _wrong("ca", f"{path} holds no certificate in PEM format")
    except OSError as error:
        yield _wrong("ca", f"{path} can't be read ({error.strerror})")


def _wrong(key: str, sentence: str) -> InitErrorDetails:
    error = PydanticCustomError("value_error", "{error}", {"error": sentence})
    return InitErrorDetails(type=error, loc=(key,), input=None)


def _is_jid(text: str, *, account: bool) -> bool:
    try:
        jid = JID(text)
    except InvalidJID:
        return False
    return bool(jid.domain) and bool(jid.node) is account and not jid.resource


def is_loopback(host: str | None) -> bool:
    """Whether what is sent to this host can't leave the machine."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
