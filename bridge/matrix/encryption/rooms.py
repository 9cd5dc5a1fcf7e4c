"""Which rooms are encrypted, how often their sessions change, and who is in them.

A room that was once encrypted stays so, whatever the homeserver says later:
https://spec.matrix.org/v1.19/client-server-api/#mroomencryption
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from bridge.contract import Refused
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.encryption.account import MEGOLM
from bridge.matrix.encryption.ledger import Ledger
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.store import crypto_devices
from bridge.store.crypto_devices import RoomRow

log = structlog.get_logger(__name__)

_ENCRYPTION: Final = "m.room.encryption"
_VISIBILITY: Final = "m.room.history_visibility"
_WEEK_MS: Final = 7 * 86_400_000
_MESSAGES: Final = 100
_SHORTEST_MS: Final = 3_600_000
_MOST_MESSAGES: Final = 10_000


@dataclass(slots=True)
class Room:
    """An encrypted room. `members` are its people but for the bridge's own; None: not known now.

    `version` rises with every change of them; `departures` with everyone who leaves.
    """

    id: str
    rotation_ms: int
    rotation_messages: int
    row: RoomRow
    members: set[str] | None = None
    version: int = 0
    departures: int = 0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class EncryptedRooms:
    """Knows the rooms that are encrypted, and asks about others once.

    Args:
        bot: asks; it must be in the rooms.
        owns: tells whether a user is the bot or a ghost.
        ledger: keeps what is found.
    """

    def __init__(self, bot: ActingClient, owns: Callable[[str], bool], ledger: Ledger) -> None:
        self._bot = bot
        self._owns = owns
        self._ledger = ledger
        self._rooms: dict[str, Room] = {}
        self._plain: set[str] = set()

    def load(self, rows: Iterable[RoomRow]) -> None:
        """Take up the rooms that were known."""
        for row in rows:
            self._rooms[row.room_id] = Room(
                row.room_id, row.rotation_ms, row.rotation_messages, row
            )

    def known(self, room_id: str) -> Room | None:
        """The room, if it is known to be encrypted."""
        return self._rooms.get(room_id)

    async def find(self, room_id: str) -> Room | None:
        """The room, None if it is not encrypted.

        Raises:
            Denied: the bot may not see.
            Refused: it is encrypted in a way that nobody knows.
            Unreachable: it can't be told now.
        """
        if (known := self._rooms.get(room_id)) is not None:
            return known
        if room_id in self._plain:
            return None
        content = await self._bot.state(room_id, _ENCRYPTION)
        if content is None:
            self._plain.add(room_id)
            return self._rooms.get(room_id)
        room = self._turned_on(room_id, content)
        await self._ledger.commit()
        return room

    async def members(self, room: Room) -> frozenset[str]:
        """Who is to be able to read what is said in a room from now on.

        Raises:
            Denied: the bot is not in the room.
            Unreachable: it can't be told now.
        """
        async with room.asking:
            while room.members is None:
                version = room.version
                found = await self._ask_members(room.id)
                if version == room.version:
                    room.members = found
            return frozenset(room.members)

    def observe(self, raw: JsonObject) -> None:
        """Look at an event of a room, of any shape."""
        kind = raw.get("type")
        if kind == "m.room.member":
            self._moved(raw)
        elif kind == _ENCRYPTION and raw.get("state_key") == "":
            room_id = text_at(raw, "room_id")
            try:
                if room_id:
                    self._turned_on(room_id, object_at(raw, "content"))
            except Refused as error:
                log.warning("room_encryption_unknown", room=room_id, reason=str(error))
        elif kind == _VISIBILITY and (room := self._rooms.get(text_at(raw, "room_id"))):
            room.members = None
            room.version += 1

    def note(self, room: Room, row: RoomRow) -> None:
        """Keep what was told in a room."""
        room.row = row
        self._ledger.put(("room", room.id), lambda c: crypto_devices.save_room(c, row))

    def _turned_on(self, room_id: str, content: JsonObject) -> Room:
        if content.get("algorithm") != MEGOLM:
            if (known := self._rooms.get(room_id)) is not None:
                return known
            raise Refused(
                "The room is encrypted in a way that the bridge does not know.",
                "Use a room with the usual encryption.",
            )
        ms = _whole(content.get("rotation_period_ms"), _WEEK_MS)
        messages = _whole(content.get("rotation_period_msgs"), _MESSAGES)
        # As other clients do: nobody may have every message given a session of its own
        ms, messages = max(_SHORTEST_MS, min(ms, _WEEK_MS)), max(1, min(messages, _MOST_MESSAGES))
        room = self._rooms.get(room_id)
        if room is None:
            log.info("room_is_encrypted", room=room_id)
            row = RoomRow(room_id, ms, messages)
            room = self._rooms[room_id] = Room(room_id, ms, messages, row)
            self._plain.discard(room_id)
            self.note(room, row)
        elif (room.rotation_ms, room.rotation_messages) != (ms, messages):
            room.rotation_ms, room.rotation_messages = ms, messages
            self.note(room, replace(room.row, rotation_ms=ms, rotation_messages=messages))
        return room

    def _moved(self, raw: JsonObject) -> None:
        room = self._rooms.get(text_at(raw, "room_id"))
        user_id = text_at(raw, "state_key")
        if room is None or not user_id or self._owns(user_id):
            return
        membership = text_at(object_at(raw, "content"), "membership")
        known = room.members
        if membership in {"leave", "ban"}:
            if known is None or user_id in known:
                room.departures += 1
                room.version += 1
            if known is not None:
                known.discard(user_id)
        elif known is None or (membership != "knock" and user_id not in known):
            # An invited one may read already, by the room's settings: those are asked for again
            room.version += 1
            room.members = None if membership == "invite" else known
            if membership == "join" and room.members is not None:
                room.members.add(user_id)

    async def _ask_members(self, room_id: str) -> set[str]:
        visibility = await self._bot.state(room_id, _VISIBILITY)
        counted = {"join"}
        if text_at(visibility or {}, "history_visibility") != "joined":
            counted.add("invite")
        path = path_of("rooms", room_id, "members")
        answer = await self._bot.call("GET", path, query={"not_membership": "leave"})
        chunk = answer.get("chunk")
        found: set[str] = set()
        for raw in chunk if isinstance(chunk, list) else ():
            if not isinstance(raw, dict):
                continue
            user_id = text_at(raw, "state_key")
            membership = text_at(object_at(raw, "content"), "membership")
            if user_id and membership in counted and not self._owns(user_id):
                found.add(user_id)
        return found


def _whole(found: object, otherwise: int) -> int:
    return found if isinstance(found, int) and not isinstance(found, bool) else otherwise
