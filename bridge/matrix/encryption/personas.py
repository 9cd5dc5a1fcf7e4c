"""The devices of those who speak: the bot's, and one for each ghost.

Clients show an error at a message whose sender is not the owner of the device that encrypted it, or
hide it. So each ghost has a device and a cross-signing identity of its own. They are made when it
first speaks in an encrypted room, by four requests, and cost nothing afterwards.
"""

import asyncio
import hashlib
from collections import OrderedDict
from typing import Final

import structlog

from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.connection import Connection
from bridge.matrix.encryption.account import Account, Owner
from bridge.matrix.encryption.cross_signing import CrossSigning
from bridge.matrix.encryption.ledger import Ledger
from bridge.matrix.encryption.recovery_key import RecoveryKey
from bridge.matrix.faults import Denied
from bridge.matrix.raw import JsonObject
from bridge.store import crypto_devices
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_HELD: Final = 4_096
_NAME: Final = "Consilium"


class Personas:
    """Makes devices, and tells their keys.

    Args:
        bot: the bot's client.
        account: whose keys they bear.
        recovery: what their identities come from.
        database: knows which were made.
        ledger: keeps which are made.
    """

    def __init__(
        self,
        bot: ActingClient,
        account: Account,
        recovery: RecoveryKey,
        database: Database,
        ledger: Ledger,
    ) -> None:
        self._bot = bot
        self._account = account
        self._recovery = recovery
        self._database = database
        self._ledger = ledger
        self._held: OrderedDict[str, JsonObject] = OrderedDict()
        self._making: dict[str, asyncio.Lock] = {}

    def keys_of(self, owner: Owner) -> JsonObject:
        """The device's keys, signed by the device and by its user."""
        identity = CrossSigning.of(owner.user_id, self._recovery)
        return identity.sign_device(self._account.device_keys(owner))

    async def ready(self, user_id: str) -> JsonObject:
        """The keys of the device that the bot or a ghost speaks with, once it exists.

        Raises:
            Denied: the homeserver won't have it.
            Unreachable: not now.
            StoreError: the database failed.
        """
        if (held := self._held.get(user_id)) is not None:
            self._held.move_to_end(user_id)
            return held
        async with self._making.setdefault(user_id, asyncio.Lock()):
            if (held := self._held.get(user_id)) is None:
                held = await self._find(user_id)
                self._held[user_id] = held
                if len(self._held) > _HELD:
                    self._held.popitem(last=False)
        self._making.pop(user_id, None)
        return held

    async def _find(self, user_id: str) -> JsonObject:
        bot = self._account.bot
        if user_id == bot.user_id:
            return self.keys_of(bot)
        wanted = Owner(user_id, self.device_id(user_id))
        known = await self._database.run(lambda c: crypto_devices.ghost_device(c, user_id))
        keys = self.keys_of(wanted)
        if known != wanted.device_id:
            if await self.publish(wanted, keys):
                await self._database.run(
                    lambda c: crypto_devices.save_ghost_device(c, user_id, wanted.device_id)
                )
            log.info("ghost_device_made", user_id=user_id, device=wanted.device_id)
        return keys

    def device_id(self, user_id: str) -> str:
        """The id of a ghost's device: another one whenever the account is another."""
        tag = f"{self._account.signing_key} {user_id}".encode()
        return f"CONSILIUM_{hashlib.sha256(tag).hexdigest()[:10].upper()}"

    async def publish(self, owner: Owner, keys: JsonObject) -> bool:
        """Make a device, and let everyone know its keys and that it is its user's.

        Harmless for one that is there.

        Returns:
            Whether it is signed now.

        Raises:
            Denied: the homeserver won't have it.
            Unreachable: not now.
        """
        client = self._bot.acting_as(owner.user_id)
        await make_device(client, owner.device_id, _NAME)
        device = {"device_id": owner.device_id}
        await client.call("POST", path_of("keys", "upload"), {"device_keys": keys}, query=device)
        return await self.sign(owner, keys)

    async def sign(self, owner: Owner, keys: JsonObject) -> bool:
        """Let everyone know an owner's identity, and that it vouches for the device.

        Returns:
            Whether the homeserver has it. Without, most clients read the device all the same.

        Raises:
            Unreachable: not now.
        """
        client = self._bot.acting_as(owner.user_id)
        identity = CrossSigning.of(owner.user_id, self._recovery)
        path = path_of("keys", "device_signing", "upload")
        signed = {owner.user_id: {owner.device_id: keys}}
        try:
            await client.call("POST", path, identity.public_keys())
            await client.call("POST", path_of("keys", "signatures", "upload"), signed)
        except Denied as error:
            reason = error.said or error.errcode
            log.warning("device_not_signed", device=owner.device_id, reason=reason)
            return False
        log.info("device_signed", device=owner.device_id)
        return True


async def make_device(client: ActingClient, device_id: str, name: str) -> None:
    """Make a device for a user of the application service; harmless for one that is there.

    https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid. Where that
    makes none, as before version 1.17, by a login whose token is not used.

    Raises:
        Denied: the homeserver won't have it.
        Unreachable: not now.
    """
    try:
        await client.call("PUT", path_of("devices", device_id), {"display_name": name})
    except Denied as error:
        if not error.missing and error.errcode != "M_UNRECOGNIZED":
            raise
    else:
        return
    localpart = client.user_id[1:].partition(":")[0]
    body = {
        "type": "m.login.application_service",
        "identifier": {"type": "m.id.user", "user": localpart},
        "device_id": device_id,
        "initial_device_display_name": name,
    }
    await _logged_in(client.connection, body)


async def _logged_in(connection: Connection, body: JsonObject) -> None:
    await connection.request("POST", path_of("login"), body)
