"""Portals and links as rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, update

from bridge.model import Direction
from bridge.store.tables import links, places, portals


@dataclass(frozen=True, slots=True)
class PortalRow:
    """A portal. `room_id` is None while the alias `room_name` was never resolved."""

    id: int
    room_name: str | None
    room_id: str | None
    from_config: bool


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link of the portal `portal_id` to the place `place_id`."""

    id: int
    portal_id: int
    place_id: int
    direction: Direction
    from_config: bool


def load_portals(connection: Connection) -> list[PortalRow]:
    """Every portal."""
    rows = connection.execute(
        select(portals.c.id, portals.c.room_name, places.c.ident, portals.c.from_config)
        .outerjoin(places, portals.c.place_id == places.c.id)
        .order_by(portals.c.id)
    )
    return [PortalRow(*row) for row in rows]


def load_links(connection: Connection) -> list[LinkRow]:
    """Every link, the oldest first."""
    rows = connection.execute(
        select(
            links.c.id, links.c.portal_id, links.c.place_id, links.c.direction, links.c.from_config
        ).order_by(links.c.id)
    )
    return [LinkRow(a, b, c, Direction(d), e) for a, b, c, d, e in rows]


def add_portals(connection: Connection, rows: Iterable[dict[str, object]]) -> None:
    """Add portals, given as `place_id`, `room_name` and `from_config`."""
    if values := list(rows):
        connection.execute(insert(portals), values)


def set_place(connection: Connection, portal_id: int, place_id: int) -> None:
    """Say which room a portal's room name stands for now; nothing is known of that room."""
    connection.execute(
        update(portals)
        .where(portals.c.id == portal_id)
        .values(place_id=place_id, heard_from=None, heard_until=None)
    )


def drop_portals(connection: Connection, ids: Iterable[int]) -> None:
    """Forget portals together with their links."""
    if values := list(ids):
        connection.execute(delete(links).where(links.c.portal_id.in_(values)))
        connection.execute(delete(portals).where(portals.c.id.in_(values)))


def disown_portals(connection: Connection, ids: Iterable[int]) -> None:
    """Make portals of the configuration ones that are kept in the database only."""
    if values := list(ids):
        connection.execute(
            update(portals)
            .where(portals.c.id.in_(values))
            .values(room_name=None, from_config=False)
        )


def drop_empty_portals(connection: Connection) -> None:
    """Forget portals that do not come from the configuration and have no links left."""
    linked = select(links.c.portal_id)
    connection.execute(
        delete(portals).where(portals.c.from_config.is_(False), portals.c.id.not_in(linked))
    )


def add_links(connection: Connection, rows: Iterable[LinkRow]) -> None:
    """Add links; the `id` of the given rows is not used."""
    if values := [
        {
            "portal_id": row.portal_id,
            "place_id": row.place_id,
            "direction": row.direction.value,
            "from_config": row.from_config,
        }
        for row in rows
    ]:
        connection.execute(insert(links), values)


def set_direction(connection: Connection, link_id: int, direction: Direction) -> None:
    """Change which way a link carries. What was said before it carried inwards stays unsaid."""
    link = links.c.id == link_id
    if direction.inward:
        outward_only = links.c.direction == Direction.OUT.value
        nothing = {"heard_from": None, "heard_until": None}
        connection.execute(update(links).where(link, outward_only).values(nothing))
    connection.execute(update(links).where(link).values(direction=direction.value))


def note_heard(connection: Connection, until: Mapping[int, int]) -> None:
    """Note, for links by their place, until when everything said there is known (milliseconds)."""
    _note(connection, links, until)


def note_room_heard(connection: Connection, place_id: int, until: int) -> None:
    """The same for a portal's room."""
    _note(connection, portals, {place_id: until})


def _note(connection: Connection, table: Table, until: Mapping[int, int]) -> None:
    if until:
        connection.execute(
            update(table)
            .where(table.c.place_id == bindparam("place"))
            .values(
                heard_from=func.coalesce(table.c.heard_from, bindparam("until")),
                heard_until=bindparam("until"),
            ),
            [{"place": place_id, "until": time} for place_id, time in until.items()],
        )


def room_heard(connection: Connection, place_id: int) -> tuple[int, int] | None:
    """Since when a portal's room is listened to, and until when everything said there is known;
    None if it never was.
    """
    row = connection.execute(
        select(portals.c.heard_from, portals.c.heard_until).where(
            portals.c.place_id == place_id, portals.c.heard_until.is_not(None)
        )
    ).first()
    return None if row is None else (row.heard_from, row.heard_until)


def drop_links(connection: Connection, ids: Iterable[int]) -> None:
    """Forget links."""
    if values := list(ids):
        connection.execute(delete(links).where(links.c.id.in_(values)))
