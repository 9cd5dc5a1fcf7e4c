"""Finds copies that an earlier attempt may have made in a room.

A transaction id makes a repeated send harmless only for as long as the homeserver remembers it:
Synapse keeps those of an application service in memory, for half an hour to an hour and until it
restarts. So every copy also carries its key in its content, and after a crash or a fault the
room's latest messages are searched for it.
"""

from collections import OrderedDict
from typing import Final

import orjson

from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.raw import object_at, text_at

KEY: Final = "consilium.key"
"""Where a copy's content holds the key of its delivery."""

_PAGE: Final = 500
_PAGES_MAX: Final = 8
_KEYS_ENOUGH: Final = 1_200
_ROOMS_HELD: Final = 20
_FILTER: Final = orjson.dumps({"types": ["m.room.message"]}).decode()

_Copy = tuple[str, str]
"""Its sender, and its key."""


class Copies:
    """Looks into rooms, and remembers for a while what was there.

    Args:
        bot: the bot's client; it must be in the rooms.
    """

    def __init__(self, bot: ActingClient) -> None:
        self._bot = bot
        self._seen: OrderedDict[str, dict[_Copy, str]] = OrderedDict()

    async def find(self, room_id: str, ghost: str, key: str) -> str | None:
        """The event id of the copy with this key, among the room's latest messages.

        Only one that the ghost itself has sent: others may write any key into their messages.

        Raises:
            Unreachable: it can't be told now.
        """
        seen = self._seen.get(room_id)
        if seen is None:
            seen = self._seen[room_id] = await self._look(room_id)
            if len(self._seen) > _ROOMS_HELD:
                self._seen.popitem(last=False)
        return seen.get((ghost, key))

    def outdated(self, room_id: str) -> None:
        """Look again the next time: an attempt since then has had no clear end."""
        self._seen.pop(room_id, None)

    async def _look(self, room_id: str) -> dict[_Copy, str]:
        found: dict[_Copy, str] = {}
        path = path_of("rooms", room_id, "messages")
        query = {"dir": "b", "limit": str(_PAGE), "filter": _FILTER}
        for _ in range(_PAGES_MAX):
            try:
                page = await self._bot.call("GET", path, query=query)
            except Denied as error:
                if error.forbidden:
                    # Nobody of ours is in there: then the attempt can't have come through either
                    break
                raise
            chunk = page.get("chunk")
            for event in chunk if isinstance(chunk, list) else ():
                if isinstance(event, dict) and (key := text_at(object_at(event, "content"), KEY)):
                    found[text_at(event, "sender"), key] = text_at(event, "event_id")
            end = text_at(page, "end")
            if not end or len(found) >= _KEYS_ENOUGH:
                break
            query["from"] = end
        return found
