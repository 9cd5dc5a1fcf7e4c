"""What matters only at the moment: who writes (XEP-0085), and who has read what (XEP-0333)."""

from typing import Final

from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.scene import Scene
from adapters.xmpp.xml import CHAT_STATES, HINTS, MARKERS, attribute
from bridge.model import Read, Signal, Typing

MARKABLE: Final = f"<markable xmlns='{MARKERS}'/>"
"""Asks clients to tell when a message was read."""
_NO_STORE: Final = f"<no-store xmlns='{HINTS}'/>"


def read(said: Said, scene: Scene) -> Signal | None:
    """What a colleague's message of the moment tells; None if nothing."""
    author = scene.people.present(said.nick)
    if author is None or said.delay is not None:
        return None
    displayed = said.part(Part.DISPLAYED)
    if displayed is not None:
        id_ = displayed.get("id")
        return Read(scene.place, author, scene.naming.meant(id_)) if id_ else None
    state = said.part(Part.STATE)
    if state is None:
        return None
    return Typing(scene.place, author, state.tag.endswith("}composing"))


def payload(signal: Signal, reference: str) -> str:
    """The contents of the message that tells it. No archive is to keep it."""
    if isinstance(signal, Read):
        return f"<displayed xmlns='{MARKERS}' id='{attribute(reference)}'/>{_NO_STORE}"
    state = "composing" if signal.typing else "paused"
    return f"<{state} xmlns='{CHAT_STATES}'/>{_NO_STORE}"
