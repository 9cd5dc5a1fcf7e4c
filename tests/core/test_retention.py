"""What was dealt with long ago is deleted; what waits, may be tried again or tells ids stays."""

import asyncio
from collections.abc import Callable, Iterable

import pytest
from core_stage import WARD_A, Core, ScriptedOutlet, said, until
from sqlalchemy import Connection, event, insert, select, text, update
from structlog.typing import EventDict

from bridge.clock import now_ms
from bridge.errors import StoreError
from bridge.model import MATRIX
from bridge.operations.retention import Retention
from bridge.store import pruning
from bridge.store.database import Database
from bridge.store.tables import DeliveryState, InboxState, copies, deliveries, inbox

DAY = 86_400_000
DONE, FAILED, PENDING = DeliveryState.DONE, DeliveryState.FAILED, DeliveryState.PENDING

MakeCore = Callable[..., Core]


def retention(database: Database, days: int = 30, trying_days: int = 3) -> Retention:
    return Retention(database, days=days, longest_trying_ms=trying_days * DAY, pause=0.0)


def message(number: int, age_days: float, *states: DeliveryState) -> Callable[[Connection], None]:
    """A message with one delivery for each state, all of the same age."""

    def write(connection: Connection) -> None:
        then = now_ms() - round(age_days * DAY)
        connection.execute(
            insert(inbox).values(
                id=number, place_id=1, kind="message", payload=b"", received_at=then,
                state=int(InboxState.RELAYED),
            )
        )  # fmt: skip
        connection.execute(
            insert(copies).values(place_id=1, remote_id=f"m{number}", message_id=number)
        )
        for index, state in enumerate(states):
            finished = None if state is PENDING else then
            connection.execute(
                insert(deliveries).values(
                    id=number * 10 + index, message_id=number, place_id=2 + index,
                    state=int(state), attempts=1, next_try=then, created_at=then,
                    finished_at=finished,
                )
            )  # fmt: skip

    return write


async def fill(database: Database, rows: Iterable[Callable[[Connection], None]]) -> None:
    def write(connection: Connection) -> None:
        for row in rows:
            row(connection)

    await database.run(write)


async def kept(database: Database) -> tuple[list[int], list[int]]:
    """The ids of the messages and of the deliveries that are left."""

    def read(connection: Connection) -> tuple[list[int], list[int]]:
        return (
            list(connection.scalars(select(inbox.c.id).order_by(inbox.c.id))),
            list(connection.scalars(select(deliveries.c.id).order_by(deliveries.c.id))),
        )

    return await database.run(read)


async def test_what_was_delivered_long_ago_is_deleted_and_what_is_younger_stays(
    database: Database,
) -> None:
    rows = [message(1, 40, DONE, DONE), message(2, 31, DONE), message(3, 29, DONE)]
    await fill(database, rows)
    await retention(database).prune()
    assert await kept(database) == ([3], [30])


async def test_copies_are_never_forgotten(database: Database) -> None:
    await fill(database, [message(1, 400, DONE), message(2, 1, DONE)])
    await retention(database).prune()
    numbers = await database.run(lambda c: list(c.scalars(select(copies.c.message_id))))
    assert sorted(numbers) == [1, 2]


async def test_what_still_waits_stays_however_old_with_the_event_it_needs(
    database: Database,
) -> None:
    await fill(database, [message(1, 400, DONE, PENDING), message(2, 0, DONE)])
    await retention(database).prune()
    assert await kept(database) == ([1, 2], [11, 20])


async def test_what_was_set_aside_stays_as_long_as_it_could_have_been_tried(
    database: Database,
) -> None:
    await fill(database, [message(1, 8, FAILED, DONE), message(2, 4, FAILED), message(3, 0, DONE)])
    await retention(database, days=2, trying_days=7).prune()
    assert await kept(database) == ([2, 3], [20, 30])


async def test_what_nobody_was_to_be_told_goes_too(database: Database) -> None:
    await fill(database, [message(1, 31), message(2, 29)])
    await retention(database).prune()
    assert await kept(database) == ([2], [])


async def test_the_newest_rows_stay_for_ids_are_counted_on_from_them(database: Database) -> None:
    await fill(database, [message(1, 400, DONE), message(2, 400, DONE)])
    await retention(database).prune()
    assert await kept(database) == ([2], [20])


async def test_nothing_is_deleted_where_all_is_to_be_kept(database: Database) -> None:
    await fill(database, [message(1, 4000, DONE), message(2, 0, DONE)])
    await retention(database, days=0).prune()
    assert await kept(database) == ([1, 2], [10, 20])


async def test_a_row_with_a_time_from_the_future_does_not_keep_those_behind_it(
    database: Database,
) -> None:
    ages = {1: 40, 2: -40, 3: 40, 4: 40}
    await fill(database, [message(number, age, DONE) for number, age in ages.items()])
    await retention(database).prune()
    assert await kept(database) == ([2, 4], [20, 40])


async def test_thousands_of_rows_go_in_many_small_steps(database: Database) -> None:
    await fill(database, (message(n, 40 if n <= 1_500 else 1, DONE) for n in range(1, 1_701)))
    steps: list[tuple[str, int]] = []
    pruned = lambda table, rows: steps.append((table, rows))  # noqa: E731
    await Retention(database, days=30, longest_trying_ms=DAY, pruned=pruned, pause=0.0).prune()
    assert {table: sum(n for t, n in steps if t == table) for table, _ in steps} == {
        "deliveries": 1_500,
        "inbox": 1_500,
    }
    assert max(rows for _, rows in steps) <= 200
    messages, _ = await kept(database)
    assert messages == list(range(1_501, 1_701))


async def test_a_message_is_known_again_after_its_row_is_gone(
    core: Core, outlets: dict[str, ScriptedOutlet], database: Database
) -> None:
    await core.receive(said(1), said(2))
    await until(lambda: len(outlets[MATRIX].there) == 2)
    await core.recorder.flush()
    old = now_ms() - 40 * DAY
    await database.run(lambda c: c.execute(update(inbox).values(received_at=old)))
    await database.run(
        lambda c: c.execute(update(deliveries).values(created_at=old, finished_at=old))
    )
    await retention(database).prune()

    await core.receive(said(1), said(3))
    await until(lambda: len(outlets[MATRIX].there) == 3)
    assert outlets[MATRIX].texts() == ["text 1", "text 2", "text 3"]
    assert core.delivered[-1].event == said(3, WARD_A)


async def test_it_runs_by_itself_and_a_database_that_fails_does_not_end_it(
    database: Database, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_work: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(database, "run", fail)
    monkeypatch.setattr("bridge.operations.retention._EVERY_SECONDS", 0.001)
    running = asyncio.create_task(
        Retention(database, days=1, longest_trying_ms=DAY, first=0.0, pause=0.0).run()
    )
    await until(lambda: len(logged) >= 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {entry["event"] for entry in logged} == {"not_pruned"}


@pytest.mark.parametrize("table", ["deliveries", "inbox"])
async def test_no_step_reads_a_whole_table(database: Database, server: str, table: str) -> None:
    await fill(database, (message(n, 40, DONE) for n in range(1, 2_001)))
    await database.run(lambda c: c.execute(text("ANALYZE")))
    seen: list[str] = []

    def explain(connection: Connection) -> None:
        def note(
            _c: object, _cursor: object, statement: str, parameters: object, *_: object
        ) -> None:
            if statement.startswith("EXPLAIN"):
                return
            prefix = "EXPLAIN QUERY PLAN" if server == "sqlite" else "EXPLAIN"
            plan = connection.exec_driver_sql(f"{prefix} {statement}", parameters)
            seen.extend(str(row[-1]) for row in plan)

        if server == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        event.listen(connection, "before_cursor_execute", note)
        if table == "deliveries":
            pruning.prune_deliveries(
                connection, after=0, limit=100, done_before=now_ms(), failed_before=now_ms()
            )
        else:
            pruning.prune_inbox(connection, after=0, limit=100, received_before=now_ms())
        event.remove(connection, "before_cursor_execute", note)

    await database.run(explain)
    assert seen
    scans = [line for line in seen if line.startswith("SCAN ") or "Seq Scan" in line]
    assert [line for line in scans if "USING" not in line] == []
