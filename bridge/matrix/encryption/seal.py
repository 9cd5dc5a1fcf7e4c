"""Encrypts what the bot and its ghosts say in encrypted rooms. Implements `client.Seal`."""

import asyncio
from typing import Final

import orjson

from bridge.config.encryption import Mode
from bridge.contract import Refused, Unreachable
from bridge.errors import StoreError
from bridge.matrix.encryption.account import MEGOLM, Account
from bridge.matrix.encryption.personas import Personas
from bridge.matrix.encryption.rooms import EncryptedRooms
from bridge.matrix.encryption.sharing import Sharing, device_id_of
from bridge.matrix.raw import JsonObject

_KEY: Final = "consilium.key"
_IN_CLEAR: Final = frozenset({"m.reaction", "m.room.redaction"})
"""As clients do: https://spec.matrix.org/v1.19/client-server-api/#mreaction"""

_PATIENCE_SECONDS: Final = 15.0


class Sealing:
    """Encrypts events on their way to rooms.

    What relates an event to another stays readable for the homeserver, as the specification wants
    it, and so does the key by which a copy is found again: it says nothing.

    Args:
        account: whose key is named.
        rooms: tells which are encrypted.
        sharing: has sessions ready.
        personas: tell the devices.
        mode: whether other rooms are spoken in. The bot may there, for it repeats nothing.
    """

    def __init__(
        self,
        account: Account,
        rooms: EncryptedRooms,
        sharing: Sharing,
        personas: Personas,
        mode: Mode,
    ) -> None:
        self._account = account
        self._rooms = rooms
        self._sharing = sharing
        self._personas = personas
        self._mode = mode
        self._ready = asyncio.Event()

    def open(self) -> None:
        """From now on the homeserver knows the bot's device."""
        self._ready.set()

    @property
    def is_open(self) -> bool:
        """Whether the homeserver knows the bot's device by now."""
        return self._ready.is_set()

    async def seal(
        self, sender: str, room_id: str, event_type: str, content: JsonObject
    ) -> tuple[str, JsonObject]:
        """The type and content to send.

        Raises:
            Denied: the homeserver won't have it.
            Refused: the room may not be spoken in.
            Unreachable: not now.
        """
        if event_type in _IN_CLEAR:
            return event_type, content
        room = await self._rooms.find(room_id)
        if room is None:
            if self._mode is Mode.REQUIRE and sender != self._account.bot.user_id:
                raise Refused(
                    "The room is not encrypted, and the bridge's configuration requires that.",
                    "Turn on encryption in the room's settings, under Security & privacy.",
                )
            return event_type, content
        if not self._ready.is_set():
            await self._until_ready()
        try:
            keys = await self._personas.ready(sender)
            session = await self._sharing.ready(room, sender)
        except StoreError as error:
            raise Unreachable("The bridge's own database has a fault.") from error
        plain = orjson.dumps({"type": event_type, "content": content, "room_id": room_id})
        sealed: JsonObject = {
            "algorithm": MEGOLM,
            "sender_key": self._account.curve_key,
            "device_id": device_id_of(keys),
            "session_id": session.id,
            "ciphertext": session.encrypt(plain),
        }
        for kept in ("m.relates_to", _KEY):
            if kept in content:
                sealed[kept] = content[kept]
        return "m.room.encrypted", sealed

    async def encrypts(self, room_id: str) -> bool:
        """Whether what is sent to a room is encrypted; see `client.Seal.encrypts`."""
        return await self._rooms.find(room_id) is not None

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._ready.wait()
        except TimeoutError as error:
            raise Unreachable("The bridge's encryption is not set up yet.") from error
