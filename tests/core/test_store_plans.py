"""The queries that run for each message find their rows through an index."""

from collections.abc import Callable

import pytest
from core_stage import ANNA, BERT, DOCTOR
from sqlalchemy import Connection, event, text

from bridge.model import Author
from bridge.store import deliveries, members, messages, notices, room_notices
from bridge.store.database import Database
from bridge.store.deliveries import NewDelivery, Outcome
from bridge.store.messages import CopyRow
from bridge.store.tables import DeliveryState

QUERIES: dict[str, Callable[[Connection], object]] = {
    "waiting places": deliveries.waiting_places,
    "a page": lambda c: deliveries.page(c, 3, after=10, limit=100),
    "the last delivery": deliveries.last_id,
    "the last message": messages.last_id,
    "known copies": lambda c: messages.known(c, [(1, "copy-5"), (2, "nothing")]),
    "outcomes": lambda c: deliveries.record(
        c,
        [
            Outcome(5, DeliveryState.DONE, 1, 0, None, 1),
            Outcome(6, DeliveryState.DONE, 1, 0, None, 1),
        ],
    ),
    "members of a place": lambda c: members.load(c, 2),
    "members who came and went": lambda c: members.write(c, 2, here=[ANNA], gone=[BERT, DOCTOR]),
    "deliveries that are late": lambda c: notices.waiting(c, 3, after=10, late=0, limit=100),
    "what was told": lambda c: notices.load(c, [4, 5, 6]),
    "where messages were said": lambda c: notices.said(c, [4, 5, 6]),
    "what became of messages": lambda c: notices.fates(c, [4, 5, 6]),
    "what a notice is about": lambda c: notices.subject_of(c, 1, "$notice"),
    "what is kept": lambda c: room_notices.kept(c, [1, 2], 0),
    "what was given up": lambda c: room_notices.set_aside(c, [1, 2], 0, 1),
    "deliveries in doubt": lambda c: deliveries.stored(c, [4, 5, 6]),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_no_query_reads_a_whole_table(database: Database, server: str, name: str) -> None:
    seen: list[str] = []

    def fill(connection: Connection) -> None:
        rows = range(1, 5001)
        deliveries.add(connection, [NewDelivery(n, n, n % 4, 0) for n in rows])
        connection.execute(text("UPDATE deliveries SET state = 1 WHERE id % 50 <> 0"))
        messages.add_new_copies(connection, [CopyRow(1, f"copy-{n}", n) for n in rows])
        for place_id in range(50):
            crowd = [Author("hospital-a", f"p{n}", f"P{n}") for n in range(100)]
            members.write(connection, place_id, here=crowd, gone=[])
        inbox = "INSERT INTO inbox (id, place_id, kind, payload, received_at, state)"
        connection.execute(text(f"{inbox} SELECT id, 1, 'message', '', 0, 1 FROM deliveries"))
        told = [notices.NoticeRow(n, 1, f"$m{n}", n > 4900, notice_id=f"$n{n}") for n in rows]
        notices.save(connection, told)
        connection.execute(text("ANALYZE"))

    def watch(connection: Connection) -> None:
        def explain(
            _c: object, _cursor: object, statement: str, parameters: object, *_: object
        ) -> None:
            if statement.startswith("EXPLAIN"):
                return
            prefix = "EXPLAIN QUERY PLAN" if server == "sqlite" else "EXPLAIN"
            one = parameters[0] if isinstance(parameters, list) else parameters
            plan = connection.exec_driver_sql(f"{prefix} {statement}", one)
            seen.extend(str(row[-1]) for row in plan)

        if server == "postgresql":  # which rightly reads a table as small as this one at once
            connection.exec_driver_sql("SET enable_seqscan = off")
        event.listen(connection, "before_cursor_execute", explain)
        QUERIES[name](connection)

    await database.run(fill)
    await database.run(watch)
    assert seen
    assert [line for line in seen if line.startswith("SCAN ") or "Seq Scan" in line] == []
