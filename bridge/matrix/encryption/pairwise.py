"""Sessions with single devices (Olm), by which the keys of rooms are passed on.

https://spec.matrix.org/v1.19/client-server-api/#molmv1curve25519-aes-sha2
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
import structlog
from vodozemac import AnyOlmMessage, PickleException, PreKeyMessage, Session

from bridge.clock import now_ms
from bridge.matrix.encryption.account import OLM, Account, Owner
from bridge.matrix.encryption.ledger import Ledger, Write
from bridge.matrix.encryption.signing import from_unpadded, unpadded
from bridge.matrix.encryption.vault import Vault, WrongKeyError
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.store import crypto_sessions
from bridge.store.crypto_devices import Device
from bridge.store.crypto_sessions import OlmRow

log = structlog.get_logger(__name__)

_SESSIONS_MAX: Final = 5
_PRE_KEY: Final = 0


@dataclass(slots=True)
class _Held:
    session: Session
    used_at: int


@dataclass(frozen=True, slots=True)
class Letter:
    """What another's device has sent to the bridge's alone, with the keys it proved to have."""

    sender: str
    curve_key: str
    signing_key: str
    type: str
    content: JsonObject


class UnreadableLetterError(Exception):
    """A message between devices can't be read, or is not what it claims to be."""


class BrokenSessionError(UnreadableLetterError):
    """The two devices have lost each other's state: a new session is needed."""


class Pairwise:
    """Encrypts for single devices, and decrypts what they send.

    Args:
        account: begins sessions.
        vault: seals them.
        ledger: keeps them.
    """

    def __init__(self, account: Account, vault: Vault, ledger: Ledger) -> None:
        self._account = account
        self._vault = vault
        self._ledger = ledger
        self._sessions: dict[str, list[_Held]] = {}

    def load(self, rows: Iterable[OlmRow]) -> None:
        """Take up the sessions that were kept.

        Raises:
            WrongKeyError: they were sealed with another key.
        """
        for row in rows:
            try:
                session = Session.from_pickle(row.pickle, self._vault.pickle_key)
            except PickleException as error:
                raise WrongKeyError from error
            self._sessions.setdefault(row.curve_key, []).append(_Held(session, row.used_at))
        for held in self._sessions.values():
            held.sort(key=_latest_first)

    def knows(self, curve_key: str) -> bool:
        """Whether there is a session with this device."""
        return bool(self._sessions.get(curve_key))

    def begin(self, device: Device, key: JsonObject) -> None:
        """Begin a session by a one-time key; it is used from now on.

        Raises:
            ValueError: the key can't be used.
        """
        owner = Owner(device.user_id, device.device_id)
        session = self._account.begin(device.curve_key, device.signing_key, owner, key)
        self._add(device.curve_key, session)

    def encrypt(
        self, device: Device, sender: JsonObject, event_type: str, content: JsonObject
    ) -> JsonObject:
        """The content of an `m.room.encrypted` for one device, with which there is a session.

        Args:
            device: for whom.
            sender: the signed device keys of the owner who sends it.
            event_type: what it says.
            content: what it says.
        """
        held = self._sessions[device.curve_key][0]
        plain = {
            "type": event_type,
            "content": content,
            "sender": sender["user_id"],
            "sender_device": sender["device_id"],  # no longer specified; matrix-nio wants it
            "sender_device_keys": sender,
            "keys": {"ed25519": self._account.signing_key},
            "recipient": device.user_id,
            "recipient_keys": {"ed25519": device.signing_key},
        }
        kind, sealed = held.session.encrypt(orjson.dumps(plain)).to_parts()
        self._used(device.curve_key, held)
        return {
            "algorithm": OLM,
            "sender_key": self._account.curve_key,
            "ciphertext": {device.curve_key: {"type": kind, "body": unpadded(sealed)}},
        }

    def decrypt(self, sender: str, content: JsonObject) -> Letter:
        """Read an `m.room.encrypted` that was sent to the bot's device.

        Args:
            sender: by the homeserver's word.
            content: of any shape.

        Raises:
            BrokenSessionError: none of the sessions with that device can read it.
            UnreadableLetterError: it is not for the bridge, or not what it claims to be.
        """
        if content.get("algorithm") != OLM:
            raise UnreadableLetterError("its algorithm is unknown")
        curve_key = text_at(content, "sender_key")
        mine = object_at(object_at(content, "ciphertext"), self._account.curve_key)
        try:
            plain = orjson.loads(self._plain(curve_key, mine.get("type"), text_at(mine, "body")))
        except orjson.JSONDecodeError as error:
            raise UnreadableLetterError("it is not JSON") from error
        if not isinstance(plain, dict):
            raise UnreadableLetterError("it is no JSON object")
        bot, keys = self._account.bot, object_at(plain, "recipient_keys")
        if text_at(plain, "sender") != sender or text_at(plain, "recipient") != bot.user_id:
            raise UnreadableLetterError("it is from or for somebody else")
        if text_at(keys, "ed25519") != self._account.signing_key:
            raise UnreadableLetterError("it is for another key")
        signing_key = text_at(object_at(plain, "keys"), "ed25519")
        type_, inner = text_at(plain, "type"), object_at(plain, "content")
        return Letter(sender, curve_key, signing_key, type_, inner)

    def _plain(self, curve_key: str, kind: object, body: str) -> bytes:
        if not curve_key or not body:
            raise UnreadableLetterError("it is not for this device")
        try:
            if kind == _PRE_KEY:
                return self._from_pre_key(curve_key, PreKeyMessage.from_base64(body))
            message = AnyOlmMessage.normal(from_unpadded(body))
        except ValueError as error:
            raise UnreadableLetterError("it is no Olm message") from error
        found = self._by_known(curve_key, message, self._sessions.get(curve_key, ()))
        if found is None:
            raise BrokenSessionError("no session can read it")
        return found

    def _from_pre_key(self, curve_key: str, message: PreKeyMessage) -> bytes:
        held = self._sessions.get(curve_key, ())
        matching = [each for each in held if each.session.session_matches(message)]
        if matching:
            found = self._by_known(curve_key, message.to_any(), matching)
            if found is None:
                raise BrokenSessionError("its own session can't read it")
            return found
        try:
            session, plain = self._account.answer(curve_key, message)
        except ValueError as error:
            raise BrokenSessionError("it begins a session by a key that is gone") from error
        self._add(curve_key, session)
        return plain

    def _by_known(
        self, curve_key: str, message: AnyOlmMessage, candidates: Sequence[_Held]
    ) -> bytes | None:
        for held in candidates:
            try:
                plain = held.session.decrypt(message)
            except ValueError:  # not this one; the ratchet has not moved
                continue
            self._used(curve_key, held)
            return plain
        return None

    def _add(self, curve_key: str, session: Session) -> None:
        held = _Held(session, 0)
        sessions = self._sessions.setdefault(curve_key, [])
        sessions.append(held)
        self._used(curve_key, held)
        gone, self._sessions[curve_key] = sessions[_SESSIONS_MAX:], sessions[:_SESSIONS_MAX]
        for each in gone:
            session_id = each.session.session_id
            self._ledger.put(
                ("olm", session_id),
                lambda connection, gone_id=session_id: crypto_sessions.drop_olm(  # type: ignore[misc]
                    connection, [gone_id]
                ),
            )

    def _used(self, curve_key: str, held: _Held) -> None:
        held.used_at = max(now_ms(), held.used_at + 1)
        self._sessions[curve_key].sort(key=_latest_first)
        session = held.session

        def prepare() -> Write:
            pickle = session.pickle(self._vault.pickle_key)
            row = OlmRow(session.session_id, curve_key, pickle, held.used_at)
            return lambda connection: crypto_sessions.save_olm(connection, row)

        self._ledger.note(("olm", session.session_id), prepare)


def _latest_first(held: _Held) -> int:
    return -held.used_at
