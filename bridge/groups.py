"""Keeps each network in exactly the groups that are linked to a portal whose room is known."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.contract import Level, Network
from bridge.model import Author, Kind
from bridge.portals import Link, Portal, PortalIndex
from bridge.presentation import shown_name
from bridge.store import members
from bridge.store.database import Database

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
    """

    def __init__(
        self,
        database: Database,
        networks: Mapping[str, Network],
        network_names: Mapping[str, str],
    ) -> None:
        self._database = database
        self._networks = networks
        self._network_names = network_names
        self._open: dict[tuple[str, str], _Taken] = {}
        self._index = PortalIndex()
        self._changed = asyncio.Event()

    def follow(self, _before: PortalIndex, after: PortalIndex) -> None:
        """Take note of a change of portals or links; `run` acts on it."""
        self._index = after
        self._changed.set()

    async def run(self) -> None:
        """Act on changes until cancelled.

        Raises:
            StoreError: the database failed.
        """
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._settle(self._index)

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
        present = await self._database.run(members.load_all) if fresh else {}
        for key, portal, link in fresh:
            self._open[key] = _how(portal, link)
            await self._networks[key[0]].open(key[1], self._people(portal, link, present))

    def _people(self, portal: Portal, link: Link, present: _Present) -> Sequence[Author]:
        """Who is present at the portal's other places and may be shown in the group."""
        network = self._networks[link.place.network]
        shown = network.capabilities(link.place.id).level(Kind.JOINED) is not Level.REFUSED
        if not (link.direction.outward and shown):
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
