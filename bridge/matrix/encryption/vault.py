"""What keeps the secrets of encryption safe at rest: one key, kept outside of the database."""

import secrets
from typing import Final

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

from bridge.matrix.encryption.key_file import KEY_BYTES

_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


class WrongKeyError(Exception):
    """What was to be opened was sealed with another key, or was changed since."""


class Vault:
    """Seals and opens small secrets with AES-256-GCM.

    Args:
        key: 32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = derived(key, "consilium seal")
        self.pickle_key: Final = derived(key, "consilium pickle")
        """For vodozemac's own sealing of accounts and sessions: 32 bytes."""

    def seal(self, plain: bytes) -> bytes:
        """Sealed bytes, other ones each time."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        content, tag = cipher.encrypt_and_digest(plain)
        return nonce + tag + content

    def open(self, sealed: bytes) -> bytes:
        """What was sealed.

        Raises:
            WrongKeyError: it was sealed with another key, or was changed since.
        """
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        tag, content = rest[:_TAG_BYTES], rest[_TAG_BYTES:]
        try:
            cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
            return cipher.decrypt_and_verify(content, tag)
        except ValueError as error:
            raise WrongKeyError from error


def derived(key: bytes, purpose: str) -> bytes:
    """Another 32 bytes for one purpose, from which the key can't be told (RFC 5869)."""
    found = HKDF(key, KEY_BYTES, b"", SHA256, context=purpose.encode())
    assert isinstance(found, bytes)  # noqa: S101 - for the type checker: one key was asked for
    return found
