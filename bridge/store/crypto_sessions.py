"""Sessions of both kinds, sealed by vodozemac: with one device, and of a room."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from bridge.store.crypto_tables import (
    crypto_group_sessions,
    crypto_olm_sessions,
    crypto_own_sessions,
)


@dataclass(frozen=True, slots=True)
class OlmRow:
    """A session with one device; `used_at` in milliseconds since the epoch."""

    session_id: str
    curve_key: str
    pickle: str
    used_at: int


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Somebody's session of a room, and whose it is by what was said when it came.

    `forwarded` if it came from another than its owner, and so proves little.
    """

    room_id: str
    session_id: str
    sender: str
    curve_key: str
    signing_key: str
    pickle: str
    forwarded: bool
    first_index: int
    created_at: int


_olm = crypto_olm_sessions.c
_group = crypto_group_sessions.c
_own = crypto_own_sessions.c


def load_olm(connection: Connection) -> list[OlmRow]:
    """All sessions with devices."""
    query = select(_olm.session_id, _olm.curve_key, _olm.pickle, _olm.used_at)
    return [OlmRow(*row) for row in connection.execute(query)]


def save_olm(connection: Connection, row: OlmRow) -> None:
    """Keep a session with a device as it is now."""
    changed = connection.execute(
        update(crypto_olm_sessions)
        .where(_olm.session_id == row.session_id)
        .values(pickle=row.pickle, used_at=row.used_at)
    )
    if not changed.rowcount:
        connection.execute(
            insert(crypto_olm_sessions).values(
                session_id=row.session_id,
                curve_key=row.curve_key,
                pickle=row.pickle,
                used_at=row.used_at,
            )
        )


def drop_olm(connection: Connection, session_ids: Iterable[str]) -> None:
    """Forget sessions with devices."""
    connection.execute(delete(crypto_olm_sessions).where(_olm.session_id.in_(list(session_ids))))


def load_group(connection: Connection, room_id: str, session_id: str) -> GroupRow | None:
    """One session of a room."""
    row = connection.execute(
        select(
            _group.room_id,
            _group.session_id,
            _group.sender,
            _group.curve_key,
            _group.signing_key,
            _group.pickle,
            _group.forwarded,
            _group.first_index,
            _group.created_at,
        ).where(_group.room_id == room_id, _group.session_id == session_id)
    ).one_or_none()
    return None if row is None else GroupRow(*row)


def save_group(connection: Connection, row: GroupRow) -> None:
    """Keep a session of a room, instead of what there was by its id."""
    connection.execute(
        delete(crypto_group_sessions).where(
            _group.room_id == row.room_id, _group.session_id == row.session_id
        )
    )
    connection.execute(
        insert(crypto_group_sessions).values(
            room_id=row.room_id,
            session_id=row.session_id,
            sender=row.sender,
            curve_key=row.curve_key,
            signing_key=row.signing_key,
            pickle=row.pickle,
            forwarded=row.forwarded,
            first_index=row.first_index,
            created_at=row.created_at,
        )
    )


def load_own(connection: Connection, session_id: str) -> tuple[str, str, bytes] | None:
    """The room and the sender of an own session, and what was given to whom, sealed."""
    row = connection.execute(
        select(_own.room_id, _own.sender, _own.shares).where(_own.session_id == session_id)
    ).one_or_none()
    return None if row is None else (row[0], row[1], bytes(row[2]))


def save_own(  # noqa: PLR0913 - a row
    connection: Connection,
    *,
    session_id: str,
    room_id: str,
    sender: str,
    shares: bytes,
    created_at: int,
) -> None:
    """Keep what was given to whom of an own session."""
    connection.execute(delete(crypto_own_sessions).where(_own.session_id == session_id))
    connection.execute(
        insert(crypto_own_sessions).values(
            session_id=session_id,
            room_id=room_id,
            sender=sender,
            shares=shares,
            created_at=created_at,
        )
    )


def drop_own(connection: Connection, before: int) -> int:
    """Forget own sessions that were made before a time; how many."""
    return connection.execute(delete(crypto_own_sessions).where(_own.created_at < before)).rowcount
