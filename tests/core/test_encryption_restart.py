"""Ratchets and keys over a crash: nothing is used twice, and nothing that was taken is lost."""

import asyncio
import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vodozemac

from bridge.config.encryption import Encryption as Settings
from bridge.matrix.encryption.feed import News
from bridge.matrix.encryption.service import Encryption
from bridge.matrix.encryption.trust import Trust, trust_of
from bridge.matrix.raw import JsonObject
from bridge.store.database import Database

ROOM = "!ward:hospital.test"
BOT = "@consilium:hospital.test"
ANNA = "@anna:hospital.test"


class AnnasPhone:
    """A device apart from the bridge's code, and the homeserver between the two."""

    def __init__(self) -> None:
        self.user_id, self.seal = BOT, None
        self.account = vodozemac.Account()
        self.account.generate_one_time_keys(5)
        self.session: vodozemac.Session | None = None
        self.sent: list[tuple[str, JsonObject]] = []
        self.was_sent = asyncio.Event()
        self.unused = dict(self.account.one_time_keys)

    # --- the homeserver, as the bridge's bot sees it

    def acting_as(self, user_id: str) -> "AnnasPhone":
        return self

    async def state(self, room_id: str, event_type: str) -> JsonObject | None:
        return {"algorithm": "m.megolm.v1.aes-sha2"} if "encryption" in event_type else None

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> JsonObject:
        if path.endswith("/members"):
            return {"chunk": [{"state_key": ANNA, "content": {"membership": "join"}}]}
        if path.endswith("/keys/query"):
            return {"device_keys": {ANNA: {"PHONE": self._signed(self._device())}}}
        if path.endswith("/keys/claim"):
            name, key = self.unused.popitem()
            signed = self._signed({"key": key.to_base64()})
            return {"one_time_keys": {ANNA: {"PHONE": {f"signed_curve25519:{name}": signed}}}}
        if "/sendToDevice/" in path:
            self.sent.append((path, body["messages"][ANNA]["PHONE"]))
            self.was_sent.set()
        return {}

    def _device(self) -> JsonObject:
        return {
            "user_id": ANNA,
            "device_id": "PHONE",
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                "curve25519:PHONE": self.account.curve25519_key.to_base64(),
                "ed25519:PHONE": self.account.ed25519_key.to_base64(),
            },
        }

    def _signed(self, content: JsonObject) -> JsonObject:
        text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        return {
            **content,
            "signatures": {ANNA: {"ed25519:PHONE": self.account.sign(text).to_base64()}},
        }

    # --- the device

    def read(self, content: JsonObject) -> JsonObject:
        """Decrypt what it was sent."""
        sealed = content["ciphertext"][self.account.curve25519_key.to_base64()]
        message = vodozemac.PreKeyMessage.from_base64(sealed["body"])
        if self.session is None or not self.session.session_matches(message):
            sender = vodozemac.Curve25519PublicKey.from_base64(content["sender_key"])
            self.session, plain = self.account.create_inbound_session(sender, message)
        else:
            plain = self.session.decrypt(message.to_any())
        found: JsonObject = json.loads(plain)
        return found

    def say(self, made: Encryption, words: Sequence[str]) -> tuple[JsonObject, list[JsonObject]]:
        """A key for the bridge, and messages that are encrypted by it."""
        assert self.session is not None
        group, account = vodozemac.GroupSession(), made.foundation.account
        plain = {
            "type": "m.room_key",
            "sender": ANNA,
            "recipient": BOT,
            "keys": {"ed25519": self.account.ed25519_key.to_base64()},
            "recipient_keys": {"ed25519": account.signing_key},
            "content": {
                "algorithm": "m.megolm.v1.aes-sha2",
                "room_id": ROOM,
                "session_id": group.session_id,
                "session_key": group.session_key.to_base64(),
            },
        }
        kind, sealed = self.session.encrypt(json.dumps(plain).encode()).to_parts()
        key = {
            "type": "m.room.encrypted",
            "sender": ANNA,
            "content": {
                "algorithm": "m.olm.v1.curve25519-aes-sha2",
                "sender_key": self.account.curve25519_key.to_base64(),
                "ciphertext": {account.curve_key: {"type": kind, "body": _unpadded(sealed)}},
            },
        }
        return key, [self._event(group, number, word) for number, word in enumerate(words)]

    def _event(self, group: vodozemac.GroupSession, number: int, word: str) -> JsonObject:
        content = {"msgtype": "m.text", "body": word}
        plain = {"type": "m.room.message", "room_id": ROOM, "content": content}
        return {
            "type": "m.room.encrypted",
            "room_id": ROOM,
            "sender": ANNA,
            "event_id": f"${group.session_id[:8]}{number}",
            "origin_server_ts": number,
            "content": {
                "algorithm": "m.megolm.v1.aes-sha2",
                "session_id": group.session_id,
                "ciphertext": group.encrypt(json.dumps(plain).encode()).to_base64(),
            },
        }


class Heard:
    """Where decrypted events go."""

    def __init__(self) -> None:
        self.events: list[JsonObject] = []

    async def accept(self, txn_id: str, events: Sequence[JsonObject], ephemeral: Any) -> None:
        self.events += events

    @property
    def words(self) -> list[str]:
        return [raw["content"]["body"] for raw in self.events]


def _unpadded(content: bytes) -> str:
    return base64.b64encode(content).decode().rstrip("=")


async def bridge(database: Database, directory: Path, phone: AnnasPhone) -> Encryption:
    """A bridge as it is after a start; the one before it may have been killed."""
    settings = Settings.model_validate({"mode": "allow"})
    made = await Encryption.make(settings, directory, phone, lambda who: who == BOT, database)  # type: ignore[arg-type]
    made.sealing.open()
    return made


async def speak(made: Encryption) -> None:
    await made.sealing.seal(BOT, ROOM, "m.room.message", {"body": "x"})


async def test_after_a_crash_no_state_of_a_ratchet_is_used_again(
    database: Database, tmp_path: Path
) -> None:
    phone = AnnasPhone()
    sessions = set()
    for _ in range(4):
        await speak(await bridge(database, tmp_path, phone))
        letter = phone.read(phone.sent[-1][1])  # a repeated state could not be read
        assert letter["type"] == "m.room_key"
        sessions.add(letter["content"]["session_id"])
    assert len(sessions) == 4
    assert len(phone.unused) == 4  # one session with the device did for all


async def test_a_key_that_was_taken_is_there_after_a_crash(
    database: Database, tmp_path: Path
) -> None:
    phone = AnnasPhone()
    made = await bridge(database, tmp_path, phone)
    await speak(made)
    phone.read(phone.sent[-1][1])
    key, events = phone.say(made, ["one", "two"])
    await made.feed.take(News([key], since="s1"))

    again = await bridge(database, tmp_path, phone)
    assert again.foundation.since == "s1"
    heard = Heard()
    arrivals = await again.before(heard, lambda _: True)
    await arrivals.accept("1", events, ())
    assert heard.words == ["one", "two"]
    assert [trust_of(raw) for raw in heard.events] == [Trust.UNSIGNED] * 2
    assert heard.events[0]["type"] == "m.room.message"
    assert heard.events[0]["event_id"] == events[0]["event_id"]


async def test_what_came_before_its_key_waits_over_a_crash_and_keeps_its_order(
    database: Database, tmp_path: Path
) -> None:
    phone = AnnasPhone()
    made = await bridge(database, tmp_path, phone)
    await speak(made)
    phone.read(phone.sent[-1][1])
    key, (first, last) = phone.say(made, ["first", "last"])
    between = {**first, "type": "m.room.message", "event_id": "$clear", "sender": "@bob:x"}
    between["content"] = {"msgtype": "m.text", "body": "between"}
    heard = Heard()
    arrivals = await made.before(heard, lambda _: True)
    await arrivals.accept("1", [first, between, last], ())
    assert heard.events == []

    again = await bridge(database, tmp_path, phone)
    arrivals = await again.before(heard, lambda _: True)
    await again.feed.take(News([key]))
    await arrivals._step()
    assert heard.words == ["first", "between", "last"]


async def test_a_message_under_another_name_or_twice_is_not_believed(
    database: Database, tmp_path: Path
) -> None:
    phone = AnnasPhone()
    made = await bridge(database, tmp_path, phone)
    await speak(made)
    phone.read(phone.sent[-1][1])
    key, (event,) = phone.say(made, ["mine"])
    await made.feed.take(News([key]))
    heard = Heard()
    arrivals = await made.before(heard, lambda _: True)
    spoofed = {**event, "sender": "@eve:hospital.test", "event_id": "$eve"}
    moved = {**event, "room_id": "!other:hospital.test", "event_id": "$moved"}
    await arrivals.accept("1", [event, spoofed, {**event, "event_id": "$again"}], ())
    assert [raw["type"] for raw in heard.events] == [
        "m.room.message",
        "m.room.encrypted",
        "m.room.encrypted",
    ]
    await arrivals.accept("2", [moved], ())
    assert len(heard.events) == 3  # it waits for a key of that room, which nobody has


def request_for(session_id: str, sender: str = ANNA, device_id: str = "PHONE") -> JsonObject:
    """A device asks for a key of the bridge's."""
    body = {
        "algorithm": "m.megolm.v1.aes-sha2",
        "room_id": ROOM,
        "session_id": session_id,
    }
    content = {
        "action": "request",
        "requesting_device_id": device_id,
        "request_id": "1",
        "body": body,
    }
    return {"type": "m.room_key_request", "sender": sender, "content": content}


async def test_who_was_given_a_key_is_given_it_again_also_after_a_crash_and_nobody_else(
    database: Database, tmp_path: Path
) -> None:
    phone = AnnasPhone()
    made = await bridge(database, tmp_path, phone)
    _, first = await made.sealing.seal(BOT, ROOM, "m.room.message", {"body": "read me again"})
    phone.read(phone.sent.pop()[1])
    phone.was_sent.clear()
    session_id = first["session_id"]

    again = await bridge(database, tmp_path, phone)
    strangers = [
        request_for(session_id, "@eve:hospital.test"),
        request_for(session_id, device_id="TABLET"),
        request_for("of-no-session"),
    ]
    await again.feed.take(News([*strangers, request_for(session_id)]))
    mending = asyncio.create_task(again.mending.run())
    try:
        async with asyncio.timeout(10):
            await phone.was_sent.wait()  # the strangers were first
    finally:
        mending.cancel()
    (letter,) = [phone.read(content) for _, content in phone.sent]
    assert letter["type"] == "m.room_key"
    assert letter["content"]["session_id"] == session_id
    key = vodozemac.SessionKey(letter["content"]["session_key"])
    opened = vodozemac.InboundGroupSession(key).decrypt(  # from its first message on
        vodozemac.MegolmMessage.from_base64(first["ciphertext"])
    )
    assert json.loads(opened.plaintext)["content"] == {"body": "read me again"}
