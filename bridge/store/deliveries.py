"""Deliveries as rows: added by the relay, read by lanes, finished by the recorder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    SmallInteger,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from bridge.store.prepared import Prepared
from bridge.store.tables import DeliveryState, InboxState, deliveries, inbox


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """The duty to show the message `message_id` at the place `place_id`."""

    id: int
    message_id: int
    place_id: int
    created_at: int


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """A delivery that waits, together with the event to show."""

    id: int
    message_id: int
    attempts: int
    created_at: int
    kind: str
    payload: bytes
    target_id: int | None = None
    topic_id: int | None = None
    inbox_state: int = int(InboxState.RELAYED)

    @property
    def deleted(self) -> bool:
        """Whether the words of the event are gone."""
        return self.inbox_state == InboxState.DELETED


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. Times in milliseconds since the epoch."""

    delivery_id: int
    state: DeliveryState
    attempts: int
    next_try: int
    last_error: str | None
    finished_at: int | None


def last_id(connection: Connection) -> int:
    """The highest delivery id, 0 when there is none."""
    return connection.scalar(select(func.max(deliveries.c.id))) or 0


_ADD = Prepared.insert(
    deliveries, "id", "message_id", "place_id", "state", "attempts", "next_try", "created_at"
)


def add(connection: Connection, rows: Iterable[NewDelivery]) -> None:
    """Write down new duties."""
    pending = int(DeliveryState.PENDING)
    _ADD.run(
        connection,
        [
            (row.id, row.message_id, row.place_id, pending, 0, row.created_at, row.created_at)
            for row in rows
        ],
    )


_PENDING = deliveries.c.state == literal_column(str(int(DeliveryState.PENDING)))


def waiting_places(connection: Connection) -> list[int]:
    """The numbers of the places for which anything waits.

    One look-up in the index of pending rows for each place, however many rows wait.
    """
    found: list[int] = []
    last = -1
    while True:
        place_id = connection.scalar(
            select(deliveries.c.place_id)
            .where(_PENDING, deliveries.c.place_id > last)
            .order_by(deliveries.c.place_id)
            .limit(1)
        )
        if place_id is None:
            return found
        found.append(place_id)
        last = place_id


def page(
    connection: Connection, place_id: int, *, after: int, limit: int
) -> Sequence[PendingDelivery]:
    """The next deliveries that wait for a place, oldest first, with an id above `after`."""
    rows = connection.execute(
        select(
            deliveries.c.id,
            deliveries.c.message_id,
            deliveries.c.attempts,
            deliveries.c.created_at,
            inbox.c.kind,
            inbox.c.payload,
            inbox.c.target_id,
            inbox.c.topic_id,
            inbox.c.state,
        )
        .join(inbox, inbox.c.id == deliveries.c.message_id)
        .where(_PENDING, deliveries.c.place_id == place_id, deliveries.c.id > after)
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    return [PendingDelivery(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A delivery that was set aside."""

    id: int
    message_id: int
    place_id: int
    kind: str
    payload: bytes
    target_id: int | None = None
    topic_id: int | None = None


def failed(
    connection: Connection,
    *,
    message_id: int | None = None,
    place_ids: Sequence[int] | None = None,
    limit: int = 1_000,
) -> Sequence[FailedDelivery]:
    """What was set aside, oldest first: of one message, or for some places."""
    query = (
        select(
            deliveries.c.id,
            deliveries.c.message_id,
            deliveries.c.place_id,
            inbox.c.kind,
            inbox.c.payload,
            inbox.c.target_id,
            inbox.c.topic_id,
        )
        .join(inbox, inbox.c.id == deliveries.c.message_id)
        .where(deliveries.c.state == literal_column(str(int(DeliveryState.FAILED))))
    )
    if message_id is not None:
        query = query.where(deliveries.c.message_id == message_id)
    if place_ids is not None:
        query = query.where(deliveries.c.place_id.in_(place_ids))
    rows = connection.execute(query.order_by(deliveries.c.id).limit(limit))
    return [FailedDelivery(*row) for row in rows]


_REVIVE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("old_id"))
    .values(
        id=bindparam("new_id"),
        state=int(DeliveryState.PENDING),
        attempts=0,
        next_try=bindparam("now"),
        created_at=bindparam("now"),
        last_error=None,
        finished_at=None,
    )
)


def revive(connection: Connection, ids: Sequence[tuple[int, int]], now: int) -> None:
    """Put deliveries that were set aside back at the end of their lanes, under new ids."""
    if ids:
        connection.execute(
            _REVIVE, [{"old_id": old, "new_id": new, "now": now} for old, new in ids]
        )


_FINISH = Prepared(
    update(deliveries)
    .where(
        deliveries.c.id == bindparam("delivery_id"),
        # What was given up meanwhile does not come alive again, unless it has really arrived.
        or_(
            deliveries.c.state == literal_column(str(int(DeliveryState.PENDING))),
            bindparam("new_state", type_=SmallInteger)
            == literal_column(str(int(DeliveryState.DONE))),
        ),
    )
    .values(
        state=bindparam("new_state", type_=SmallInteger),
        attempts=bindparam("new_attempts"),
        next_try=bindparam("new_next_try"),
        last_error=bindparam("new_last_error"),
        finished_at=bindparam("new_finished_at"),
    ),
    (
        "delivery_id",
        "new_state",
        "new_attempts",
        "new_next_try",
        "new_last_error",
        "new_finished_at",
    ),
)


def record(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of attempts; of several for one delivery the last one counts."""
    latest = {outcome.delivery_id: outcome for outcome in outcomes}
    _FINISH.run(
        connection,
        [
            (
                outcome.delivery_id,
                int(outcome.state),
                outcome.attempts,
                outcome.next_try,
                outcome.last_error,
                outcome.finished_at,
            )
            for outcome in latest.values()
        ],
    )


def stored(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Which of these deliveries are in the store."""
    if not ids:
        return set()
    # They were numbered in one go, so what lies between the lowest and the highest is not much.
    return set(
        connection.scalars(
            select(deliveries.c.id).where(deliveries.c.id.between(min(ids), max(ids)))
        )
    )


def fail_all(connection: Connection, place_ids: Sequence[int], reason: str, now: int) -> None:
    """Give up everything that waits for these places."""
    if place_ids:
        connection.execute(
            update(deliveries)
            .where(_PENDING, deliveries.c.place_id.in_(place_ids))
            .values(state=int(DeliveryState.FAILED), last_error=reason, finished_at=now)
        )


_OLDEST = text(
    """
    WITH RECURSIVE heads(place_id) AS (
        SELECT (SELECT place_id FROM deliveries WHERE state = 0 ORDER BY place_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT place_id FROM deliveries
            WHERE state = 0 AND place_id > heads.place_id ORDER BY place_id LIMIT 1
        )
        FROM heads WHERE heads.place_id IS NOT NULL
    )
    SELECT
        (SELECT network FROM places WHERE places.id = heads.place_id),
        (
            SELECT created_at FROM deliveries
            WHERE state = 0 AND deliveries.place_id = heads.place_id ORDER BY id LIMIT 1
        )
    FROM heads WHERE heads.place_id IS NOT NULL
    """
)


def oldest(connection: Connection) -> dict[str, int]:
    """When the delivery that waits longest was made, by network.

    A few look-ups in the index of pending rows for each place, however many rows wait.
    """
    found: dict[str, int] = {}
    for network, created_at in connection.execute(_OLDEST):
        found[network] = min(created_at, found.get(network, created_at))
    return found


def counts(connection: Connection) -> dict[int, int]:
    """How many deliveries wait, by the place's number."""
    rows = connection.execute(
        select(deliveries.c.place_id, func.count()).where(_PENDING).group_by(deliveries.c.place_id)
    )
    return {row[0]: row[1] for row in rows}
