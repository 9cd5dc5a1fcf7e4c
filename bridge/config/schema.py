"""The shape of the configuration file. Each field's description is its documentation."""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bridge.model import Direction
from bridge.secret import Secret

NetworkId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
RoomName = Annotated[
    str,
    StringConstraints(pattern=r"^(![^\s:]+(:\S+)?|#[^\s:]+:\S+)$"),
    Field(
        description="A room id (!abc:server, or !abc in room version 12) or alias (#name:server)"
    ),
]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/\S*)?$")]
Localpart = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._=/+-]{1,80}$")]


class Section(BaseModel):
    """A part of the file: unknown keys are refused, values can't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Homeserver(Section):
    """The Matrix homeserver."""

    url: HttpUrl = Field(description="Where the bridge reaches its client API")
    domain: str = Field(min_length=1, description="The part after the colon in its user ids")


class AppService(Section):
    """The bridge's own registration with the homeserver."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,60}$")] = "consilium"
    url: HttpUrl = Field(description="Where the homeserver reaches the bridge")
    host: str = Field(default="127.0.0.1", description="Address the bridge listens on")
    port: int = Field(default=29300, ge=0, le=65535, description="Port the bridge listens on")
    as_token: Secret
    hs_token: Secret
    bot: Localpart = Field(default="consilium", description="The bot's name, without @ and server")
    bot_name: str = Field(default="Consilium", min_length=1, max_length=100)
    ghost_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9._=+-]{1,40}$")] = Field(
        default="_consilium_", description="How the user ids of ghosts begin"
    )


class Database(Section):
    """Where everything is kept."""

    url: str = Field(
        default="sqlite:///consilium.db",
        pattern=r"^(sqlite:///|postgresql://)\S+$",
        description="sqlite:///file.db or postgresql://user:password@host/name",
    )
    password: Secret | None = Field(
        default=None, description="Password for PostgreSQL, if not in url"
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

    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.CONSOLE


class Link(Section):
    """One group that a portal mirrors."""

    network: NetworkId
    group: str = Field(min_length=1, max_length=1000)
    direction: Direction = Field(
        default=Direction.IN,
        description="in: the room reads the group; out: the group reads the room; both",
    )


class Portal(Section):
    """One Matrix room and the groups it mirrors."""

    room: RoomName
    links: tuple[Link, ...] = Field(min_length=1)


class Network(BaseModel):
    """One remote platform instance. The keys beyond these two are its adapter's own."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    type: str = Field(min_length=1, description="The adapter")
    name: str = Field(default="", max_length=60, description="How people call it")

    @property
    def own_keys(self) -> dict[str, Any]:
        """The adapter's settings, not yet validated."""
        return dict(self.model_extra or {})


class Config(Section):
    """The whole file."""

    homeserver: Homeserver
    appservice: AppService
    database: Database = Database()
    log: Log = Log()
    networks: dict[NetworkId, Network] = Field(default_factory=dict)
    portals: tuple[Portal, ...] = ()

    @property
    def bot_id(self) -> str:
        """The bot's full user id."""
        return f"@{self.appservice.bot}:{self.homeserver.domain}"

    @property
    def ghost_pattern(self) -> str:
        """Regular expression that every ghost's full user id matches, and nothing else does."""
        prefix, domain = re.escape(self.appservice.ghost_prefix), re.escape(self.homeserver.domain)
        return f"@{prefix}.+:{domain}"
