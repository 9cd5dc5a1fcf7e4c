"""The one way in: committed in groups, told honestly, spoiled by nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import pytest
from core_stage import (
    ANNA,
    BOTH_WARDS,
    EVERYTHING,
    ROOM,
    START,
    WARD_A,
    WARD_B,
    joined,
    said,
    until,
)
from sqlalchemy import Connection, insert, select

from bridge.errors import StoreError, UnstorableError
from bridge.flow.intake import Intake
from bridge.flow.relay import Arrival, Duty, Relay, Unreadable
from bridge.model import Author, Message, Place
from bridge.portals.service import Portals
from bridge.store import deliveries, tables
from bridge.store.database import Database

T = TypeVar("T")


class Tampered:
    """A database that counts, and breaks when told to: before the work, or at its commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.runs = 0
        self.broken = False
        self.break_after_commits = 0
        self.gate: asyncio.Event | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        self.runs += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise StoreError("The disk is full.", "Make room.")
        result = await self._database.run(work)
        if self.break_after_commits:
            self.break_after_commits -= 1
            raise StoreError("The connection broke.")
        return result

    async def claim(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class PickyRelay(Relay):
    """A relay that breaks over certain messages."""

    fault: Exception = LookupError("a bug")

    def accept(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Duty]:
        duties = super().accept(connection, arrivals)
        if any(isinstance(each, Message) and "poison" in each.text for each in arrivals):
            raise self.fault
        return duties


class Hall:
    """An intake at work."""

    def __init__(self, database: Database) -> None:
        self.real = database
        self.database = Tampered(database)
        self.portals = Portals(database)
        self.relay = PickyRelay(lambda: self.portals.index, lambda _: EVERYTHING)
        self.delivered: list[Duty] = []
        self.intake = Intake(self.database, self.relay, self.delivered.extend)
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.intake.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def receive(self, *arrivals: Arrival) -> None:
        async with asyncio.timeout(20):
            await self.intake.receive(arrivals)

    def texts(self, place: Place = ROOM) -> list[str]:
        """What was handed on for a place."""
        spot = self.portals.index.at(place)
        assert spot
        return [
            duty.event.text
            for duty in self.delivered
            if duty.place_id == spot.place_id and isinstance(duty.event, Message)
        ]

    async def traces(self) -> list[tuple[bytes, str]]:
        query = (
            select(tables.inbox.c.payload, tables.inbox.c.error)
            .where(tables.inbox.c.error.is_not(None))
            .order_by(tables.inbox.c.id)
        )
        return await self.real.run(lambda c: [(a, b) for a, b in c.execute(query)])

    async def on_disk(self) -> int:
        return sum((await self.real.run(deliveries.counts)).values())


@pytest.fixture
async def hall(database: Database) -> AsyncIterator[Hall]:
    made = Hall(database)
    await made.portals.configure(BOTH_WARDS)
    await database.run(made.relay.resume)
    made.start()
    yield made
    assert made.task
    assert not made.task.done()
    await made.stop()


async def test_what_was_received_is_on_disk_and_handed_on(hall: Hall) -> None:
    await hall.receive(said(1), said(2))
    assert await hall.on_disk() == 4
    assert hall.texts(ROOM) == hall.texts(WARD_B) == ["text 1", "text 2"]


async def test_receiving_nothing_asks_nothing_of_the_database(hall: Hall) -> None:
    await hall.receive()
    assert hall.database.runs == 0


async def test_many_who_wait_share_few_commits_and_keep_their_order(hall: Hall) -> None:
    async with asyncio.TaskGroup() as tasks:
        for n in range(1000):
            tasks.create_task(hall.receive(said(n)))
    assert hall.texts() == [f"text {n}" for n in range(1000)]
    assert hall.database.runs <= 20
    assert await hall.on_disk() == 2000


async def test_a_failing_database_is_told_to_everyone_who_waits(hall: Hall) -> None:
    hall.database.broken = True
    results = await asyncio.gather(
        *(hall.receive(said(n)) for n in range(20)), return_exceptions=True
    )
    assert {str(result) for result in results} == {"The disk is full. Make room."}
    assert await hall.on_disk() == 0
    hall.database.broken = False
    await asyncio.gather(*(hall.receive(said(n)) for n in range(20)))
    assert hall.texts() == [f"text {n}" for n in range(20)]


async def test_nothing_is_half_stored_when_a_statement_fails(hall: Hall) -> None:
    await hall.receive(joined(ANNA))
    hall.relay.fault = StoreError("The disk is full.")
    with pytest.raises(StoreError, match="disk is full"):
        await hall.receive(said(1), said(2, text="poison"))
    assert await hall.on_disk() == 2
    hall.relay.fault = LookupError()
    await hall.receive(said(1), joined(ANNA))
    assert await hall.on_disk() == 4


async def test_what_was_stored_although_its_commit_failed_is_delivered_once(hall: Hall) -> None:
    hall.database.break_after_commits = 1
    with pytest.raises(StoreError, match="connection broke"):
        await hall.receive(said(1))
    assert hall.delivered == []
    hall.database.break_after_commits = 1
    with pytest.raises(StoreError, match="connection broke"):
        await hall.receive(said(1), said(2))
    await hall.receive(said(1), said(2), said(3))
    assert hall.texts() == ["text 1", "text 2", "text 3"]
    assert await hall.on_disk() == len(hall.delivered) == 6
    await hall.receive(said(4))
    assert hall.texts()[3:] == ["text 4"]


async def test_what_was_not_stored_when_its_commit_failed_is_not_delivered(hall: Hall) -> None:
    hall.relay.fault = StoreError("The disk is full.")
    with pytest.raises(StoreError):
        await hall.receive(said(1, text="poison"))
    await hall.receive(said(2))
    assert hall.texts() == ["text 2"]


@pytest.mark.parametrize("fault", [LookupError("a bug"), UnstorableError("A key is too long.")])
async def test_a_poison_event_leaves_a_trace_and_lets_others_pass(
    hall: Hall, fault: Exception
) -> None:
    hall.relay.fault = fault
    await hall.receive(said(1), said(2, text="poison"), joined(ANNA), said(3))
    assert hall.texts() == ["text 1", "text 3"]
    [(payload, reason)] = await hall.traces()
    assert b"poison" in payload
    assert reason == f"not relayed: {type(fault).__name__}"


async def test_poison_from_one_does_not_spoil_what_others_wait_for(hall: Hall) -> None:
    hall.database.gate = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for n in range(10):
            tasks.create_task(hall.receive(said(n, text="poison" if n % 3 == 0 else "")))
        await until(lambda: hall.database.runs == 1)
        hall.database.gate.set()
    assert hall.texts() == [f"text {n}" for n in range(10) if n % 3]
    assert len(await hall.traces()) == 4


@pytest.mark.parametrize(
    "arrival",
    [
        said(1, author=Author("hospital-a", "a\0b", "A")),
        said(1, author=Author("hospital-a", "\ud800", "A")),
        said(1, author=Author("hospital-a", "é" * 3000)),
        Message(WARD_A, "a\0", ANNA, START, "text"),
        Message(WARD_A, "\udfff", ANNA, START, "text \ud800"),
        Message(WARD_A, "x" * 100_000, ANNA, START, "text"),
        Unreadable(WARD_A, b"\0\xff", "odd \0 \ud800 reason" * 1000),
    ],
)
async def test_a_hostile_event_leaves_a_trace_on_either_database(
    hall: Hall, arrival: Arrival
) -> None:
    await hall.receive(arrival, said(2))
    assert hall.texts() == ["text 2"]
    [(payload, reason)] = await hall.traces()
    assert payload
    assert reason


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "\x1b[31m", "😀" * 100_000, "\u202e"])
async def test_a_hostile_text_or_name_is_stored_on_either_database(hall: Hall, text: str) -> None:
    author = Author("hospital-a", "x" * 2000, text, text)
    await hall.receive(joined(author), said(1, author=author, text=f"a{text}"))
    assert len(hall.texts()) == 1
    assert await hall.traces() == []


async def test_who_no_longer_waits_is_stored_all_the_same(hall: Hall) -> None:
    hall.database.gate = asyncio.Event()
    first = asyncio.create_task(hall.receive(said(1)))
    second = asyncio.create_task(hall.receive(said(2)))
    await until(lambda: hall.database.runs == 1)
    first.cancel()
    await asyncio.wait({first})
    hall.database.gate.set()
    await second
    assert first.cancelled()
    assert hall.texts() == ["text 1", "text 2"]


async def test_at_the_end_everyone_is_told_and_nobody_waits_for_ever(database: Database) -> None:
    hall = Hall(database)
    await hall.portals.configure(BOTH_WARDS)
    hall.database.gate = asyncio.Event()
    hall.start()
    waiting = [asyncio.create_task(hall.receive(said(n))) for n in range(1000)]
    await until(lambda: hall.database.runs == 1)
    await hall.stop()
    results = await asyncio.gather(*waiting, hall.receive(said(1000)), return_exceptions=True)
    assert {str(result) for result in results} == {"The bridge is stopping."}
    assert await hall.on_disk() == 0


async def test_a_copy_written_by_the_recorder_at_the_same_moment_is_no_poison(
    hall: Hall,
) -> None:
    """On PostgreSQL the two are at work at once; the copy is there when it is tried again."""
    spot = hall.portals.index.at(WARD_B)
    assert spot
    copy = {"place_id": spot.place_id, "remote_id": "m7", "message_id": 7}
    relay_all = hall.relay.accept
    clashed = False

    def clash(connection: Connection, arrivals: Sequence[Arrival]) -> list[Duty]:
        nonlocal clashed
        if not clashed:
            clashed = True
            raise UnstorableError("A copy is there already.")
        return relay_all(connection, arrivals)

    await hall.real.run(lambda c: c.execute(insert(tables.copies), copy))
    hall.relay.accept = clash  # type: ignore[method-assign]
    await hall.receive(said(7, WARD_B))
    assert clashed
    assert hall.delivered == []
    assert await hall.traces() == []


async def test_a_full_disk_loses_nothing_that_was_accepted(hall: Hall, server: str) -> None:
    if server != "sqlite":
        return

    async def pages(limit: int) -> None:
        await hall.real.run(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={limit}"))

    await pages(60)
    accepted = 0
    full = False
    while not full:
        try:
            await hall.receive(said(accepted, text=f"{accepted} " + "x" * 5000))
            accepted += 1
        except StoreError as error:
            full = "full" in str(error)
    assert accepted
    assert await hall.on_disk() == 2 * accepted
    await pages(100_000)
    for n in range(accepted + 5):
        await hall.receive(said(n, text=f"{n} " + "x" * 5000))
    assert [text.split()[0] for text in hall.texts()] == [str(n) for n in range(accepted + 5)]
