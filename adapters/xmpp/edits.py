"""Changes of what was said before (XEP-0308)."""

from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.xml import REPLACE, attribute


def changed(said: Said) -> str | None:
    """The id of what is changed, as its sender has chosen it; of the first form, always."""
    replace = said.part(Part.REPLACE)
    return None if replace is None or said.body is None else replace.get("id") or None


def element(key: str) -> str:
    """What says that a message stands for the one that was sent with this id."""
    return f"<replace xmlns='{REPLACE}' id='{attribute(key)}'/>"
