"""The shape of the configuration file. Each field's description is its documentation, and is what
the admin is told when its value can't be used.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticKnownError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bridge.bot.permissions import Rank, checked_entry
from bridge.config.duration import Duration, Span
from bridge.config.encryption import Encryption
from bridge.config.link_policy import LinkPolicy
from bridge.config.media import MediaConfig
from bridge.config.picture_file import PictureFile
from bridge.config.size import Amount
from bridge.model import Direction, Place
from bridge.secret import Secret
from bridge.status.picture import Telling

_SHORTEST_TOKEN = 8


def _address(url: str) -> str:
    """Without a slash at its end.

    Raises:
        ValueError: the host or port is impossible.
    """
    try:
        possible = bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        possible = False
    if not possible:
        msg = "the host or the port in this URL is impossible"
        raise ValueError(msg)
    return url.rstrip("/")


def _token(token: SecretStr) -> SecretStr:
    # It travels in the Authorization header, https://www.rfc-editor.org/rfc/rfc6750#section-2.1
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", token.get_secret_value()):
        msg = "a token may only hold letters, digits and . _ ~ + / = -"
        raise ValueError(msg)
    if len(token) < _SHORTEST_TOKEN:
        msg = "a token this short can be guessed; make one with: consilium init"
        raise ValueError(msg)
    return token


def _no_truth_value(written: object) -> object:
    # YAML reads bare words such as on and no as truth values, and pydantic those as 1 and 0
    if isinstance(written, bool):
        raise PydanticKnownError("int_type")
    return written


def _someone(who: str, info: ValidationInfo) -> str:
    homeserver = info.data.get("homeserver")
    own = homeserver.domain if isinstance(homeserver, Homeserver) else "example.org"
    return checked_entry(who, own)


NetworkId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
RoomName = Annotated[
    str,
    StringConstraints(pattern=r"^(![^\s:]+(:\S+)?|#[^\s:]+:\S+)$", max_length=255),
    Field(
        description="A room id or an alias, in quotes",
        examples=['"!abc:example.org", or "!abc" in room version 12, or "#name:example.org"'],
    ),
]
HttpUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"),
    AfterValidator(_address),
]
Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Localpart = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._=/+-]{1,80}$")]
Token = Annotated[Secret, AfterValidator(_token)]


class Section(BaseModel):
    """A part of the file: unknown keys are refused, values can't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Homeserver(Section):
    """The Matrix homeserver."""

    url: HttpUrl = Field(
        description="Where the bridge reaches its client API", examples=["http://localhost:8008"]
    )
    domain: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:\[\]-]{1,230}$")] = Field(
        description="The part after the colon in its user ids, without https://",
        examples=["example.org"],
    )


class AppService(Section):
    """The bridge's own registration with the homeserver."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,60}$")] = Field(
        default="consilium", description="The registration's name: letters, digits and . _ -"
    )
    url: HttpUrl = Field(
        description="Where the homeserver reaches the bridge", examples=["http://localhost:29300"]
    )
    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address the bridge listens on"
    )
    port: Whole = Field(default=29300, ge=0, le=65535, description="Port the bridge listens on")
    as_token: Token = Field(description="The bridge's token at the homeserver")
    hs_token: Token = Field(description="The homeserver's token at the bridge")
    bot: Localpart = Field(
        default="consilium",
        description="The bot's name, without @ and server: a-z, 0-9 and . _ = / + -",
    )
    bot_name: str = Field(
        default="Consilium", min_length=1, max_length=100, description="How people see the bot"
    )
    bot_avatar: PictureFile | None = Field(
        default=None, description="A picture for the bot: the path of a file"
    )
    ghost_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9._=+-]{1,40}$")] = Field(
        default="_consilium_",
        description="How the user ids of ghosts begin: a-z, 0-9 and . _ = + -",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.as_token.get_secret_value() == self.hs_token.get_secret_value():
            msg = "as_token and hs_token are the same; make two with: consilium init"
            raise ValueError(msg)
        if self.bot.startswith(self.ghost_prefix):
            msg = "the bot's name begins like a ghost's; change bot or ghost_prefix"
            raise ValueError(msg)
        return self


class Database(Section):
    """Where everything is kept."""

    url: Annotated[str, StringConstraints(pattern=r"^(sqlite:///|postgresql://)\S+$")] = Field(
        default="sqlite:///consilium.db",
        description="sqlite:///file.db or postgresql://user@host/name",
        repr=False,
    )
    password: Secret | None = Field(
        default=None, description="Password for PostgreSQL, if not in url"
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        try:
            parsed = make_url(self.url)
        except (ArgumentError, ValueError):
            msg = "the url can't be read; write sqlite:///file.db or postgresql://user@host/name"
            raise ValueError(msg) from None
        if parsed.drivername == "sqlite":
            if self.password is not None:
                msg = "an SQLite file has no password; delete the key password"
                raise ValueError(msg)
            if parsed.database in {None, "", ":memory:"}:
                msg = "the url names no file; write sqlite:///file.db"
                raise ValueError(msg)
        elif self.password is not None and parsed.password is not None:
            msg = "the password is given twice, in url and in password; delete one"
            raise ValueError(msg)
        return self

    def located(self, directory: Path) -> Self:
        """The same, with a relative SQLite file taken from `directory`."""
        scheme = "sqlite:///"
        if not self.url.startswith(scheme):
            return self
        return self.model_copy(
            update={"url": f"{scheme}{directory / self.url.removeprefix(scheme)}"}
        )


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """From which weight on something is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Log(Section):
    """What is logged. Message text and secrets never are."""

    level: LogLevel = Field(default=LogLevel.INFO, description="From which weight on")
    format: LogFormat = Field(
        default=LogFormat.CONSOLE, description="console for people, json for machines"
    )


class Retention(Section):
    """How long is kept what has been dealt with."""

    days: Whole = Field(
        default=30,
        ge=0,
        le=3_650,
        description="Days after which messages that were delivered everywhere are deleted from "
        "the bridge's database; 0 keeps them for ever",
    )


def _zone(name: str) -> str:
    """Raises ValueError for a time zone that is not known."""
    if name == "UTC":
        return name
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = "this time zone is not known"
        raise ValueError(msg) from None


def _unread_off(written: object) -> object:
    # YAML reads the bare word as a truth value
    return "off" if written is False else written


class Status(Section):
    """What rooms are told about messages that did not get through, and networks that are away."""

    after: Span = Field(
        default=Duration(10),
        description="How long a message may take before it is shown at it that it is late",
        examples=["10s, or 1m"],
    )
    away_after: Span = Field(
        default=Duration(180),
        description="How long a network must be away before its rooms are told",
        examples=["3m, or 90s"],
    )
    events: Annotated[Telling, BeforeValidator(_unread_off)] = Field(
        default=Telling.FAULTS,
        description="Which states clients are told as com.beeper.message_send_status: "
        "off, faults or all",
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC",
        max_length=100,
        description="The zone of the times that rooms are told, by its name",
        examples=["Europe/Berlin"],
    )


class Bot(Section):
    """How people speak to the bot."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[^\s\w/@#<>][^\s<>]{0,9}$")] = Field(
        default="!",
        description="What commands begin with: at most 10 characters, the first of them a sign",
        examples=['"!", or "!c-"'],
    )


class CatchUp(Section):
    """How much is fetched of what was said while the bridge or the network was away."""

    days: Whole = Field(
        default=7, ge=0, le=3_650, description="Nothing older than so many days; 0: nothing at all"
    )
    messages: Whole = Field(
        default=1_000,
        ge=0,
        le=100_000,
        description="No more than so many messages, the newest ones; 0: nothing at all",
    )


class Link(Section):
    """One group that a portal mirrors."""

    network: NetworkId = Field(description="A key of networks")
    group: str = Field(min_length=1, max_length=1000, description="The group's id on the network")
    direction: Direction = Field(
        default=Direction.IN,
        description="in: the room reads the group; out: the group reads the room; both",
    )
    keep_trying: Span = Field(
        default=Duration(3 * 86_400),
        description="How long a message is tried for this group before it is set aside",
        examples=["3d, or 12h"],
    )
    catch_up: CatchUp = CatchUp()
    history: Whole = Field(
        default=50,
        ge=0,
        le=1_000,
        description="How many of the last messages the room is shown of a group that is new to it",
    )
    policy: LinkPolicy = LinkPolicy()
    max_file: Amount | None = Field(
        default=None,
        description="The largest file for this group; when left out, media.max_size",
        examples=["10MB"],
    )

    encryption: Literal["confirmed"] | None = Field(
        default=None,
        description="confirmed: what is said in the room may go to the group though only the room"
        " is encrypted",
    )

    @property
    def place(self) -> Place:
        """The group, as the rest of the bridge names it."""
        return Place(self.network, self.group)


class Portal(Section):
    """One Matrix room and the groups it mirrors."""

    room: RoomName
    links: tuple[Link, ...] = Field(min_length=1, description="The groups that the room mirrors")


class Network(BaseModel):
    """One remote platform instance. The keys beyond these are its adapter's own."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    type: str = Field(min_length=1, max_length=100, description="The adapter", examples=["xmpp"])
    name: str = Field(default="", max_length=60, description="How people call it")
    avatar: PictureFile | None = Field(
        default=None, description="A picture for its people: the path of a file"
    )

    @property
    def own_keys(self) -> dict[str, Any]:
        """The adapter's settings, not yet validated."""
        return dict(self.model_extra or {})

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        # The other keys hold the adapter's secrets as they were written
        return [("type", self.type), ("name", self.name)]


class Config(Section):
    """The whole file."""

    homeserver: Homeserver
    appservice: AppService
    database: Database = Database()
    log: Log = Log()
    metrics: bool = Field(
        default=True, description="on or off: whether /metrics tells figures, for Prometheus"
    )
    retention: Retention = Retention()
    status: Status = Status()
    encryption: Encryption = Encryption()
    media: MediaConfig = MediaConfig()
    networks: dict[NetworkId, Network] = Field(
        default_factory=dict,
        description="Each key is a network's id: a-z, 0-9 and -, a letter first, at most 31",
    )
    portals: tuple[Portal, ...] = Field(default=(), description="Rooms and their groups")
    bot: Bot = Bot()
    permissions: dict[Annotated[str, AfterValidator(_someone)], Rank] = Field(
        default_factory=dict,
        description="Who may give the bot commands: none, user, moderator or admin, by user id, "
        "domain or *",
        examples=['"@weber:example.org": admin'],
    )

    @property
    def links(self) -> tuple[Link, ...]:
        """The links of all portals."""
        return tuple(link for portal in self.portals for link in portal.links)

    @property
    def bot_id(self) -> str:
        """The bot's full user id."""
        return f"@{self.appservice.bot}:{self.homeserver.domain}"

    @property
    def sender_id(self) -> str:
        """The full user id of the application service itself, as new registrations name it.

        Not the bot's: Synapse lets nobody fetch keys as the application service's own user. Older
        registrations name the bot, which does as well where nothing is encrypted.
        """
        return f"@{self.appservice.ghost_prefix}service:{self.homeserver.domain}"

    @property
    def ghost_pattern(self) -> str:
        """Regular expression that every ghost's full user id matches, and nothing else does."""
        prefix, domain = re.escape(self.appservice.ghost_prefix), re.escape(self.homeserver.domain)
        return f"@{prefix}.+:{domain}"
