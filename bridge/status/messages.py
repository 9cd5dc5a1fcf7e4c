"""Shows at a message of the room how far it has come, when that is not far enough.

Nothing is asked or told about messages that arrive in time. What waits too long is found by a look
at the lanes' own index every few seconds; from then on, and when a delivery is set aside, the
message is looked at whenever something becomes of it. The newest comes first, since that is what
people in the room have before them; and the notifier holds the rate down.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from bridge.errors import StoreError
from bridge.flow.relay import Duty
from bridge.model import MATRIX, Place
from bridge.portals.service import PortalIndex
from bridge.status.notifier import Notifier
from bridge.status.picture import Manner, Telling
from bridge.status.plans import Look, Outcome, Plan, Plans, Rooms, begun
from bridge.status.telling import Teller
from bridge.store import deliveries, notices
from bridge.store.database import Database
from bridge.store.notices import NoticeRow
from bridge.store.tables import DeliveryState

_LOOKED_AT: Final = 100
_TOLD_AT_ONCE: Final = 8
_READ_AT_ONCE: Final = 1_000
_KNOWN_MAX: Final = 100_000
_SEARCH_MS: Final = 2_000
_RECORDED_AFTER_MS: Final = 1_000
"""An outcome is on disk by then; what is read sooner may be older than what a lane told."""

_AGAIN_AFTER_MS: Final = 10_000


class MessageStatus:
    """Decides what is told about which message; a `bridge.delivery.watch.Watcher`.

    Args:
        database: where deliveries, and what was told about them, are kept.
        notifier: tells it.
        index: the portals as they are now.
        names: how people call each network.
        away: the places, of those given, that can't be used at all now.
        after_ms: how long a message may take before it is told.
        manner: how it is told.
        now: milliseconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - all by keyword
        self,
        *,
        database: Database,
        notifier: Notifier,
        index: Callable[[], PortalIndex],
        names: Mapping[str, str],
        away: Callable[[], frozenset[Place]],
        after_ms: int,
        manner: Manner,
        now: Callable[[], int],
    ) -> None:
        self._database = database
        self._teller = Teller(notifier)
        self._index = index
        self._names = names
        self._away = away
        self._after_ms = after_ms
        self._manner = manner
        self._now = now
        self._due: list[int] = []  # a heap of negative ids: the newest first
        self._is_due: set[int] = set()
        self._later: list[tuple[int, int]] = []  # a heap of times and ids
        self._open: set[int] = set()
        self._unsure: set[int] = set()  # what they are about may not be on disk yet
        self._outcomes: dict[int, dict[int, Outcome]] = {}
        self._trouble: dict[Place, str] = {}
        self._read: dict[int, int] = {}
        self._search_at = 0
        self._rooms = Rooms(PortalIndex())
        self.changed = asyncio.Event()

    @property
    def pause(self) -> float:
        """Seconds between two searches for what is late."""
        return min(_SEARCH_MS, self._after_ms / 5) / 1000

    # --- told by lanes, retries and portals

    def stuck(self, place: Place, duty: Duty, reason: str) -> None:  # noqa: ARG002 - the port's
        """Remember why a lane waits: the first reason, since the next attempt may word it anew."""
        self._trouble.setdefault(place, reason)

    def moving(self, place: Place) -> None:
        """The lane goes on."""
        self._trouble.pop(place, None)

    def settled(
        self,
        place: Place,  # noqa: ARG002 - the port's
        duty: Duty,
        state: DeliveryState,
        reason: str | None,
    ) -> None:
        """Look at the message, if it was said in a room and something is, or will be, shown."""
        message_id = duty.message_id
        if state is DeliveryState.DONE:
            if message_id not in self._open and not self._tells_all(duty):
                return
        elif duty.event is not None and duty.event.place.network != MATRIX:
            return
        if message_id not in self._open:
            # What became of it elsewhere was not listened to, and may not be on disk yet
            heapq.heappush(self._later, (self._now() + _RECORDED_AFTER_MS, message_id))
            self._unsure.add(message_id)
        self._outcomes.setdefault(message_id, {})[duty.id] = (state, reason)
        self._look_at(message_id)

    def retried(self, duties: Sequence[Duty]) -> None:
        """What was set aside is tried again."""
        for duty in duties:
            self._look_at(duty.message_id)

    def follow(self, _before: PortalIndex, _after: PortalIndex) -> None:
        """Portals or links have changed: what waited for them may have been given up."""
        for message_id in list(self._open):
            self._look_at(message_id)

    def _tells_all(self, duty: Duty) -> bool:
        return (
            self._manner.telling is Telling.ALL
            and duty.event is not None
            and duty.event.place.network == MATRIX
        )

    def _look_at(self, message_id: int) -> None:
        self._open.add(message_id)  # so what becomes of it from now on is heard
        if message_id not in self._is_due:
            self._is_due.add(message_id)
            heapq.heappush(self._due, -message_id)
        self.changed.set()

    # --- the work

    async def resume(self) -> None:
        """Know what was told before this run.

        Raises:
            StoreError: the database failed.
        """
        for message_id in await self._database.run(notices.open_ids):
            self._look_at(message_id)

    async def step(self) -> bool:
        """Look for what is late, and tell what there is to tell about a few messages.

        Returns:
            Whether there may be more to do at once.

        Raises:
            StoreError: the database failed.
            Unreachable: nothing can be told now; it is kept.
        """
        await self._search()
        ids = [-heapq.heappop(self._due) for _ in range(min(_LOOKED_AT, len(self._due)))]
        self._is_due.difference_update(ids)
        if not ids:
            return False
        try:
            plans = await self._plan(ids)
        except StoreError:
            self._look_at_all(ids)
            raise
        await self._carry_out(plans)
        return True

    async def _search(self) -> None:
        """Read on in the lanes of links, as far as messages are late."""
        now = self._now()
        if now >= self._search_at and len(self._open) < _KNOWN_MAX:
            self._search_at = now + round(self.pause * 1000)
            targets = {link.place_id for portal in self._index().portals for link in portal.outward}
            read, rooms, late = dict(self._read), self._current_rooms(), now - self._after_ms
            found = await self._database.run(lambda c: _late(c, targets, read, late))
            for place_id, rows in found.items():
                self._read[place_id] = rows[-1].delivery_id
                for row in rows:
                    if row.said_at in rooms.by_number:
                        self._open.add(row.message_id)
                        heapq.heappush(self._later, (now + _RECORDED_AFTER_MS, row.message_id))
        while self._later and self._later[0][0] <= now:
            _, message_id = heapq.heappop(self._later)
            self._unsure.discard(message_id)
            if message_id in self._open:
                self._look_at(message_id)

    async def _plan(self, ids: Sequence[int]) -> Sequence[Plan]:
        """What to tell about these messages; what is about to be sent is written down first."""
        look = Look(
            self._current_rooms(),
            {each: dict(self._outcomes[each]) for each in ids if each in self._outcomes},
            dict(self._trouble),
            self._away(),
            self._names,
            self._now() - self._after_ms,
            self._manner,
        )

        def plan(connection: Connection) -> Plans:
            found = look.compare(connection, ids)
            notices.drop(connection, found.stray)
            found.to_tell[:_TOLD_AT_ONCE] = map(begun, found.to_tell[:_TOLD_AT_ONCE])
            notices.save(connection, [each.row for each in found.to_tell[:_TOLD_AT_ONCE]])
            return found

        plans = await self._database.run(plan)
        self._close(each for each in (*plans.quiet, *plans.stray) if each not in self._unsure)
        self._look_at_all(each.row.message_id for each in plans.to_tell[_TOLD_AT_ONCE:])
        return plans.to_tell[:_TOLD_AT_ONCE]

    async def _carry_out(self, plans: Sequence[Plan]) -> None:
        told: dict[int, NoticeRow] = {}
        try:
            for plan in plans:
                told[plan.row.message_id] = row = await self._teller.tell(plan)
                if row.mark_about != plan.picture.mark_about:
                    self._look_at(row.message_id)  # the old mark is gone, the new one comes next
        finally:
            # Also after a fault: what was told before it is not to be told again
            await self._keep(told)
            self._look_at_all(
                plan.row.message_id for plan in plans if plan.row.message_id not in told
            )

    async def _keep(self, told: Mapping[int, NoticeRow]) -> None:
        over = {id_ for id_, row in told.items() if not row.open and not row.notice_id}
        kept = [row for id_, row in told.items() if id_ not in over]

        def keep(connection: Connection) -> None:
            notices.drop(connection, list(over))
            notices.save(connection, kept)

        try:
            await self._database.run(keep)
        except StoreError:
            self._look_at_all(told)
            raise
        again = self._now() + _AGAIN_AFTER_MS
        for row in kept:
            if row.open:
                heapq.heappush(self._later, (again, row.message_id))
        self._close(id_ for id_, row in told.items() if not row.open)

    def _look_at_all(self, message_ids: Iterable[int]) -> None:
        for message_id in message_ids:
            self._look_at(message_id)

    def _close(self, message_ids: Iterable[int]) -> None:
        """Hear no more of these, but of those that something became of meanwhile."""
        for message_id in message_ids:
            if message_id not in self._is_due:
                self._open.discard(message_id)
                self._outcomes.pop(message_id, None)

    def _current_rooms(self) -> Rooms:
        if self._rooms.index is not self._index():
            self._rooms = Rooms(self._index())
        return self._rooms


def _late(
    connection: Connection, targets: set[int], read: Mapping[int, int], late: int
) -> dict[int, Sequence[notices.Waiting]]:
    """The deliveries at these places that are late and were not read yet."""
    return {
        place_id: rows
        for place_id in deliveries.waiting_places(connection)
        if place_id in targets
        and (
            rows := notices.waiting(
                connection, place_id, after=read.get(place_id, 0), late=late, limit=_READ_AT_ONCE
            )
        )
    }
