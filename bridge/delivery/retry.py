"""Trying again what was set aside: the one service behind `!retry`, reactions and pages."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from sqlalchemy import Connection

from bridge.contract import Health
from bridge.delivery.lanes import Lanes
from bridge.flow.intake import Intake
from bridge.flow.relay import Duty
from bridge.portals.service import Portals, Spot
from bridge.store import deliveries, notices

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 1_000

Find = Callable[[Connection], Sequence[deliveries.FailedDelivery]]
Retried = Callable[[Sequence[Duty]], None]
"""Told of the duties that were put back; must not wait."""


class Retries:
    """Puts what was set aside back into its lanes. Who may ask for that is not decided here.

    What still waits at the portal's places is tried at once as well.

    Args:
        intake: relays, and so gives out the new numbers in turn with what arrives.
        portals: which places belong to a room, and may be sent to.
        lanes: told to try at once.
        record: writes down what became of deliveries up to now, so that what was set aside a
            moment ago is found.
    """

    def __init__(
        self,
        intake: Intake,
        portals: Portals,
        lanes: Lanes,
        record: Callable[[], Awaitable[None]],
    ) -> None:
        self._intake = intake
        self._portals = portals
        self._lanes = lanes
        self._record = record
        self._watchers: list[Retried] = []

    def watch(self, watcher: Retried) -> None:
        """Have `watcher` called with the duties of each retry."""
        self._watchers.append(watcher)

    async def message(self, room_id: str, event_id: str) -> int:
        """Try one message again.

        Args:
            room_id: a portal's room.
            event_id: the message there, or the bot's notice about it.

        Returns:
            How many deliveries were put back; 0 when none was set aside, or the room is no portal.

        Raises:
            StoreError: the database failed.
        """
        if (spot := self._portals.index.room(room_id)) is None:
            return 0
        targets = spot.portal.targets  # a link may have been removed or narrowed since
        await self._record()

        def find(connection: Connection) -> Sequence[deliveries.FailedDelivery]:
            message_id = notices.subject_of(connection, spot.place_id, event_id)
            if message_id is None:
                return ()
            return [
                row
                for row in deliveries.failed(connection, message_id=message_id)
                if row.place_id in targets
            ]

        duties = await self._put_back(find)
        self._wake(spot)
        return len(duties)

    async def room(self, room_id: str) -> int:
        """Try everything again that was set aside in the portal of a room.

        Returns:
            How many deliveries were put back; 0 when none was set aside, or the room is no portal.

        Raises:
            StoreError: the database failed.
        """
        if (spot := self._portals.index.room(room_id)) is None:
            return 0
        targets = sorted(spot.portal.targets)
        await self._record()
        count = 0
        while duties := await self._put_back(
            lambda c: deliveries.failed(c, place_ids=targets, limit=_AT_ONCE)
        ):
            count += len(duties)
        self._wake(spot)
        return count

    async def _put_back(self, find: Find) -> Sequence[Duty]:
        duties = await self._intake.try_again(find)
        if duties:
            log.info("tried_again", deliveries=len(duties))
            for watcher in self._watchers:
                watcher(duties)
        return duties

    def _wake(self, spot: Spot) -> None:
        for link in spot.portal.links:
            self._lanes.wake(link.place.network, Health(up=True, group=link.place.id))
