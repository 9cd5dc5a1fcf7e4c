"""The port: what an adapter implements, and what it is given.

To add a network, read this file, copy the smallest adapter and pass the contract kit. An adapter
imports this module and `bridge.model`, nothing else of the bridge. It connects, receives, sends,
looks up, and says honestly what it can do (`Capabilities`); the core does the rest: portals,
storing, ordering, retrying, names and the conversion of text.

    adapter.receive ----> Inlet.receive   on disk when it returns
    core ---------------> Network.send    one at a time per group, in order; retried by the core
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

from pydantic import BaseModel

from bridge.errors import ConsiliumError
from bridge.model import Attachment, Author, Deliverable, Event, MediaKind, Place, Signal
from bridge.secret import Secret

__all__ = [
    "NEVER_HEARD",
    "Adapter",
    "Capabilities",
    "CatchUp",
    "Copy",
    "Declaring",
    "Dialect",
    "Feature",
    "Finding",
    "Health",
    "Inlet",
    "Level",
    "LocalFile",
    "MediaSource",
    "Missed",
    "Network",
    "Outgoing",
    "Outlet",
    "Picture",
    "Place",
    "Refused",
    "Secret",
    "Sent",
    "Settings",
    "Signalling",
    "Topic",
    "Unreachable",
]


# --- what a network can do ---------------------------------------------------------------------


class Level(StrEnum):
    """How well a place can do something."""

    FULL = "full"
    PARTLY = "partly"
    OTHERWISE = "shown otherwise"
    REFUSED = "refused"


class Feature(StrEnum):
    """What people do in a conversation, as far as places differ in it. The value is for people."""

    FORMATTING = "formatting"
    EMOTE = "emotes (/me)"
    EDIT = "edits"
    DELETE = "deletions"
    MODERATION = "deletions by a moderator"
    REACTION = "reactions"
    REPLY = "replies"
    TOPIC = "threads"
    FILE = "files"
    MENTION = "mentions"
    TYPING = "typing"
    READ = "read markers"
    MEMBERSHIP = "joins and leaves"
    NAME = "names of people"
    AVATAR = "pictures of people"
    SUBJECT = "subject of the room"
    TITLE = "name of the room"
    PICTURE = "picture of the room"
    HISTORY = "history before the link"


class Dialect(StrEnum):
    """The text a network speaks. The core converts to it and from it.

    `XMPP` is message styling (XEP-0393), `MARKDOWN` is CommonMark with tables and strikethrough.
    For `MAIL` and `HTML`, `Message.html` goes beside the plain text of `Message.text`: complete
    HTML for mails, canonical HTML for `HTML`.
    """

    PLAIN = "plain"
    XMPP = "xmpp"
    MARKDOWN = "markdown"
    HTML = "html"
    MAIL = "mail"


_OTHERWISE_BY_THE_CORE: Final = frozenset(
    {
        Feature.FORMATTING,
        Feature.EMOTE,
        Feature.EDIT,
        Feature.REACTION,
        Feature.REPLY,
        Feature.TOPIC,
        Feature.FILE,
        Feature.MENTION,
    }
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a place can do. Declare less rather than more: what is declared FULL is tested.

    `own_names`: each author appears there under a name of their own. Where it is False, the core
    puts "Name: " before every text.
    `max_text`: longest text in UTF-8 bytes; the core splits longer ones.
    `knows_own_copies`: the adapter never hands over a copy that it made itself, because it names
    copies itself or recognises them. Where it is False, `Inlet.receive` waits for a send that is
    in hand at the same place: its echo may come before the id that it is known by.

    `shows`: how well the adapter shows what happened elsewhere. What is FULL or PARTLY comes to
    `Outlet.send` as it is. What is OTHERWISE the core turns into a message: an edit into a marked
    follow-up, a reaction into a line, a reply into a quotation, a file into a line with a link.
    REFUSED is not sent; of edits and deletions the sender is told so. What is not declared is
    OTHERWISE where the core can do that, and else REFUSED.
    `hears`: how well the adapter reports what happens there; REFUSED where not declared.
    `notes`: what to know about a feature, in a few words, for `!capabilities` and the docs.

    `captions`: a file and a text can be one message. `max_file`: bytes, None for no limit known.
    `file_types`: patterns of media types ("image/*") that are taken, empty for all.
    `edit_within`: how old a message may be for an edit to be possible, None for any age.
    """

    own_names: bool
    max_text: int
    knows_own_copies: bool = False
    dialect: Dialect = Dialect.PLAIN
    shows: Mapping[Feature, Level] = field(default_factory=dict)
    hears: Mapping[Feature, Level] = field(default_factory=dict)
    notes: Mapping[Feature, str] = field(default_factory=dict)
    captions: bool = False
    max_file: int | None = None
    file_types: tuple[str, ...] = ()
    edit_within: timedelta | None = None

    def showing(self, feature: Feature) -> Level:
        """How well what happened elsewhere is shown there."""
        by_the_core = Level.OTHERWISE if feature in _OTHERWISE_BY_THE_CORE else Level.REFUSED
        return self.shows.get(feature, by_the_core)

    def hearing(self, feature: Feature) -> Level:
        """How well what happens there is reported."""
        return self.hears.get(feature, Level.REFUSED)

    def does(self, feature: Feature) -> bool:
        """Whether the adapter itself shows it, be it only partly."""
        return self.showing(feature) in {Level.FULL, Level.PARTLY}


# --- what the core asks of a network -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on the bridge's own disk, checked and cleaned, to be read and not changed.

    It is there for as long as the `send` that it was given to lasts. `size` in bytes, `width` and
    `height` in pixels, `duration_ms` in milliseconds.
    """

    path: Path
    name: str
    mime: str
    size: int
    kind: MediaKind
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture in memory: `mime` is its media type, as sniffed."""

    mime: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Copy:
    """How an earlier message appears at a place.

    `id` is the name it has there; `key` the one that the bridge sent it with, empty where it is
    not the bridge's. `author.name` is the name as shown there. `text` is its plain text.
    """

    id: str
    author: Author
    time: datetime
    text: str = ""
    key: str = ""

    @property
    def own(self) -> bool:
        """Whether the bridge made it."""
        return bool(self.key)


@dataclass(frozen=True, slots=True)
class Topic:
    """A sub-conversation, as a place knows it.

    `id` is what the place calls it, None where it has no name there yet; `root` is the message
    that began it, None where that is not shown there; `title` its first words.
    """

    id: str | None
    root: Copy | None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One thing to show at one place.

    `event` is ready to show: its text is in the network's dialect, within its limits, and
    `event.author.name` is the name to show (suffixed with the network it comes from where that
    is another one). `event.place`, `event.id`, `event.target` and the like still tell where it
    comes from: what they are here is in the fields below.
    `key` is the same at every attempt and unique per thing and place (26 characters of
    `[a-z2-7]`, a suffix `.N` for further parts of a long text): name the copy with it wherever
    the network lets the sender choose an id.

    `target` is the copy that an `Edited`, `Deleted` or `Reacted` is about; of a reaction that is
    taken back, `reaction` is the copy of the reaction itself, where that has an id.
    `standing`: all reactions that are now to be seen on `target` under the name of the author
    (or of the relay, where authors have no names of their own).
    `reply_to` and `topic` are those of a `Message`, or of the one that an `Edited` changes.
    `file` is the file of a `Message` that has one (`event.attachments` has just that one);
    `link` a public URL where anyone can fetch it for a while, where the bridge has any.
    """

    place: Place
    key: str
    event: Deliverable
    target: Copy | None = None
    reaction: Copy | None = None
    standing: tuple[str, ...] = ()
    reply_to: Copy | None = None
    topic: Topic | None = None
    file: LocalFile | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """It is there. `id` is the name it has there; None for things that have none (a join).

    `aliases` are further ids by which events of the place may mean it. `topic` is what the place
    calls the topic that it was sent into, or that it began.
    """

    id: str | None = None
    aliases: tuple[str, ...] = ()
    topic: str | None = None


class Unreachable(ConsiliumError):  # noqa: N818 - a word of the contract
    """Not now: the network or group is away, slow, or asks to wait. The core tries again.

    Args:
        sentence: why, for a doctor ("Hospital B is not reachable").
        retry_after: seconds that the network asked to wait, if it did.
        doubtful: it may have arrived all the same (a timeout after sending). The core calls
            `Network.find` before the next attempt.
    """

    def __init__(
        self, sentence: str, *, retry_after: float | None = None, doubtful: bool = False
    ) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        self.doubtful = doubtful


class Refused(ConsiliumError):  # noqa: N818 - a word of the contract
    """Never: the network won't take this. The core does not try again and tells the sender why."""


class Outlet(Protocol):
    """A set of places on one network to which things can be sent."""

    def capabilities(self, place_id: str) -> Capabilities:
        """What this place can show, as known now."""
        ...

    async def send(self, outgoing: Outgoing) -> Sent:
        """Show it there, and return when the place has accepted it.

        Called for one thing at a time per place, in order; for several places at once.

        Raises:
            Unreachable: try again later.
            Refused: never try this again.
        """
        ...

    async def find(self, outgoing: Outgoing) -> Sent | None:
        """Look up a copy that an earlier attempt may have made; None when it is not there.

        Where sending the same `key` twice is harmless, answer None.

        Raises:
            Unreachable: it can't be told now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `consilium check`: `subject` names the part, `sentence` says what is so, and
    `advice` what to do when it is not well.
    """

    ok: bool
    subject: str
    sentence: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Where to go on in a group, and how much of what was said since is to be fetched.

    `since`: until then everything said there is known; None for a group that was never taken part
    in: what was said in it before is not wanted. `last_id` is the id of the last message known,
    where that is what `since` comes from. `begun` is when the group was first taken part in.
    `max_age`, `max_messages`: nothing older is wanted, and no more than so many messages, the
    newest ones. They hold for the time that the network is away, too. Zero: fetch nothing.
    """

    since: datetime | None = None
    last_id: str | None = None
    begun: datetime | None = None
    max_age: timedelta = timedelta(days=7)
    max_messages: int = 1_000
    history: int = 0

    @property
    def wanted(self) -> bool:
        """Whether anything that was missed is to be fetched."""
        return bool(self.max_age and self.max_messages)


NEVER_HEARD: Final = CatchUp()


class Network(Outlet, Protocol):
    """One running connection to one remote platform instance."""

    async def run(self) -> None:
        """Connect and stay connected, with backoff, until cancelled. Owns every task it starts.

        A network that is away is reported through `Inlet.health`, not raised.
        """
        ...

    async def open(
        self, group: str, present: Sequence[Author], catch_up: CatchUp = NEVER_HEARD
    ) -> None:
        """Take part in a group from now on, and come back into it after every fault.

        May be called before the network is connected; returns without waiting for it.

        Whenever the adapter comes into the group, it hands over in order: what was missed, with
        its original time (see `catch_up`; what is known already may be among it); then a
        `Roster`, which also says that everything said before it was handed over (one that does
        not know who is present reports an empty one); then what is said from now on.

        Args:
            group: the group's normalised id.
            present: the people at the portal's other places whose presence is to be shown here;
                empty for inward-only links.
            catch_up: what is known of the group from before.
        """
        ...

    async def close(self, group: str) -> None:
        """Leave a group."""
        ...

    async def check(self, groups: Sequence[str]) -> Sequence[Finding]:
        """Try the connection, the credentials and each group once, without `run`. Bounded to
        20 seconds. Never raises for what is wrong with the network: that is a finding.
        """
        ...


@runtime_checkable
class MediaSource(Protocol):
    """A network that resolves references of its own (`Attachment.source`, `Author.avatar`).

    http(s) URLs are not among them: those the core fetches, guarded.
    """

    def download(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The file, piece by piece, decrypted.

        Raises:
            Unreachable: try again later.
            Refused: it is not there any more, or may not be had.
        """
        ...


@runtime_checkable
class Signalling(Protocol):
    """A network that shows passing things."""

    async def signal(self, place_id: str, signal: Signal) -> None:
        """Show it, quickly or not at all. `signal.author.name` is the name to show, and the
        target of a `Read` is the id that the message has at this place.

        Raises:
            Unreachable, Refused: it could not be shown. Nobody is told.
        """
        ...


# --- what a network is given -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the network, or one group on it, can be used now; `reason` is for people.

    `lasting`: it will not pass by itself (the bridge is banned, a password is asked for): people
    are told at once, and `reason` says who has to do what.
    """

    up: bool
    reason: str = ""
    group: str | None = None
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Missed:
    """Something was said in a group, and could not be fetched afterwards.

    `reason` says why, as a sentence for people; `count` is about how many messages it were, None
    when that can't be told.
    """

    group: str
    reason: str
    count: int | None = None


class Inlet(Protocol):
    """Where an adapter hands over what it hears."""

    async def receive(self, events: Sequence[Event]) -> None:
        """Take events over, in order. On disk when it returns; only then tell a network "ok".

        Hand over many at once when many are waiting: they share one commit. Events already
        known by (place, id) are dropped; so are events of places that belong to no portal.
        Own copies that come back are recognised by their id, but an adapter that can tell them
        apart must not hand them over at all (`Capabilities.knows_own_copies`); `send` must not
        depend on the progress of `receive`.
        """
        ...

    def health(self, health: Health) -> None:
        """Report a change of state. Waiting deliveries are tried at once when a place is up."""
        ...

    async def sent(
        self, group: str, keys: Collection[str] | Mapping[str, Sent]
    ) -> Mapping[str, str | None]:
        """Tell own copies from others' messages, after a restart: which of these ids are keys of
        something that was sent to the group, or may have been by a run that crashed.

        Anyone can repeat an id, so this alone is no proof of who sent a message.

        Args:
            group: where they were found.
            keys: the ids; with what the messages that bear them are called there, where that is
                known. Answers and reactions to them are understood from then on, though the run
                that sent them could not write down what they are called.

        Returns:
            Those keys, each with the name that the author was shown under; None if that is not
            known any more.
        """
        ...

    async def recorded(self, group: str, ids: Collection[str]) -> Mapping[str, datetime]:
        """Tell how far back an own copy need be looked for: which of these ids are copies that are
        on record as made, each with the time at which it was said at its origin.

        A group is sent to in order. So what was said after one of these, and is not on record, can
        only come after it in the group.
        """
        ...

    def missed(self, missed: Missed) -> None:
        """Report that something said in a group could not be fetched."""
        ...

    def signal(self, signal: Signal) -> None:
        """Report something passing. Never waits; may be dropped under load."""
        ...

    async def avatar(self, author: Author) -> Picture | None:
        """The picture of a person of any network, at most 1 MB; None when there is none to have.

        Raises:
            Unreachable: it can't be had now.
        """
        ...


class Settings(BaseModel, extra="forbid", frozen=True):
    """Base of an adapter's own settings, the keys under its network in the config file.

    Use `Secret` for secrets; document each field with `Field(description=…)`.
    """


@runtime_checkable
class Declaring(Protocol):
    """An adapter that tells what its networks can do at best, for the table in the docs."""

    @staticmethod
    def declared() -> Mapping[str, Capabilities]:
        """The capabilities by the way of taking part ("as a component"); one way may be ""."""
        ...


class Adapter(Protocol):
    """What an entry point of the group `consilium.adapters` names: it makes networks of one type.

    The entry point's name is the `type` in the config file.
    """

    settings: ClassVar[type[Settings]]

    @staticmethod
    def normalise(group: str) -> str:
        """The one spelling of a group's id, so that two spellings can't be two links.

        Raises:
            ValueError: it can't be a group there; the message says how one looks.
        """
        ...

    @staticmethod
    def create(*, network: str, name: str, settings: Any, inlet: Inlet) -> Network:  # noqa: ANN401
        """Make a network, not yet connected.

        Args:
            network: its id in the configuration; goes into every `Place` it reports.
            name: how people call it ("Hospital B").
            settings: an instance of `settings`.
            inlet: where to hand over what it hears.
        """
        ...
