"""The recovery key: what the identities of the bot and of all ghosts come from."""

import secrets
from functools import reduce
from operator import xor
from typing import Final

from bridge.matrix.encryption.key_file import KEY_BYTES

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
