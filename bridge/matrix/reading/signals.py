"""What is passing: who is typing, and how far people have read.

https://spec.matrix.org/v1.19/application-service-api/#pushing-ephemeral-data
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.model import MATRIX, Author, Place, Read, Signal, Typing

_ROOMS_HELD: Final = 1_000
_AT_ONCE_MAX: Final = 200


class Signals:
    """Reads ephemeral events, leaving out what ghosts do.

    Args:
        ids: tells who is a ghost.
    """

    def __init__(self, ids: GhostIds) -> None:
        self._ids = ids
        self._typing: OrderedDict[str, frozenset[str]] = OrderedDict()

    def read(self, raw: JsonObject) -> Iterator[Signal]:
        """What an ephemeral event, of any shape, tells."""
        room_id = text_at(raw, "room_id")
        content = object_at(raw, "content")
        if not room_id:
            return
        match raw.get("type"):
            case "m.typing":
                yield from self._typists(room_id, content)
            case "m.receipt":
                yield from self._readers(Place(MATRIX, room_id), content)

    def _typists(self, room_id: str, content: JsonObject) -> Iterator[Typing]:
        """Everyone who types is in the list: so those who are no longer have stopped."""
        users = content.get("user_ids")
        now = frozenset(self._people(users if isinstance(users, list) else ()))
        before = self._typing.pop(room_id, frozenset())
        if now:
            self._typing[room_id] = now
            if len(self._typing) > _ROOMS_HELD:
                self._typing.popitem(last=False)
        place = Place(MATRIX, room_id)
        for user_id in sorted(before - now):
            yield Typing(place, Author(MATRIX, user_id), typing=False)
        for user_id in sorted(now):
            # Also those who go on: elsewhere it may have ended by itself
            yield Typing(place, Author(MATRIX, user_id), typing=True)

    def _readers(self, place: Place, content: JsonObject) -> Iterator[Read]:
        """https://spec.matrix.org/v1.19/client-server-api/#receipts. Private ones are not ours."""
        for event_id, receipts in content.items():
            readers = object_at(receipts, "m.read") if isinstance(receipts, dict) else {}
            for user_id in self._people(readers):
                yield Read(place, Author(MATRIX, user_id), event_id)

    def _people(self, users: object) -> Iterator[str]:
        listed = list(users)[:_AT_ONCE_MAX] if isinstance(users, list | dict | tuple) else []
        for user_id in listed:
            if isinstance(user_id, str) and user_id and not self._ids.owns(user_id):
                yield user_id
