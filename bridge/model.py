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
    EDITED = "edited"
    DELETED = "deleted"
    REACTED = "reacted"
    REACTIONS = "reactions"
    JOINED = "joined"
    LEFT = "left"
    RENAMED = "renamed"
    SUBJECT = "subject"
    TITLE = "title"
    PICTURE = "picture"
    ROSTER = "roster"


class MediaKind(StrEnum):
    """How a file is meant to be shown."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    VOICE = "voice"
    FILE = "file"
    STICKER = "sticker"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message; the file itself stays where it is until it is needed.

    `source` is an http(s) URL, or a reference that only the network of the event can resolve.
    All else is what its sender claims: `mime` a media type, `size` in bytes, `width` and `height`
    in pixels, `duration_ms` in milliseconds. `key` is what its network needs to decrypt it.
    """

    kind: MediaKind
    source: str
    name: str = ""
    mime: str = ""
    size: int | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """A person called by name in a text: `span` is how the text calls them, with its "@" if any.

    `network` and `id` are those of the person's `Author`.
    """

    network: str
    id: str
    span: str


@dataclass(frozen=True, slots=True)
class Message:
    """Something was said, or a file was sent: `text` is its caption then, and may be empty.

    `text` is in the dialect of the place when it is reported and when it is to be shown, and
    plain text in between. `html` is its formatted form: any HTML when it is reported (None where
    there is none), and canonical HTML in between (see `bridge.richtext`).
    `emote` is "/me": the text is what the author does. `notice`: a machine said it.
    `reply_to` is the id, at this place, of the message that is answered; `topic` the name that
    the place gives to the sub-conversation: a thread, a forum topic, a mail thread. A topic may
    be called by the id of the message that began it.
    `aliases` are further ids by which events of the place may mean this message.
    `old`: it was said before the place was linked, and is for the portal's room alone.
    `unformatted`: nothing in `text` is meant as formatting, though it may look so in its dialect.
    """

    place: Place
    id: str
    author: Author
    time: datetime
    text: str
    emote: bool = False
    html: str | None = None
    mentions: tuple[Mention, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    reply_to: str | None = None
    topic: str | None = None
    notice: bool = False
    aliases: tuple[str, ...] = ()
    old: bool = False
    unformatted: bool = False
    kind: ClassVar[Kind] = Kind.MESSAGE


@dataclass(frozen=True, slots=True)
class Edited:
    """An author has changed their own message: all of `text`, `html` and `mentions` are new.

    `target` is the id, or an alias, that the changed message has at this place. Its attachments
    stay. Where a network can't tell whose message is changed, it must not report this.
    All else is as in `Message`.
    """

    place: Place
    author: Author
    time: datetime
    target: str
    text: str
    html: str | None = None
    mentions: tuple[Mention, ...] = ()
    id: str | None = None
    aliases: tuple[str, ...] = ()
    emote: bool = False
    unformatted: bool = False
    old: bool = False
    kind: ClassVar[Kind] = Kind.EDITED


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message was deleted, or a reaction that has an id of its own was taken back.

    `target` is its id, or an alias, at this place. `moderated`: the place itself vouches that
    `author` may delete what others wrote there; else it counts only for an own message.
    """

    place: Place
    author: Author
    time: datetime
    target: str
    reason: str = ""
    moderated: bool = False
    id: str | None = None
    kind: ClassVar[Kind] = Kind.DELETED


@dataclass(frozen=True, slots=True)
class Reacted:
    """A person put a reaction on the message `target`, or took it back (`gone`).

    `emoji` is what is shown: an emoji, or a short text.
    """

    place: Place
    author: Author
    time: datetime
    target: str
    emoji: str
    gone: bool = False
    id: str | None = None
    kind: ClassVar[Kind] = Kind.REACTED


@dataclass(frozen=True, slots=True)
class Reactions:
    """All reactions that one person now has on the message `target`. The relay turns it into what
    was added and taken back since it last knew; so an adapter need not remember anything.
    """

    place: Place
    author: Author
    time: datetime
    target: str
    emojis: tuple[str, ...]
    id: str | None = None
    kind: ClassVar[Kind] = Kind.REACTIONS


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
class TitleChanged:
    """The place has a new name. `author` is who changed it."""

    place: Place
    author: Author
    time: datetime
    title: str
    id: str | None = None
    kind: ClassVar[Kind] = Kind.TITLE


@dataclass(frozen=True, slots=True)
class PictureChanged:
    """The place has a new picture, or none any more. `author` is who changed it."""

    place: Place
    author: Author
    time: datetime
    picture: Attachment | None
    id: str | None = None
    kind: ClassVar[Kind] = Kind.PICTURE


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


Deliverable = (
    Message
    | Edited
    | Deleted
    | Reacted
    | Joined
    | Left
    | Renamed
    | SubjectChanged
    | TitleChanged
    | PictureChanged
)
"""Anything that can be carried to another place."""

Event = Deliverable | Roster | Reactions
"""Anything that an adapter or the Matrix side can report."""


@dataclass(frozen=True, slots=True)
class Typing:
    """A person writes something, or stopped to. Passing: never stored, lost without harm."""

    place: Place
    author: Author
    typing: bool


@dataclass(frozen=True, slots=True)
class Read:
    """A person has read everything up to the message `target`. Passing, as `Typing` is."""

    place: Place
    author: Author
    target: str


Signal = Typing | Read
"""What is worth telling only at this moment."""
