"""Reading and writing XML: the few names and helpers that the stanzas need.

Stanzas are written as text, not built as trees: each is a line long, and a message costs a tenth.
"""

import re
from typing import Final
from xml.etree.ElementTree import Element

CLIENT: Final = "{jabber:client}"
COMPONENT: Final = "{jabber:component:accept}"
STREAMS: Final = (CLIENT, COMPONENT)
"""A component's stream has a namespace of its own; what it carries may be in either."""

MUC: Final = "http://jabber.org/protocol/muc"
MUC_OWNER: Final = "http://jabber.org/protocol/muc#owner"
MUC_USER: Final = "http://jabber.org/protocol/muc#user"
DISCO_INFO: Final = "http://jabber.org/protocol/disco#info"
STANZAS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
DELAY: Final = "urn:xmpp:delay"
FORWARD: Final = "urn:xmpp:forward:0"
MAM: Final = "urn:xmpp:mam:2"
OCCUPANT_ID: Final = "urn:xmpp:occupant-id:0"
PING: Final = "urn:xmpp:ping"
RSM: Final = "http://jabber.org/protocol/rsm"
SID: Final = "urn:xmpp:sid:0"
DATA_FORM: Final = "jabber:x:data"
CHAT_STATES: Final = "http://jabber.org/protocol/chatstates"
DISCO_ITEMS: Final = "http://jabber.org/protocol/disco#items"
FALLBACK: Final = "urn:xmpp:fallback:0"
FASTEN: Final = "urn:xmpp:fasten:0"
FILE_METADATA: Final = "urn:xmpp:file:metadata:0"
GEOLOC: Final = "http://jabber.org/protocol/geoloc"
HINTS: Final = "urn:xmpp:hints"
MARKERS: Final = "urn:xmpp:chat-markers:0"
MODERATE_0: Final = "urn:xmpp:message-moderate:0"
MODERATE: Final = "urn:xmpp:message-moderate:1"
OOB: Final = "jabber:x:oob"
PUBSUB: Final = "http://jabber.org/protocol/pubsub"
REACTIONS: Final = "urn:xmpp:reactions:0"
REFERENCE: Final = "urn:xmpp:reference:0"
REPLACE: Final = "urn:xmpp:message-correct:0"
REPLY: Final = "urn:xmpp:reply:0"
RETRACT_0: Final = "urn:xmpp:message-retract:0"
RETRACT: Final = "urn:xmpp:message-retract:1"
SFS: Final = "urn:xmpp:sfs:0"
SIMS: Final = "urn:xmpp:sims:1"
STICKERS: Final = "urn:xmpp:stickers:0"
STYLING: Final = "urn:xmpp:styling:0"
UPLOAD: Final = "urn:xmpp:http:upload:0"
URL_DATA: Final = "http://jabber.org/protocol/url-data"
VCARD: Final = "vcard-temp"
VCARD_UPDATE: Final = "vcard-temp:x:update"
XHTML: Final = "http://www.w3.org/1999/xhtml"
XHTML_IM: Final = "http://jabber.org/protocol/xhtml-im"

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_ESCAPES: Final = str.maketrans(_SPECIAL)
_ATTRIBUTE_ESCAPES: Final = str.maketrans({**_SPECIAL, "\t": " ", "\n": " "})


def clean(text: str) -> str:
    """The text without what XML 1.0 forbids (section 2.2), which would end the stream.

    Such characters become U+FFFD, so that nobody takes the text for whole; line ends become
    line feeds, as they would on the way.
    """
    text = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def text(value: str) -> str:
    """`value` as the content of an element."""
    return clean(value).translate(_ESCAPES)


def attribute(value: str) -> str:
    """`value` as the value of an attribute, to be put between single quotes."""
    return clean(value).translate(_ATTRIBUTE_ESCAPES)


def names(local: str) -> frozenset[str]:
    """The full names that an element of a stanza itself can have (a `body`, say)."""
    return frozenset(namespace + local for namespace in STREAMS)


def first(parent: Element, tags: frozenset[str]) -> Element | None:
    """The first child that has one of these full names."""
    for child in parent:
        if child.tag in tags:
            return child
    return None
