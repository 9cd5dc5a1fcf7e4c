"""What rooms can show, and what is heard of them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bridge.contract import Capabilities, Dialect, Feature, Level

_MAX_TEXT: Final = 40_000
_FULL, _PARTLY, _OTHERWISE, _REFUSED = Level.FULL, Level.PARTLY, Level.OTHERWISE, Level.REFUSED


@dataclass(frozen=True, slots=True)
class Abilities:
    """What decides about it.

    `own_names`: every doctor has an occupant of their own. `identified`: the room tells for good
    who somebody is (XEP-0421). `moderator`, `owner`: what the bridge is there; `pictures`: the room
    can have one. `archive`: it has one. `uploads`: there is a file service, for files up to
    `max_file` bytes.
    """

    own_names: bool
    identified: bool = True
    moderator: bool | None = None
    owner: bool | None = None
    pictures: bool | None = None
    archive: bool = True
    uploads: bool = True
    max_file: int | None = None


_NOTES: Final = {
    Feature.FORMATTING: "message styling (XEP-0393), which has no lists, headings and tables: "
    "they are plain text; XHTML-IM is understood, too",
    Feature.EDIT: "XEP-0308; who changes what is told by XEP-0421, or by having stayed in the room",
    Feature.DELETE: "XEP-0424; a file that was uploaded stays on the server",
    Feature.MODERATION: "XEP-0425, where the room has it and the bridge is a moderator",
    Feature.REACTION: "XEP-0444",
    Feature.REPLY: "XEP-0461, with a quotation for clients without",
    Feature.TOPIC: "XEP-0201; as an answer to the first message for clients without",
    Feature.FILE: "XEP-0363; needs a file service on the server",
    Feature.MENTION: "XEP-0372, or the nick at the beginning or after an @",
    Feature.TYPING: "XEP-0085",
    Feature.READ: "XEP-0333",
    Feature.AVATAR: "vCards (XEP-0153)",
    Feature.SUBJECT: "under the bridge's name where only moderators may",
    Feature.TITLE: "needs the bridge to be an owner of the room; who changed it is not told, nor "
    "what changed while the bridge was away",
    Feature.PICTURE: "XEP-0486; needs the bridge to be an owner of the room",
    Feature.HISTORY: "from the room's archive (XEP-0313), else what the room remembers",
}
_RELAYED: Final = {
    Feature.REACTION: "XEP-0444; one account for all: each emoji once, however many chose it",
    Feature.MENTION: "XEP-0372, or the nick; a doctor has none there that could be called",
}


@lru_cache(maxsize=64)
def capabilities(abilities: Abilities) -> Capabilities:
    """What a room with these abilities can show."""
    alone = _FULL if abilities.own_names else _REFUSED
    shows = {
        Feature.FORMATTING: _PARTLY,
        Feature.EMOTE: _FULL,
        Feature.EDIT: _FULL,
        Feature.DELETE: _FULL,
        Feature.MODERATION: _if(abilities.moderator),
        Feature.REACTION: _FULL if abilities.own_names else _PARTLY,
        Feature.REPLY: _FULL,
        Feature.TOPIC: _PARTLY,
        Feature.FILE: _FULL if abilities.uploads else _OTHERWISE,
        Feature.MENTION: _FULL,
        Feature.TYPING: alone,
        Feature.READ: alone,
        Feature.MEMBERSHIP: alone,
        Feature.NAME: alone,
        Feature.AVATAR: alone,
        Feature.SUBJECT: _PARTLY,
        Feature.TITLE: _if(abilities.owner),
        Feature.PICTURE: _if(abilities.owner and abilities.pictures),
    }
    sure = _FULL if abilities.identified else _PARTLY
    hears = {
        **dict.fromkeys(Feature, _FULL),
        Feature.EDIT: sure,
        Feature.DELETE: sure,
        Feature.TOPIC: _PARTLY,
        Feature.MENTION: alone if abilities.own_names else _PARTLY,
        Feature.TITLE: _PARTLY,
        Feature.PICTURE: _PARTLY,
        Feature.HISTORY: _FULL if abilities.archive else _PARTLY,
    }
    return Capabilities(
        own_names=abilities.own_names,
        max_text=_MAX_TEXT,
        knows_own_copies=True,
        dialect=Dialect.XMPP,
        shows=shows,
        hears=hears,
        notes=_NOTES if abilities.own_names else {**_NOTES, **_RELAYED},
        max_file=abilities.max_file,
    )


def _if(may: bool | None) -> Level:  # noqa: FBT001 - it is the value
    """What is not known yet depends on the room."""
    return _PARTLY if may is None else _FULL if may else _REFUSED
