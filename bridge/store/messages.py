"""The inbox, and the copies that each message has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, func, insert, literal_column, or_, select

from bridge.model import Kind
from bridge.store.prepared import Prepared
from bridge.store.tables import DeliveryState, InboxState, copies, deliveries, inbox, links

CopyKey = tuple[int, str]
"""A copy by the place's number and the id it has there."""

_FEW = 4
_KEYS_PER_QUERY = 500  # SQLite takes 999 parameters in old builds


@dataclass(frozen=True, slots=True)
class InboxRow:
    """An event as it is kept; `received_at` in milliseconds since the epoch. `target_id` is the
    message that it changes or answers, `topic_id` the one that began its topic.
    """

    id: int
    place_id: int
    kind: Kind
    payload: bytes
    received_at: int
    target_id: int | None = None
    topic_id: int | None = None


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """Something that arrived and could not be understood, as it was, and why."""

    id: int
    place_id: int
    payload: bytes
    received_at: int
    error: str


@dataclass(frozen=True, slots=True)
class CopyRow:
    """One appearance of a message; `part` counts the pieces of a text from 0, or is `ALIAS`."""

    place_id: int
    remote_id: str
    message_id: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class HeardRow:
    """How a group was heard: since when, until when (milliseconds since the epoch), and the last
    message from there.
    """

    since: int
    until: int
    last_message: bytes | None


_last = inbox.alias("last")
_HEARD = select(
    links.c.place_id, links.c.heard_from, links.c.heard_until, inbox.c.payload
).select_from(
    links.outerjoin(
        inbox,
        inbox.c.id
        == select(func.max(_last.c.id))
        .where(
            # Written out, not as a parameter: so the planner sees that the index will do
            _last.c.kind == literal_column("'message'"),
            _last.c.place_id == links.c.place_id,
        )
        .scalar_subquery(),
    )
)


def heard(connection: Connection) -> dict[int, HeardRow]:
    """Every linked place that was ever listened to, by its number: one look into an index each."""
    rows = connection.execute(_HEARD.where(links.c.heard_until.is_not(None)))
    return {row[0]: HeardRow(*row[1:]) for row in rows}


def last_id(connection: Connection) -> int:
    """The highest id ever given to a message that left a trace, 0 when there is none.

    What nobody else is to be told is not kept in the inbox, but its copy has its number.
    """
    columns = (inbox.c.id, copies.c.message_id, deliveries.c.message_id)
    return max(connection.scalar(select(func.max(column))) or 0 for column in columns)


_KNOWN_ONE = Prepared(
    select(copies.c.remote_id).where(
        copies.c.place_id == bindparam("place"), copies.c.remote_id == bindparam("one")
    ),
    ("place", "one"),
)
_KNOWN_SOME = select(copies.c.remote_id).where(
    copies.c.place_id == bindparam("place"),
    copies.c.remote_id.in_(bindparam("some", expanding=True)),
)


def known(connection: Connection, keys: Sequence[CopyKey]) -> set[CopyKey]:
    """Which of these copies are recorded already."""
    by_place: dict[int, list[str]] = {}
    for place_id, remote_id in keys:
        by_place.setdefault(place_id, []).append(remote_id)
    found: set[CopyKey] = set()
    for place_id, remote_ids in by_place.items():
        if len(remote_ids) <= _FEW:
            for remote_id in remote_ids:
                if _KNOWN_ONE.scalars(connection, (place_id, remote_id)):
                    found.add((place_id, remote_id))
            continue
        # Place by place: looking for pairs, SQLite reads the whole table
        for start in range(0, len(remote_ids), _KEYS_PER_QUERY):
            some = remote_ids[start : start + _KEYS_PER_QUERY]
            rows = connection.scalars(_KNOWN_SOME, {"place": place_id, "some": some})
            found.update((place_id, remote_id) for remote_id in rows)
    return found


def copied(
    connection: Connection, place_id: int, remote_ids: Sequence[str]
) -> dict[str, tuple[str | None, bytes | None]]:
    """Kind and payload of what these copies show, by their ids; None where it is not kept."""
    found: dict[str, tuple[str | None, bytes | None]] = {}
    for start in range(0, len(remote_ids), _KEYS_PER_QUERY):
        some = remote_ids[start : start + _KEYS_PER_QUERY]
        rows = connection.execute(
            select(copies.c.remote_id, inbox.c.kind, inbox.c.payload)
            .outerjoin(inbox, inbox.c.id == copies.c.message_id)
            .where(copies.c.place_id == place_id, copies.c.remote_id.in_(some))
        )
        found.update({remote_id: (kind, payload) for remote_id, kind, payload in rows})
    return found


def known_before(
    connection: Connection,
    place_id: int,
    remote_ids: Sequence[str],
    *,
    received: int,
    made: int,
) -> set[str]:
    """Which of these copies were received from their place before one time, or made and recorded
    before another (milliseconds since the epoch).
    """
    was_received = and_(inbox.c.place_id == place_id, inbox.c.received_at < received)
    was_made = and_(deliveries.c.place_id == place_id, deliveries.c.finished_at < made)
    found: set[str] = set()
    for start in range(0, len(remote_ids), _KEYS_PER_QUERY):
        some = remote_ids[start : start + _KEYS_PER_QUERY]
        found.update(
            connection.scalars(
                select(copies.c.remote_id)
                .outerjoin(inbox, inbox.c.id == copies.c.message_id)
                .outerjoin(
                    deliveries,
                    and_(
                        deliveries.c.message_id == copies.c.message_id,
                        deliveries.c.place_id == place_id,
                    ),
                )
                .where(
                    copies.c.place_id == place_id,
                    copies.c.remote_id.in_(some),
                    or_(was_received, was_made),
                )
            )
        )
    return found


def made(
    connection: Connection, place_id: int, remote_ids: Sequence[str]
) -> dict[str, tuple[str, bytes]]:
    """Kind and payload of what those of these copies show that a delivery has made."""
    found: dict[str, tuple[str, bytes]] = {}
    for start in range(0, len(remote_ids), _KEYS_PER_QUERY):
        some = remote_ids[start : start + _KEYS_PER_QUERY]
        rows = connection.execute(
            select(copies.c.remote_id, inbox.c.kind, inbox.c.payload)
            .join(inbox, inbox.c.id == copies.c.message_id)
            .join(
                deliveries,
                and_(
                    deliveries.c.message_id == copies.c.message_id,
                    deliveries.c.place_id == place_id,
                    deliveries.c.state == literal_column(str(int(DeliveryState.DONE))),
                ),
            )
            .where(copies.c.place_id == place_id, copies.c.remote_id.in_(some))
        )
        found.update({remote_id: (kind, payload) for remote_id, kind, payload in rows})
    return found


_ADD_INBOX = Prepared.insert(
    inbox,
    "id",
    "place_id",
    "kind",
    "payload",
    "received_at",
    "state",
    "target_id",
    "topic_id",
)


def add_inbox(connection: Connection, rows: Iterable[InboxRow]) -> None:
    """Keep events."""
    relayed = int(InboxState.RELAYED)
    _ADD_INBOX.run(
        connection,
        [
            (
                row.id,
                row.place_id,
                row.kind.value,
                row.payload,
                row.received_at,
                relayed,
                row.target_id,
                row.topic_id,
            )
            for row in rows
        ],
    )


def add_unreadable(connection: Connection, rows: Iterable[UnreadableRow]) -> None:
    """Keep a trace of what could not be understood."""
    if values := [
        {
            "id": row.id,
            "place_id": row.place_id,
            "kind": "unreadable",
            "payload": row.payload,
            "received_at": row.received_at,
            "state": int(InboxState.UNREADABLE),
            "error": row.error,
        }
        for row in rows
    ]:
        connection.execute(insert(inbox), values)


_ADD_COPIES = Prepared.insert(copies, "place_id", "remote_id", "message_id", "part")


def add_new_copies(connection: Connection, rows: Iterable[CopyRow]) -> None:
    """Record copies that are not recorded yet."""
    _ADD_COPIES.run(
        connection, [(row.place_id, row.remote_id, row.message_id, row.part) for row in rows]
    )


def add_copies(connection: Connection, rows: Sequence[CopyRow]) -> None:
    """Record copies; those that are recorded already stay as they are."""
    fresh = {(row.place_id, row.remote_id): row for row in rows}
    for key in known(connection, list(fresh)):
        del fresh[key]
    add_new_copies(connection, fresh.values())
