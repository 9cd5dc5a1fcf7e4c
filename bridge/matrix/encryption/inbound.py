"""Megolm sessions of others: the keys by which what they say in a room is read.

https://spec.matrix.org/v1.19/client-server-api/#mmegolmv1aes-sha2. Only those in use are in memory.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection
from vodozemac import (
    ExportedSessionKey,
    InboundGroupSession,
    MegolmMessage,
    PickleException,
    SessionKey,
)

from bridge.clock import now_ms
from bridge.matrix.encryption.ledger import Ledger, Write
from bridge.matrix.encryption.vault import Vault, WrongKeyError
from bridge.store import crypto_sessions
from bridge.store.crypto_sessions import GroupRow
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_HELD: Final = 2_000
_INDICES_HELD: Final = 20_000

Arrived = Callable[[str, str], None]
"""Told of a room and a session whose key has come."""


class NoKeyError(Exception):
    """There is no key for it, or none for so early a message."""


class BadMessageError(Exception):
    """There is a key, and the message does not fit it."""


@dataclass(slots=True)
class GroupSession:
    """A session, and whose it is: the user and the keys of the device that made it."""

    ratchet: InboundGroupSession
    sender: str
    curve_key: str
    signing_key: str
    forwarded: bool


@dataclass(frozen=True, slots=True)
class KeyLetter:
    """A session as it comes between devices; `sender` and the keys tell whose it is."""

    room_id: str
    session_id: str
    key: str
    sender: str
    curve_key: str
    signing_key: str
    forwarded: bool = False


class GroupSessions:
    """Keeps the sessions of rooms, and decrypts by them.

    Args:
        database: where they are.
        vault: seals them.
        ledger: keeps new ones.
    """

    def __init__(self, database: Database, vault: Vault, ledger: Ledger) -> None:
        self._database = database
        self._vault = vault
        self._ledger = ledger
        self._held: OrderedDict[tuple[str, str], GroupSession] = OrderedDict()
        self._indices: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._watchers: list[Arrived] = []

    def watch(self, watcher: Arrived) -> None:
        """Have `watcher` called whenever a key has come."""
        self._watchers.append(watcher)

    async def get(self, room_id: str, session_id: str) -> GroupSession | None:
        """A session.

        Raises:
            StoreError: the database failed.
            WrongKeyError: it was sealed with another key.
        """
        key = (room_id, session_id)
        if (held := self._held.get(key)) is not None:
            self._held.move_to_end(key)
            return held
        row = await self._database.run(
            lambda connection: crypto_sessions.load_group(connection, room_id, session_id)
        )
        if key in self._held:
            return self._held[key]
        if row is None:
            return None
        try:
            ratchet = InboundGroupSession.from_pickle(row.pickle, self._vault.pickle_key)
        except PickleException as error:
            raise WrongKeyError from error
        found = GroupSession(ratchet, row.sender, row.curve_key, row.signing_key, row.forwarded)
        self._hold(key, found)
        return found

    async def take(self, letter: KeyLetter) -> bool:
        """Keep a session that has come; False if nothing is new by it.

        One from its owner counts for more than one from another; else the one that can read more.

        Raises:
            StoreError: the database failed.
            ValueError: what came is no session, or not the one it claims to be.
        """
        if letter.forwarded:
            ratchet = InboundGroupSession.import_session(ExportedSessionKey(letter.key))
        else:
            ratchet = InboundGroupSession(SessionKey(letter.key))
        if ratchet.session_id != letter.session_id:
            msg = "the key is of another session"
            raise ValueError(msg)
        new = GroupSession(
            ratchet, letter.sender, letter.curve_key, letter.signing_key, letter.forwarded
        )
        old = await self.get(letter.room_id, letter.session_id)
        if old is not None and not _better(new, old):
            return False
        key = (letter.room_id, letter.session_id)
        self._hold(key, new)
        self._keep(key, new)
        return True

    def arrived(self, room_id: str, session_id: str) -> None:
        """Let everyone know of a session that was taken and is on disk by now."""
        for watcher in self._watchers:
            watcher(room_id, session_id)

    def decrypt(
        self, session: GroupSession, session_id: str, ciphertext: str, event_id: str
    ) -> bytes:
        """Read a message.

        Raises:
            NoKeyError: the session begins after it.
            BadMessageError: it is no message of this session, or repeats another.
        """
        try:
            message = MegolmMessage.from_base64(ciphertext)
            if message.message_index() < session.ratchet.first_known_index:
                raise NoKeyError
            found = session.ratchet.decrypt(message)
        except ValueError as error:
            raise BadMessageError("it does not fit its key") from error
        index = (session_id, found.message_index)
        if self._indices.setdefault(index, event_id) != event_id:
            raise BadMessageError("it repeats an earlier message")
        if len(self._indices) > _INDICES_HELD:
            self._indices.popitem(last=False)
        return bytes(found.plaintext)

    def _hold(self, key: tuple[str, str], session: GroupSession) -> None:
        self._held[key] = session
        self._held.move_to_end(key)
        if len(self._held) > _HELD:
            self._held.popitem(last=False)

    def _keep(self, key: tuple[str, str], session: GroupSession) -> None:
        def prepare() -> Write:
            ratchet = session.ratchet
            row = GroupRow(
                *key,
                session.sender,
                session.curve_key,
                session.signing_key,
                ratchet.pickle(self._vault.pickle_key),
                session.forwarded,
                ratchet.first_known_index,
                now_ms(),
            )

            def write(connection: Connection) -> None:
                crypto_sessions.save_group(connection, row)

            return write

        self._ledger.note(("group", *key), prepare)


def _better(new: GroupSession, old: GroupSession) -> bool:
    """Whether to take the new one of two sessions with the same id."""
    earlier = new.ratchet.first_known_index < old.ratchet.first_known_index
    if new.forwarded != old.forwarded:
        # Its owner's proves more, if it reads as much; another's is for what the owner's can't
        same = new.ratchet.first_known_index == old.ratchet.first_known_index
        return earlier or (same and old.forwarded)
    return earlier and (new.sender, new.curve_key) == (old.sender, old.curve_key)
