"""Who may do what in a room: power levels, as the specification computes them.

https://spec.matrix.org/v1.19/client-server-api/#mroompower_levels. In rooms of version 12 and
later, the creators stand above all numbers (https://spec.matrix.org/v1.19/rooms/v12/).
"""

import math
from dataclasses import dataclass
from typing import Final

from bridge.contract import Unreachable
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.raw import JsonObject, object_at, text_at

WHERE_TO_CHANGE: Final = "in Element under Room settings, Roles & Permissions"

_MODERATOR: Final = 50
_ADMIN: Final = 100
_FIRST_WITH_CREATORS: Final = 12


@dataclass(frozen=True, slots=True)
class Rights:
    """What the state of a room says about power.

    `levels` is None in a room without power levels, where the creator may do everything and
    everyone else most things.
    """

    levels: JsonObject | None
    creators: frozenset[str]
    creators_stand_above: bool

    def of(self, user_id: str) -> float:
        """A user's power level; infinite for a creator in newer rooms."""
        if user_id in self.creators and self.creators_stand_above:
            return math.inf
        if self.levels is None:
            return _ADMIN if user_id in self.creators else 0
        default = _number(self.levels, "users_default", 0)
        return _number(object_at(self.levels, "users"), user_id, default)

    def for_state(self, event_type: str) -> float:
        """The level that it takes to set this piece of state."""
        if self.levels is None:
            return 0
        default = _number(self.levels, "state_default", _MODERATOR)
        return _number(object_at(self.levels, "events"), event_type, default)

    def for_message(self) -> float:
        """The level that it takes to write."""
        return self.for_event("m.room.message")

    def for_event(self, event_type: str) -> float:
        """The level that it takes to send events of a type that are no state."""
        levels = self.levels or {}
        default = _number(levels, "events_default", 0)
        return _number(object_at(levels, "events"), event_type, default)

    def for_deleting(self) -> float:
        """The level that it takes to delete what others sent."""
        return max(
            _number(self.levels or {}, "redact", _MODERATOR), self.for_event("m.room.redaction")
        )

    def for_invite(self) -> float:
        """The level that it takes to invite."""
        return _number(self.levels or {}, "invite", 0)


async def rights_in(room_id: str, seen_by: ActingClient) -> Rights:
    """The rights in a room, as one of its members sees them.

    Raises:
        Denied: with M_FORBIDDEN, `seen_by` is not in the room.
        Unreachable: it can't be told now.
    """
    levels = await seen_by.state(room_id, "m.room.power_levels")
    path = path_of("rooms", room_id, "state", "m.room.create", "")
    try:
        create = await seen_by.call("GET", path, query={"format": "event"})
    except Denied as error:
        if not error.missing:
            raise
        create = {}
    content = object_at(create, "content") or create
    more = content.get("additional_creators")
    creators = {text_at(create, "sender"), text_at(content, "creator")}
    creators.update(each for each in (more if isinstance(more, list) else ()) if each)
    version = text_at(content, "room_version")
    above = version.isascii() and version.isdigit() and int(version) >= _FIRST_WITH_CREATORS
    return Rights(levels, frozenset(creators - {""}), above)


def bot_missing(bot: str, room_id: str) -> Unreachable:
    """What to tell when the bot is not in a room. Temporary: an invitation mends it."""
    return Unreachable(f"{bot} is not in the room {room_id}: invite it there.")


def shown_level(level: float) -> str:
    """A level for people."""
    return "that of a creator" if math.isinf(level) else f"{level:g}"


def _number(holder: JsonObject, key: str, default: float) -> float:
    """A level; old rooms may hold integers as text."""
    found = holder.get(key)
    if isinstance(found, int | float):
        return found
    if isinstance(found, str):
        try:
            return int(found)
        except ValueError:
            return default
    return default
