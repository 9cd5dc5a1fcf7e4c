"""How much waits for each network, and since when.

How much is counted as it comes and goes, since counting rows takes the longer the more there are.
Since when is asked of the store, by one look-up for each place that anything waits for.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy import Connection

from bridge.clock import now_ms
from bridge.delivery.recorder import Recorder
from bridge.errors import StoreError
from bridge.flow.relay import Duty
from bridge.model import Place
from bridge.portals.service import PortalIndex
from bridge.store import deliveries, places
from bridge.store.database import Database
from bridge.store.tables import DeliveryState

log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 5.0
"""So long what was read from the store is good enough."""

_PATIENCE_SECONDS: Final = 2.0
_RECOUNTED_MAX: Final = 10_000


class Backlog:
    """Keeps the counts; a `bridge.delivery.watch.Watcher`."""

    def __init__(self, database: Database, recorder: Recorder) -> None:
        self._database = database
        self._recorder = recorder
        self._counts: dict[int, int] = {}
        self._places: dict[int, Place] = {}
        self._stuck: set[Place] = set()
        self._oldest: Mapping[str, int] = {}
        self._changes = 0
        self._doubtful = False
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    def load(self, connection: Connection) -> None:
        """Count what waits on disk. To be run once, before anything is taken or sent."""
        self._places = {number: place for place, number in places.load(connection).items()}
        self._counts = deliveries.counts(connection)

    def follow(self, _before: PortalIndex, after: PortalIndex) -> None:
        """Take note of a change of portals or links: what waited may have been given up."""
        self._places.update({spot.place_id: place for place, spot in after.by_place.items()})
        self._doubtful = True

    def place(self, number: int) -> Place | None:
        """The place with this number."""
        return self._places.get(number)

    def taken(self, duties: Sequence[Duty]) -> None:
        """New duties are on disk."""
        self._changes += 1
        for duty in duties:
            self._counts[duty.place_id] = self._counts.get(duty.place_id, 0) + 1

    def stuck(self, place: Place, duty: Duty, reason: str) -> None:  # noqa: ARG002
        """See `bridge.delivery.watch.Watcher.stuck`."""
        self._stuck.add(place)

    def moving(self, place: Place) -> None:
        """See `bridge.delivery.watch.Watcher.moving`."""
        self._stuck.discard(place)

    def settled(self, place: Place, duty: Duty, state: DeliveryState, reason: str | None) -> None:  # noqa: ARG002
        """See `bridge.delivery.watch.Watcher.settled`."""
        self._changes += 1
        # What a removed link gave up was counted off already
        self._counts[duty.place_id] = max(0, self._counts.get(duty.place_id, 0) - 1)

    # --- read off ------------------------------------------------------------------------------

    def waiting(self) -> dict[str, int]:
        """How many deliveries wait, by network; only networks for which any does."""
        found: dict[str, int] = {}
        for number, count in self._counts.items():
            if count and (place := self._places.get(number)):
                found[place.network] = found.get(place.network, 0) + count
        return found

    def stuck_places(self) -> dict[str, int]:
        """For how many places the last attempt failed, by network."""
        found: dict[str, int] = {}
        for place in self._stuck:
            found[place.network] = found.get(place.network, 0) + 1
        return found

    def oldest_age(self) -> dict[str, float]:
        """Since how many seconds the oldest delivery waits, by network, as last read."""
        now, waiting = now_ms(), self.waiting()
        return {
            network: max(0, now - created_at) / 1_000
            for network, created_at in self._oldest.items()
            if network in waiting
        }

    async def refresh(self) -> None:
        """Read from the store what is older than 5 seconds; waits for it at most 2 seconds."""
        async with self._reading:
            if time.monotonic() - self._read_at < FRESH_SECONDS:
                return
            self._read_at = time.monotonic()
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._read()
            except (StoreError, TimeoutError) as error:
                log.debug("backlog_not_read", reason=str(error) or "the database is slow")

    async def _read(self) -> None:
        self._oldest = await self._database.run(deliveries.oldest)
        if not self._doubtful and sum(self._counts.values()) > _RECOUNTED_MAX:
            return
        before = self._changes
        if self._recorder.waiting:
            return
        counts = await self._database.run(deliveries.counts)
        if before == self._changes:  # else it is too late or too early for some of it
            self._counts, self._doubtful = counts, False
