"""The keys of a mail network in the configuration file."""

import re
import ssl
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from bridge.contract import Secret, Settings

_ADDRESS: Final = re.compile(r"[!#$%&'*+/=?^_`{|}~a-z0-9.-]{1,64}@[a-z0-9.-]{1,253}", re.IGNORECASE)


class Tls(StrEnum):
    """How a connection is encrypted."""

    IMPLICIT = "implicit"
    """From its first byte."""
    STARTTLS = "starttls"
    """After the server has been greeted; never without."""
    OFF = "off"


class FullMail(StrEnum):
    """When the whole text of a mail is attached to the part of it that is shown."""

    NEVER = "never"
    NEW = "new"
    """When what was cut off is not in the room: it was quoted from a mail that did not come
    through the list, or the text was too long.
    """
    ALWAYS = "always"
    """Whenever anything was cut off."""


def _yaml_off(value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """YAML 1.1 reads a bare `off` as false."""
    return Tls.OFF if value is False else value


_Tls = Annotated[Tls, BeforeValidator(_yaml_off)]


class MailSettings(Settings, hide_input_in_errors=True):
    """One mailbox, which is subscribed to any number of lists."""

    address: str = Field(
        max_length=254,
        description="The bridge's own mail address, which is subscribed to the lists and stands "
        "in From, as consilium@hospital.example",
    )
    user: str | None = Field(
        default=None, min_length=1, description="Login name, when it is not the address"
    )
    password: Secret = Field(description="Password of the mailbox")
    imap_host: str = Field(min_length=1, description="Where the mailbox is read")
    imap_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        strict=True,
        description="993 for implicit, 143 for starttls and off",
    )
    imap_tls: _Tls = Field(
        default=Tls.IMPLICIT,
        description="implicit, starttls, or off for a server on this machine",
    )
    folder: str = Field(
        default="INBOX", min_length=1, max_length=200, description="The folder that mails come into"
    )
    smtp_host: str = Field(min_length=1, description="Where mails are handed in")
    smtp_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        strict=True,
        description="465 for implicit, 587 for starttls, 25 for off",
    )
    smtp_tls: _Tls = Field(
        default=Tls.IMPLICIT,
        description="implicit, starttls, or off for a server on this machine",
    )
    smtp_login: bool = Field(
        default=True, description="Whether to log in for sending, with the same name and password"
    )
    ca: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed the servers' certificates, when it is "
        "not a public one",
    )
    via: str = Field(
        default="Consilium",
        min_length=1,
        max_length=60,
        description='How the bridge is called in From: "Dr. A via Consilium"',
    )
    full_mail: FullMail = Field(
        default=FullMail.NEW,
        description="When the whole text is attached: never, new (what was cut off is not in the "
        "room), always (anything was cut off)",
    )
    mark_seen: bool = Field(
        default=True, description="Mark mails as read once they are on the bridge's disk"
    )
    without_list_id: bool = Field(
        default=False,
        description="Also take mails that only name the list in To or Cc, for a list that is a "
        "mere alias. Whoever knows the mailbox can then get past the list's moderators",
    )
    other_bridges: tuple[str, ...] = Field(
        default=(),
        description="Addresses of other Consilium bridges whose mails are shown. Only for bridges "
        "that have nothing but lists in common with this one: else messages go round for ever",
    )
    say_automatic: bool = Field(
        default=True,
        description="Send with Auto-Submitted, so that no machine answers. Switch it off for a "
        "list that holds such mails back",
    )
    per_minute: int = Field(
        default=20, ge=1, le=1000, description="So many mails a minute are sent to one list at most"
    )
    max_file: int = Field(
        default=10_000_000, ge=0, description="Largest file, in bytes, that is sent to a list"
    )

    @property
    def login(self) -> str:
        """The name to log in with."""
        return self.user or self.address

    @property
    def domain(self) -> str:
        """The domain of the bridge's address."""
        return self.address.rpartition("@")[2].lower()

    @property
    def imap_at(self) -> int:
        """The port of the IMAP server."""
        return self.imap_port or (993 if self.imap_tls is Tls.IMPLICIT else 143)

    @property
    def smtp_at(self) -> int:
        """The port of the SMTP server."""
        usual = {Tls.IMPLICIT: 465, Tls.STARTTLS: 587, Tls.OFF: 25}
        return self.smtp_port or usual[self.smtp_tls]

    def trust(self) -> ssl.SSLContext:
        """What the servers' certificates are checked against."""
        return ssl.create_default_context(cafile=self.ca)

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        problems = list(_problems(self))
        if problems:
            raise ValidationError.from_exception_data(type(self).__name__, problems)
        return self


def _problems(settings: MailSettings) -> Iterator[InitErrorDetails]:
    if not _ADDRESS.fullmatch(settings.address):
        yield _wrong("address", "a mail address looks like consilium@hospital.example")
    for address in settings.other_bridges:
        if not _ADDRESS.fullmatch(address):
            yield _wrong("other_bridges", "a mail address looks like consilium@hospital.example")
    for key in ("imap", "smtp"):
        if getattr(settings, f"{key}_tls") is Tls.OFF and not is_loopback(
            getattr(settings, f"{key}_host")
        ):
            yield _wrong(
                f"{key}_tls",
                "the password and all mails would cross the network unencrypted; write implicit "
                f"or starttls, or {key}_host: localhost if the server is on this machine",
            )
    if any(ord(letter) < ord(" ") for letter in settings.via + settings.folder):
        yield _wrong("via", "neither via nor folder may have control characters")
    if settings.ca is not None:
        yield from _ca_problems(settings.ca)


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


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host can't leave the machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
