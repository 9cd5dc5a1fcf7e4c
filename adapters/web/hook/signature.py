"""Signatures of webhooks, as Standard Webhooks 1.0.0 has them (www.standardwebhooks.com).

Signed is `{id}.{timestamp}.{body}` with HMAC-SHA256. The headers are `webhook-id`,
`webhook-timestamp` (seconds since 1970) and `webhook-signature` (`v1,` and base64; several with
spaces between them, while a secret is being replaced).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

TOLERANCE_SECONDS: Final = 300
_PREFIX: Final = "whsec_"
_VERSION: Final = "v1,"


class UnprovenError(Exception):
    """A request does not prove who sent it. The text says why, without a word of secrets."""


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: base64 after `whsec_`, and else its own characters.

    Raises:
        ValueError: what follows `whsec_` is not base64.
    """
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        msg = "what follows whsec_ in this secret is not base64"
        raise ValueError(msg) from None


def sign(key: bytes, ident: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    signed = hmac.new(key, f"{ident}.{timestamp}.".encode() + body, hashlib.sha256)
    return _VERSION + base64.b64encode(signed.digest()).decode()


def signed_headers(key: bytes, ident: str, timestamp: int, body: bytes) -> dict[str, str]:
    """All three headers."""
    return {
        "webhook-id": ident,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(key, ident, timestamp, body),
    }


def verify(key: bytes, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """The id of a request that is signed, and was sent a short while ago.

    Args:
        key: the key that both sides share.
        headers: the request's, whose names are looked up without regard to case.
        body: as it came.
        now: seconds since 1970.

    Raises:
        UnprovenError: it is not.
    """
    ident = headers.get("webhook-id", "")
    written = headers.get("webhook-timestamp", "")
    if not ident or "." in ident:
        msg = "the header webhook-id is missing, or has a full stop in it"
        raise UnprovenError(msg)
    if not (written.isascii() and written.isdigit() and len(written) < 16):
        msg = "the header webhook-timestamp is missing, or is no number of seconds"
        raise UnprovenError(msg)
    if abs(now - int(written)) > TOLERANCE_SECONDS:
        msg = "the request is not from now; look at the clocks"
        raise UnprovenError(msg)
    expected = sign(key, ident, int(written), body).encode()
    given = headers.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(each.encode(), expected) for each in given):
        msg = "the signature is not right"
        raise UnprovenError(msg)
    return ident


def has_token(secret: str, headers: Mapping[str, str]) -> bool:
    """Whether a request carries the secret itself (RFC 6750, section 2.1)."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    right = hmac.compare_digest(token.strip().encode(), secret.encode())
    return right and scheme.lower() == "bearer"
