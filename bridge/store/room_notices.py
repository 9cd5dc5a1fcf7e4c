"""What rooms were told about networks and groups, so that it can be changed later."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import Connection, and_, delete, func, insert, literal_column, or_, select

from bridge.store.tables import DeliveryState, deliveries, members, room_notices

RoomNoticeKey = tuple[int, str]
"""A notice by the number of its room and its subject."""


class Stage(IntEnum):
    """What a notice says now."""

    SAID = 0
    AWAY = 1
    BACK = 2
    OVER = 3


@dataclass(frozen=True, slots=True)
class RoomNoticeRow:
    """One notice in one room. Times in milliseconds since the epoch.

    Without an `event_id` it was about to be sent, and may have been; an empty one means that it
    could not be. `revision` counts what was sent, and makes the transaction ids.
    """

    place_id: int
    subject: str
    stage: Stage
    text: str
    since: int
    revision: int = 0
    event_id: str | None = None
    until: int | None = None

    @property
    def key(self) -> RoomNoticeKey:
        """Room and subject."""
        return self.place_id, self.subject


def load(connection: Connection) -> dict[RoomNoticeKey, RoomNoticeRow]:
    """Every notice that may still change."""
    rows = connection.execute(
        select(
            room_notices.c.place_id,
            room_notices.c.subject,
            room_notices.c.state,
            room_notices.c.text,
            room_notices.c.since,
            room_notices.c.revision,
            room_notices.c.event_id,
            room_notices.c.until,
        )
    )
    found = (RoomNoticeRow(a, b, Stage(c), d, e, f, g, h) for a, b, c, d, e, f, g, h in rows)
    return {row.key: row for row in found}


def save(connection: Connection, rows: Iterable[RoomNoticeRow]) -> None:
    """Keep these rows as they are now."""
    kept = list(rows)
    drop(connection, [row.key for row in kept])
    if kept:
        connection.execute(
            insert(room_notices),
            [
                {
                    "place_id": row.place_id,
                    "subject": row.subject,
                    "state": int(row.stage),
                    "text": row.text,
                    "since": row.since,
                    "revision": row.revision,
                    "event_id": row.event_id,
                    "until": row.until,
                }
                for row in kept
            ],
        )


def drop(connection: Connection, keys: Sequence[RoomNoticeKey]) -> None:
    """Forget these notices."""
    for start in range(0, len(keys), 200):
        some = keys[start : start + 200]
        connection.execute(
            delete(room_notices).where(
                or_(
                    *(
                        and_(room_notices.c.place_id == place, room_notices.c.subject == subject)
                        for place, subject in some
                    )
                )
            )
        )


def rooms_with_people(connection: Connection, place_ids: Sequence[int]) -> set[int]:
    """Those of these rooms in which there is anyone but the bot and ghosts."""
    found: set[int] = set()
    for start in range(0, len(place_ids), 500):
        some = place_ids[start : start + 500]
        found.update(
            connection.scalars(
                select(members.c.place_id).where(members.c.place_id.in_(some)).distinct()
            )
        )
    return found


def kept(connection: Connection, place_ids: Sequence[int], until: int) -> bool:
    """Whether anything accepted up to then still waits for one of these places."""
    return any(
        connection.scalar(
            select(deliveries.c.id)
            .where(
                deliveries.c.state == literal_column(str(int(DeliveryState.PENDING))),
                deliveries.c.place_id == place_id,
                deliveries.c.created_at <= until,
            )
            .order_by(deliveries.c.id)
            .limit(1)
        )
        is not None
        for place_id in place_ids
    )


def set_aside(connection: Connection, place_ids: Sequence[int], since: int, until: int) -> int:
    """How many deliveries of that time were set aside at these places."""
    return (
        connection.scalar(
            select(func.count())
            .select_from(deliveries)
            .where(
                deliveries.c.state == literal_column(str(int(DeliveryState.FAILED))),
                deliveries.c.place_id.in_(place_ids),
                deliveries.c.created_at.between(since, until),
            )
        )
        or 0
    )
