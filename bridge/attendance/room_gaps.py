"""Finds what was said in the rooms of portals and never pushed to the bridge.

A homeserver keeps transactions for a bridge that is down, so mostly nothing is missing. But it does
not keep what happens while the bot is not in a room, or the registration is not there, and it may
lose its queue: Synapse holds in memory what it has to push while another transaction is on its way,
and forgets that when it is restarted. And the bridge's database may have come from a backup. So
whenever the bot is found in a room, or the homeserver was away, a room's timeline is read backwards
until something that was known before: one short request where nothing is missing. What is pushed
from then on waits for that, or it would come before what is older.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from bridge.attendance.gaps import Gaps
from bridge.clock import from_milliseconds, milliseconds, now_ms
from bridge.contract import CatchUp, Missed, Unreachable
from bridge.errors import ConsiliumError, StoreError
from bridge.flow.intake import Intake
from bridge.flow.relay import Arrival, Unreadable
from bridge.matrix.raw import JsonObject, text_at
from bridge.matrix.reading.findings import Said
from bridge.matrix.timeline import Timeline
from bridge.model import MATRIX
from bridge.portals.service import Portals, Spot
from bridge.store import messages
from bridge.store import portals as portal_rows
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 3
_RETRY_SECONDS: Final = 15.0
_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_PAGES_MAX: Final = 30
_FIRST_SECONDS: Final = 10.0
_WATCH_SECONDS: Final = 5.0
_HANDED_OVER_AT_ONCE: Final = 200


class Line(Protocol):
    """The way to the homeserver; see `bridge.matrix.connection.Connection`."""

    @property
    def answers(self) -> bool:
        """Whether the homeserver answers, as far as is known."""
        ...

    @property
    def outages(self) -> int:
        """How often it was away, and may have lost what it had to push."""
        ...


async def _as_they_are(events: Sequence[JsonObject]) -> Sequence[JsonObject]:
    return events


@dataclass(frozen=True, slots=True)
class Sources:
    """Where rooms are read, and what reads events: what was said to the bot is no arrival.

    `opened` decrypts them before; what can't be decrypted yet is kept elsewhere.
    """

    timeline: Timeline
    read: Callable[[JsonObject], object]
    owns: Callable[[str], bool]
    line: Line
    opened: Callable[[Sequence[JsonObject]], Awaitable[Sequence[JsonObject]]] = _as_they_are


class RoomGaps:
    """Looks back in rooms, in the background, few at once.

    Args:
        sources: the rooms' timelines, and what understands them.
        portals: whose rooms they are.
        database: tells what is known.
        intake: takes what was missed, oldest first.
        limits: how far to look back in a portal's room.
        gaps: told what can't be found.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - it stands between the homeserver and the core
        self,
        sources: Sources,
        portals: Portals,
        database: Database,
        intake: Intake,
        limits: Callable[[Spot], CatchUp],
        gaps: Gaps,
    ) -> None:
        self._sources = sources
        self._portals = portals
        self._database = database
        self._intake = intake
        self._limits = limits
        self._gaps = gaps
        self._asked: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._few = asyncio.Semaphore(_AT_ONCE)
        self._outages = sources.line.outages
        self._sure_until = now_ms()
        self._looked: set[str] = set()
        self._due = False

    def look(self, room_id: str, before: int) -> None:
        """Have a room looked at.

        Args:
            room_id: a room that the bot is in.
            before: what was known at that time (milliseconds since the epoch), and all that is
                older, is not missing. What has come in since says nothing about a gap.
        """
        self._asked.put_nowait((room_id, before))

    async def first(self, room_ids: Collection[str]) -> None:
        """Look at rooms where something may be missing, before more from there is taken over.

        Never fails and never takes long: if a room can't be looked at now, that is done later.
        """
        self._note_outage()
        doubtful = [room_id for room_id in room_ids if room_id not in self._looked]
        if doubtful:
            await asyncio.gather(*map(self._look_first, doubtful))

    def _note_outage(self) -> None:
        """If the homeserver was away, only what it has pushed up to now is without gaps."""
        if self._outages != self._sources.line.outages:
            self._outages = self._sources.line.outages
            self._sure_until = now_ms()
            self._looked.clear()
            self._due = True

    async def _look_first(self, room_id: str) -> None:
        before = self._sure_until
        try:
            async with asyncio.timeout(_FIRST_SECONDS), self._few:
                await self._close(room_id, before, begin=False)
        except (ConsiliumError, TimeoutError) as error:
            log.info("gap_not_looked_for", room=room_id, reason=str(error) or "It takes too long.")
            self.look(room_id, before)
        if before == self._sure_until:
            self._looked.add(room_id)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            for _ in range(_AT_ONCE):
                tasks.create_task(self._work())

    async def _watch(self) -> None:
        """Have every room looked at after an outage: perhaps nothing more is said there."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            self._note_outage()
            if self._due and self._sources.line.answers:
                self._due = False
                for portal in self._portals.index.portals:
                    if portal.room is not None and portal.room.id not in self._looked:
                        self.look(portal.room.id, self._sure_until)

    async def _work(self) -> None:
        while True:
            room_id, before = await self._asked.get()
            try:
                await self._close(room_id, before)
            except (Unreachable, StoreError) as error:
                log.info("gap_not_looked_for", room=room_id, reason=str(error))
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.look, room_id, before)
            except ConsiliumError as error:
                self._gaps.report(MATRIX, Missed(room_id, str(error)))

    async def _close(self, room_id: str, before: int, *, begin: bool = True) -> None:
        """Look at a room; it counts as listened to from now on if it did not yet, and `begin`."""
        spot = self._portals.index.room(room_id)
        if spot is None:
            return
        now = datetime.now(UTC)
        number = spot.place_id
        limits = self._limits(spot)
        heard = await self._database.run(lambda c: portal_rows.room_heard(c, number))
        if heard is None and not begin:
            return
        if heard is not None and limits.wanted:
            begun, until = (from_milliseconds(time) for time in heard)
            floor = max(until - _CLOCKS_DIFFER, begun, now - limits.max_age)
            search = _Search(number, before, heard[1], floor, limits.max_messages)
            missing = await self._search(room_id, search)
            await self._hand_over(room_id, missing)
        await self._database.run(
            lambda c: portal_rows.note_room_heard(c, number, milliseconds(now))
        )

    async def _search(self, room_id: str, search: "_Search") -> list[JsonObject]:
        """What is missing, newest first."""
        missing: list[JsonObject] = []
        pages = 0
        async for page in self._sources.timeline.back(room_id):
            fresh = page[: await self._first_known(search, page)]
            said = [raw for raw in fresh if not self._sources.owns(text_at(raw, "sender"))]
            missing += [raw for raw in said if _is_since(raw, search.floor)]
            pages += 1
            if len(missing) > search.most or (missing and pages == _PAGES_MAX):
                self._tell_limit(room_id, search.most)
            if len(missing) > search.most or pages == _PAGES_MAX:
                return missing[: search.most]
            # An own event may bear the time of what it repeats, so it tells nothing about the floor
            too_old = bool(said) and not any(_is_since(raw, search.floor) for raw in said)
            if len(fresh) < len(page) or too_old:
                return missing
        return missing

    async def _first_known(self, search: "_Search", page: Sequence[JsonObject]) -> int:
        """Where in the page something is that was known before; its length, if nothing is."""
        ids = [text_at(raw, "event_id") for raw in page]
        known = await self._database.run(
            lambda c: messages.known_before(
                c, search.place_id, ids, received=search.before, made=search.heard_until
            )
        )
        return next((place for place, ident in enumerate(ids) if ident in known), len(page))

    def _tell_limit(self, room_id: str, most: int) -> None:
        reason = (
            f"Nothing older than the last {most} messages of the room was looked for. What the"
            " homeserver has kept for the bridge still comes."
        )
        self._gaps.report(MATRIX, Missed(room_id, reason))

    async def _hand_over(self, room_id: str, missing: Sequence[JsonObject]) -> None:
        arrivals: list[Arrival] = []
        for raw in await self._sources.opened(list(reversed(missing))):
            found = self._sources.read(raw)
            if isinstance(found, Said | Unreadable):
                arrivals.append(found)
        if arrivals:
            log.info("gap_found", room=room_id, events=len(arrivals))
        for start in range(0, len(arrivals), _HANDED_OVER_AT_ONCE):
            await self._intake.receive(arrivals[start : start + _HANDED_OVER_AT_ONCE])


@dataclass(frozen=True, slots=True)
class _Search:
    """Where to stop, going back: at what was received `before`, for the homeserver pushes in order;
    at what the bridge itself said before the last search, for that one has seen all that was there
    (later is not enough: what others said before it may be on its way still); at older times; and
    after so many events.
    """

    place_id: int
    before: int
    heard_until: int
    floor: datetime
    most: int


def _is_since(raw: JsonObject, floor: datetime) -> bool:
    time = raw.get("origin_server_ts")
    return isinstance(time, int) and time >= milliseconds(floor)
