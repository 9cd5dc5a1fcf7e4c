"""Portals and links: the one service behind the configuration, commands and pages.

The rows in the database are the truth; `Portals.index` is an immutable picture of them, made anew
at each change, which the relay reads without waiting and from any thread.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from bridge.clock import now_ms
from bridge.errors import ConfigError
from bridge.model import MATRIX, Direction, Place
from bridge.store import deliveries, members, places
from bridge.store import portals as rows
from bridge.store.database import Database


@dataclass(frozen=True, slots=True)
class Link:
    """A portal's link to one group; `place_id` is the group's number in the store."""

    id: int
    place: Place
    place_id: int
    direction: Direction
    from_config: bool = False


@dataclass(frozen=True, slots=True)
class Portal:
    """A Matrix room and its links. `room` is None while its alias could not be resolved yet."""

    id: int
    room: Place | None
    room_place_id: int | None
    room_name: str | None
    links: tuple[Link, ...]

    @property
    def outward(self) -> list[Link]:
        """The links to groups that something may be sent to."""
        return [link for link in self.links if link.direction.outward]

    @property
    def targets(self) -> set[int]:
        """The numbers of the places to which anything may be sent, its room among them."""
        groups = {link.place_id for link in self.outward}
        return groups if self.room_place_id is None else groups | {self.room_place_id}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a place is in the order of things; `link` is None for the portal's own room."""

    place_id: int
    portal: Portal
    link: Link | None


@dataclass(frozen=True, slots=True)
class PortalIndex:
    """Every portal, found by any of its places."""

    portals: tuple[Portal, ...] = ()
    by_place: Mapping[Place, Spot] = field(default_factory=dict)

    def at(self, place: Place) -> Spot | None:
        """The spot of a place; None when it belongs to no portal."""
        return self.by_place.get(place)

    def room(self, room_id: str) -> Spot | None:
        """The spot of a Matrix room; None when it is no portal's."""
        return self.by_place.get(Place(MATRIX, room_id))

    def targets(self) -> set[int]:
        """The numbers of the places to which anything may be sent."""
        return {number for portal in self.portals for number in portal.targets}

    def links(self, network: str) -> Iterable[tuple[Portal, Link]]:
        """Every link to a group of one network."""
        for portal in self.portals:
            for link in portal.links:
                if link.place.network == network:
                    yield portal, link


@dataclass(frozen=True, slots=True)
class WantedPortal:
    """A portal as the configuration wants it; links by place."""

    room_name: str
    links: Mapping[Place, Direction]


Change = Callable[[PortalIndex, PortalIndex], None]
"""Told of the index before and after a change."""


class Portals:
    """Reads and changes portals and links, and tells those who asked about each change.

    What still waits for a place that nothing is to be sent to any longer, because its link was
    removed or carries inwards only, is given up in the same transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changing = asyncio.Lock()
        self._watchers: list[Change] = []
        self.index = PortalIndex()

    def watch(self, change: Change) -> None:
        """Have `change` called after every change."""
        self._watchers.append(change)

    def is_portal(self, room_id: str) -> bool:
        """Whether this Matrix room is a portal's now."""
        return self.index.room(room_id) is not None

    async def load(self) -> None:
        """Read every portal from the database."""
        await self._change(lambda _: None)

    async def configure(self, wanted: Sequence[WantedPortal]) -> None:
        """Make the portals that come from the configuration be exactly these.

        Raises:
            ConfigError: a room or group is already used by a portal made elsewhere.
        """
        await self._change(lambda connection: _configure(connection, wanted))

    async def settle(self, portal_id: int, room_id: str, *, since: int | None = None) -> None:
        """Say which room a portal's alias stands for, or which has taken the place of its room.

        Args:
            portal_id: the portal's.
            room_id: the room's.
            since: what was said there since then is to be carried (milliseconds since the epoch);
                None for what is said from now on.

        Raises:
            ConfigError: that room already is another portal.
        """
        await self._change(lambda connection: _settle(connection, portal_id, room_id, since))

    async def link(self, room_id: str, group: Place, direction: Direction = Direction.IN) -> None:
        """Link a group to a room, which becomes a portal if it is none. Kept in the database.

        Raises:
            ConfigError: the group is linked already.
        """
        await self._change(lambda connection: _link(connection, room_id, group, direction))

    async def unlink(self, group: Place) -> None:
        """Take a link made by `link` away again.

        Raises:
            ConfigError: there is no such link, or it comes from the configuration.
        """
        await self._change(lambda connection: _unlink(connection, group))

    async def redirect(self, group: Place, direction: Direction) -> None:
        """Change which way a link made by `link` carries.

        Raises:
            ConfigError: there is no such link, or it comes from the configuration.
        """
        await self._change(lambda connection: _redirect(connection, group, direction))

    async def _change(self, work: Callable[[Connection], None]) -> None:
        def change(connection: Connection) -> PortalIndex:
            work(connection)
            index = _read(connection)
            _give_up_strays(connection, index)
            return index

        async with self._changing:
            after = await self._database.run(change)
            before, self.index = self.index, after
            for watcher in self._watchers:
                watcher(before, after)


def _give_up_strays(connection: Connection, index: PortalIndex) -> None:
    strays = set(deliveries.waiting_places(connection)) - index.targets()
    deliveries.fail_all(connection, sorted(strays), "The link was removed.", now_ms())


def _read(connection: Connection) -> PortalIndex:
    numbers = places.load(connection)
    by_number = {number: place for place, number in numbers.items()}
    links: dict[int, list[Link]] = {}
    for row in rows.load_links(connection):
        link = Link(row.id, by_number[row.place_id], row.place_id, row.direction, row.from_config)
        links.setdefault(row.portal_id, []).append(link)
    portals: list[Portal] = []
    by_place: dict[Place, Spot] = {}
    for found in rows.load_portals(connection):
        room = Place(MATRIX, found.room_id) if found.room_id is not None else None
        number = numbers[room] if room is not None else None
        portal = Portal(found.id, room, number, found.room_name, tuple(links.get(found.id, ())))
        portals.append(portal)
        if room is not None and number is not None:
            by_place[room] = Spot(number, portal, None)
        by_place.update({link.place: Spot(link.place_id, portal, link) for link in portal.links})
    return PortalIndex(tuple(portals), by_place)


def _configure(connection: Connection, wanted: Sequence[WantedPortal]) -> None:
    _configure_portals(connection, wanted)
    _configure_links(connection, wanted)


def _configure_portals(connection: Connection, wanted: Sequence[WantedPortal]) -> None:
    names = {portal.room_name for portal in wanted}
    _drop_portals(connection, names)
    existing = rows.load_portals(connection)
    elsewhere = {row.room_id for row in existing if not row.from_config}
    known = {row.room_name for row in existing if row.from_config}
    by_room = {row.room_id: row.room_name for row in existing if row.from_config}
    rooms = places.intern(
        connection, [Place(MATRIX, name) for name in names if name.startswith("!")]
    )
    fresh: list[dict[str, object]] = []
    for portal in wanted:
        if portal.room_name in elsewhere:
            raise ConfigError(
                f"The room {portal.room_name} is already a portal that was made with a command.",
                "Take it out of the configuration, or unlink its groups first.",
            )
        if portal.room_name not in known:
            if other := by_room.get(portal.room_name):
                raise ConfigError(
                    f"Two portals stand for one room: {portal.room_name} and {other}.",
                    "Keep one of them in the configuration, with all the links.",
                )
            place_id = rooms.get(Place(MATRIX, portal.room_name))
            fresh.append({"place_id": place_id, "room_name": portal.room_name, "from_config": True})
    rows.add_portals(connection, fresh)


def _drop_portals(connection: Connection, names: set[str]) -> None:
    """Forget the configuration's portals but those with these room names. One to which groups
    were linked with a command as well goes on with those.
    """
    shared = {row.portal_id for row in rows.load_links(connection) if not row.from_config}
    gone = [
        row
        for row in rows.load_portals(connection)
        if row.from_config and row.room_name not in names
    ]
    rows.drop_portals(connection, [row.id for row in gone if row.id not in shared])
    rows.disown_portals(connection, [row.id for row in gone if row.id in shared])


def _configure_links(connection: Connection, wanted: Sequence[WantedPortal]) -> None:
    portal_ids = {row.room_name: row.id for row in rows.load_portals(connection)}
    numbers = places.intern(connection, [place for portal in wanted for place in portal.links])
    by_number = {number: place for place, number in numbers.items()}
    wished = {
        numbers[place]: (portal_ids[portal.room_name], direction)
        for portal in wanted
        for place, direction in portal.links.items()
    }
    dropped: list[rows.LinkRow] = []
    for row in rows.load_links(connection):
        wish = wished.get(row.place_id)
        if wish and not row.from_config:
            raise ConfigError(
                f"The group {by_number[row.place_id]} is already linked with a command.",
                "Take the link out of the configuration, or unlink the group first.",
            )
        if wish and wish[0] == row.portal_id:
            if wish[1] is not row.direction:
                rows.set_direction(connection, row.id, wish[1])
            del wished[row.place_id]
        elif row.from_config:
            dropped.append(row)
    rows.drop_links(connection, [row.id for row in dropped])
    _add_links(
        connection,
        [
            rows.LinkRow(0, portal_id, place_id, direction, from_config=True)
            for place_id, (portal_id, direction) in wished.items()
        ],
    )


def _add_links(connection: Connection, links: Sequence[rows.LinkRow]) -> None:
    rows.add_links(connection, links)
    # Who was present there when it belonged to another portal, or to none, is to be told anew
    members.forget(connection, [link.place_id for link in links])


def _settle(connection: Connection, portal_id: int, room_id: str, since: int | None) -> None:
    for row in rows.load_portals(connection):
        if row.room_id == room_id and row.id != portal_id:
            raise ConfigError(
                f"Two portals stand for the room {room_id}.",
                "Keep one of them in the configuration, with all the links.",
            )
    place = Place(MATRIX, room_id)
    number = places.intern(connection, [place])[place]
    rows.set_place(connection, portal_id, number)
    if since is not None:
        rows.note_room_heard(connection, number, since)


def _link(connection: Connection, room_id: str, group: Place, direction: Direction) -> None:
    room = Place(MATRIX, room_id)
    numbers = places.intern(connection, [room, group])
    if any(row.place_id == numbers[group] for row in rows.load_links(connection)):
        raise ConfigError(f"The group {group} is linked already.", "Unlink it there first.")
    found = {row.room_id: row.id for row in rows.load_portals(connection)}
    if room_id not in found:
        rows.add_portals(
            connection, [{"place_id": numbers[room], "room_name": None, "from_config": False}]
        )
        found = {row.room_id: row.id for row in rows.load_portals(connection)}
    link = rows.LinkRow(0, found[room_id], numbers[group], direction, from_config=False)
    _add_links(connection, [link])


def _unlink(connection: Connection, group: Place) -> None:
    rows.drop_links(connection, [_own_link(connection, group, "Remove it there.").id])
    rows.drop_empty_portals(connection)


def _redirect(connection: Connection, group: Place, direction: Direction) -> None:
    link = _own_link(connection, group, "Change its direction there.")
    rows.set_direction(connection, link.id, direction)


def _own_link(connection: Connection, group: Place, advice: str) -> rows.LinkRow:
    """The link to a group, if it was made by `link`.

    Raises:
        ConfigError: there is none, or it comes from the configuration.
    """
    number = places.load(connection).get(group)
    for row in rows.load_links(connection):
        if row.place_id != number:
            continue
        if row.from_config:
            raise ConfigError(f"The link to {group} comes from the configuration file.", advice)
        return row
    raise ConfigError(f"The group {group} is not linked.")
