"""Stanzas from a room, read into plain values; what is not understood is left out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp.xml import (
    CHAT_STATES,
    DELAY,
    FALLBACK,
    FASTEN,
    FORWARD,
    GEOLOC,
    MARKERS,
    MUC_USER,
    OCCUPANT_ID,
    OOB,
    REACTIONS,
    REFERENCE,
    REPLACE,
    REPLY,
    RETRACT,
    SFS,
    SID,
    STICKERS,
    STREAMS,
    STYLING,
    VCARD_UPDATE,
    XHTML_IM,
    first,
    names,
)


class Part(StrEnum):
    """What a message may hold besides its words. It is kept as it came; the files that are named
    for it understand it.
    """

    REPLACE = "replace"
    RETRACT = "retract"
    FASTENING = "apply-to"
    REACTIONS = "reactions"
    REPLY = "reply"
    FALLBACK = "fallback"
    XHTML = "html"
    UNSTYLED = "unstyled"
    REFERENCE = "reference"
    OOB = "x"
    FILE = "file-sharing"
    STICKER = "sticker"
    GEOLOC = "geoloc"
    DISPLAYED = "displayed"
    STATE = "state"


STATES: Final = ("active", "composing", "paused", "inactive", "gone")

_BODY, _SUBJECT, _THREAD, _STATUS_TEXT = "body", "subject", "thread", "status"
_ORIGIN, _STANZA, _OCCUPANT, _DELAY, _USER = "origin", "stanza", "occupant", "delay", "user"
_PHOTO = "photo"
_PARTS: Final[dict[str, str]] = {
    **{ns + local: local for ns in STREAMS for local in (_BODY, _SUBJECT, _THREAD, _STATUS_TEXT)},
    f"{{{SID}}}origin-id": _ORIGIN,
    f"{{{SID}}}stanza-id": _STANZA,
    f"{{{OCCUPANT_ID}}}occupant-id": _OCCUPANT,
    f"{{{DELAY}}}delay": _DELAY,
    f"{{{MUC_USER}}}x": _USER,
    f"{{{VCARD_UPDATE}}}x": _PHOTO,
    f"{{{REPLACE}}}replace": Part.REPLACE,
    f"{{{RETRACT}}}retract": Part.RETRACT,
    f"{{{FASTEN}}}apply-to": Part.FASTENING,
    f"{{{REACTIONS}}}reactions": Part.REACTIONS,
    f"{{{REPLY}}}reply": Part.REPLY,
    f"{{{FALLBACK}}}fallback": Part.FALLBACK,
    f"{{{XHTML_IM}}}html": Part.XHTML,
    f"{{{STYLING}}}unstyled": Part.UNSTYLED,
    f"{{{REFERENCE}}}reference": Part.REFERENCE,
    f"{{{OOB}}}x": Part.OOB,
    f"{{{SFS}}}file-sharing": Part.FILE,
    f"{{{STICKERS}}}sticker": Part.STICKER,
    f"{{{GEOLOC}}}geoloc": Part.GEOLOC,
    f"{{{MARKERS}}}displayed": Part.DISPLAYED,
    **{f"{{{CHAT_STATES}}}{state}": Part.STATE for state in STATES},
}
_DELETING: Final = frozenset({Part.RETRACT, Part.FASTENING})
_TELLING: Final = _DELETING | frozenset({Part.REACTIONS, Part.OOB, Part.FILE, Part.GEOLOC})
"""What makes a message of a stanza that has no words."""
_TEXTS: Final = frozenset({_BODY, _SUBJECT, _THREAD})
_ITEM: Final = f"{{{MUC_USER}}}item"
_REASON: Final = f"{{{MUC_USER}}}reason"
_STATUS: Final = f"{{{MUC_USER}}}status"
_DESTROY: Final = f"{{{MUC_USER}}}destroy"
_FORWARDED: Final = f"{{{FORWARD}}}forwarded"
_DELAY_TAG: Final = f"{{{DELAY}}}delay"
_MESSAGE: Final = names("message")
_SHA1: Final = re.compile("[0-9a-f]{40}")

SELF: Final = "110"
CREATED: Final = "201"
BANNED: Final = "301"
RENAMED: Final = "303"
KICKED: Final = "307"
FAULT: Final = "333"
SHUTDOWN: Final = "332"


@dataclass(frozen=True, slots=True)
class Said:
    """A groupchat message. `delay` is set only where the room itself says that it is an old one;
    `stanza_id` and `occupant_id` are as found: only a room that announces them can be believed.
    `archived`: it comes from the room's archive, which lets nobody forge a real address
    (XEP-0313, section 6.1.1). `heard` is when it came in, where it had to wait since. `old`: it was
    said before the room was linked.
    """

    nick: str
    id: str | None
    origin_id: str | None
    stanza_id: str | None
    occupant_id: str | None
    real_jid: str | None
    body: str | None
    subject: str | None
    delay: datetime | None
    archived: bool = False
    heard: datetime | None = None
    thread: str | None = None
    parts: tuple[tuple[Part, Element], ...] = ()
    old: bool = False

    @property
    def tells(self) -> bool:
        """Whether something was said or done, as opposed to what is only of this moment."""
        return self.body is not None or any(part in _TELLING for part, _ in self.parts)

    @property
    def deletes(self) -> bool:
        """Whether something is deleted: all that a room itself may say to be handed over."""
        return any(part in _DELETING for part, _ in self.parts)

    def part(self, wanted: Part) -> Element | None:
        """The first of these parts."""
        return next((element for part, element in self.parts if part is wanted), None)

    def all(self, wanted: Part) -> Iterator[Element]:
        """All of these parts."""
        return (element for part, element in self.parts if part is wanted)


@dataclass(frozen=True, slots=True)
class Seen:
    """An occupant's presence in a room. `photo` is the hash of their picture (XEP-0153), empty
    where they have none, None where nothing is said of it.
    """

    nick: str
    here: bool
    codes: frozenset[str]
    occupant_id: str | None
    real_jid: str | None
    new_nick: str | None
    reason: str
    destroyed: bool
    role: str = ""
    affiliation: str = ""
    photo: str | None = None


def read_message(stanza: Element, room: str, nick: str) -> Said:
    """Read a groupchat message of `room` in one pass over its children."""
    found: dict[str, str | None] = {}
    parts: list[tuple[Part, Element]] = []
    delay: datetime | None = None
    for child in stanza:
        part = _PARTS.get(child.tag)
        if part is None:
            continue
        if part.__class__ is Part:
            parts.append((part, child))
        elif part in _TEXTS:
            found.setdefault(part, child.text or "")  # further ones are translations
        elif part == _USER:
            found[part] = _real_jid(child)
        elif part == _DELAY:
            if child.get("from") == room:
                delay = read_time(child.get("stamp"))
        elif part != _STANZA or child.get("by") == room:
            found[part] = child.get("id")
    body, subject = found.get(_BODY), found.get(_SUBJECT)
    if body is not None or _THREAD in found:
        subject = None  # such a message does not change the subject (XEP-0045, section 8.1)
    return Said(
        nick, stanza.get("id"), found.get(_ORIGIN), found.get(_STANZA), found.get(_OCCUPANT),
        found.get(_USER), body or None, subject, delay,
        thread=found.get(_THREAD), parts=_kept(parts, body) if parts else (),
    )  # fmt: skip


def _kept(parts: list[tuple[Part, Element]], body: str | None) -> tuple[tuple[Part, Element], ...]:
    """All of them; but whoever says something writes no more."""
    return tuple(each for each in parts if not body or each[0] is not Part.STATE)


def read_archived(result: Element, room: str) -> Said | None:
    """Read a result of the room's archive (XEP-0313); None when it is no message of the room."""
    forwarded = result.find(_FORWARDED)
    message = None if forwarded is None else first(forwarded, _MESSAGE)
    archive_id = result.get("id")
    if forwarded is None or message is None or not archive_id:
        return None
    sender, _, nick = message.get("from", "").partition("/")
    if sender != room or message.get("type") != "groupchat":
        return None
    stamp = forwarded.find(_DELAY_TAG)
    said = read_message(message, room, nick)
    return Said(
        nick, said.id, said.origin_id, archive_id, said.occupant_id, said.real_jid,
        said.body, said.subject, read_time(None if stamp is None else stamp.get("stamp")),
        archived=True, thread=said.thread, parts=said.parts,
    )  # fmt: skip


def read_presence(stanza: Element, nick: str) -> Seen:
    """Read an occupant's presence (XEP-0045, section 7); not for those of type `error`."""
    status = ""
    occupant = photo = None
    user: Element | None = None
    for child in stanza:
        match _PARTS.get(child.tag):
            case "occupant":
                occupant = child.get("id")
            case "status" if not status:
                status = child.text or ""
            case "user":
                user = child
            case "photo":
                photo = read_photo(child)
            case _:
                pass
    here = stanza.get("type") != "unavailable"
    if user is None:
        return Seen(
            nick, here, frozenset(), occupant, None, None, status, destroyed=False, photo=photo
        )
    item, destroy = user.find(_ITEM), user.find(_DESTROY)
    told: Mapping[str, str] = {} if item is None else item.attrib
    reason = next(
        (given for each in (item, destroy) if each is not None
         and (given := each.findtext(_REASON, ""))), status,
    )  # fmt: skip
    return Seen(
        nick, here, frozenset(_codes(user)), occupant, told.get("jid"), told.get("nick"), reason,
        destroy is not None, told.get("role", ""), told.get("affiliation", ""), photo,
    )  # fmt: skip


def read_update(stanza: Element) -> str | None:
    """The hash of a picture in a presence, as `read_photo` tells it."""
    update = stanza.find(f"{{{VCARD_UPDATE}}}x")
    return None if update is None else read_photo(update)


def read_photo(update: Element) -> str | None:
    """The hash in an update of a picture (XEP-0153, section 3.1): "" tells that there is none, and
    None that nothing is known.
    """
    photo = update.find(f"{{{VCARD_UPDATE}}}photo")
    if photo is None:
        return None
    found = (photo.text or "").strip().lower()
    return found if not found or _SHA1.fullmatch(found) else None


def is_about_oneself(stanza: Element) -> bool:
    """Whether a presence is the room's answer to its receiver (status 110)."""
    for child in stanza:
        if _PARTS.get(child.tag) == _USER:
            return SELF in _codes(child)
    return False


def read_time(stamp: str | None) -> datetime:
    """A time of XEP-0082; now, where it is missing, malformed or still to come."""
    now = datetime.now(UTC)
    if stamp is None:
        return now
    try:
        time = datetime.fromisoformat(stamp)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return now
    return min(time, now)


def _codes(user: Element) -> Iterator[str]:
    return (child.get("code", "") for child in user if child.tag == _STATUS)


def _real_jid(user: Element) -> str | None:
    item = user.find(_ITEM)
    return None if item is None else item.get("jid")
