"""Decrypts events of rooms: from a raw encrypted event to the raw event that it holds."""

from dataclasses import dataclass
from typing import Final

import orjson
import structlog

from bridge.config.encryption import DeviceRule
from bridge.contract import Refused, Unreachable
from bridge.matrix.encryption.account import MEGOLM, Account
from bridge.matrix.encryption.devices import Devices
from bridge.matrix.encryption.inbound import (
    BadMessageError,
    GroupSession,
    GroupSessions,
    NoKeyError,
)
from bridge.matrix.encryption.trust import TRUST, Trust
from bridge.matrix.raw import JsonObject, object_at, text_at

log = structlog.get_logger(__name__)

_NEVER_ENCRYPTED: Final = frozenset({"m.room.encrypted", "m.room.redaction"})


@dataclass(frozen=True, slots=True)
class Opened:
    """The event that was inside: the same, but for its type and content."""

    raw: JsonObject


@dataclass(frozen=True, slots=True)
class Locked:
    """Its key has not come."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Bad:
    """It can't be read, whatever comes; `reason` is for a doctor."""

    reason: str


def is_encrypted(raw: JsonObject) -> bool:
    """Whether an event of any shape is an encrypted one of a room."""
    return raw.get("type") == "m.room.encrypted" and "state_key" not in raw


class Unsealing:
    """Reads encrypted events.

    Args:
        account: whose own events these may be.
        sessions: the keys.
        devices: tell whose keys they are.
        rule: from which devices messages count.
    """

    def __init__(
        self, account: Account, sessions: GroupSessions, devices: Devices, rule: DeviceRule
    ) -> None:
        self._account = account
        self._sessions = sessions
        self._devices = devices
        self._rule = rule

    async def open(self, raw: JsonObject) -> Opened | Locked | Bad:
        """Decrypt an event of a room, of any shape.

        Raises:
            StoreError: the database failed.
        """
        content = object_at(raw, "content")
        if not content and object_at(raw, "unsigned").get("redacted_because"):
            return Opened({**raw, "type": "m.room.message"})  # nothing is left to decrypt
        session_id = text_at(content, "session_id")
        if content.get("algorithm") != MEGOLM or not session_id:
            return Bad("it is encrypted in a way that the bridge does not know")
        try:
            session = await self._session(text_at(raw, "room_id"), session_id)
            kind, inner = self._inside(session, session_id, raw)
        except NoKeyError:
            return Locked(session_id)
        except BadMessageError as error:
            return Bad(str(error))
        trust = await self._trust(session)
        if self._rule is DeviceRule.SIGNED and trust is not Trust.CROSS_SIGNED:
            return Bad("the device it was sent from is not verified by its owner")
        return Opened({**raw, "type": kind, "content": _content(inner, content), TRUST: trust})

    async def _session(self, room_id: str, session_id: str) -> GroupSession:
        found = await self._sessions.get(room_id, session_id)
        if found is None:
            raise NoKeyError
        return found

    def _inside(
        self, session: GroupSession, session_id: str, raw: JsonObject
    ) -> tuple[str, JsonObject]:
        """The type and content that are inside of an event."""
        if session.sender != text_at(raw, "sender"):
            raise BadMessageError("the key it was encrypted with is somebody else's")
        ciphertext = text_at(object_at(raw, "content"), "ciphertext")
        plain = self._sessions.decrypt(session, session_id, ciphertext, text_at(raw, "event_id"))
        inner = _parsed(plain)
        if inner is None or inner.get("room_id") != text_at(raw, "room_id"):
            raise BadMessageError("it does not belong to this room")
        kind = text_at(inner, "type")
        if not kind or kind in _NEVER_ENCRYPTED:
            raise BadMessageError("it does not say what it is")
        return kind, object_at(inner, "content")

    async def _trust(self, session: GroupSession) -> Trust:
        if session.forwarded:
            return Trust.FORWARDED
        device = self._devices.by_key(session.sender, session.curve_key)
        if device is None and not self._devices.up_to_date([session.sender]):
            try:
                await self._devices.refresh([session.sender])
            except (Refused, Unreachable) as error:
                log.info("devices_not_known", user_id=session.sender, reason=str(error))
            device = self._devices.by_key(session.sender, session.curve_key)
        if device is None or device.signing_key != session.signing_key:
            return Trust.UNKNOWN_DEVICE
        return Trust.CROSS_SIGNED if device.cross_signed else Trust.UNSIGNED


def _parsed(plain: bytes) -> JsonObject | None:
    try:
        found = orjson.loads(plain)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _content(content: JsonObject, clear: JsonObject) -> JsonObject:
    """What it says; what it relates to stands in the part that is not encrypted."""
    return (
        {**content, "m.relates_to": clear["m.relates_to"]} if "m.relates_to" in clear else content
    )
