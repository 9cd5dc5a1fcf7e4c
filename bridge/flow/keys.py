"""The name of a delivery, by which its copy is known wherever a network lets the sender choose."""

import base64
import hashlib

from bridge.model import Deliverable, Place


def delivery_key(event: Deliverable, fallback: int, target: Place) -> str:
    """The name of one delivery: the same at each attempt and after any restart.

    Made from what is shown and where, so that even a bridge that lost its database names it the
    same; `fallback` tells apart events that their network gave no id.
    """
    identity = event.id or f"#{fallback}@{event.time.timestamp()}"
    parts = (*event.place, event.kind.value, identity, *target)
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).digest()
    return base64.b32encode(digest).decode("ascii").rstrip("=").lower()
