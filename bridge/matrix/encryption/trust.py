"""How far it is certain who said something in an encrypted room."""

from enum import StrEnum
from typing import Final

from bridge.matrix.raw import JsonObject

TRUST: Final = "consilium.trust"
"""Where a raw event that was decrypted, or was not encrypted in an encrypted room, tells so. It is
beside its type and content, where nobody but the bridge can put it.
"""

NOT_READ: Final = "consilium.not_read"
"""Where a raw event that could not be decrypted tells why."""


class Trust(StrEnum):
    """By what an event is proven to be its sender's."""

    CROSS_SIGNED = "a device that its user has signed"
    UNSIGNED = "a device that its user has not signed"
    UNKNOWN_DEVICE = "a device that is not known"
    FORWARDED = "a key that came from somebody else"
    CLEAR = "the homeserver's word: it was not encrypted"


def trust_of(raw: JsonObject) -> Trust | None:
    """How far a raw event can be trusted, None for one of a room that is not encrypted."""
    found = raw.get(TRUST)
    return found if isinstance(found, Trust) else None
