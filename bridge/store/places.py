"""Places by number: every other table refers to a place by a small integer."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from bridge.model import Place
from bridge.store.tables import places


def intern(connection: Connection, wanted: Iterable[Place]) -> dict[Place, int]:
    """The numbers of these places; new ones are given a number."""
    known = load(connection)
    missing = [place for place in dict.fromkeys(wanted) if place not in known]
    if missing:
        connection.execute(
            places.insert(), [{"network": place.network, "ident": place.id} for place in missing]
        )
        known = load(connection)
    return known


def load(connection: Connection) -> dict[Place, int]:
    """Every place that ever belonged to a portal, with its number."""
    rows = connection.execute(select(places.c.network, places.c.ident, places.c.id))
    return {Place(network, ident): number for network, ident, number in rows}
