"""A colleague who does not give up: what the room may not have is looked up in its archive, and
said again only if it is not there.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from slixmpp.exceptions import IqError, IqTimeout, PresenceError

from sandbox.journal import Journal
from sandbox.xmpp_stanzas import RoomMessage
from sandbox.xmpp_user import XmppUser
from torture.cast import Side
from torture.ears import Ears, Spot
from torture.mam import ArchiveReader
from torture.words import Utterance

_AGAIN_SECONDS: Final = 0.3
_ECHO_SECONDS: Final = 20.0
_JOIN_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.05


class Colleague:
    """Speaks and listens in the rooms of one hospital; logs in again whenever put out.

    Args:
        user: the account, not logged in.
        nick: the name in every room.
        side: whose rooms they are.
        rooms: each portal's room.
        ears: told of what is heard.
    """

    def __init__(
        self, user: XmppUser, nick: str, side: Side, rooms: Mapping[int, str], ears: Ears
    ) -> None:
        self.user = user
        self.archive = ArchiveReader(user.client)
        self._nick = nick
        self._side = side
        self._rooms = rooms
        self._portals = {room: portal for portal, room in rooms.items()}
        self._ears = ears
        self._inside = asyncio.Event()
        self._echoes: dict[str, asyncio.Future[bool]] = {}
        user.messages = _Passing(self._hear)

    async def make_rooms(self) -> None:
        """Log in and make the rooms."""
        await self.user.connect()
        for room in self._rooms.values():
            await self.user.create_room(room, self._nick)
        self._inside.set()

    async def stay(self) -> None:
        """Be in the rooms, until cancelled."""
        while True:
            if not self.user.connected:
                self._inside.clear()
                self._fail_echoes()
            if not self._inside.is_set():
                # The server may be away, or be going away just now: it is tried again
                with suppress(TimeoutError, IqError, IqTimeout, PresenceError):
                    await self.come_in()
            await asyncio.sleep(_POLL_SECONDS)

    async def say(self, utterance: Utterance) -> None:
        """Say it; returns when the room has it."""
        room, said = self._rooms[utterance.portal], False
        while True:
            await self._inside.wait()
            try:
                if said and await self.has(room, utterance):
                    return
                said = True
                if await self._say(room, utterance.text):
                    return
            except (TimeoutError, IqError, IqTimeout):
                pass
            await asyncio.sleep(_AGAIN_SECONDS)

    async def until_inside(self) -> None:
        """Return once one is in every room."""
        await self._inside.wait()

    async def has(self, room: str, utterance: Utterance) -> bool:
        """Whether the room's archive has this, said by oneself."""
        found = await self.archive.read(room)
        return any((each.nick, each.body) == (self._nick, utterance.text) for each in found)

    async def _say(self, room: str, text: str) -> bool:
        """Say it once; whether it came back."""
        echo: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        id_ = self.user.say(room, text)
        self._echoes[id_] = echo
        try:
            async with asyncio.timeout(_ECHO_SECONDS):
                return await echo
        finally:
            del self._echoes[id_]

    async def come_in(self) -> None:
        """Log in and enter the rooms.

        Raises:
            TimeoutError, slixmpp.exceptions.XMPPError: the server is away.
        """
        if not self.user.connected:
            await self.user.connect(timeout=_JOIN_SECONDS)
        for room in self._rooms.values():
            if room not in self.user.nicks:
                await self.user.join(room, self._nick)
        self._inside.set()

    def _fail_echoes(self) -> None:
        for echo in self._echoes.values():
            if not echo.done():
                echo.set_result(False)

    def _hear(self, heard: RoomMessage) -> None:
        portal = self._portals.get(heard.room)
        echo = self._echoes.get(heard.origin_id or heard.id)
        if echo is not None and not echo.done():
            echo.set_result(not heard.error)
        if portal is not None and not heard.error and heard.delayed_since is None:
            self._ears.hear(Spot(portal, self._side), heard.body)


class _Passing(Journal[RoomMessage]):
    """Tells each item on, and keeps none: there are too many."""

    def __init__(self, tell: Callable[[RoomMessage], None]) -> None:
        super().__init__("what passes by")
        self._tell = tell

    def add(self, item: RoomMessage) -> None:
        self._tell(item)
