"""What an occupant of an XMPP room gets to see, read from the stanzas themselves."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from xml.etree.ElementTree import Element

from slixmpp import Message, Presence

_STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
_ORIGIN_ID = "{urn:xmpp:sid:0}origin-id"
_OCCUPANT_ID = "{urn:xmpp:occupant-id:0}occupant-id"
_DELAY = "{urn:xmpp:delay}delay"
_MUC_USER = "{http://jabber.org/protocol/muc#user}"
_ITEM = f"{_MUC_USER}x/{_MUC_USER}item"
_STATUS = f"{_MUC_USER}x/{_MUC_USER}status"
_REPLACE = "{urn:xmpp:message-correct:0}replace"
_RETRACT = "{urn:xmpp:message-retract:1}retract"
_REPLY = "{urn:xmpp:reply:0}reply"
_FALLBACK = "{urn:xmpp:fallback:0}"
_REACTIONS = "{urn:xmpp:reactions:0}"
_PHOTO = "{vcard-temp:x:update}x/{vcard-temp:x:update}photo"
_SELF = 110  # the status code of one's own presence


@dataclass(frozen=True)
class RoomMessage:
    """A groupchat message, or the room's refusal of one (`error`)."""

    room: str
    nick: str
    body: str
    id: str
    stanza_id: str
    origin_id: str
    occupant_id: str
    delayed_since: datetime | None
    error: str
    stanza: Message = field(repr=False, compare=False)

    def find(self, namespace: str, name: str) -> Element | None:
        """An element of the message."""
        found: Element | None = self.stanza.xml.find(f"{{{namespace}}}{name}")
        return found

    @property
    def replaces(self) -> str:
        """The id of the message that this one stands for (XEP-0308)."""
        return _attribute(self.stanza, _REPLACE, "id")

    @property
    def retracts(self) -> str:
        """The id of the message that this one deletes (XEP-0424)."""
        return _attribute(self.stanza, _RETRACT, "id")

    @property
    def answers(self) -> str:
        """The id of the message that this one answers (XEP-0461)."""
        return _attribute(self.stanza, _REPLY, "id")

    @property
    def words(self) -> str:
        """The text without what stands in it for an answer (XEP-0428)."""
        text = self.body
        for fallback in self.stanza.xml.findall(f"{_FALLBACK}fallback"):
            body = fallback.find(f"{_FALLBACK}body")
            if fallback.attrib.get("for") == "urn:xmpp:reply:0" and body is not None:
                start, end = int(body.attrib["start"]), int(body.attrib["end"])
                text = text[:start] + text[end:]
        return text

    @property
    def reactions(self) -> tuple[str, tuple[str, ...]] | None:
        """The id of a message and all reactions that the sender has on it (XEP-0444)."""
        found = self.stanza.xml.find(f"{_REACTIONS}reactions")
        if found is None:
            return None
        return found.attrib["id"], tuple(each.text or "" for each in found)

    @property
    def thread(self) -> str:
        """The thread it is in (XEP-0201)."""
        return self.stanza.xml.findtext(f"{{{self.stanza.namespace}}}thread") or ""

    @classmethod
    def of(cls, stanza: Message) -> Self:
        """Read a stanza; one without a text, a reaction say, has an empty body."""
        room = stanza["from"].bare
        stamp = _attribute(stanza, _DELAY, "stamp")
        return cls(
            room=room,
            nick=stanza["from"].resource,
            body=stanza["body"],
            id=stanza["id"],
            stanza_id=_stanza_id(stanza, given_by=room),
            origin_id=_attribute(stanza, _ORIGIN_ID, "id"),
            occupant_id=_attribute(stanza, _OCCUPANT_ID, "id"),
            delayed_since=datetime.fromisoformat(stamp) if stamp else None,
            error=_error(stanza),
            stanza=stanza,
        )


@dataclass(frozen=True)
class RoomSubject:
    """The room's subject, at entry or when somebody changed it."""

    room: str
    nick: str
    subject: str

    @classmethod
    def of(cls, stanza: Message) -> Self | None:
        """Read a stanza; None if it sets no subject, as one that also has a body doesn't."""
        xml = stanza.xml
        namespace = stanza.namespace
        subject = xml.find(f"{{{namespace}}}subject")
        if subject is None or xml.find(f"{{{namespace}}}body") is not None or _error(stanza):
            return None
        return cls(stanza["from"].bare, stanza["from"].resource, subject.text or "")


@dataclass(frozen=True)
class RoomPresence:
    """An occupant who comes, is there, or goes; or the room's refusal (`error`)."""

    room: str
    nick: str
    available: bool
    jid: str
    role: str
    affiliation: str
    occupant_id: str
    codes: frozenset[int]
    new_nick: str
    status: str
    error: str
    stanza: Presence = field(repr=False, compare=False)

    @property
    def photo(self) -> str | None:
        """The hash of their picture (XEP-0153), empty for none; None where nothing is said."""
        found: str | None = self.stanza.xml.findtext(_PHOTO)
        return found

    @property
    def is_self(self) -> bool:
        """Whether it is about the one who sees it."""
        return _SELF in self.codes

    @property
    def refused(self) -> bool:
        """Whether the room refused what one tried."""
        return bool(self.error)

    @classmethod
    def of(cls, stanza: Presence) -> Self | None:
        """Read a stanza; None if no room sent it. A refusal need not say that it is a room's."""
        xml = stanza.xml
        error = _error(stanza)
        if not error and xml.find(f"{_MUC_USER}x") is None:
            return None
        return cls(
            room=stanza["from"].bare,
            nick=stanza["from"].resource,
            available=not error and stanza["type"] != "unavailable",
            jid=_attribute(stanza, _ITEM, "jid"),
            role=_attribute(stanza, _ITEM, "role"),
            affiliation=_attribute(stanza, _ITEM, "affiliation"),
            occupant_id=_attribute(stanza, _OCCUPANT_ID, "id"),
            codes=frozenset(int(status.attrib["code"]) for status in xml.findall(_STATUS)),
            new_nick=_attribute(stanza, _ITEM, "nick"),
            status=stanza["status"],
            error=error,
            stanza=stanza,
        )


def _error(stanza: Message | Presence) -> str:
    return str(stanza["error"]["condition"]) if stanza["type"] == "error" else ""


def _attribute(stanza: Message | Presence, tag: str, attribute: str) -> str:
    element = stanza.xml.find(tag)
    return "" if element is None else element.attrib.get(attribute, "")


def _stanza_id(stanza: Message, *, given_by: str) -> str:
    """Only the room's own counts (XEP-0359): the sender could have added any other."""
    for element in stanza.xml.findall(_STANZA_ID):
        if element.attrib.get("by") == given_by:
            return element.attrib.get("id", "")
    return ""
