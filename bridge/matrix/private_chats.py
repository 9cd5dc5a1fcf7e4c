"""Rooms that the bot is in and that are no portals: whose invitations it follows, when it goes."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from bridge.bot.permissions import Permissions, Rank
from bridge.bot.ports import Rooms
from bridge.contract import Unreachable
from bridge.errors import ConsiliumError
from bridge.matrix.client import ActingClient
from bridge.matrix.raw import JsonObject, object_at, text_at

log = structlog.get_logger(__name__)

_WAITING: Final = 200
_ALONE: Final = 1
_ATTEMPTS: Final = 5


class PrivateChats:
    """Keeps the bot out of rooms where nobody needs it.

    Args:
        bot: the bot's client.
        rooms: tells who is still there.
        permissions: whom to listen to.
        is_portal: whether a room is that of a portal.
    """

    def __init__(
        self,
        bot: ActingClient,
        rooms: Rooms,
        permissions: Permissions,
        is_portal: Callable[[str], bool],
    ) -> None:
        self._bot = bot
        self._rooms = rooms
        self._permissions = permissions
        self._is_portal = is_portal
        self._left: asyncio.Queue[str] = asyncio.Queue(_WAITING)

    def welcome(self, inviter: str, *, direct: bool) -> bool:
        """Whether to follow an invitation to a room that is no portal: to a private chat with
        someone who may give commands, and to any room of an admin, who may want to link it.
        """
        rank = self._permissions.rank(inviter)
        return rank.covers(Rank.USER if direct else Rank.ADMIN)

    def observe(self, raw: JsonObject) -> None:
        """Look at a raw event: someone may have left the bot alone."""
        if raw.get("type") != "m.room.member" or raw.get("state_key") == self._bot.user_id:
            return
        room_id = text_at(raw, "room_id")
        if text_at(object_at(raw, "content"), "membership") not in {"leave", "ban"}:
            return
        if room_id and not self._is_portal(room_id):
            try:
                self._left.put_nowait(room_id)
            except asyncio.QueueFull:
                log.warning("departure_not_seen", room=room_id)

    async def run(self) -> None:
        """Leave rooms in which the bot is alone, until cancelled."""
        while True:
            room_id = await self._left.get()
            try:
                await self._leave_if_alone(room_id)
            except ConsiliumError as error:
                log.warning("private_chat_not_left", room=room_id, reason=str(error))

    async def _leave_if_alone(self, room_id: str) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if await self._rooms.people(room_id) == _ALONE and not self._is_portal(room_id):
                    await self._bot.leave(room_id)
                    log.info("private_chat_left", room=room_id)
            except Unreachable:
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(2.0**attempt)
            else:
                return
