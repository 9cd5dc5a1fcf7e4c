"""Rooms that take the place of others, and what the homeserver says about it.

https://spec.matrix.org/v1.19/client-server-api/#room-upgrades
"""

from dataclasses import dataclass

from bridge.clock import milliseconds
from bridge.errors import HomeserverError
from bridge.matrix.client import JOIN_SECONDS, ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.matrix.reading.findings import time_of
from bridge.matrix.rights import rights_in

TOMBSTONE = "m.room.tombstone"


@dataclass(frozen=True, slots=True)
class Succession:
    """A room was replaced: by which, by whom, when (milliseconds since the epoch), and whether they
    may do so there.
    """

    room_id: str
    sender: str
    time: int
    rightful: bool


class Successors:
    """Asks about rooms that were replaced.

    Args:
        bot: the bot's client.
        ids: tells who is a ghost.
    """

    def __init__(self, bot: ActingClient, ids: GhostIds) -> None:
        self._bot = bot
        self._ids = ids

    @property
    def bot_id(self) -> str:
        """The bot's user id."""
        return self._bot.user_id

    async def of(self, room_id: str) -> Succession | None:
        """By which room this one was replaced; None if it was not.

        Raises:
            Denied: the bot is not in it.
            Unreachable: it can't be told now.
        """
        path = path_of("rooms", room_id, "state", TOMBSTONE, "")
        try:
            event = await self._bot.call("GET", path, query={"format": "event"})
        except Denied as error:
            if error.missing:
                return None
            raise
        successor, sender = successor_in(event), text_at(event, "sender")
        time = time_of(event.get("origin_server_ts"))
        if not (successor and sender and time):
            return None
        rights = await rights_in(room_id, self._bot)
        rightful = rights.of(sender) >= rights.for_state(TOMBSTONE)
        return Succession(successor, sender, milliseconds(time), rightful)

    async def predecessor(self, room_id: str) -> str | None:
        """Which room this one says it replaces.

        Raises:
            Denied: the bot is not in it.
            Unreachable: it can't be told now.
        """
        return predecessor_in(await self._bot.state(room_id, "m.room.create") or {})

    async def enter(self, succession: Succession) -> None:
        """Let the bot join the room that took the place of another.

        Raises:
            HomeserverError: it is not let in.
            Unreachable: not now.
        """
        server = succession.sender.partition(":")[2]
        path = path_of("join", succession.room_id)
        try:
            await self._bot.call("POST", path, {}, query={"via": server}, timeout=JOIN_SECONDS)
        except Denied as error:
            raise HomeserverError(
                f"The room was replaced by {succession.room_id}, which the bot can't enter:"
                f" {error.said or error.errcode}",
                f"Invite {self._bot.user_id} there.",
            ) from error

    async def leave(self, room_id: str, reason: str) -> None:
        """Let the bot go from a room again.

        Raises:
            Denied: it is not in there.
            Unreachable: not now.
        """
        await self._bot.leave(room_id, reason)

    async def ghosts_in(self, room_id: str) -> list[str]:
        """The user ids of the ghosts that are in a room.

        Raises:
            Denied: the bot is not in it.
            Unreachable: it can't be told now.
        """
        answer = await self._bot.call("GET", path_of("rooms", room_id, "joined_members"))
        joined = object_at(answer, "joined")
        return [each for each in joined if self._ids.owns(each) and each != self._bot.user_id]


def successor_in(tombstone: JsonObject) -> str | None:
    """The room that took the place, in a raw `m.room.tombstone`."""
    return text_at(object_at(tombstone, "content"), "replacement_room") or None


def predecessor_in(create: JsonObject) -> str | None:
    """The room that was replaced, in the content of an `m.room.create`."""
    return text_at(object_at(create, "predecessor"), "room_id") or None


def predecessor_of_invited(raw: JsonObject) -> str | None:
    """The same, of a room that the bot is invited to, from what an invitation tells about it.

    https://spec.matrix.org/v1.19/client-server-api/#stripped-state
    """
    stripped = object_at(raw, "unsigned").get("invite_room_state")
    for event in stripped if isinstance(stripped, list) else ():
        if isinstance(event, dict) and event.get("type") == "m.room.create":
            return predecessor_in(object_at(event, "content"))
    return None
