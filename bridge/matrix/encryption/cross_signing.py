"""Cross-signing identities of the bot and its ghosts, all made from one recovery key.

https://spec.matrix.org/v1.19/client-server-api/#cross-signing. A user's three keys are derived from
the recovery key and the user id. So an identity never changes while the recovery key is the same,
even when everything else is lost, and none has to be stored.
"""

from dataclasses import dataclass

from bridge.matrix.encryption.recovery_key import RecoveryKey
from bridge.matrix.encryption.signing import SigningKey, with_signature
from bridge.matrix.encryption.vault import derived
from bridge.matrix.raw import JsonObject


@dataclass(frozen=True, slots=True)
class CrossSigning:
    """One user's identity: a master key, which signs a key for devices and one for users."""

    user_id: str
    master: SigningKey
    self_signing: SigningKey
    user_signing: SigningKey

    @classmethod
    def of(cls, user_id: str, recovery: RecoveryKey) -> "CrossSigning":
        """The identity that this user has by this recovery key."""
        master, own, others = (
            SigningKey(derived(recovery.bytes, f"{usage} {user_id}"))
            for usage in ("master", "self_signing", "user_signing")
        )
        return cls(user_id, master, own, others)

    def public_keys(self) -> JsonObject:
        """The body of
        https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload.
        """
        return {
            "master_key": self._public("master", self.master),
            "self_signing_key": self._by_master(self._public("self_signing", self.self_signing)),
            "user_signing_key": self._by_master(self._public("user_signing", self.user_signing)),
        }

    def sign_device(self, device_keys: JsonObject) -> JsonObject:
        """The keys of a device of this user, signed as one of theirs."""
        key = self.self_signing
        return with_signature(device_keys, self.user_id, key.public, key.sign(device_keys))

    def _public(self, usage: str, key: SigningKey) -> JsonObject:
        return {
            "user_id": self.user_id,
            "usage": [usage],
            "keys": {f"ed25519:{key.public}": key.public},
        }

    def _by_master(self, public: JsonObject) -> JsonObject:
        key = self.master
        return with_signature(public, self.user_id, key.public, key.sign(public))
