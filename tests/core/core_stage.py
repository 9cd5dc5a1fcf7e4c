"""A stage for the core: two hospitals and a room, scripted networks, and the parts put together."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from bridge.attendance.gaps import Gaps
from bridge.contract import Capabilities, Feature, Level, LocalFile, Outgoing, Refused, Sent
from bridge.delivery.lane import LaneContext, Patience
from bridge.delivery.lanes import Lanes
from bridge.delivery.own_copies import OwnCopies
from bridge.delivery.recorder import Recorder
from bridge.delivery.relating import Relating
from bridge.delivery.restraint import Restraint
from bridge.delivery.showing import Tools
from bridge.delivery.watch import NOBODY, Watcher
from bridge.delivery.withdrawn import Withdrawn
from bridge.flow.intake import Intake, IntakeWatcher
from bridge.flow.relay import Arrival, Duty, Relay
from bridge.flow.texts import reader
from bridge.inlet import Past
from bridge.model import (
    MATRIX,
    Attachment,
    Author,
    Direction,
    Joined,
    Left,
    Message,
    Place,
    Renamed,
    Roster,
)
from bridge.portals.policy import EVERYTHING as EVERYTHING_CARRIED
from bridge.portals.policy import Policy
from bridge.portals.service import Portals, WantedPortal
from bridge.store.database import Database

ROOM = Place(MATRIX, "!ward:example.org")
WARD_A = Place("hospital-a", "ward@muc.a.example")
WARD_B = Place("hospital-b", "ward@muc.b.example")
NAMES = {"hospital-a": "Hospital A", "hospital-b": "Hospital B"}

ANNA = Author("hospital-a", "anna@a.example", "Anna")
BERT = Author("hospital-a", "bert@a.example", "Bert")
DOCTOR = Author(MATRIX, "@doctor:example.org", "Dr. Demir")

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

EVERYTHING = Capabilities(
    own_names=True,
    max_text=60_000,
    captions=True,
    shows=dict.fromkeys(Feature, Level.FULL),
    hears=dict.fromkeys(Feature, Level.FULL),
)
TALK_ONLY = Capabilities(own_names=True, max_text=60_000)

QUICK = Patience(first_delay=0.002, longest_delay=0.004, store=0.002)
"""Waits that a test does not notice."""

NEVER = Patience(first_delay=3600.0, longest_delay=3600.0, store=0.002)
"""Waits that nothing ends but a wake or a stop."""


def said(number: int, place: Place = WARD_A, author: Author = ANNA, text: str = "") -> Message:
    """The message with this number, at a place."""
    when = START + timedelta(seconds=number)
    return Message(place, f"m{number}", author, when, text or f"text {number}")


def joined(author: Author, place: Place = WARD_A, ident: str | None = None) -> Joined:
    return Joined(place, author, START, ident)


def left(author: Author, place: Place = WARD_A, ident: str | None = None) -> Left:
    return Left(place, author, START, "", ident)


def renamed(author: Author, place: Place = WARD_A) -> Renamed:
    return Renamed(place, author, START)


def roster(*authors: Author, place: Place = WARD_A) -> Roster:
    return Roster(place, authors, START)


def portal(room: str = ROOM.id, **links: Direction) -> WantedPortal:
    """A portal of the configuration; `a` and `b` are the wards of the hospitals."""
    wards = {"a": WARD_A, "b": WARD_B}
    return WantedPortal(room, {wards[name]: direction for name, direction in links.items()})


BOTH_WARDS = [portal(a=Direction.BOTH, b=Direction.BOTH)]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the loop brings about."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.001)


Step = Exception | Sent | asyncio.Event | None


class ScriptedOutlet:
    """A network that does what its script says: raises, answers, or waits for an event; and
    accepts everything once the script has ended. Its places remember what they were sent.
    """

    def __init__(self, capabilities: Capabilities = TALK_ONLY, *script: Step) -> None:
        self.shows = capabilities
        self.script: deque[Step] = deque(script)
        self.there: list[Outgoing] = []
        self.attempts: list[Outgoing] = []
        self.looked_up: list[str] = []
        self.find_faults: deque[Exception] = deque()
        self.remembers = True
        self.on_send: Callable[[Outgoing], None] = lambda _: None

    def capabilities(self, place_id: str) -> Capabilities:
        return self.shows

    async def send(self, outgoing: Outgoing) -> Sent:
        self.attempts.append(outgoing)
        step = self.script.popleft() if self.script else None
        if isinstance(step, asyncio.Event):
            await step.wait()
        if isinstance(step, Exception):
            raise step
        self.there.append(outgoing)
        self.on_send(outgoing)
        return step if isinstance(step, Sent) else Sent(f"copy-{outgoing.key}")

    async def find(self, outgoing: Outgoing) -> Sent | None:
        self.looked_up.append(outgoing.key)
        if self.find_faults:
            raise self.find_faults.popleft()
        if self.remembers and any(copy.key == outgoing.key for copy in self.there):
            return Sent(f"copy-{outgoing.key}")
        return None

    def texts(self, place: Place | None = None) -> list[str]:
        """What was said at a place, or at all of them, in order."""
        return [
            copy.event.text
            for copy in self.there
            if isinstance(copy.event, Message) and place in {None, copy.place}
        ]


class Files:
    """Files by their source; what is not among them can't be had, for the reason given."""

    def __init__(self) -> None:
        self.here: dict[str, LocalFile] = {}
        self.fault: Exception = Refused("It is gone.")
        self.asked: list[Attachment] = []
        self.links: dict[str, str] = {}

    @asynccontextmanager
    async def fetch(
        self, attachment: Attachment, origin: Place, target: Place, limit: int | None
    ) -> AsyncIterator[LocalFile]:
        self.asked.append(attachment)
        if attachment.source not in self.here:
            raise self.fault
        yield self.here[attachment.source]

    def link(self, attachment: Attachment, message_id: int, number: int) -> str | None:
        return self.links.get(attachment.source)


def capabilities(outlets: Mapping[str, ScriptedOutlet], place: Place) -> Capabilities:
    return outlets[place.network].shows if place.network in outlets else TALK_ONLY


class Core:
    """The core as the application puts it together, on one database."""

    def __init__(
        self,
        database: Database,
        outlets: Mapping[str, ScriptedOutlet],
        *,
        crashed: bool = False,
        patience: Patience = QUICK,
        seconds: float = 5.0,
        give_up_after_ms: int = 1_000_000,
        watcher: Watcher = NOBODY,
        taken: Callable[[Sequence[Duty]], None] = lambda _: None,
        intake_watchers: Sequence[IntakeWatcher] = (),
        policies: Mapping[Place, Policy] | None = None,
        restraints: Mapping[Place, Restraint] | None = None,
    ) -> None:
        def policy(place: Place) -> Policy:
            return (policies or {}).get(place, EVERYTHING_CARRIED)

        self.database = database
        self.portals = Portals(database)
        self.files = Files()
        self.recorder = Recorder(database, linger=0.0, retry=0.002)
        self.relay = Relay(
            lambda: self.portals.index,
            lambda place: capabilities(outlets, place),
            self.recorder,
            policy,
        )
        context = LaneContext(
            database,
            self.recorder,
            Tools(
                outlets.get,
                Relating(database, self.recorder, NAMES),
                self.files,
                Withdrawn(),
                NAMES,
                seconds=seconds,
                policies=policy,
            ),
            lambda _: give_up_after_ms,
            watcher,
            taken,
            patience,
            restraint=(restraints or {}).get,
        )
        self.lanes = Lanes(context, crashed=crashed)
        self.intake = Intake(
            database,
            self.relay,
            self.deliver,
            intake_watchers,
            reader(lambda place: capabilities(outlets, place)),
        )
        self.past = Past(OwnCopies(database, lambda: self.portals.index, NAMES), Gaps())
        self.delivered: list[Duty] = []
        self._tasks: list[asyncio.Task[None]] = []

    def deliver(self, duties: Sequence[Duty]) -> None:
        self.delivered += duties
        self.lanes.take(duties)

    async def start(self, wanted: Sequence[WantedPortal] = BOTH_WARDS) -> None:
        self.portals.watch(self.lanes.follow)
        await self.portals.configure(wanted)
        await self.database.run(self.relay.resume)
        await self.lanes.resume()
        self._tasks = [
            asyncio.create_task(part.run()) for part in (self.recorder, self.lanes, self.intake)
        ]

    async def receive(self, *arrivals: Arrival) -> None:
        async with asyncio.timeout(20):
            await self.intake.receive(arrivals)

    async def crash(self) -> None:
        """End as a SIGKILL would: what is only in memory is lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def stop(self) -> bool:
        """End as the application does."""
        try:
            return await self.lanes.stop()
        finally:
            await self.crash()
            await self.recorder.flush()

    def broke(self) -> list[BaseException]:
        """What ended a part that should still run."""
        return [task.exception() or RuntimeError("ended") for task in self._tasks if task.done()]


MakeCore = Callable[..., Core]
"""Makes cores; see the fixture."""


def kinds(duties: Iterable[Duty]) -> list[str]:
    return [duty.event.kind.value for duty in duties if duty.event]
