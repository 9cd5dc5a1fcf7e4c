"""Deletions, by the author (XEP-0424) and by a moderator (XEP-0425).

Both XEPs have changed their form once, and servers in use speak either, so both are read, and a
room is asked in the form that it announces.
"""

from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp import fallback
from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.xml import (
    FASTEN,
    HINTS,
    MODERATE,
    MODERATE_0,
    OCCUPANT_ID,
    RETRACT,
    RETRACT_0,
    attribute,
    text,
)

_WORDS: Final = "(A message was deleted here. Your client can't show that.)"


@dataclass(frozen=True, slots=True)
class Retraction:
    """The message `reference`, as the stanza calls it, is deleted.

    `by` is the nick of the moderator who did it, None where the author did; `occupant_id` is the
    moderator's.
    """

    reference: str
    reason: str = ""
    by: str | None = None
    occupant_id: str | None = None

    @property
    def moderated(self) -> bool:
        """Whether a moderator did it."""
        return self.by is not None


def read(said: Said) -> Retraction | None:
    """The deletion that a message tells, if it tells one. Only the room tells of moderators."""
    from_room = not said.nick
    retract = said.part(Part.RETRACT)
    if retract is not None:
        return _read(
            retract, retract.find(f"{{{MODERATE}}}moderated"), RETRACT, from_room=from_room
        )
    fastening = said.part(Part.FASTENING)
    if fastening is None:
        return None
    moderated = fastening.find(f"{{{MODERATE_0}}}moderated")
    inner = fastening if moderated is None else moderated
    if inner.find(f"{{{RETRACT_0}}}retract") is None:
        return None
    return _read(fastening, moderated, FASTEN, from_room=from_room)


def _read(
    element: Element, moderated: Element | None, namespace: str, *, from_room: bool
) -> Retraction | None:
    reference = element.get("id")
    if not reference or (from_room and moderated is None):
        return None
    if not from_room or moderated is None:
        return Retraction(reference)
    reason = element.findtext(f"{{{namespace}}}reason") or next(
        (child.text for child in moderated if child.tag.endswith("}reason")), ""
    )
    occupant = moderated.find(f"{{{OCCUPANT_ID}}}occupant-id")
    return Retraction(
        reference, reason or "", moderated.get("by", "").partition("/")[2],
        None if occupant is None else occupant.get("id"),
    )  # fmt: skip


def payload(reference: str) -> str:
    """The contents of a message by which its author deletes another one, and words for clients
    that do not know how.
    """
    return (
        f"<retract xmlns='{RETRACT}' id='{attribute(reference)}'/><body>{text(_WORDS)}</body>"
        f"{fallback.mark(RETRACT)}<store xmlns='{HINTS}'/>"
    )


def moderation(reference: str, reason: str, namespace: str) -> str:
    """What a moderator asks of a room, in the form that it announces (`namespace`)."""
    why = f"<reason>{text(reason)}</reason>" if reason else ""
    id_ = attribute(reference)
    if namespace == MODERATE:
        return (
            f"<moderate xmlns='{MODERATE}' id='{id_}'><retract xmlns='{RETRACT}'/>{why}</moderate>"
        )
    return (
        f"<apply-to xmlns='{FASTEN}' id='{id_}'><moderate xmlns='{MODERATE_0}'>"
        f"<retract xmlns='{RETRACT_0}'/>{why}</moderate></apply-to>"
    )
