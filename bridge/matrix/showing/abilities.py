"""What rooms can show, and what of rooms is reported."""

from typing import Final

from bridge.contract import Capabilities, Dialect, Feature, Level

_MAX_TEXT: Final = 30_000
"""An event may have 65,536 bytes (https://spec.matrix.org/v1.19/client-server-api/#size-limits),
and JSON can double a text of quotes and newlines.
"""

_MAX_TEXT_ENCRYPTED: Final = 11_000
"""An edit holds a text twice, JSON can double it again, and base64 makes it a third longer.

It is the same in all rooms where any may be encrypted: a text that is sent again after a fault must
be cut as before, also if the bridge has learnt meanwhile that the room is encrypted.
"""

_SHOWS: Final = {
    **dict.fromkeys(Feature, Level.FULL),
    Feature.MODERATION: Level.PARTLY,
    Feature.SUBJECT: Level.PARTLY,
    Feature.TITLE: Level.PARTLY,
    Feature.PICTURE: Level.PARTLY,
}
_HEARS: Final = {**dict.fromkeys(Feature, Level.FULL), Feature.HISTORY: Level.REFUSED}
_NOTES: Final = {
    Feature.MODERATION: "to delete what doctors wrote, the bot must be allowed to remove messages",
    Feature.SUBJECT: "the bot must be allowed to change the topic",
    Feature.TITLE: "the bot must be allowed to change the room's name",
    Feature.PICTURE: "the bot must be allowed to change the room's picture",
    Feature.MENTION: "@room from outside rings nobody; nor do mentions of more than ten at once",
    Feature.READ: "public read receipts",
}


def abilities(max_file: int | None, *, encrypts: bool = False) -> Capabilities:
    """What every room can do.

    Args:
        max_file: the largest file that the homeserver takes, in bytes; None if that is not known.
        encrypts: whether any room may be encrypted.
    """
    return Capabilities(
        own_names=True,
        max_text=_MAX_TEXT_ENCRYPTED if encrypts else _MAX_TEXT,
        dialect=Dialect.HTML,
        shows=_SHOWS,
        hears=_HEARS,
        notes=_NOTES,
        captions=True,
        max_file=max_file,
    )
