"""Cross-signing identities of the bot and its ghosts, all made from one recovery key.

https://spec.matrix.org/v1.19/client-server-api/#cross-signing. A user's three keys are derived from
the recovery key and the user id. So an identity never changes while the recovery key is the same,
even when everything else is lost, and none has to be stored.
"""

import secrets
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from bridge.matrix.encryption.key_file import KEY_BYTES
from bridge.matrix.encryption.signing import SigningKey, with_signature
from bridge.matrix.encryption.vault import derived
from bridge.matrix.raw import JsonObject

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PREFIX: Final = b"\x8b\x01"
_GROUP: Final = 4


class RecoveryKey:
    """What all identities come from: 32 random bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            msg = f"a recovery key has {KEY_BYTES} bytes"
            raise ValueError(msg)
        self.bytes: Final = key

    @classmethod
    def make(cls) -> "RecoveryKey":
        """A new one."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> "RecoveryKey":
        """Read the form that `shown` writes.

        Raises:
            ValueError: it is none, or has a slip.
        """
        number = 0
        for sign in "".join(text.split()):
            place = _ALPHABET.find(sign)
            if place < 0:
                msg = "a recovery key has letters and digits only, without 0, O, I and l"
                raise ValueError(msg)
            number = number * len(_ALPHABET) + place
        length = len(_PREFIX) + KEY_BYTES + 1
        try:
            content = number.to_bytes(length, "big")
        except OverflowError:
            content = b""
        if content[: len(_PREFIX)] != _PREFIX or reduce(xor, content, 0) != 0:
            msg = "this is no recovery key, or there is a slip in it"
            raise ValueError(msg)
        return cls(content[len(_PREFIX) : -1])

    def shown(self) -> str:
        """As people copy it, in groups of four.

        https://spec.matrix.org/v1.19/client-server-api/#cryptographic-key-representation
        """
        content = _PREFIX + self.bytes
        number = int.from_bytes(content + bytes([reduce(xor, content, 0)]), "big")
        signs = ""
        while number:
            number, place = divmod(number, len(_ALPHABET))
            signs = _ALPHABET[place] + signs
        return " ".join(signs[start : start + _GROUP] for start in range(0, len(signs), _GROUP))


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
