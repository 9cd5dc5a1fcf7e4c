"""The vocabulary: what can be said about a conversation, whichever network it is held on.

Everything here is a frozen value. `place` is always where the event happened, `id` the name that
place gave to it, `author` the person who caused it. Times are aware datetimes in UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple

MATRIX: Final = "matrix"
"""The network id of the Matrix side. No configured network may have it."""


class Place(NamedTuple):
    """Where a conversation is held: a Matrix room (`network == MATRIX`) or a group."""

    network: str
    id: str

    def __str__(self) -> str:
        return f"{self.network}:{self.id}"


class Direction(StrEnum):
    """Which way a link carries: `IN` is group to portal, `OUT` portal to group."""

    BOTH = "both"
    IN = "in"
    OUT = "out"

    @property
    def inward(self) -> bool:
        """Whether what is said in the group reaches the portal."""
        return self is not Direction.OUT

    @property
    def outward(self) -> bool:
        """Whether what is said in the portal reaches the group."""
        return self is not Direction.IN


@dataclass(frozen=True, slots=True)
class Author:
    """A person, on the network where they write.

    `id` stays the same for as long as the network can tell that it is the same person; `name` is
    what people see and may change; `avatar` is a reference that only `network` can resolve.
    """

    network: str
    id: str
    name: str = ""
    avatar: str | None = None


class Kind(StrEnum):
    """What happened: each event class has its own."""

    MESSAGE = "message"
    JOINED = "joined"
    LEFT = "left"
    RENAMED = "renamed"
    SUBJECT = "subject"
    ROSTER = "roster"


@dataclass(frozen=True, slots=True)
class Message:
    """Something was said. `emote` is "/me": the text is what the author does."""

    place: Place
    id: str
    author: Author
    time: datetime
    text: str
    emote: bool = False
    kind: ClassVar[Kind] = Kind.MESSAGE


@dataclass(frozen=True, slots=True)
class Joined:
    """A person came in. `id` is None where the network gives such events none."""

    place: Place
    author: Author
    time: datetime
    id: str | None = None
    kind: ClassVar[Kind] = Kind.JOINED


@dataclass(frozen=True, slots=True)
class Left:
    """A person went, or was put out; `reason` may be empty."""

    place: Place
    author: Author
    time: datetime
    reason: str = ""
    id: str | None = None
    kind: ClassVar[Kind] = Kind.LEFT


@dataclass(frozen=True, slots=True)
class Renamed:
    """A present person has a new name or avatar; `author` carries the new ones."""

    place: Place
    author: Author
    time: datetime
    id: str | None = None
    kind: ClassVar[Kind] = Kind.RENAMED


@dataclass(frozen=True, slots=True)
class SubjectChanged:
    """The place has a new subject (topic line). `author` is who changed it."""

    place: Place
    author: Author
    time: datetime
    subject: str
    id: str | None = None
    kind: ClassVar[Kind] = Kind.SUBJECT


@dataclass(frozen=True, slots=True)
class Roster:
    """Everyone present at a place, as it stands now. The relay turns it into the joins, leaves and
    renames since it last knew; so an adapter need not remember anything over a restart.
    """

    place: Place
    authors: tuple[Author, ...]
    time: datetime
    id: None = None
    kind: ClassVar[Kind] = Kind.ROSTER


Event = Message | Joined | Left | Renamed | SubjectChanged | Roster
"""Anything that an adapter or the Matrix side can report."""

Deliverable = Message | Joined | Left | Renamed | SubjectChanged
"""Anything that can be carried to another place. (A `Roster` is only ever reported.)"""
