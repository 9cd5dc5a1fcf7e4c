"""The port: what an adapter implements, and what it is given.

To add a network, read this file, copy the smallest adapter and pass the contract kit. An adapter
imports this module and `bridge.model`, nothing else of the bridge. It connects, receives, sends,
looks up, and says honestly what it can do (`Capabilities`); the core does the rest: portals,
storing, ordering, retrying, names and the conversion of text.

    adapter.receive ----> Inlet.receive   on disk when it returns
    core ---------------> Network.send    one at a time per group, in order; retried by the core
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Final, Protocol

from pydantic import BaseModel

from bridge.errors import ConsiliumError
from bridge.model import Author, Deliverable, Event, Kind, Place
from bridge.secret import Secret

__all__ = [
    "NEVER_HEARD",
    "Adapter",
    "Capabilities",
    "CatchUp",
    "Dialect",
    "Finding",
    "Health",
    "Inlet",
    "Level",
    "Missed",
    "Network",
    "Outgoing",
    "Outlet",
    "Place",
    "Refused",
    "Secret",
    "Sent",
    "Settings",
    "Unreachable",
]


# --- what a network can do ---------------------------------------------------------------------


class Level(StrEnum):
    """How well a place can show something."""

    FULL = "full"
    PARTLY = "partly"
    OTHERWISE = "shown otherwise"
    REFUSED = "refused"


class Dialect(StrEnum):
    """The text a network speaks. The core converts to it and from it."""

    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a place can show. Declare less rather than more: what is declared FULL is tested.

    `own_names`: each author appears there under a name of their own. Where it is False, the core
    puts "Name: " before every text.
    `max_text`: longest text in UTF-8 bytes; the core splits longer ones.
    `knows_own_copies`: the adapter never hands over a copy that it made itself, because it names
    copies itself or recognises them. Where it is False, `Inlet.receive` waits for a send that is
    in hand at the same place: its echo may come before the id that it is known by.
    """

    own_names: bool
    max_text: int
    knows_own_copies: bool = False
    dialect: Dialect = Dialect.PLAIN
    emote: Level = Level.FULL
    membership: Level = Level.REFUSED
    subject: Level = Level.REFUSED

    def level(self, kind: Kind) -> Level:
        """How well events of this kind can be shown there."""
        match kind:
            case Kind.MESSAGE:
                return Level.FULL
            case Kind.JOINED | Kind.LEFT | Kind.RENAMED:
                return self.membership
            case Kind.SUBJECT:
                return self.subject
            case Kind.ROSTER:
                return Level.REFUSED


# --- what the core asks of a network -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One thing to show at one place.

    `event` is ready to show: its text is in the network's dialect, within its limits, and
    `event.author.name` is the name to show (suffixed with the network it comes from where that
    is another one). `event.place` and `event.id` still tell where it comes from.
    `key` is the same at every attempt and unique per thing and place (26 characters of
    `[a-z2-7]`, a suffix `.N` for further parts of a long text): name the copy with it wherever
    the network lets the sender choose an id.
    """

    place: Place
    key: str
    event: Deliverable


@dataclass(frozen=True, slots=True)
class Sent:
    """It is there. `id` is the name it has there; None for things that have none (a join)."""

    id: str | None = None


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

    async def sent(self, group: str, keys: Collection[str]) -> Mapping[str, str | None]:
        """Tell own copies from others' messages, after a restart: which of these ids are keys of
        something that was sent to the group, or may have been by a run that crashed.

        Anyone can repeat an id, so this alone is no proof of who sent a message.

        Returns:
            Those keys, each with the name that the author was shown under; None if that is not
            known any more.
        """
        ...

    def missed(self, missed: Missed) -> None:
        """Report that something said in a group could not be fetched."""
        ...


class Settings(BaseModel, extra="forbid", frozen=True):
    """Base of an adapter's own settings, the keys under its network in the config file.

    Use `Secret` for secrets; document each field with `Field(description=…)`.
    """


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
