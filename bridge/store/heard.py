"""Commands that were given: each is recorded as a copy of nothing, so that it is known again."""

from sqlalchemy import Connection

from bridge.model import MATRIX, Place
from bridge.store import messages, places

_NO_MESSAGE = 0


def first_time(connection: Connection, room_id: str, event_id: str) -> bool:
    """Whether an event was not known until now; from now on it is."""
    room = Place(MATRIX, room_id)
    key = (places.intern(connection, [room])[room], event_id)
    if messages.known(connection, [key]):
        return False
    messages.add_new_copies(connection, [messages.CopyRow(*key, _NO_MESSAGE)])
    return True
