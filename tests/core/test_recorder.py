"""What became of deliveries is written down in groups, and never lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from core_stage import said, until
from sqlalchemy import Connection, select

from bridge.delivery.recorder import UNRECORDED_MAX, Recorder
from bridge.errors import StoreError
from bridge.flow.codec import encode
from bridge.store import deliveries, messages, tables
from bridge.store.database import Database
from bridge.store.deliveries import NewDelivery, Outcome
from bridge.store.messages import CopyRow, InboxRow
from bridge.store.tables import DeliveryState

T = TypeVar("T")


class Moody:
    """A database that counts, refuses and fails when told to."""

    def __init__(self, database: Database) -> None:
        self.real = database
        self.runs = 0
        self.broken = False
        self.gate: asyncio.Event | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        self.runs += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise StoreError("The disk is full.")
        return await self.real.run(work)

    async def claim(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


@pytest.fixture
async def moody(database: Database) -> Moody:
    def fill(connection: Connection) -> None:
        ids = range(1, 3001)
        messages.add_inbox(
            connection, [InboxRow(n, 1, said(n).kind, encode(said(n)), 0) for n in ids]
        )
        deliveries.add(connection, [NewDelivery(n, n, 2, 0) for n in ids])

    await database.run(fill)
    return Moody(database)


@pytest.fixture
async def recorder(moody: Moody) -> AsyncIterator[Recorder]:
    made = Recorder(moody, linger=0.0, retry=0.002)
    task = asyncio.create_task(made.run())
    yield made
    assert not task.done()
    task.cancel()


def done(number: int) -> Outcome:
    return Outcome(number, DeliveryState.DONE, 1, 0, None, 5)


def copy(number: int) -> CopyRow:
    return CopyRow(2, f"copy-{number}", number)


async def states(moody: Moody) -> dict[int, int]:
    query = select(tables.deliveries.c.id, tables.deliveries.c.state).where(
        tables.deliveries.c.state != 0
    )
    found = await moody.real.run(lambda c: list(c.execute(query)))
    return dict(found)


async def copies(moody: Moody) -> set[str]:
    return await moody.real.run(lambda c: set(c.scalars(select(tables.copies.c.remote_id))))


async def waiting(moody: Moody) -> int:
    return (await moody.real.run(deliveries.counts)).get(2, 0)


async def test_outcomes_share_commits(moody: Moody, recorder: Recorder) -> None:
    async with asyncio.TaskGroup() as tasks:
        for n in range(1, 1001):
            tasks.create_task(recorder.note(done(n), [copy(n)]))
    await recorder.flush()
    assert moody.runs <= 5
    assert await waiting(moody) == 2000
    assert len(await copies(moody)) == 1000


async def test_an_outcome_is_written_down_without_being_asked_for(
    moody: Moody, recorder: Recorder
) -> None:
    await recorder.note(done(1), [copy(1)])
    assert recorder.message_of((2, "copy-1")) is not None
    await until(lambda: recorder.message_of((2, "copy-1")) is None)
    assert await copies(moody) == {"copy-1"}


async def test_of_several_outcomes_the_last_one_counts(moody: Moody, recorder: Recorder) -> None:
    await recorder.note(Outcome(1, DeliveryState.PENDING, 1, 9, "away", None))
    await recorder.note(done(1))
    await recorder.flush()
    assert await states(moody) == {1: DeliveryState.DONE}


async def test_what_was_given_up_does_not_wait_again(moody: Moody, recorder: Recorder) -> None:
    await moody.real.run(lambda c: deliveries.fail_all(c, [2], "The link was removed.", 7))
    await recorder.note(Outcome(1, DeliveryState.PENDING, 1, 9, "away", None))
    await recorder.note(Outcome(2, DeliveryState.FAILED, 1, 9, "refused", 9))
    await recorder.note(done(3))
    await recorder.flush()
    assert await waiting(moody) == 0
    found = await states(moody)
    assert (found[1], found[2], found[3]) == (2, 2, 1)
    query = select(tables.deliveries.c.last_error).where(tables.deliveries.c.id == 2)
    assert await moody.real.run(lambda c: c.scalar(query)) == "The link was removed."


async def test_a_failing_database_loses_no_outcome(moody: Moody, recorder: Recorder) -> None:
    moody.broken = True
    for n in range(1, 11):
        await recorder.note(done(n), [copy(n)])
    await until(lambda: moody.runs >= 3)
    assert recorder.message_of((2, "copy-10")) is not None
    moody.broken = False
    await until(lambda: recorder.message_of((2, "copy-10")) is None)
    assert await waiting(moody) == 2990


async def test_no_more_is_held_than_was_promised_while_the_database_is_away(
    moody: Moody, recorder: Recorder
) -> None:
    moody.broken = True
    noted = 0

    async def note() -> None:
        nonlocal noted
        for n in range(1, 3001):
            await recorder.note(done(n))
            noted = n

    task = asyncio.create_task(note())
    await until(lambda: moody.runs >= 20)
    assert noted == UNRECORDED_MAX
    moody.broken = False
    await task
    await recorder.flush()
    assert await waiting(moody) == 0


async def test_two_flushes_at_once_write_everything(moody: Moody) -> None:
    recorder = Recorder(moody)
    moody.gate = asyncio.Event()
    await recorder.note(done(1), [copy(1)])
    first = asyncio.create_task(recorder.flush())
    await until(lambda: moody.runs == 1)
    await recorder.note(done(2), [copy(2)])
    second = asyncio.create_task(recorder.flush())
    moody.gate.set()
    await asyncio.gather(first, second)
    assert await states(moody) == {1: 1, 2: 1}
    assert await copies(moody) == {"copy-1", "copy-2"}


async def test_a_flush_that_is_cancelled_is_made_good_by_the_next(moody: Moody) -> None:
    recorder = Recorder(moody)
    moody.gate = asyncio.Event()
    await recorder.note(done(1), [copy(1)])
    first = asyncio.create_task(recorder.flush())
    await until(lambda: moody.runs == 1)
    first.cancel()
    await asyncio.wait({first})
    moody.gate.set()
    await recorder.flush()
    assert await states(moody) == {1: 1}


async def test_what_can_not_be_written_keeps_nothing_else_from_the_disk(
    moody: Moody, server: str, logged: list[dict[str, object]]
) -> None:
    """PostgreSQL takes no NUL; whatever the outcome brought it along with, it is over."""
    recorder = Recorder(moody)
    await recorder.note(done(1), [copy(1)])
    await recorder.note(
        replace(done(2), last_error="\0"), [CopyRow(2, "\0", 2), CopyRow(2, "\0 too", 2)]
    )
    await recorder.note(done(3), [copy(3)])
    await recorder.flush()
    assert await states(moody) == {1: 1, 2: 1, 3: 1}
    assert {"copy-1", "copy-3"} <= await copies(moody)
    complaints = [entry["delivery"] for entry in logged if entry["event"] == "copies_not_recorded"]
    assert complaints == ([2] if server == "postgresql" else [])


async def test_a_copy_recorded_already_stays_as_it_is(moody: Moody, recorder: Recorder) -> None:
    await moody.real.run(lambda c: messages.add_copies(c, [CopyRow(2, "copy-1", 77)]))
    await recorder.note(done(1), [copy(1)])
    await recorder.flush()
    query = select(tables.copies.c.message_id)
    assert await moody.real.run(lambda c: list(c.scalars(query))) == [77]
