"""Keeps each network in exactly the groups that are linked to a portal whose room is known."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from bridge.clock import from_milliseconds
from bridge.contract import NEVER_HEARD, CatchUp, Feature, Network
from bridge.errors import StoreError
from bridge.flow.codec import decode
from bridge.flow.naming import shown_name
from bridge.model import Author, Kind, Message, Place
from bridge.portals.policy import EVERYTHING, Policy
from bridge.portals.service import Link, Portal, PortalIndex
from bridge.store import members, messages
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_RETRY_SECONDS: Final = 2.0

_Present = Mapping[int, Mapping[members.MemberKey, Author]]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A group that is open, and how; another way means closing and opening it again."""

    portal_id: int
    outward: bool


class Groups:
    """Opens and closes groups as links come, change and go.

    Args:
        networks: the running networks by id.
        network_names: how people call each network.
        limits: how much of what was missed in a group is to be fetched.
        policies: what a link asks for.
        retry: seconds to wait after the database failed.
    """

    def __init__(  # noqa: PLR0913 - what it knows, and what it is told by
        self,
        database: Database,
        networks: Mapping[str, Network],
        network_names: Mapping[str, str],
        limits: Callable[[Place], CatchUp] = lambda _: NEVER_HEARD,
        *,
        policies: Callable[[Place], Policy] = lambda _: EVERYTHING,
        retry: float = _RETRY_SECONDS,
    ) -> None:
        self._database = database
        self._networks = networks
        self._network_names = network_names
        self._limits = limits
        self._policies = policies
        self._retry = retry
        self._open: dict[tuple[str, str], _Taken] = {}
        self._index = PortalIndex()
        self._changed = asyncio.Event()

    def follow(self, _before: PortalIndex, after: PortalIndex) -> None:
        """Take note of a change of portals or links; `run` acts on it."""
        self._index = after
        self._changed.set()

    async def run(self) -> None:
        """Act on changes until cancelled. While the database fails, it is asked again."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._settle(self._index)
            except StoreError as error:
                log.warning("waiting_for_database", reason=str(error))
                self._changed.set()
                await asyncio.sleep(self._retry)

    async def _settle(self, index: PortalIndex) -> None:
        wanted = {
            (link.place.network, link.place.id): (portal, link)
            for portal in index.portals
            if portal.room is not None
            for link in portal.links
            if link.place.network in self._networks
        }
        for key, taken in list(self._open.items()):
            found = wanted.get(key)
            if found is None or _how(*found) != taken:
                del self._open[key]
                await self._networks[key[0]].close(key[1])
        fresh = [(key, *found) for key, found in wanted.items() if key not in self._open]
        if not fresh:
            return
        present, heard = await self._database.run(
            lambda c: (members.load_all(c), messages.heard(c))
        )
        for key, portal, link in fresh:
            self._open[key] = _how(portal, link)
            people = self._people(portal, link, present)
            limits = self._limits(link.place)
            catch_up = _from(heard.get(link.place_id), limits)
            await self._networks[key[0]].open(key[1], people, catch_up)

    def _people(self, portal: Portal, link: Link, present: _Present) -> Sequence[Author]:
        """Who is present at the portal's other places and may be shown in the group."""
        network = self._networks[link.place.network]
        shown = network.capabilities(link.place.id).does(Feature.MEMBERSHIP)
        if not (link.direction.outward and shown):
            return ()
        if not self._policies(link.place).carries(Kind.JOINED):
            return ()
        elsewhere = [
            portal.room_place_id,
            *(
                other.place_id
                for other in portal.links
                if other is not link and other.direction.inward
            ),
        ]
        return [
            replace(author, name=shown_name(author, self._network_names))
            for place_id in elsewhere
            if place_id is not None
            for author in present.get(place_id, {}).values()
        ]


def _how(portal: Portal, link: Link) -> _Taken:
    return _Taken(portal.id, link.direction.outward)


def _from(row: messages.HeardRow | None, limits: CatchUp) -> CatchUp:
    """Where to go on, and within these limits: from the last message that is known, unless the
    group was heard even longer.
    """
    if row is None:
        return limits
    limits = replace(limits, begun=from_milliseconds(row.since), history=0)
    since = from_milliseconds(row.until)
    last = _message(row.last_message)
    if last is None or last.time < since:
        return replace(limits, since=since)
    return replace(limits, since=last.time, last_id=last.id)


def _message(payload: bytes | None) -> Message | None:
    if payload is None:
        return None
    try:
        event = decode(Kind.MESSAGE, payload)
    except ValueError:
        return None
    return event if isinstance(event, Message) else None
