"""What rooms were told about messages that did not get through, so that it can be changed later."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    bindparam,
    case,
    delete,
    exists,
    insert,
    literal_column,
    select,
    text,
)

from bridge.model import Kind
from bridge.store.tables import ALIAS, DeliveryState, copies, deliveries, inbox, notices

_KEYS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """What a room was told about one of its messages: by a mark at it, and by a notice under it.

    A text without its event id was about to be sent, and may have been; an empty id means that it
    could not be. `revision` counts what was sent, and makes the transaction ids. `mark_about`
    stands for what the mark says, whatever its words. `open` while that will change.
    """

    message_id: int
    place_id: int
    event_id: str
    open: bool = True
    revision: int = 0
    mark_text: str | None = None
    mark_about: str | None = None
    mark_id: str | None = None
    notice_text: str | None = None
    notice_id: str | None = None
    reported: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A message as it was said, as far as its status needs it."""

    message_id: int
    place_id: int
    event_id: str
    kind: str
    received_at: int


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one delivery of a message."""

    delivery_id: int
    message_id: int
    place_id: int
    state: DeliveryState
    last_error: str | None
    created_at: int


def subject_of(connection: Connection, place_id: int, event_id: str) -> int | None:
    """The message that has a copy with this id at a room, or that a notice there is about."""
    found: int | None = connection.scalar(
        select(copies.c.message_id).where(
            copies.c.place_id == place_id, copies.c.remote_id == event_id
        )
    )
    if found is None:
        found = connection.scalar(
            select(notices.c.message_id).where(
                notices.c.notice_id == event_id, notices.c.place_id == place_id
            )
        )
    return found


def payload(connection: Connection, message_id: int) -> tuple[str, bytes] | None:
    """The kind and payload of a message, None when it is not kept."""
    row = connection.execute(
        select(inbox.c.kind, inbox.c.payload).where(inbox.c.id == message_id)
    ).first()
    return None if row is None else (row[0], row[1])


def open_ids(connection: Connection) -> list[int]:
    """The messages about which something is shown that will change, oldest first."""
    # Written as the condition of the index, so that it is used
    return list(
        connection.scalars(
            select(notices.c.message_id).where(text("open")).order_by(notices.c.message_id)
        )
    )


def load(connection: Connection, message_ids: Sequence[int]) -> dict[int, NoticeRow]:
    """What was told about these messages."""
    return {
        row[0]: NoticeRow(*row)
        for some in _parts(message_ids)
        for row in connection.execute(
            select(
                notices.c.message_id,
                notices.c.place_id,
                notices.c.event_id,
                notices.c.open,
                notices.c.revision,
                notices.c.mark_text,
                notices.c.mark_about,
                notices.c.mark_id,
                notices.c.notice_text,
                notices.c.notice_id,
                notices.c.reported,
            ).where(notices.c.message_id.in_(some))
        )
    }


def save(connection: Connection, rows: Iterable[NoticeRow]) -> None:
    """Keep these rows as they are now."""
    values = [
        {
            "message_id": row.message_id,
            "place_id": row.place_id,
            "event_id": row.event_id,
            "open": row.open,
            "revision": row.revision,
            "mark_text": row.mark_text,
            "mark_about": row.mark_about,
            "mark_id": row.mark_id,
            "notice_text": row.notice_text,
            "notice_id": row.notice_id,
            "reported": row.reported,
        }
        for row in rows
    ]
    if values:
        drop(connection, [int(str(each["message_id"])) for each in values])
        connection.execute(insert(notices), values)


def drop(connection: Connection, message_ids: Sequence[int]) -> None:
    """Forget what was told about these messages."""
    for some in _parts(message_ids):
        connection.execute(delete(notices).where(notices.c.message_id.in_(some)))


def drop_forgotten(connection: Connection) -> None:
    """Forget what was told about messages that are not kept any more, and so can't be retried."""
    kept = exists().where(inbox.c.id == notices.c.message_id)
    connection.execute(delete(notices).where(text("NOT open"), ~kept))


def said(connection: Connection, message_ids: Sequence[int]) -> dict[int, Told]:
    """Where each of these messages was said, and the id it has there. Of an edit or a deletion, the
    id is that of the message which it changes.
    """
    changes = inbox.c.kind.in_([Kind.EDITED.value, Kind.DELETED.value])
    about = case((changes, inbox.c.target_id), else_=inbox.c.id)
    return {
        row[0]: Told(*row)
        for some in _parts(message_ids)
        for row in connection.execute(
            select(
                inbox.c.id,
                inbox.c.place_id,
                copies.c.remote_id,
                inbox.c.kind,
                inbox.c.received_at,
            )
            .join(
                copies,
                (copies.c.message_id == about) & (copies.c.place_id == inbox.c.place_id),
            )
            .where(inbox.c.id.in_(some), copies.c.part != ALIAS)
        )
    }


def fates(connection: Connection, message_ids: Sequence[int]) -> dict[int, list[Fate]]:
    """What became of each delivery of these messages."""
    found: dict[int, list[Fate]] = {}
    for some in _parts(message_ids):
        for row in connection.execute(
            select(
                deliveries.c.id,
                deliveries.c.message_id,
                deliveries.c.place_id,
                deliveries.c.state,
                deliveries.c.last_error,
                deliveries.c.created_at,
            )
            .where(deliveries.c.message_id.in_(some))
            .order_by(deliveries.c.id)
        ):
            fate = Fate(row[0], row[1], row[2], DeliveryState(row[3]), row[4], row[5])
            found.setdefault(fate.message_id, []).append(fate)
    return found


_LATE = (
    select(deliveries.c.id, deliveries.c.message_id, deliveries.c.created_at, inbox.c.place_id)
    .join(inbox, inbox.c.id == deliveries.c.message_id)
    .where(
        deliveries.c.state == literal_column(str(int(DeliveryState.PENDING))),
        deliveries.c.place_id == bindparam("place"),
        deliveries.c.id > bindparam("after"),
        deliveries.c.created_at <= bindparam("late"),
    )
    .order_by(deliveries.c.id)
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that waits, and the place where its message was said."""

    delivery_id: int
    message_id: int
    created_at: int
    said_at: int


def waiting(
    connection: Connection, place_id: int, *, after: int, late: int, limit: int
) -> Sequence[Waiting]:
    """The deliveries that have waited for a place since `late`, in milliseconds, or longer.

    Oldest first, with an id above `after`.
    """
    values = {"place": place_id, "after": after, "late": late, "limit": limit}
    return [Waiting(*row) for row in connection.execute(_LATE, values)]


def _parts(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _KEYS_PER_QUERY] for start in range(0, len(ids), _KEYS_PER_QUERY))
