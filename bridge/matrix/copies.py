"""Finds copies that an earlier attempt may have made in a room.

A transaction id makes a repeated send harmless only for as long as the homeserver remembers it:
Synapse keeps those of an application service in memory, for half an hour to an hour and until it
restarts. So every copy also carries its key in its content, and after a crash or a fault the
room's latest messages are searched for it.

They are read backwards, and no further than needed: a room is sent to in order, so whatever came
before a copy that is on record has been recorded, too.
"""

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from bridge.contract import Unreachable
from bridge.errors import StoreError
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.raw import JsonObject, object_at, text_at

KEY: Final = "consilium.key"
"""Where a copy's content holds the key of its delivery."""

_FIRST_PAGE: Final = 50
"""After a crash, mostly the last few are in doubt."""
_PAGE: Final = 500
_NEVER: Final = 2**63 - 1
_PAGES_MAX: Final = 8
_KEYS_ENOUGH: Final = 1_200
_ROOMS_HELD: Final = 20
_FILTER: Final = orjson.dumps(
    {"types": ["m.room.message", "m.sticker", "m.room.encrypted"]}
).decode()
"""Of what is encrypted, the key is in the part that is not."""

_Copy = tuple[str, str]
"""Its sender, and its key."""


Recorded = Callable[[str, Sequence[str]], Awaitable[Collection[str]]]
"""Tells, for a room, which of these events are copies that the bridge has made and recorded.

Raises:
    StoreError: that can't be told now.
"""


async def _none(_room_id: str, _event_ids: Sequence[str]) -> Collection[str]:
    return ()


@dataclass(slots=True)
class _Search:
    """What was seen of a room, from now backwards. `recorded_at` is the time, in milliseconds since
    the epoch, that the oldest copy on record bears.
    """

    copies: dict[_Copy, str] = field(default_factory=dict)
    recorded_at: float = math.inf
    pages: int = 0
    end: str = ""
    over: bool = False


class Copies:
    """Looks into rooms, and remembers for a while what was there.

    Args:
        bot: the bot's client; it must be in the rooms.
        recorded: tells what need not be looked for.
    """

    def __init__(self, bot: ActingClient, recorded: Recorded = _none) -> None:
        self._bot = bot
        self._recorded = recorded
        self._seen: OrderedDict[str, _Search] = OrderedDict()

    async def find(self, room_id: str, ghost: str, key: str, said_at: int) -> str | None:
        """The event id of the copy with this key, among the room's latest messages.

        Only one that the ghost itself has sent: others may write any key into their messages.

        Args:
            room_id: where it would be.
            ghost: who would have sent it.
            key: the key of its delivery.
            said_at: when it was said at its origin, in milliseconds since the epoch.

        Raises:
            Unreachable: it can't be told now.
        """
        search = self._seen.setdefault(room_id, _Search())
        if len(self._seen) > _ROOMS_HELD:
            self._seen.popitem(last=False)
        # What was said earlier and is tried again late may be further back than a record
        while (ghost, key) not in search.copies and search.recorded_at > said_at:
            if search.over:
                break
            await self._read_page(room_id, search)
        return search.copies.get((ghost, key))

    def outdated(self, room_id: str) -> None:
        """Look again the next time: an attempt since then has had no clear end."""
        self._seen.pop(room_id, None)

    async def _read_page(self, room_id: str, search: _Search) -> None:
        query = {"dir": "b", "limit": str(_PAGE if search.pages else _FIRST_PAGE)}
        query |= {"filter": _FILTER} | ({"from": search.end} if search.end else {})
        try:
            page = await self._bot.call("GET", path_of("rooms", room_id, "messages"), query=query)
        except Denied as error:
            if not error.forbidden:
                raise
            # Nobody of ours is in there: then the attempt can't have come through either
            search.over = True
            return
        chunk = page.get("chunk")
        times: dict[str, int] = {}
        for event in chunk if isinstance(chunk, list) else ():
            if isinstance(event, dict) and (key := text_at(object_at(event, "content"), KEY)):
                event_id = text_at(event, "event_id")
                search.copies.setdefault((text_at(event, "sender"), key), event_id)
                times[event_id] = _time(event)
        await self._note_records(room_id, search, times)
        search.pages += 1
        search.end = text_at(page, "end")
        search.over = (
            not search.end or search.pages >= _PAGES_MAX or len(search.copies) >= _KEYS_ENOUGH
        )

    async def _note_records(self, room_id: str, search: _Search, times: Mapping[str, int]) -> None:
        try:
            recorded = await self._recorded(room_id, list(times))
        except StoreError as error:
            raise Unreachable("The bridge's own database has a fault.") from error
        oldest = min((times[event_id] for event_id in recorded), default=math.inf)
        search.recorded_at = min(search.recorded_at, oldest)


def _time(event: JsonObject) -> int:
    """When it says it was sent; later than anything if it does not."""
    time = event.get("origin_server_ts")
    return time if isinstance(time, int) else _NEVER
