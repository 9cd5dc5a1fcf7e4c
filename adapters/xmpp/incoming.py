"""Stanzas from a room, read into plain values; what is not understood is left out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp.xml import DELAY, FORWARD, MUC_USER, OCCUPANT_ID, SID, STREAMS, first, names

_BODY, _SUBJECT, _THREAD, _STATUS_TEXT = "body", "subject", "thread", "status"
_ORIGIN, _STANZA, _OCCUPANT, _DELAY, _USER = "origin", "stanza", "occupant", "delay", "user"
_PARTS: Final = {
    **{ns + local: local for ns in STREAMS for local in (_BODY, _SUBJECT, _THREAD, _STATUS_TEXT)},
    f"{{{SID}}}origin-id": _ORIGIN,
    f"{{{SID}}}stanza-id": _STANZA,
    f"{{{OCCUPANT_ID}}}occupant-id": _OCCUPANT,
    f"{{{DELAY}}}delay": _DELAY,
    f"{{{MUC_USER}}}x": _USER,
}
_TEXTS: Final = frozenset({_BODY, _SUBJECT, _THREAD})
_ITEM: Final = f"{{{MUC_USER}}}item"
_REASON: Final = f"{{{MUC_USER}}}reason"
_STATUS: Final = f"{{{MUC_USER}}}status"
_DESTROY: Final = f"{{{MUC_USER}}}destroy"
_FORWARDED: Final = f"{{{FORWARD}}}forwarded"
_DELAY_TAG: Final = f"{{{DELAY}}}delay"
_MESSAGE: Final = names("message")

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
    (XEP-0313, section 6.1.1). `heard` is when it came in, where it had to wait since.
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


@dataclass(frozen=True, slots=True)
class Seen:
    """An occupant's presence in a room."""

    nick: str
    here: bool
    codes: frozenset[str]
    occupant_id: str | None
    real_jid: str | None
    new_nick: str | None
    reason: str
    destroyed: bool


def read_message(stanza: Element, room: str, nick: str) -> Said:
    """Read a groupchat message of `room` in one pass over its children."""
    found: dict[str, str | None] = {}
    delay: datetime | None = None
    for child in stanza:
        part = _PARTS.get(child.tag)
        if part is None:
            continue
        if part in _TEXTS:
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
    )  # fmt: skip


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
        archived=True,
    )  # fmt: skip


def read_presence(stanza: Element, nick: str) -> Seen:
    """Read an occupant's presence (XEP-0045, section 7); not for those of type `error`."""
    codes: frozenset[str] = frozenset()
    occupant = real = new_nick = None
    reason, destroyed = "", False
    for child in stanza:
        match _PARTS.get(child.tag):
            case "occupant":
                occupant = child.get("id")
            case "status" if not reason:
                reason = child.text or ""
            case "user":
                codes = frozenset(_codes(child))
                real = _real_jid(child)
                item = child.find(_ITEM)
                new_nick = None if item is None else item.get("nick")
                given = "" if item is None else item.findtext(_REASON, "")
                destroy = child.find(_DESTROY)
                destroyed = destroy is not None
                given = given or ("" if destroy is None else destroy.findtext(_REASON, ""))
                reason = given or reason
            case _:
                pass
    here = stanza.get("type") != "unavailable"
    return Seen(nick, here, codes, occupant, real, new_nick, reason, destroyed)


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
