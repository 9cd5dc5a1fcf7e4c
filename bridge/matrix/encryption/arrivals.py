"""Stands before the way in for the homeserver: what is encrypted goes on decrypted, in order.

A key and the first message by it come by different ways, so the message may be first. Then the room
is held for a moment, and what comes after it there waits its turn, on disk. When the key does not
come in time the rest goes on without that message; it goes on whenever its key comes.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
import structlog
from sqlalchemy import Connection

from bridge.clock import now_ms
from bridge.errors import ConsiliumError
from bridge.matrix.encryption.rooms import EncryptedRooms
from bridge.matrix.encryption.trust import NOT_READ, TRUST, Trust
from bridge.matrix.encryption.unseal import Bad, Locked, Opened, Unsealing, is_encrypted
from bridge.matrix.raw import JsonObject, text_at
from bridge.matrix.server import TransactionSink
from bridge.store import crypto_waiting
from bridge.store.crypto_waiting import NewWaiting, WaitingRow, WaitingState
from bridge.store.database import Database

log = structlog.get_logger(__name__)

HOLD_MS: Final = 3_000
_RETRY_SECONDS: Final = 5.0
_NOT_ENCRYPTED: Final = "the room is not encrypted, and the bridge's configuration requires that"
_SAID: Final = frozenset({"m.room.message", "m.sticker"})

Late = Callable[[str, Sequence[WaitingRow]], None]
"""Told of a room, and of messages in it whose keys are late."""

Read = Callable[[str], None]
"""Told of a room in which something was read that was late."""


@dataclass(slots=True)
class _Sorted:
    """What to do with events: hand them on, or have them wait."""

    ready: list[JsonObject] = field(default_factory=list)
    waiting: list[NewWaiting] = field(default_factory=list)


class Arrivals:
    """Implements `bridge.matrix.server.TransactionSink`.

    Args:
        inner: where decrypted events go.
        unsealing: decrypts.
        rooms: told of what happens in rooms.
        owns: tells whether a user is the bot or a ghost.
        database: keeps what waits.
        must_be_encrypted: tells of which rooms nothing is taken unless they are encrypted.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that comes in passes by here
        self,
        inner: TransactionSink,
        unsealing: Unsealing,
        rooms: EncryptedRooms,
        owns: Callable[[str], bool],
        database: Database,
        must_be_encrypted: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._inner = inner
        self._unsealing = unsealing
        self._rooms = rooms
        self._owns = owns
        self._database = database
        self._must_be_encrypted = must_be_encrypted
        self._turn = asyncio.Lock()
        self._held: dict[str, float] = {}
        self._late: set[tuple[str, str]] = set()
        self._come: set[tuple[str, str]] = set()
        self._news = asyncio.Event()
        self._late_watchers: list[Late] = []
        self._read_watchers: list[Read] = []

    def watch(self, late: Late, read: Read) -> None:
        """Have these called when keys are late, and when something is read that was late."""
        self._late_watchers.append(late)
        self._read_watchers.append(read)

    async def load(self) -> None:
        """Take up what an earlier run has left waiting.

        Raises:
            StoreError: the database failed.
        """
        for room_id in await self._database.run(crypto_waiting.held_rooms):
            self._held[room_id] = time.monotonic()
        sessions = await self._database.run(crypto_waiting.late_sessions)
        self._late = {(room_id, session_id) for room_id, session_id, _ in sessions}
        self._come = set(self._late)
        self._news.set()

    def key_came(self, room_id: str, session_id: str) -> None:
        """The key of a session is there, or one that reads more."""
        if room_id in self._held or (room_id, session_id) in self._late:
            self._come.add((room_id, session_id))
            self._news.set()

    async def accept(
        self, txn_id: str, events: Sequence[JsonObject], ephemeral: Sequence[JsonObject]
    ) -> None:
        """Take a transaction over; see `TransactionSink.accept`."""
        async with self._turn:
            found = await self._sort(events)
            if found.waiting:
                rows = found.waiting
                await self._database.run(lambda c: crypto_waiting.add(c, rows))
            await self._inner.accept(txn_id, found.ready, ephemeral)
            if found.waiting:
                for row in found.waiting:
                    self._held.setdefault(row.room_id, time.monotonic() + HOLD_MS / 1000)
                self._news.set()

    async def _sort(self, events: Iterable[JsonObject]) -> _Sorted:
        found = _Sorted()
        holding = set(self._held)
        for raw in events:
            self._rooms.observe(raw)
            room_id = text_at(raw, "room_id")
            session_id = None
            if room_id not in holding:
                opened = await self._open(raw)
                if not isinstance(opened, Locked):
                    found.ready.append(opened)
                    continue
                holding.add(room_id)
                session_id = opened.session_id
            if event_id := text_at(raw, "event_id"):
                found.waiting.append(
                    NewWaiting(
                        room_id,
                        event_id,
                        session_id,
                        orjson.dumps(raw),
                        WaitingState.HELD,
                        now_ms(),
                    )
                )
        return found

    async def _open(self, raw: JsonObject) -> JsonObject | Locked:
        """The event to hand on."""
        if not is_encrypted(raw):
            return self._in_clear(raw) if raw.get("type") in _SAID else raw
        if self._owns(text_at(raw, "sender")):
            return raw
        match await self._unsealing.open(raw):
            case Opened(opened):
                return opened
            case Locked() as locked:
                return locked
            case Bad(reason):
                log.warning(
                    "event_not_decrypted",
                    room=text_at(raw, "room_id"),
                    event_id=text_at(raw, "event_id"),
                    reason=reason,
                )
                return {**raw, NOT_READ: reason}

    def _in_clear(self, raw: JsonObject) -> JsonObject:
        room_id = text_at(raw, "room_id")
        if self._rooms.known(room_id) is not None:
            return {**raw, TRUST: Trust.CLEAR}
        if self._must_be_encrypted(room_id) and not self._owns(text_at(raw, "sender")):
            return {**raw, "type": "m.room.encrypted", "content": {}, NOT_READ: _NOT_ENCRYPTED}
        return raw

    async def open_past(self, events: Sequence[JsonObject]) -> list[JsonObject]:
        """What was found in a room's past, decrypted; what can't be waits for its key.

        Raises:
            StoreError: the database failed.
        """
        found: list[JsonObject] = []
        late: list[NewWaiting] = []
        for raw in events:
            match await self._open(raw):
                case Locked(session_id):
                    row = NewWaiting(
                        text_at(raw, "room_id"), text_at(raw, "event_id"), session_id,
                        orjson.dumps(raw), WaitingState.HELD, 0,
                    )  # fmt: skip
                    late.append(row)
                case opened:
                    found.append(opened)
        if late:
            await self._database.run(lambda c: crypto_waiting.add(c, late))
            for row in late:
                self._held.setdefault(row.room_id, time.monotonic())
            self._news.set()
        return found

    # --- what waits ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Hand on what has waited, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._pause()):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            try:
                await self._step()
            except ConsiliumError as error:
                log.warning("waiting_not_handed_on", reason=str(error))
                self._news.set()
                await asyncio.sleep(_RETRY_SECONDS)

    def _pause(self) -> float | None:
        if not self._held:
            return None
        return max(0.0, min(self._held.values()) - time.monotonic())

    async def _step(self) -> None:
        come, self._come = self._come, set()
        try:
            due = {room_id for room_id, end in self._held.items() if end <= time.monotonic()}
            for room_id in due | {room_id for room_id, _ in come if room_id in self._held}:
                await self._release(room_id)
            for room_id, session_id in sorted(come & self._late):
                await self._read_late(room_id, session_id)
        except BaseException:
            self._come |= come
            raise

    async def _release(self, room_id: str) -> None:
        """Hand on what is held in a room, up to the first one that has to wait longer."""
        async with self._turn:
            rows = await self._database.run(lambda c: crypto_waiting.held(c, room_id))
            ready: list[JsonObject] = []
            done: list[int] = []
            late: list[WaitingRow] = []
            left = 0
            for position, row in enumerate(rows):
                opened = await self._open(orjson.loads(row.payload))
                if not isinstance(opened, Locked):
                    ready.append(opened)
                    done.append(row.id)
                elif now_ms() - row.since >= HOLD_MS:
                    late.append(row)
                else:
                    left = len(rows) - position
                    self._held[room_id] = time.monotonic() + (row.since + HOLD_MS - now_ms()) / 1000
                    break
            if ready:
                await self._inner.accept("waited", ready, ())
            await self._settle(done, late)
            if not left:
                self._held.pop(room_id, None)
        if late:
            log.info("keys_late", room=room_id, events=len(late))
            for watcher in self._late_watchers:
                watcher(room_id, late)

    async def _settle(self, done: list[int], late: list[WaitingRow]) -> None:
        def work(connection: Connection) -> None:
            crypto_waiting.drop(connection, done)
            crypto_waiting.grow_late(connection, [row.id for row in late], None)

        await self._database.run(work)
        self._late.update((row.room_id, row.session_id) for row in late if row.session_id)

    async def _read_late(self, room_id: str, session_id: str) -> None:
        async with self._turn:
            rows = await self._database.run(lambda c: crypto_waiting.late(c, room_id, session_id))
            ready: list[JsonObject] = []
            done: list[int] = []
            for row in rows:
                opened = await self._open(orjson.loads(row.payload))
                if not isinstance(opened, Locked):
                    ready.append(opened)
                    done.append(row.id)
            if ready:
                await self._inner.accept("late", ready, ())
                await self._database.run(lambda c: crypto_waiting.drop(c, done))
                log.info("late_keys_came", room=room_id, events=len(ready))
            if len(done) == len(rows):
                self._late.discard((room_id, session_id))
        if ready:
            for watcher in self._read_watchers:
                watcher(room_id)
