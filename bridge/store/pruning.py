"""Deletes what is old and dealt with, a bounded number of rows at a time.

Ids rise with time, so the old rows are the first ones: they are found by walking along the primary
key, without an index that every message would have to pay for. The row with the highest id always
stays, because ids are counted on from it; so does the last message of each place, from which on is
fetched what was missed; so do all copies, since replies and edits may come late.
"""

from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from bridge.store.tables import DeliveryState, deliveries, inbox


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did: rows deleted, and the id to go on after; None at the end of the old."""

    deleted: int
    after: int | None


@dataclass(frozen=True, slots=True)
class _Old:
    """Which rows of a table may go, by a condition on the `times` (`old`: older than that)."""

    table: Table
    made_at: ColumnElement[int]
    disposable: ColumnElement[bool]
    times: dict[str, int]


def prune_deliveries(
    connection: Connection, *, after: int, limit: int, done_before: int, failed_before: int
) -> Step:
    """Look at the next `limit` deliveries, and delete those that were finished before a time.

    Args:
        connection: in whose transaction.
        after: the id to begin after.
        limit: how many rows to look at.
        done_before: for those that arrived; milliseconds since the epoch.
        failed_before: for those that were set aside.
    """
    column = deliveries.c
    finished = or_(
        and_(column.state == int(DeliveryState.DONE), column.finished_at < bindparam("done")),
        and_(column.state == int(DeliveryState.FAILED), column.finished_at < bindparam("failed")),
    )
    times = {"old": done_before, "done": done_before, "failed": failed_before}
    old = _Old(deliveries, column.created_at, finished, times)
    return _step(connection, old, after, limit)


def prune_inbox(connection: Connection, *, after: int, limit: int, received_before: int) -> Step:
    """Look at the next `limit` events, and delete those that are old and that no delivery needs."""
    column = inbox.c
    needed = exists().where(deliveries.c.message_id == column.id)
    newer = inbox.alias("newer")
    message: ColumnElement[str] = literal_column("'message'")
    last_message = and_(
        column.kind == message,
        ~exists().where(
            newer.c.kind == message, newer.c.place_id == column.place_id, newer.c.id > column.id
        ),
    )
    unneeded = and_(column.received_at < bindparam("old"), ~needed, ~last_message)
    old = _Old(inbox, column.received_at, unneeded, {"old": received_before})
    return _step(connection, old, after, limit)


def _step(connection: Connection, old: _Old, after: int, limit: int) -> Step:
    column = old.table.c.id
    rows = connection.execute(
        select(column, old.made_at).where(column > after).order_by(column).limit(limit)
    ).all()
    newest = connection.scalar(select(func.max(column))) or 0
    # One row with a time from a clock that was wrong ends nothing
    if not any(made_at < old.times["old"] for _, made_at in rows):
        return Step(0, None)
    last = min(rows[-1][0], newest - 1)
    deleted = connection.execute(
        delete(old.table).where(
            column > bindparam("after"), column <= bindparam("last"), old.disposable
        ),
        {**old.times, "after": after, "last": last},
    ).rowcount
    return Step(deleted, rows[-1][0] if len(rows) == limit else None)
