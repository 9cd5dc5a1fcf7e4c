"""What encryption adds to a message: measured on the bridge's own parts, with a real database.

The homeserver is a few answers; the members of the room have devices with real keys. What a client
costs that encrypts, and Synapse, is not in it.
"""

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import vodozemac
from rich.table import Table

from bridge.config.encryption import Encryption as Settings
from bridge.matrix.encryption.inbound import KeyLetter
from bridge.matrix.encryption.service import Encryption
from bridge.matrix.encryption.signing import canonical, with_signature
from bridge.matrix.encryption.unseal import Opened
from bridge.matrix.raw import JsonObject
from bridge.store.database import open_database
from bridge.store.migrate import upgrade

_ROOM: Final = "!ward:bench.test"
_BOT: Final = "@bot:bench.test"
_ANNA: Final = "@anna:bench.test"
_TEXT: Final = {"msgtype": "m.text", "body": "The potassium is 6.1, and rising. " * 6}
_MESSAGES: Final = 2_000


@dataclass(frozen=True)
class EncryptedFigures:
    """One thing that was done, how often, and microseconds of CPU for each."""

    name: str
    count: int
    cpu: float


class _Device:
    def __init__(self, user_id: str) -> None:
        self.user_id, self.account = user_id, vodozemac.Account()
        self.account.generate_one_time_keys(1)

    def keys(self) -> JsonObject:
        """Its signed keys."""
        device: JsonObject = {
            "user_id": self.user_id,
            "device_id": "DEV",
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                "curve25519:DEV": self.account.curve25519_key.to_base64(),
                "ed25519:DEV": self.account.ed25519_key.to_base64(),
            },
        }
        return self._signed(device)

    def one_time_key(self) -> JsonObject:
        """A signed key by which a session begins."""
        ((name, key),) = self.account.one_time_keys.items()
        return {f"signed_curve25519:{name}": self._signed({"key": key.to_base64()})}

    def _signed(self, content: JsonObject) -> JsonObject:
        signature = self.account.sign(canonical(content)).to_base64()
        return with_signature(content, self.user_id, "DEV", signature)


class _Homeserver:
    """Stands for the bot's client, and answers what encryption asks."""

    def __init__(self, members: int) -> None:
        self.user_id, self.seal = _BOT, None
        self.devices = {f"@m{n}:bench.test": _Device(f"@m{n}:bench.test") for n in range(members)}

    def acting_as(self, _user_id: str) -> "_Homeserver":
        return self

    async def state(self, _room_id: str, event_type: str) -> JsonObject | None:
        encrypted = {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 10_000}
        return encrypted if event_type == "m.room.encryption" else None

    async def call(self, _method: str, path: str, _body: object = None, **_more: Any) -> JsonObject:
        users = self.devices.items()
        if path.endswith("/members"):
            join = {"membership": "join"}
            return {"chunk": [{"state_key": user_id, "content": join} for user_id, _ in users]}
        if path.endswith("/keys/query"):
            return {"device_keys": {user_id: {"DEV": each.keys()} for user_id, each in users}}
        if path.endswith("/keys/claim"):
            keys = {user_id: {"DEV": each.one_time_key()} for user_id, each in users}
            return {"one_time_keys": keys}
        return {}


async def measure(directory: Path, members: int) -> list[EncryptedFigures]:
    """What messages cost in an encrypted room with so many members, each with one device."""
    async with open_database(f"sqlite:///{directory / 'encrypted.db'}") as database:
        await database.run(upgrade)
        bot = _Homeserver(members)
        settings = Settings.model_validate({"mode": "allow"})
        made = await Encryption.make(settings, directory, bot, lambda who: who == _BOT, database)  # type: ignore[arg-type]
        made.sealing.open()
        first = time.process_time()
        await made.sealing.seal(_BOT, _ROOM, "m.room.message", dict(_TEXT))
        shared = time.process_time() - first
        sealing = time.process_time()
        for _ in range(_MESSAGES):
            await made.sealing.seal(_BOT, _ROOM, "m.room.message", dict(_TEXT))
        sealing = time.process_time() - sealing
        events = await _said(made)
        opening = time.process_time()
        for raw in events:
            if not isinstance(await made.unsealing.open(raw), Opened):
                msg = "an event could not be decrypted"
                raise TypeError(msg)
        opening = time.process_time() - opening
    return [
        EncryptedFigures("encrypt a message of the bridge", _MESSAGES, sealing / _MESSAGES * 1e6),
        EncryptedFigures("decrypt a message of a doctor", len(events), opening / len(events) * 1e6),
        EncryptedFigures(f"give a new key to {members} devices, once", 1, shared * 1e6),
    ]


async def _said(made: Encryption) -> list[JsonObject]:
    """Events that a doctor has sent, whose key the bridge has."""
    session = vodozemac.GroupSession()
    key = session.session_key.to_base64()
    await made.feed.sessions.take(KeyLetter(_ROOM, session.session_id, key, _ANNA, "curve", "ed"))
    plain = orjson.dumps({"type": "m.room.message", "content": _TEXT, "room_id": _ROOM})
    return [
        {
            "type": "m.room.encrypted",
            "room_id": _ROOM,
            "sender": _ANNA,
            "event_id": f"${secrets.token_hex(8)}",
            "content": {
                "algorithm": "m.megolm.v1.aes-sha2",
                "session_id": session.session_id,
                "ciphertext": session.encrypt(plain).to_base64(),
            },
        }
        for _ in range(_MESSAGES)
    ]


def encrypted_table(rows: list[EncryptedFigures]) -> Table:
    """What encryption adds."""
    table = Table(title="Encrypted rooms", title_justify="left")
    table.add_column("what")
    for name in ("times", "CPU µs each"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row.name, str(row.count), f"{row.cpu:.0f}")
    return table
