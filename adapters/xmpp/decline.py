"""Private messages: they can't cross, and whoever writes one is told so."""

from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp import outgoing
from adapters.xmpp.wire import Wire
from adapters.xmpp.xml import first, names

WORDS: Final = "Private messages do not cross the bridge: please write in the room."
_BODY: Final = names("body")
_ANSWERED: Final = frozenset({None, "normal", "chat"})


def decline(wire: Wire, stanza: Element) -> None:
    """Answer a message to one of the bridge's own, if it is a private one with a text."""
    sender, to, id_ = stanza.get("from"), stanza.get("to"), stanza.get("id")
    if not sender or not to or not id_ or stanza.get("type") not in _ANSWERED:
        return
    if first(stanza, _BODY) is not None:
        wire.post(outgoing.refuse(to, sender, id_, WORDS))
