"""All lanes: each runs while it has something to send, and none waits for another."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bridge.contract import Health
from bridge.delivery.lane import Lane, LaneContext
from bridge.flow.relay import Duty
from bridge.model import Place
from bridge.portals.service import PortalIndex
from bridge.store import deliveries, places

_GRACE_SECONDS: Final = 5.0


class Lanes:
    """Starts a lane for each place that something is to be sent to.

    Args:
        crashed: whether the last run ended without `stop`, so that deliveries may be in doubt.
    """

    def __init__(self, context: LaneContext, *, crashed: bool) -> None:
        self._context = context
        self._crashed = crashed
        self._lanes: dict[int, Lane] = {}
        self._places: dict[int, Place] = {}
        self._closed: set[int] = set()
        self._last_taken: dict[int, int] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def resume(self) -> None:
        """Know the places, and start the lanes for which something waits on disk.

        To be awaited once, before anything is taken.

        Raises:
            StoreError: the database failed.
        """
        known = await self._context.database.run(places.load)
        self._places = {number: place for place, number in known.items()}
        for place_id in await self._context.database.run(deliveries.waiting_places):
            if place_id not in self._closed:
                self._start(place_id, behind=True)

    def follow(self, before: PortalIndex, after: PortalIndex) -> None:
        """Take note of a change of portals or links: learn of new places, and send nothing more
        to places that nothing is to be sent to any longer.
        """
        self._places.update({spot.place_id: place for place, spot in after.by_place.items()})
        targets = after.targets()
        self._closed = (self._closed | before.targets()) - targets
        for place_id in self._closed & self._lanes.keys():
            self._lanes[place_id].empty()

    def take(self, duties: Sequence[Duty]) -> None:
        """Put duties that are on disk into their lanes. While stopping, they stay on disk."""
        self._context.taken(duties)
        self._context.tools.withdrawn.note(duties)
        if self._stopping.is_set():
            return
        for duty in duties:
            if duty.place_id in self._closed:
                continue  # relayed while the link was being removed; the store gives it up
            lane = self._lanes.get(duty.place_id) or self._start(duty.place_id, behind=False)
            lane.add(duty)

    def wake(self, network: str, health: Health) -> None:
        """Have lanes try at once when their network or group is up again."""
        if not health.up:
            return
        for lane in self._lanes.values():
            if lane.place.network == network and health.group in {None, lane.place.id}:
                lane.wake()

    def _hurry(self, place: Place) -> None:
        """Have the other lanes of a network try at once, too: they need not sit out their waits."""
        for lane in self._lanes.values():
            if lane.place.network == place.network:
                lane.hurry()

    async def in_hand(self, place: Place) -> None:
        """Return once what is being sent to a place at this moment, if anything, is known there."""
        for lane in list(self._lanes.values()):
            if lane.place == place:
                await lane.in_hand()

    async def run(self) -> None:
        """Own the lanes until `stop`, or until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for place_id, lane in self._lanes.items():
                tasks.create_task(self._run(place_id, lane), name=f"lane {lane.place}")
            await self._stopping.wait()

    async def stop(self) -> bool:
        """Let each lane finish what it is sending; True if all did within 5 seconds.

        What was not sent stays on disk.
        """
        self._stopping.set()
        for lane in self._lanes.values():
            lane.wake()
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _start(self, place_id: int, *, behind: bool) -> Lane:
        lane = Lane(
            self._places[place_id],
            place_id,
            self._context,
            behind=behind,
            crashed=behind and self._crashed,
            recovered=self._hurry,
        )
        lane.last_taken = self._last_taken.get(place_id, 0)
        self._lanes[place_id] = lane
        self._idle.clear()
        if self._tasks is not None:
            self._tasks.create_task(self._run(place_id, lane), name=f"lane {lane.place}")
        return lane

    async def _run(self, place_id: int, lane: Lane) -> None:
        try:
            await lane.run(self._stopping)
        finally:
            self._last_taken[place_id] = lane.last_taken
            del self._lanes[place_id]
            if not self._lanes:
                self._idle.set()
