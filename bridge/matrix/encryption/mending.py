"""What is done about keys that did not come: sessions are mended, keys are asked for.

Implements `feed.Correspondent`. What devices send is acted on in the background, one thing at a
time, bounded: anybody may send anything to the bot's device.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import orjson
import structlog

from bridge.errors import ConsiliumError
from bridge.matrix.client import ActingClient
from bridge.matrix.encryption.account import MEGOLM, Account
from bridge.matrix.encryption.answering import Answering
from bridge.matrix.encryption.claims import Claims
from bridge.matrix.encryption.devices import Devices
from bridge.matrix.encryption.feed import Feed, News
from bridge.matrix.encryption.ledger import Ledger
from bridge.matrix.encryption.pairwise import Letter, Pairwise
from bridge.matrix.encryption.personas import Personas
from bridge.matrix.encryption.to_device import send_to_devices
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.store.crypto_devices import Device
from bridge.store.crypto_waiting import WaitingRow

log = structlog.get_logger(__name__)

_WAITING_MAX: Final = 500
_MENDED_EVERY_SECONDS: Final = 3_600.0
_HELD: Final = 2_000

SessionId = tuple[str, str]
"""A room, and the id of a session in it."""


class Mending:
    """Mends sessions, asks for keys, and answers those who ask.

    Args:
        bot: speaks.
        account: whose device it is.
        devices: tell whose keys they are.
        claims: begin new sessions.
        pairwise: encrypts.
        personas: tell the bot's device.
        ledger: keeps what changes.
        answering: answers those who ask.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - mending is where all of these meet
        self,
        bot: ActingClient,
        account: Account,
        devices: Devices,
        claims: Claims,
        pairwise: Pairwise,
        personas: Personas,
        ledger: Ledger,
        answering: Answering,
    ) -> None:
        self._bot = bot
        self._account = account
        self._devices = devices
        self._claims = claims
        self._pairwise = pairwise
        self._personas = personas
        self._ledger = ledger
        self._answering = answering
        self._work: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(_WAITING_MAX)
        self._mended: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._asked: OrderedDict[SessionId, str] = OrderedDict()
        self._withheld: OrderedDict[SessionId, tuple[str, str]] = OrderedDict()
        self._watchers: list[Callable[[str], None]] = []

    def watch(self, watcher: Callable[[str], None]) -> None:
        """Have `watcher` called with a room when it becomes known why a key is not there."""
        self._watchers.append(watcher)

    # --- what devices send ---------------------------------------------------------------------

    def broken(self, sender: str, curve_key: str) -> None:
        """A message of this device can't be read: begin a new session with it."""
        now = time.monotonic()
        key = (sender, curve_key)
        if now - self._mended.get(key, -_MENDED_EVERY_SECONDS) < _MENDED_EVERY_SECONDS:
            return
        self._mended[key] = now
        if len(self._mended) > _HELD:
            self._mended.popitem(last=False)
        self._later(lambda: self._mend(sender, curve_key))

    def withheld(self, sender: str, content: JsonObject) -> None:
        """Somebody says that they won't give a key."""
        room_id, session_id = text_at(content, "room_id"), text_at(content, "session_id")
        if not room_id or not session_id:
            return
        code = text_at(content, "code")
        log.info("room_key_withheld", room=room_id, sender=sender, code=code)
        self._withheld[room_id, session_id] = (sender, code)
        if len(self._withheld) > _HELD:
            self._withheld.popitem(last=False)
        for watcher in self._watchers:
            watcher(room_id)

    def requested(self, sender: str, content: JsonObject) -> None:
        """Somebody asks for a key: it is given to those who had it before."""
        if content.get("action") == "request":
            self._later(lambda: self._answering.answer(sender, content))

    def awaited(self, letter: Letter) -> bool:
        """Whether a forwarded key was asked for, and comes from where it was asked for."""
        key = (text_at(letter.content, "room_id"), text_at(letter.content, "session_id"))
        return self._asked.get(key) == letter.sender

    def why_missing(self, room_id: str, session_id: str, sender: str) -> str | None:
        """The code that a sender gave for not giving a key, None if none was given."""
        found = self._withheld.get((room_id, session_id))
        return found[1] if found is not None and found[0] == sender else None

    def top_up(self, feed: Feed, news: News) -> None:
        """Have the bot's device's keys at the homeserver renewed, as news have it."""
        self._later(lambda: feed.top_up(news))

    # --- what is late --------------------------------------------------------------------------

    def late(self, room_id: str, rows: Sequence[WaitingRow]) -> None:
        """Keys did not come in time: ask for each once, and have a sound session for the next."""
        for row in rows:
            raw = orjson.loads(row.payload)
            sender, content = text_at(raw, "sender"), object_at(raw, "content")
            session_id = text_at(content, "session_id")
            if (room_id, session_id) in self._asked:
                continue
            self._asked[room_id, session_id] = sender
            if len(self._asked) > _HELD:
                self._asked.popitem(last=False)
            curve_key = text_at(content, "sender_key")
            self._later(
                lambda who=sender, raw_content=content: self._ask(  # type: ignore[misc]
                    who, room_id, raw_content
                )
            )
            if curve_key:
                self.broken(sender, curve_key)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            work = await self._work.get()
            try:
                await work()
            except ConsiliumError as error:
                log.warning("encryption_not_mended", reason=str(error))

    def _later(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            self._work.put_nowait(work)
        except asyncio.QueueFull:
            log.warning("encryption_not_mended", reason="Too much is to be mended.")

    async def _mend(self, sender: str, curve_key: str) -> None:
        await self._devices.refresh([sender])
        device = self._devices.by_key(sender, curve_key)
        if device is None or not device.olm or not await self._claims.renew(device):
            return
        await self._send(device, "m.dummy", {})
        log.info("session_mended", user_id=sender, device=device.device_id)

    async def _ask(self, sender: str, room_id: str, event: JsonObject) -> None:
        """https://spec.matrix.org/v1.19/client-server-api/#mroom_key_request."""
        session_id, curve_key = text_at(event, "session_id"), text_at(event, "sender_key")
        device_id = text_at(event, "device_id") or "*"
        bot = self._account.bot
        content: JsonObject = {
            "action": "request",
            "requesting_device_id": bot.device_id,
            "request_id": f"{room_id} {session_id}",
            "body": {
                "algorithm": MEGOLM,
                "room_id": room_id,
                "session_id": session_id,
                "sender_key": curve_key,  # not needed any more; matrix-nio wants it
            },
        }
        await send_to_devices(self._bot, "m.room_key_request", {(sender, device_id): content})
        log.info("room_key_requested", room=room_id, sender=sender)

    async def _send(self, device: Device, event_type: str, content: JsonObject) -> None:
        keys = await self._personas.ready(self._account.bot.user_id)
        sealed = self._pairwise.encrypt(device, keys, event_type, content)
        await self._ledger.commit()
        await send_to_devices(
            self._bot, "m.room.encrypted", {(device.user_id, device.device_id): sealed}
        )
