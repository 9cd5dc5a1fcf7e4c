"""Who wrote a message of a room, to know who may ask for it to be tried again."""

from collections.abc import Callable

from sqlalchemy import Connection

from bridge.flow.codec import decode
from bridge.model import MATRIX, Kind, Place, Roster
from bridge.portals.service import PortalIndex
from bridge.store import notices
from bridge.store.database import Database


class Authors:
    """Looks authors up.

    Args:
        database: where messages are kept.
        index: the portals as they are now.
    """

    def __init__(self, database: Database, index: Callable[[], PortalIndex]) -> None:
        self._database = database
        self._index = index

    async def of(self, room_id: str, event_id: str) -> str | None:
        """The user id of who wrote a message on the Matrix side.

        Args:
            room_id: a portal's room.
            event_id: the message there, or the bot's notice about it.

        Returns:
            None if it is not known there, or was written on another network.

        Raises:
            StoreError: the database failed.
        """
        spot = self._index().at(Place(MATRIX, room_id))
        if spot is None:
            return None
        return await self._database.run(lambda c: _author(c, spot.place_id, event_id))


def _author(connection: Connection, place_id: int, event_id: str) -> str | None:
    message_id = notices.subject_of(connection, place_id, event_id)
    kept = None if message_id is None else notices.payload(connection, message_id)
    if kept is None:
        return None
    try:
        event = decode(Kind(kept[0]), kept[1])
    except ValueError:
        return None
    if isinstance(event, Roster) or event.author.network != MATRIX:
        return None
    return event.author.id
