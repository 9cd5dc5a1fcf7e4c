"""How much waits for each place, and what was set aside: for those who ask."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, literal_column, select

from bridge.model import MATRIX
from bridge.store.tables import DeliveryState, deliveries, members

# Written out, not as parameters, so that the indices of pending and of failed rows will do
_PENDING = deliveries.c.state == literal_column(str(int(DeliveryState.PENDING)))
_FAILED = deliveries.c.state == literal_column(str(int(DeliveryState.FAILED)))


@dataclass(frozen=True, slots=True)
class Queue:
    """What is to be sent to one place.

    Attributes:
        waiting: how many deliveries wait.
        oldest_at: when the oldest of them came, in milliseconds since the epoch.
        last_error: why the oldest of them did not arrive yet.
        set_aside: how many deliveries were given up.
        set_aside_error: why the latest of those was.
    """

    waiting: int = 0
    oldest_at: int | None = None
    last_error: str | None = None
    set_aside: int = 0
    set_aside_error: str | None = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.waiting or self.set_aside)


EMPTY = Queue()


def load(connection: Connection, place_ids: Sequence[int]) -> dict[int, Queue]:
    """The queues of some places; those of which there is nothing to tell are left out."""
    wanted = set(place_ids)
    waiting = {place: row for place, *row in _counted(connection, _PENDING) if place in wanted}
    failed = {place: row for place, *row in _counted(connection, _FAILED) if place in wanted}
    found: dict[int, Queue] = {}
    for place in waiting.keys() | failed.keys():
        number, oldest, _ = waiting.get(place, (0, None, None))
        set_aside, _, latest = failed.get(place, (0, None, None))
        created_at, last_error = _told(connection, oldest)
        _, set_aside_error = _told(connection, latest)
        found[place] = Queue(number, created_at, last_error, set_aside, set_aside_error)
    return found


def _counted(connection: Connection, state: object) -> Sequence[tuple[int, int, int, int]]:
    """By place: how many deliveries are in a state, and the first and the last of them."""
    number, first, last = func.count(), func.min(deliveries.c.id), func.max(deliveries.c.id)
    query = select(deliveries.c.place_id, number, first, last)
    rows = connection.execute(query.where(state).group_by(deliveries.c.place_id))  # type: ignore[arg-type]
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def _told(connection: Connection, delivery_id: int | None) -> tuple[int | None, str | None]:
    if delivery_id is None:
        return None, None
    query = select(deliveries.c.created_at, deliveries.c.last_error)
    row = connection.execute(query.where(deliveries.c.id == delivery_id)).one_or_none()
    return (None, None) if row is None else (row[0], row[1])


def attended(connection: Connection, user_id: str) -> set[int]:
    """The numbers of the rooms of portals that a Matrix user is in."""
    return set(
        connection.scalars(
            select(members.c.place_id).where(
                members.c.network == MATRIX, members.c.author_id == user_id
            )
        )
    )
