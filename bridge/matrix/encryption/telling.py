"""Tells a room that something said there can't be read: one notice, changed when that changes.

Its words and its id are kept, so that a restart neither repeats nor forgets it.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import orjson
import structlog

from bridge.clock import now_ms
from bridge.errors import ConsiliumError
from bridge.matrix.encryption.ledger import Ledger
from bridge.matrix.encryption.rooms import EncryptedRooms, Room
from bridge.matrix.raw import text_at
from bridge.status.notifier import Notifier
from bridge.store import crypto_waiting
from bridge.store.crypto_waiting import WaitingRow
from bridge.store.database import Database
from bridge.wording import listed

log = structlog.get_logger(__name__)

TELL_SECONDS: Final = 7.0
"""From when a key is late until the room is told: the answer to a request may come meanwhile."""

_RETRY_SECONDS: Final = 30.0
_NAMED: Final = 3
_GIVEN_UP_MS: Final = 14 * 86_400_000
_DAY_SECONDS: Final = 86_400.0

READ_SINCE: Final = "The messages that the bridge could not read here have been passed on since."

_HELP: Final = {
    "m.unverified": "their client gives keys to verified devices only: verify the bridge's bot, or"
    " turn that off for this room",
    "m.blacklisted": "their client has blocked the bridge: unblock it, and send them again",
    "m.unauthorised": "they were said before the bridge could take part",
    "m.no_olm": "their client found no way to send the key: send them again",
}
_HELP_ELSE: Final = "send them again; if that does not help either, log out and in again"

Why = Callable[[str, str, str], str | None]
"""The code that a sender gave for withholding the key of a session of a room, if any."""


class Telling:
    """Keeps the notices of rooms in step with what waits.

    Args:
        rooms: keep the notices' ids.
        database: knows what waits.
        ledger: writes the ids down.
        notifier: speaks.
        why: tells what is known about a missing key.
    """

    def __init__(
        self,
        rooms: EncryptedRooms,
        database: Database,
        ledger: Ledger,
        notifier: Notifier,
        why: Why,
    ) -> None:
        self._rooms = rooms
        self._database = database
        self._ledger = ledger
        self._notifier = notifier
        self._why = why
        self._due: dict[str, float] = {}
        self._said: dict[str, str] = {}
        self._news = asyncio.Event()
        self._swept = 0.0

    def late(self, room_id: str, _rows: Sequence[WaitingRow]) -> None:
        """Keys are late in a room."""
        self._look(room_id, TELL_SECONDS)

    def read(self, room_id: str) -> None:
        """Something was read that was late, or it is known why it can't be."""
        self._look(room_id, 0.0)

    async def run(self) -> None:
        """Work until cancelled."""
        for room_id in await self._database.run(crypto_waiting.late_rooms):
            self._look(room_id, TELL_SECONDS)
        while True:
            try:
                async with asyncio.timeout(self._pause()):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            now = time.monotonic()
            for room_id in [each for each, due in self._due.items() if due <= now]:
                del self._due[room_id]
                try:
                    await self._sweep()
                    await self._settle(room_id)
                except ConsiliumError as error:
                    log.warning("encryption_not_told", room=room_id, reason=str(error))
                    self._look(room_id, _RETRY_SECONDS)

    def _look(self, room_id: str, seconds: float) -> None:
        due = time.monotonic() + seconds
        self._due[room_id] = min(due, self._due.get(room_id, due))
        self._news.set()

    def _pause(self) -> float | None:
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None

    async def _sweep(self) -> None:
        """Give up what has waited for two weeks, once a day."""
        if time.monotonic() - self._swept < _DAY_SECONDS:
            return
        self._swept = time.monotonic()
        before = now_ms() - _GIVEN_UP_MS
        gone = await self._database.run(lambda c: crypto_waiting.drop_older(c, before))
        if gone:
            log.warning("undecrypted_given_up", events=gone)

    async def _settle(self, room_id: str) -> None:
        room = await self._rooms.find(room_id)
        if room is None:
            return
        rows = await self._database.run(lambda c: crypto_waiting.late(c, room_id))
        if rows:
            await self._tell(room, self._words(rows))
        elif room.row.notice_id:
            await self._notifier.change(
                room_id, room.row.notice_id, READ_SINCE, self._key(room, "read")
            )
            await self._note(room, None)

    async def _tell(self, room: Room, text: str) -> None:
        if room.row.notice_id is None:
            self._rooms.note(room, replace(room.row, notice_revision=room.row.notice_revision + 1))
            await self._ledger.commit()
            said = await self._notifier.say(room.id, text, self._key(room, "late"))
            await self._note(room, said)
        elif self._said.get(room.id) != text:
            await self._notifier.change(room.id, room.row.notice_id, text, self._key(room, text))
        self._said[room.id] = text

    async def _note(self, room: Room, notice_id: str | None) -> None:
        self._rooms.note(room, replace(room.row, notice_id=notice_id))
        await self._ledger.commit()

    def _key(self, room: Room, what: str) -> str:
        about = f"{room.id} {room.row.notice_revision} {what}".encode()
        return f"encryption.{hashlib.blake2b(about, digest_size=12).hexdigest()}"

    def _words(self, rows: Sequence[WaitingRow]) -> str:
        """One sentence about whose messages, and what helps."""
        senders: dict[str, None] = {}
        codes: set[str | None] = set()
        for row in rows:
            sender = text_at(orjson.loads(row.payload), "sender")
            senders[sender] = None
            codes.add(self._why(row.room_id, row.session_id or "", sender))
        names = list(senders)
        who = listed(names[:_NAMED]) if len(names) <= _NAMED else f"{len(names)} people"
        code = codes.pop() if len(codes) == 1 else None
        helps = _HELP.get(code or "", _HELP_ELSE)
        return (
            f"Some messages of {who} can't be passed on, because their keys have not reached the"
            f" bridge ({helps})."
        )
