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
