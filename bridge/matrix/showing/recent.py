"""What was sent to rooms lately, as far as an edit must repeat it."""

from collections import OrderedDict
from typing import Final

from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.copies import KEY
from bridge.matrix.faults import Denied
from bridge.matrix.raw import JsonObject, object_at

_HELD: Final = 2_000
_PLAIN: Final = "m.text"
_NOT_KEPT: Final = frozenset(
    {"body", "format", "formatted_body", "m.mentions", "m.relates_to", "m.new_content", KEY}
)


class Recent:
    """Tells what an event holds besides its words: what it is, and the file in it.

    Texts are not remembered. What is asked for and not remembered is read in the room, which can't
    be done where it is encrypted.

    Args:
        bot: the bot's client; it must be in the rooms.
    """

    def __init__(self, bot: ActingClient) -> None:
        self._bot = bot
        self._held: OrderedDict[str, JsonObject] = OrderedDict()

    def sent(self, room_id: str, event_id: str, content: JsonObject) -> None:  # noqa: ARG002
        """Remember it, unless it is a mere text."""
        if content.get("msgtype") == _PLAIN:
            return
        self._held[event_id] = _kept(content)
        if len(self._held) > _HELD:
            self._held.popitem(last=False)

    async def besides_words(self, room_id: str, event_id: str) -> JsonObject:
        """What an event holds besides its words; empty where that can't be told.

        Raises:
            Unreachable: not now.
        """
        if event_id in self._held:
            return dict(self._held[event_id])
        try:
            event = await self._bot.call("GET", path_of("rooms", room_id, "event", event_id))
        except Denied:
            return {}
        if event.get("type") != "m.room.message":
            return {}
        return _kept(object_at(event, "content"))


def _kept(content: JsonObject) -> JsonObject:
    return {key: value for key, value in content.items() if key not in _NOT_KEPT}
