"""Events of encrypted rooms that wait: for their keys, or for those before them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from bridge.store.crypto_tables import crypto_waiting


class WaitingState(IntEnum):
    """How an event waits. `HELD` ones keep those after them in their room waiting, `LATE` don't."""

    HELD = 0
    LATE = 1


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """An event that waits since then, milliseconds since the epoch; without a session, it only
    waits for its turn.
    """

    id: int
    room_id: str
    event_id: str
    session_id: str | None
    payload: bytes
    state: WaitingState
    reason: str | None
    since: int


@dataclass(frozen=True, slots=True)
class NewWaiting:
    """As `WaitingRow`, before it has a number."""

    room_id: str
    event_id: str
    session_id: str | None
    payload: bytes
    state: WaitingState
    since: int
    reason: str | None = None


_column = crypto_waiting.c
_ALL = select(
    _column.id,
    _column.room_id,
    _column.event_id,
    _column.session_id,
    _column.payload,
    _column.state,
    _column.reason,
    _column.since,
)


def add(connection: Connection, rows: Sequence[NewWaiting]) -> None:
    """Keep events, in this order; those that wait already are left as they are."""
    ids = [row.event_id for row in rows]
    there = set(connection.scalars(select(_column.event_id).where(_column.event_id.in_(ids))))
    values = {
        row.event_id: {
            "room_id": row.room_id,
            "event_id": row.event_id,
            "session_id": row.session_id,
            "payload": row.payload,
            "state": int(row.state),
            "reason": row.reason,
            "since": row.since,
        }
        for row in rows
        if row.event_id not in there
    }
    if values:
        connection.execute(insert(crypto_waiting), list(values.values()))


def held_rooms(connection: Connection) -> list[str]:
    """The rooms in which something holds up what comes after it."""
    query = select(_column.room_id).where(_column.state == int(WaitingState.HELD)).distinct()
    return list(connection.scalars(query))


def held(connection: Connection, room_id: str) -> list[WaitingRow]:
    """What is held in a room, in order."""
    query = _ALL.where(_column.room_id == room_id, _column.state == int(WaitingState.HELD))
    return _rows(connection.execute(query.order_by(_column.id)))


def late_rooms(connection: Connection) -> list[str]:
    """The rooms in which keys are late."""
    query = select(_column.room_id).where(_column.state == int(WaitingState.LATE)).distinct()
    return list(connection.scalars(query))


def late(connection: Connection, room_id: str, session_id: str | None = None) -> list[WaitingRow]:
    """What waits in a room for a key that is late, in order."""
    query = _ALL.where(_column.room_id == room_id, _column.state == int(WaitingState.LATE))
    if session_id is not None:
        query = query.where(_column.session_id == session_id)
    return _rows(connection.execute(query.order_by(_column.id)))


def late_sessions(connection: Connection) -> list[tuple[str, str, int]]:
    """The rooms and sessions of which keys are late, and since when."""
    query = (
        select(_column.room_id, _column.session_id, func.min(_column.since))
        .where(_column.state == int(WaitingState.LATE), _column.session_id.is_not(None))
        .group_by(_column.room_id, _column.session_id)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def grow_late(connection: Connection, ids: Iterable[int], reason: str | None) -> None:
    """Hold nothing up by these any longer."""
    connection.execute(
        update(crypto_waiting)
        .where(_column.id.in_(list(ids)))
        .values(state=int(WaitingState.LATE), reason=reason)
    )


def drop(connection: Connection, ids: Iterable[int]) -> None:
    """These wait no longer."""
    connection.execute(delete(crypto_waiting).where(_column.id.in_(list(ids))))


def drop_older(connection: Connection, before: int) -> int:
    """Give up what waits since before a time; how many."""
    return connection.execute(delete(crypto_waiting).where(_column.since < before)).rowcount


def _rows(found: Iterable[Sequence[Any]]) -> list[WaitingRow]:
    return [
        WaitingRow(
            id=row[0],
            room_id=row[1],
            event_id=row[2],
            session_id=row[3],
            payload=bytes(row[4]),
            state=WaitingState(row[5]),
            reason=row[6],
            since=row[7],
        )
        for row in found
    ]
