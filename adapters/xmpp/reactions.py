"""Reactions (XEP-0444). One stanza tells all that a person has on a message."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.xml import HINTS, REACTIONS, attribute, text

_MOST: Final = 50
_REACTION: Final = f"{{{REACTIONS}}}reaction"


@dataclass(frozen=True, slots=True)
class Standing:
    """All reactions of one person on the message `reference`, as the stanza calls it."""

    reference: str
    emojis: tuple[str, ...]


def read(said: Said) -> Standing | None:
    """The set that a message tells, if it tells one."""
    found = said.part(Part.REACTIONS)
    reference = None if found is None else found.get("id")
    if found is None or not reference:
        return None
    texts = ((each.text or "").strip() for each in found.iterfind(_REACTION))
    return Standing(reference, tuple(dict.fromkeys(filter(None, texts)))[:_MOST])


def payload(reference: str, emojis: Iterable[str]) -> str:
    """The contents of a message that tells a set. Archives keep it only when they are asked to."""
    each = "".join(f"<reaction>{text(emoji)}</reaction>" for emoji in emojis)
    return (
        f"<reactions xmlns='{REACTIONS}' id='{attribute(reference)}'>{each}</reactions>"
        f"<store xmlns='{HINTS}'/>"
    )
