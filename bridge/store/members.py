"""Who is present at each place."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, delete, insert, or_, select

from bridge.model import Author
from bridge.store.tables import members

MemberKey = tuple[str, str]
"""An author by network and id."""


def load(connection: Connection, place_id: int) -> dict[MemberKey, Author]:
    """Everyone present at one place."""
    return load_all(connection, [place_id]).get(place_id, {})


def load_all(
    connection: Connection, place_ids: Sequence[int] | None = None
) -> dict[int, dict[MemberKey, Author]]:
    """Everyone present, by the place's number; at all places, or at some."""
    query = select(
        members.c.place_id,
        members.c.network,
        members.c.author_id,
        members.c.name,
        members.c.avatar,
    )
    if place_ids is not None:
        query = query.where(members.c.place_id.in_(place_ids))
    found: dict[int, dict[MemberKey, Author]] = {}
    for place_id, network, author_id, name, avatar in connection.execute(query):
        there = found.setdefault(place_id, {})
        there[network, author_id] = Author(network, author_id, name, avatar)
    return found


def forget(connection: Connection, place_ids: Sequence[int]) -> None:
    """Know nobody at these places any more."""
    if place_ids:
        connection.execute(delete(members).where(members.c.place_id.in_(place_ids)))


def write(
    connection: Connection, place_id: int, *, here: Iterable[Author], gone: Iterable[Author]
) -> None:
    """These people are here now (new, or with a new name), and these are gone."""
    came = list(here)
    changed = [*came, *gone]
    for start in range(0, len(changed), 200):
        keys = changed[start : start + 200]
        connection.execute(
            delete(members).where(
                members.c.place_id == place_id,
                or_(
                    *(
                        and_(members.c.network == a.network, members.c.author_id == a.id)
                        for a in keys
                    )
                ),
            )
        )
    if came:
        connection.execute(
            insert(members),
            [
                {
                    "place_id": place_id,
                    "network": author.network,
                    "author_id": author.id,
                    "name": author.name,
                    "avatar": author.avatar,
                }
                for author in came
            ],
        )
