"""Pictures of people and rooms, as references (XEP-0153, XEP-0486)."""

import re
from dataclasses import dataclass
from typing import Final

from adapters.xmpp.xml import VCARD, text

_SCHEME: Final = "vcard:"
_REFERENCE: Final = re.compile(r"vcard:([0-9a-f]{40}):([^/]+)(?:/(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture with this hash (SHA-1, in hexadecimal) of an occupant, or of the room itself where
    `nick` is empty.
    """

    room: str
    nick: str
    photo: str

    @property
    def owner(self) -> str:
        """Whom to ask for it."""
        return f"{self.room}/{self.nick}" if self.nick else self.room


def reference_of(room: str, nick: str, photo: str) -> str:
    """How a picture is called: what only this network can resolve."""
    return f"{_SCHEME}{photo}:{room}/{nick}" if nick else f"{_SCHEME}{photo}:{room}"


def resolve(reference: str) -> Reference | None:
    """The picture that is called so; None if none can be."""
    found = _REFERENCE.fullmatch(reference)
    return None if found is None else Reference(found[2], found[3] or "", found[1])


def vcard(mime: str, photo: str) -> str:
    """A vCard (XEP-0054) with nothing but a picture, given in base64; without one, an empty one."""
    picture = f"<PHOTO><TYPE>{text(mime)}</TYPE><BINVAL>{photo}</BINVAL></PHOTO>" if photo else ""
    return f"<vCard xmlns='{VCARD}'>{picture}</vCard>"
