"""The bridge's Olm account: its identity keys, and the keys by which others begin sessions with it.

There is one account for the bot's device and for the devices of all ghosts: so a doctor's device
needs one session with the bridge, whoever speaks. What tells them apart is the signed `device_keys`
that goes with each message (https://spec.matrix.org/v1.19/client-server-api/#molmv1curve25519-aes-sha2).
"""

from dataclasses import dataclass
from typing import Final

from vodozemac import Account as Ratchets
from vodozemac import Curve25519PublicKey, PickleException, PreKeyMessage, Session

from bridge.matrix.encryption.ledger import Ledger, Write
from bridge.matrix.encryption.signing import canonical, is_signed_by, with_signature
from bridge.matrix.encryption.vault import Vault, WrongKeyError
from bridge.matrix.raw import JsonObject, text_at
from bridge.store import crypto_values

OLM: Final = "m.olm.v1.curve25519-aes-sha2"
MEGOLM: Final = "m.megolm.v1.aes-sha2"

ACCOUNT: Final = "account"
"""Under which name the account is kept."""

_KEYS_WANTED: Final = 50


@dataclass(frozen=True, slots=True)
class Owner:
    """One of the users that the account stands for, and the id of their device."""

    user_id: str
    device_id: str

    @property
    def assertion(self) -> dict[str, str]:
        """What makes a request one of this device.

        https://spec.matrix.org/v1.19/application-service-api/#identity-assertion. The user is named
        for the bot, too: Synapse 1.163 answers with an error else.
        """
        return {"user_id": self.user_id, "device_id": self.device_id}


class Account:
    """Signs, and begins sessions.

    Args:
        ratchets: vodozemac's account.
        vault: seals it.
        ledger: keeps it.
        bot: whose one-time keys they are.
    """

    def __init__(self, ratchets: Ratchets, vault: Vault, ledger: Ledger, bot: Owner) -> None:
        self._ratchets = ratchets
        self._vault = vault
        self._ledger = ledger
        self.bot: Final = bot
        self.curve_key: Final = ratchets.curve25519_key.to_base64()
        self.signing_key: Final = ratchets.ed25519_key.to_base64()

    @staticmethod
    def opened(pickle: str, vault: Vault) -> Ratchets:
        """An account that was kept.

        Raises:
            WrongKeyError: it was sealed with another key.
        """
        try:
            return Ratchets.from_pickle(pickle, vault.pickle_key)
        except PickleException as error:
            raise WrongKeyError from error

    def save(self) -> None:
        """Have its present state written at the next commit."""

        def prepare() -> Write:
            sealed = self._ratchets.pickle(self._vault.pickle_key).encode()
            return lambda connection: crypto_values.save(connection, ACCOUNT, sealed)

        self._ledger.note(ACCOUNT, prepare)

    def device_keys(self, owner: Owner) -> JsonObject:
        """The signed keys of an owner's device.

        Only the bot's device takes messages: a ghost's has no Olm among its algorithms, so nobody
        sends keys to where nobody would read them.
        """
        device = owner.device_id
        keys: JsonObject = {
            "user_id": owner.user_id,
            "device_id": device,
            "algorithms": [OLM, MEGOLM] if owner == self.bot else [MEGOLM],
            "keys": {f"curve25519:{device}": self.curve_key, f"ed25519:{device}": self.signing_key},
        }
        return self._signed(keys, owner)

    def fresh_keys(self, uploaded: int) -> JsonObject:
        """One-time keys for an upload when so many are there; an empty object when that is enough.

        Keys that were made before and may not have come through are among them.
        """
        missing = _KEYS_WANTED - uploaded
        if missing <= _KEYS_WANTED // 2 and not self._ratchets.one_time_keys:
            return {}
        made = len(self._ratchets.one_time_keys)
        if missing > made:
            self._ratchets.generate_one_time_keys(missing - made)
            self.save()
        return {
            f"signed_curve25519:{key_id}": self._signed({"key": key.to_base64()}, self.bot)
            for key_id, key in self._ratchets.one_time_keys.items()
        }

    def fresh_fallback_key(self) -> JsonObject:
        """A key for those who come when there are no one-time keys left, for an upload.

        https://spec.matrix.org/v1.19/client-server-api/#one-time-and-fallback-keys
        """
        if not self._ratchets.fallback_key:  # type: ignore[attr-defined] # not in its stubs
            self._ratchets.generate_fallback_key()  # type: ignore[attr-defined]
            self.save()
        unpublished: dict[str, Curve25519PublicKey] = self._ratchets.fallback_key  # type: ignore[attr-defined]
        return {
            f"signed_curve25519:{key_id}": self._signed(
                {"key": key.to_base64(), "fallback": True}, self.bot
            )
            for key_id, key in unpublished.items()
        }

    def published(self) -> None:
        """All keys made so far are at the homeserver."""
        self._ratchets.mark_keys_as_published()
        self.save()

    def begin(self, curve_key: str, signing_key: str, owner: Owner, key: JsonObject) -> Session:
        """Begin a session with another's device, by a one-time key that was claimed.

        Raises:
            ValueError: the key is none, or is not signed by the device.
        """
        if not is_signed_by(key, owner.user_id, owner.device_id, signing_key):
            msg = "the one-time key is not signed by its device"
            raise ValueError(msg)
        return self._ratchets.create_outbound_session(
            Curve25519PublicKey.from_base64(curve_key),
            Curve25519PublicKey.from_base64(text_at(key, "key")),
        )

    def answer(self, curve_key: str, message: PreKeyMessage) -> tuple[Session, bytes]:
        """Take up a session that another's device has begun, and read its first message.

        Raises:
            ValueError: it can't be read.
        """
        found = self._ratchets.create_inbound_session(
            Curve25519PublicKey.from_base64(curve_key), message
        )
        self.save()
        return found

    def _signed(self, content: JsonObject, owner: Owner) -> JsonObject:
        signature = self._ratchets.sign(canonical(content)).to_base64()
        return with_signature(content, owner.user_id, owner.device_id, signature)
