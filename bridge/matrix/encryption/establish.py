"""Makes the bot's device and its identity known at the homeserver, and tells whether they are."""

from dataclasses import dataclass
from typing import Final

import structlog

from bridge.errors import HomeserverError
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.encryption.account import Account
from bridge.matrix.encryption.cross_signing import CrossSigning
from bridge.matrix.encryption.feed import Feed
from bridge.matrix.encryption.personas import Personas, make_device
from bridge.matrix.encryption.recovery_key import RecoveryKey
from bridge.matrix.encryption.signing import is_signed_by
from bridge.matrix.faults import Denied
from bridge.matrix.raw import JsonObject, object_at, text_at

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the homeserver says of the bot's device."""

    known: bool
    """Its keys are there, and are the bridge's."""
    signed: bool
    """The bot's identity is there, is the bridge's, and vouches for it."""


class Establishing:
    """Sees to the bot's device.

    Args:
        bot: the bot's client.
        account: whose keys it bears.
        recovery: what the identity comes from.
        personas: sign.
        feed: uploads keys.
    """

    def __init__(
        self,
        bot: ActingClient,
        account: Account,
        recovery: RecoveryKey,
        personas: Personas,
        feed: Feed,
    ) -> None:
        self._bot = bot
        self._account = account
        self._recovery = recovery
        self._personas = personas
        self._feed = feed

    async def establish(self) -> Standing:
        """Have the device and the identity there; harmless when they are.

        Raises:
            HomeserverError: the homeserver won't have the device.
            Unreachable: not now.
            StoreError: the database failed.
        """
        owner = self._account.bot
        standing = await standing_of(self._bot, self._account, self._recovery)
        try:
            if not standing.known:
                await make_device(self._bot, owner.device_id, "Consilium bridge")
                body = {
                    "device_keys": self._account.device_keys(owner),
                    "one_time_keys": self._account.fresh_keys(0),
                    "fallback_keys": self._account.fresh_fallback_key(),
                }
                await self._feed.upload(body)
                log.info("device_made", device=owner.device_id)
        except Denied as error:
            raise HomeserverError(
                f"The homeserver won't let the bot have a device: {error.said}",
                "Write the registration anew with: consilium registration; and restart the"
                " homeserver.",
            ) from error
        if not standing.signed:
            await self._personas.sign(owner, self._personas.keys_of(owner))
        return await standing_of(self._bot, self._account, self._recovery)


OLD_REGISTRATION: Final = (
    "The registration names the bot as the application service's own user, and Synapse hands no"
    " keys over to that one."
)
WRITE_ANEW: Final = "Write it anew with: consilium registration; and restart the homeserver."


async def bot_is_the_service(bot: ActingClient) -> bool:
    """Whether the registration is one that names the bot as its own user.

    Raises:
        Unreachable: it can't be told now.
    """
    answer = await bot.connection.exchange("GET", path_of("account", "whoami"))
    return text_at(answer.body or {}, "user_id") == bot.user_id


async def standing_of(bot: ActingClient, account: Account, recovery: RecoveryKey) -> Standing:
    """What the homeserver says of the bot's device.

    Raises:
        Denied: it won't tell.
        Unreachable: not now.
    """
    user_id, device_id = account.bot.user_id, account.bot.device_id
    body: JsonObject = {"device_keys": {user_id: []}}
    answer = await bot.call("POST", path_of("keys", "query"), body)
    devices = object_at(object_at(answer, "device_keys"), user_id)
    device = object_at(devices, device_id)
    known = text_at(object_at(device, "keys"), f"ed25519:{device_id}") == account.signing_key
    identity = CrossSigning.of(user_id, recovery)
    master = object_at(object_at(answer, "master_keys"), user_id)
    own = identity.master.public
    is_ours = text_at(object_at(master, "keys"), f"ed25519:{own}") == own
    key = identity.self_signing.public
    return Standing(known, known and is_ours and is_signed_by(device, user_id, key, key))
