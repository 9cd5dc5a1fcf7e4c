"""A room's timeline, read backwards from now, for what the homeserver never pushed."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson

from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.raw import JsonObject, text_at
from bridge.matrix.reading.acts import TOLD
from bridge.matrix.reading.polls import ENDS, RESPONSES, STARTS

_FIRST_PAGE: Final = 20
"""Where nothing is missing, the first page tells so."""
_PAGE: Final = 100
_SAID: Final = (
    "m.room.message",
    "m.sticker",
    "m.room.encrypted",
    "m.room.topic",
    "m.room.name",
    "m.room.avatar",
    "m.room.redaction",
    "m.reaction",
    *sorted(STARTS | RESPONSES | ENDS),
    *TOLD,
)
_FILTER: Final = orjson.dumps({"types": _SAID}).decode()


class Timeline:
    """Reads what was said and done, and what became of the room; not who came and went.

    Args:
        bot: the bot's client; it must be in the rooms.
    """

    def __init__(self, bot: ActingClient) -> None:
        self._bot = bot

    async def back(self, room_id: str) -> AsyncIterator[Sequence[JsonObject]]:
        """Raw events, newest first, page by page, to the beginning of what the bot may see.

        https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages

        Raises:
            Denied: the bot may not read the room.
            Unreachable: not now.
        """
        path = path_of("rooms", room_id, "messages")
        query = {"dir": "b", "limit": str(_FIRST_PAGE), "filter": _FILTER}
        while True:
            page = await self._bot.call("GET", path, query=query)
            chunk = page.get("chunk")
            yield (
                [each for each in chunk if isinstance(each, dict)]
                if isinstance(chunk, list)
                else []
            )
            end = text_at(page, "end")
            if not end or end == query.get("from"):
                return
            query |= {"from": end, "limit": str(_PAGE)}
