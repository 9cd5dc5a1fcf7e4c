"""Signed JSON, https://spec.matrix.org/v1.19/appendices/#signing-json."""

import base64
from typing import Final

import orjson
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from vodozemac import Ed25519PublicKey, Ed25519Signature

from bridge.matrix.raw import JsonObject, object_at, text_at

SEED_BYTES: Final = 32


class SigningKey:
    """An Ed25519 key pair (RFC 8032).

    Args:
        seed: its private part, 32 bytes.
    """

    def __init__(self, seed: bytes) -> None:
        key = ECC.construct(curve="Ed25519", seed=seed)
        self._signer = eddsa.new(key, "rfc8032")
        self.public: Final = unpadded(key.public_key().export_key(format="raw"))
        """Unpadded base64."""

    def sign(self, signed: JsonObject) -> str:
        """The signature of an object, in unpadded base64."""
        return unpadded(self._signer.sign(canonical(signed)))


def canonical(signed: JsonObject) -> bytes:
    """What is signed of an object: canonical JSON, without signatures and unsigned parts."""
    bare = {key: value for key, value in signed.items() if key not in {"signatures", "unsigned"}}
    return orjson.dumps(bare, option=orjson.OPT_SORT_KEYS)


def with_signature(signed: JsonObject, user_id: str, key_id: str, signature: str) -> JsonObject:
    """The object with one more signature, by the key `ed25519:<key_id>`."""
    before = object_at(signed, "signatures")
    own = {**object_at(before, user_id), f"ed25519:{key_id}": signature}
    return {**signed, "signatures": {**before, user_id: own}}


def is_signed_by(signed: JsonObject, user_id: str, key_id: str, public: str) -> bool:
    """Whether an object of any shape bears a user's right signature by the key `public`."""
    signature = text_at(object_at(object_at(signed, "signatures"), user_id), f"ed25519:{key_id}")
    if not signature:
        return False
    try:
        content = canonical(signed)
        key = Ed25519PublicKey.from_base64(public)
        key.verify_signature(content, Ed25519Signature.from_base64(signature))
    except (ValueError, orjson.JSONEncodeError):  # all of vodozemac's errors are ValueErrors
        return False
    return True


def unpadded(content: bytes) -> str:
    """Base64 as Matrix writes it, https://spec.matrix.org/v1.19/appendices/#unpadded-base64."""
    return base64.b64encode(content).decode().rstrip("=")


def from_unpadded(text: str) -> bytes:
    """The bytes of unpadded base64.

    Raises:
        ValueError: it is none.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
