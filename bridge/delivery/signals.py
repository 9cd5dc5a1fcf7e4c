"""Passing things, from place to place: who types, and who has read how far. Never stored, and
dropped where they can't be shown at once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog
from sqlalchemy import Connection

from bridge.contract import Feature, Outlet, Refused, Signalling, Unreachable
from bridge.delivery.recorder import Entry, Recorder
from bridge.errors import StoreError
from bridge.flow.naming import shown_name
from bridge.model import Kind, Place, Read, Signal, Typing
from bridge.portals.policy import EVERYTHING, Policy
from bridge.portals.service import PortalIndex, Spot
from bridge.store import references
from bridge.store.database import Database
from bridge.store.messages import CopyRow

log = structlog.get_logger(__name__)

_WAITING_MAX: Final = 500
_AT_ONCE: Final = 4
_SECONDS: Final = 5.0

_Topic = tuple[Place, str, str, type]
"""What a later signal replaces: the same person's, of the same sort, at the same place."""


class Signals:
    """Passes signals on, the latest of each person, a few at once.

    Args:
        index: the portals as they are now.
        outlet: finds who sends to a network; None for one not configured.
        recorder: knows the copies that are not on disk yet.
        network_names: how people call each network.
        policies: what a link asks for.
    """

    def __init__(  # noqa: PLR0913 - what it knows, and what it is told by
        self,
        database: Database,
        recorder: Recorder,
        index: Callable[[], PortalIndex],
        outlet: Callable[[str], Outlet | None],
        network_names: Mapping[str, str],
        *,
        policies: Callable[[Place], Policy] = lambda _: EVERYTHING,
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._index = index
        self._outlet = outlet
        self._network_names = network_names
        self._policies = policies
        self._waiting: OrderedDict[_Topic, Signal] = OrderedDict()
        self._something = asyncio.Event()

    def take(self, signal: Signal) -> None:
        """Have a signal passed on. Never waits; the oldest is dropped where too many wait."""
        author = signal.author
        self._waiting[signal.place, author.network, author.id, type(signal)] = signal
        if len(self._waiting) > _WAITING_MAX:
            self._waiting.popitem(last=False)
        self._something.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(_AT_ONCE):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._something.clear()
                await self._something.wait()
            _, signal = self._waiting.popitem(last=False)
            await self._pass(signal)

    async def _pass(self, signal: Signal) -> None:
        spot = self._index().at(signal.place)
        if spot is None or (spot.link is not None and not spot.link.direction.inward):
            return
        if spot.link is not None and not self._carries(spot.link.place):
            return
        shows = self._showing(spot, signal)
        if not shows:
            return
        known: Mapping[int, str] = {}
        if isinstance(signal, Read):
            known = await self._known_as(
                spot, signal.target, [place_id for place_id, _, _ in shows]
            )
        author = replace(signal.author, name=shown_name(signal.author, self._network_names))
        for place_id, place, outlet in shows:
            match signal:
                case Typing():
                    await self._show(outlet, place, replace(signal, author=author))
                case Read() if place_id in known:
                    there = replace(signal, author=author, target=known[place_id])
                    await self._show(outlet, place, there)

    def _carries(self, place: Place) -> bool:
        """Whether a link carries what people do beside talking."""
        return self._policies(place).carries(Kind.JOINED)

    def _showing(self, spot: Spot, signal: Signal) -> Sequence[tuple[int, Place, Signalling]]:
        """The other places of the portal that show such signals: number, place and outlet."""
        feature = Feature.TYPING if isinstance(signal, Typing) else Feature.READ
        portal = spot.portal
        targets = [
            (link.place_id, link.place)
            for link in portal.links
            if link is not spot.link and link.direction.outward and self._carries(link.place)
        ]
        if spot.link and portal.room and portal.room_place_id is not None:
            targets.append((portal.room_place_id, portal.room))
        found: list[tuple[int, Place, Signalling]] = []
        for place_id, place in targets:
            outlet = self._outlet(place.network)
            shows = _signalling(outlet)
            if outlet and shows and outlet.capabilities(place.id).does(feature):
                found.append((place_id, place, shows))
        return found

    async def _show(self, outlet: Signalling, place: Place, signal: Signal) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await outlet.signal(place.id, signal)
        except (Unreachable, Refused, TimeoutError) as error:
            log.debug("signal_not_shown", place=str(place), reason=str(error))
        except Exception:
            log.exception("adapter_fault", place=str(place))

    async def _known_as(
        self, spot: Spot, target: str, place_ids: Sequence[int]
    ) -> Mapping[int, str]:
        """What the message `target` is called at other places, by their numbers."""
        unrecorded = self._recorder.unrecorded
        recent = self._recorder.message_of((spot.place_id, target))

        def look(connection: Connection) -> Mapping[int, str]:
            message_id = recent or references.message_at(connection, (spot.place_id, target))
            if message_id is None:
                return {}
            found = {copy.place_id: copy.remote_id for copy in _copies(unrecorded, message_id)}
            for place_id in place_ids:
                for copy in references.copies_at(connection, message_id, place_id):
                    found[place_id] = copy.remote_id  # the last part ends up here
            return found

        try:
            return await self._database.run(look)
        except StoreError as error:
            log.warning("signal_not_shown", place=str(spot.portal.room), reason=str(error))
            return {}


def _copies(unrecorded: Sequence[Entry], message_id: int) -> Sequence[CopyRow]:
    return [
        copy
        for entry in unrecorded
        for copy in entry.copies
        if copy.message_id == message_id and copy.part >= 0
    ]


def _signalling(outlet: object) -> Signalling | None:
    return outlet if isinstance(outlet, Signalling) else None
