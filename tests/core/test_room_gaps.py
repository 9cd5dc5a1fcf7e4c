"""What was said in a portal's room and never pushed is found there, and nothing else is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from core_stage import DOCTOR, ROOM, WARD_A, Core, ScriptedOutlet, said, until
from sqlalchemy import Connection
from sqlalchemy import text as sql

from bridge.attendance.gaps import Gaps
from bridge.attendance.room_gaps import RoomGaps, Sources
from bridge.clock import milliseconds, now_ms
from bridge.contract import CatchUp, Missed, Unreachable
from bridge.errors import HomeserverError, StoreUnavailableError
from bridge.flow.relay import Unreadable
from bridge.model import Joined, Message, Place, SubjectChanged
from bridge.store.portals import note_room_heard, room_heard

GHOST = "@_consilium_anna:example.org"
PAGE = 10
NOW = datetime.now(UTC)


@dataclass
class Room:
    """A room's timeline, newest last, and how often it was read."""

    events: list[dict[str, Any]] = field(default_factory=list)
    pages: int = 0
    faults: list[Exception] = field(default_factory=list)

    async def back(self, room_id: str) -> AsyncIterator[Sequence[dict[str, Any]]]:
        assert room_id == ROOM.id
        if self.faults:
            raise self.faults.pop()
        for end in range(len(self.events), 0, -PAGE):
            self.pages += 1
            yield list(reversed(self.events[max(0, end - PAGE) : end]))

    def add(self, *numbers: int, sender: str = DOCTOR.id, at: datetime | None = None) -> None:
        for number in numbers:
            when = milliseconds(at or NOW) + number
            self.events.append(
                {"event_id": f"m{number}", "sender": sender, "origin_server_ts": when}
            )


def read(raw: dict[str, Any]) -> object:
    place, ident = ROOM, raw["event_id"]
    match raw.get("type"):
        case "joined":
            return Joined(place, DOCTOR, NOW, ident)
        case "topic":
            return SubjectChanged(place, DOCTOR, NOW, "topic", ident)
        case "odd":
            return Unreadable(place, b"?", "odd", ident)
        case "nothing":
            return None
        case "told":
            return object()
    when = datetime.fromtimestamp(raw["origin_server_ts"] / 1000, UTC)
    return Message(place, ident, DOCTOR, when, f"text {ident[1:]}")


@dataclass
class ScriptedLine:
    answers: bool = True
    outages: int = 0


@dataclass
class Scene:
    """A core, a room, and the part that compares them."""

    core: Core
    room: Room
    gaps: RoomGaps
    told: list[tuple[Place, Missed]]
    limits: list[CatchUp]
    line: ScriptedLine

    async def push(self, *numbers: int) -> None:
        """Have messages pushed, as the homeserver does."""
        await self.gaps.first([ROOM.id])
        await self.know(*numbers)

    async def know(self, *numbers: int) -> None:
        """Have messages been pushed."""
        await self.core.receive(*(said(number, ROOM, DOCTOR) for number in numbers))

    async def heard(self, until_: datetime = NOW) -> None:
        await self.core.database.run(
            lambda c: note_room_heard(c, self.number, milliseconds(until_))
        )

    async def heard_until(self) -> int | None:
        heard = await self.core.database.run(lambda c: room_heard(c, self.number))
        return heard and heard[1]

    @property
    def number(self) -> int:
        return self.core.portals.index.by_place[ROOM].place_id

    async def look(self, before: int | None = None) -> None:
        """Have the room looked at, and wait until that is done."""
        noted = await self.heard_until()
        self.gaps.look(ROOM.id, now_ms() + 1 if before is None else before)
        async with asyncio.timeout(10):
            while await self.heard_until() == noted:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.002)

    @property
    def relayed(self) -> list[str]:
        return [duty.event.text for duty in self.core.delivered if isinstance(duty.event, Message)]


@pytest.fixture
async def scene(core: Core, hospital_b: ScriptedOutlet) -> AsyncIterator[Scene]:
    room, told, limits = Room(), [], [CatchUp()]
    gaps = Gaps()
    gaps.watch(lambda place, missed: told.append((place, missed)))
    line = ScriptedLine()
    sources = Sources(room, read, lambda user_id: user_id == GHOST, line)  # type: ignore[arg-type]
    looking = RoomGaps(sources, core.portals, core.database, core.intake, lambda _: limits[0], gaps)
    running = asyncio.create_task(looking.run())
    yield Scene(core, room, looking, told, limits, line)
    running.cancel()


def texts(*numbers: int) -> list[str]:
    """Each goes to both wards."""
    return [f"text {number}" for number in numbers for _ in range(2)]


async def test_a_room_that_was_never_listened_to_gets_no_history(scene: Scene) -> None:
    scene.room.add(1, 2, 3)
    await scene.look()
    assert scene.relayed == []
    assert scene.room.pages == 0
    await scene.know(3)
    scene.room.add(4, at=datetime.now(UTC) + timedelta(minutes=1))
    await scene.look()
    assert scene.relayed == texts(3, 4)


async def test_where_nothing_is_missing_one_page_is_read(scene: Scene) -> None:
    await scene.heard()
    scene.room.add(*range(100))
    await scene.know(*range(90, 100))
    await scene.look()
    assert scene.room.pages == 1
    assert scene.relayed == texts(*range(90, 100))


async def test_what_is_missing_is_handed_over_oldest_first_and_once(scene: Scene) -> None:
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.add(*range(50))
    await scene.know(19, 20)
    await scene.look()
    await scene.look()
    assert scene.relayed == texts(19, 20, *range(21, 50))
    assert scene.told == []


async def test_what_came_in_since_does_not_hide_a_gap_before_it(scene: Scene) -> None:
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.add(1, 2, 3, 4)
    await scene.know(1)
    before = now_ms() + 1
    await until(lambda: now_ms() > before)
    await scene.know(4)
    await scene.look(before)
    assert scene.relayed == texts(1, 4, 2, 3)


async def test_what_is_pushed_first_after_a_start_comes_after_what_was_never_pushed(
    scene: Scene,
) -> None:
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.add(1, 2, 3)
    await scene.push(3)
    scene.room.add(4)
    await scene.push(4)
    assert scene.relayed == texts(1, 2, 3, 4)
    assert scene.room.pages == 1


async def test_what_a_homeserver_forgot_to_push_when_it_restarted_comes_before_what_it_pushes(
    scene: Scene,
) -> None:
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.add(1)
    await scene.push(1)
    received = now_ms()
    await until(lambda: now_ms() > received + 1)
    scene.room.add(2, 3, 4)
    scene.line.outages += 1
    await scene.push(4)
    assert scene.relayed == texts(1, 2, 3, 4)


async def test_what_a_homeserver_forgot_to_push_is_found_though_nothing_more_is_said(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.attendance.room_gaps._WATCH_SECONDS", 0.01)
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.add(1, 2)
    scene.line.answers = False
    scene.line.outages += 1
    watching = asyncio.create_task(scene.gaps.run())
    await asyncio.sleep(0)
    assert scene.room.pages == 0
    scene.line.answers = True
    await until(lambda: scene.relayed == texts(1, 2))
    watching.cancel()


async def test_a_room_that_can_not_be_looked_at_holds_up_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.attendance.room_gaps._RETRY_SECONDS", 0.01)
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.add(1, 2, 3)
    scene.room.faults = [Unreachable("away"), Unreachable("away")]
    await scene.push(3)
    assert scene.relayed == texts(3)
    await until(lambda: scene.relayed == texts(3, 1, 2))


async def test_a_room_that_the_bot_has_not_entered_yet_is_not_listened_to_by_that(
    scene: Scene,
) -> None:
    scene.room.add(1, 2)
    await scene.push(2)
    assert await scene.heard_until() is None
    assert scene.relayed == texts(2)


async def test_own_words_hide_no_gap_unless_they_are_from_before_the_last_look(
    scene: Scene, matrix: ScriptedOutlet
) -> None:
    """What doctors said before a ghost's word may be on its way still when the bridge goes down."""
    await scene.heard(NOW - timedelta(hours=1))
    await scene.core.receive(said(99, WARD_A))
    await until(lambda: bool(matrix.there))
    async with asyncio.timeout(10):
        own = f"copy-{matrix.there[0].key}"
        while own not in await scene.core.database.run(_copies(scene.number)):
            await scene.core.recorder.flush()
    scene.room.add(1, 2)
    scene.room.events.append({"event_id": own, "sender": GHOST, "origin_server_ts": 0})
    scene.room.add(3)
    await scene.look()
    assert scene.relayed[2:] == texts(1, 2, 3)
    scene.room.events[0]["event_id"] = "m1-unknown"
    await scene.look(0)
    assert scene.relayed[2:] == texts(1, 2, 3)


def _copies(number: int) -> Callable[[Connection], set[str]]:
    def copies(connection: Connection) -> set[str]:
        rows = connection.execute(
            sql("SELECT remote_id FROM copies WHERE place_id = :p"), {"p": number}
        )
        return {row[0] for row in rows}

    return copies


async def test_what_was_said_before_the_room_was_listened_to_stays_there(scene: Scene) -> None:
    scene.room.add(*range(30), at=NOW - timedelta(hours=2))
    scene.room.add(30, 31)
    await scene.heard(NOW - timedelta(hours=1))
    await scene.look()
    assert scene.relayed == texts(30, 31)
    assert scene.room.pages == 2


async def test_a_room_that_was_just_linked_gets_no_history_at_the_next_start(
    scene: Scene,
) -> None:
    scene.room.add(1, 2, at=NOW - timedelta(minutes=1))
    await scene.look()
    scene.room.add(3, at=datetime.now(UTC) + timedelta(minutes=1))
    await scene.look()
    assert scene.relayed == texts(3)


async def test_a_clock_that_is_wrong_hides_nothing(scene: Scene) -> None:
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.add(1)
    scene.room.add(2, at=NOW - timedelta(days=400))
    scene.room.add(3)
    await scene.look()
    assert scene.relayed == texts(1, 3)


async def test_limits_hold_and_are_told(scene: Scene) -> None:
    await scene.heard(NOW - timedelta(days=30))
    scene.limits[0] = CatchUp(max_age=timedelta(days=2), max_messages=5)
    scene.room.add(*range(10), at=NOW - timedelta(days=3))
    scene.room.add(*range(10, 13), at=NOW - timedelta(days=1))
    await scene.look()
    assert scene.relayed == texts(10, 11, 12)
    assert scene.told == []
    scene.room.add(*range(13, 40))
    await scene.heard(NOW - timedelta(days=30))
    await scene.look(0)
    assert scene.relayed[6:] == texts(*range(35, 40))
    ((place, missed),) = scene.told
    assert place == ROOM
    assert "last 5 messages" in missed.reason


@pytest.mark.parametrize("limit", [CatchUp(max_messages=0), CatchUp(max_age=timedelta())])
async def test_nothing_is_looked_for_where_that_is_switched_off(
    scene: Scene, limit: CatchUp
) -> None:
    await scene.heard(NOW - timedelta(hours=1))
    scene.limits[0] = limit
    scene.room.add(1)
    await scene.look()
    assert scene.relayed == []
    assert scene.room.pages == 0


async def test_topics_and_traces_are_handed_over_but_neither_members_nor_old_commands(
    scene: Scene,
) -> None:
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.add(*range(1, 7))
    kinds = ["joined", "topic", "odd", "nothing", "told", ""]
    for raw, kind in zip(scene.room.events, kinds, strict=True):
        raw["type"] = kind
    scene.room.events.append({"event_id": 5, "sender": None, "origin_server_ts": "x"})
    await scene.look()
    assert [duty.event.id for duty in scene.core.delivered[::2] if duty.event] == ["m6"]
    assert await scene.core.database.run(_copies(scene.number)) == {"m2", "m3", "m6"}


async def test_a_homeserver_or_a_database_that_is_away_is_asked_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.attendance.room_gaps._RETRY_SECONDS", 0.01)
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.add(1)
    scene.room.faults = [Unreachable("away"), StoreUnavailableError("The database is away.")]
    await scene.look()
    assert scene.relayed == texts(1)
    assert scene.told == []


async def test_a_room_that_can_not_be_read_is_told(scene: Scene) -> None:
    await scene.heard(NOW - timedelta(hours=1))
    scene.room.faults = [HomeserverError("You may not.", "Ask.")]
    scene.gaps.look(ROOM.id, 0)
    await until(lambda: bool(scene.told))
    assert scene.told == [(ROOM, Missed(ROOM.id, "You may not. Ask."))]
    scene.gaps.look("!no-portal:example.org", 0)
    scene.room.add(1)
    await scene.look()
    assert scene.relayed == texts(1)
