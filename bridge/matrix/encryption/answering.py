"""Answers requests for keys: whoever was given a key before may have it again, and nobody else.

https://spec.matrix.org/v1.19/client-server-api/#key-requests
"""

import orjson
import structlog

from bridge.matrix.client import ActingClient
from bridge.matrix.encryption.account import MEGOLM
from bridge.matrix.encryption.claims import Claims
from bridge.matrix.encryption.devices import Devices
from bridge.matrix.encryption.ledger import Ledger
from bridge.matrix.encryption.outbound import DeviceId
from bridge.matrix.encryption.pairwise import Pairwise
from bridge.matrix.encryption.personas import Personas
from bridge.matrix.encryption.rooms import EncryptedRooms
from bridge.matrix.encryption.sharing import Recipients
from bridge.matrix.encryption.to_device import send_to_devices
from bridge.matrix.encryption.vault import Vault
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.store import crypto_sessions
from bridge.store.database import Database

log = structlog.get_logger(__name__)


class Answering:
    """Gives keys again."""

    def __init__(  # noqa: PLR0913, PLR0917 - it stands between all of these
        self,
        bot: ActingClient,
        database: Database,
        vault: Vault,
        rooms: EncryptedRooms,
        devices: Devices,
        recipients: Recipients,
        claims: Claims,
        pairwise: Pairwise,
        personas: Personas,
        ledger: Ledger,
    ) -> None:
        self._bot = bot
        self._database = database
        self._vault = vault
        self._rooms = rooms
        self._devices = devices
        self._recipients = recipients
        self._claims = claims
        self._pairwise = pairwise
        self._personas = personas
        self._ledger = ledger

    async def answer(self, sender: str, content: JsonObject) -> None:
        """Give a device the state of a session that it was given before, if it still may have it.

        Raises:
            Denied: the homeserver won't have it.
            Unreachable: not now.
            StoreError: the database failed.
        """
        body, device_id = object_at(content, "body"), text_at(content, "requesting_device_id")
        session_id = text_at(body, "session_id")
        kept = await self._database.run(lambda c: crypto_sessions.load_own(c, session_id))
        if kept is None:
            return
        room_id, speaker, sealed = kept
        key = _given_before(orjson.loads(self._vault.open(sealed)), (sender, device_id))
        room = self._rooms.known(room_id)
        if key is None or room is None or sender not in await self._rooms.members(room):
            log.info("room_key_refused", room=room_id, user_id=sender, device=device_id)
            return
        await self._devices.refresh([sender])
        device = self._devices.one(sender, device_id)
        if device is None or not device.olm or not self._recipients.may(device):
            log.info("room_key_refused", room=room_id, user_id=sender, device=device_id)
            return
        await self._claims.begin([device])
        if not self._pairwise.knows(device.curve_key):
            return
        keys = await self._personas.ready(speaker)
        again = {
            "algorithm": MEGOLM,
            "room_id": room_id,
            "session_id": session_id,
            "session_key": key,
        }
        letter = self._pairwise.encrypt(device, keys, "m.room_key", again)
        await self._ledger.commit()
        client = self._bot.acting_as(speaker)
        await send_to_devices(client, "m.room.encrypted", {(sender, device_id): letter})
        log.info("room_key_given_again", room=room_id, user_id=sender, device=device_id)


def _given_before(shares: object, device: DeviceId) -> str | None:
    """The earliest state that a device was given, None if it was given none."""
    for share in shares if isinstance(shares, list) else ():
        if list(device) in share["devices"]:
            return str(share["key"])
    return None
