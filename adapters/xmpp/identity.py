"""Who is who: the address of a doctor on the component, the id of a colleague in a room."""

import base64
import hashlib
from typing import Final

from slixmpp import JID, InvalidJID

from bridge.model import Author

RESOURCE: Final = "consilium"
LISTENER: Final = "consilium"
"""Node of the occupant that hears for all. No doctor's node can be it: those have a mark in it."""

_ESCAPES: Final = str.maketrans(
    {char: f"\\{ord(char):02x}" for char in " \"&'/:<>@\\"}  # XEP-0106, section 4.2
)
NO_ID: Final = "nick:"
"""How the id of a colleague begins of whom a room tells the nick and nothing else."""

_AS_IT_IS: Final = "+"
_HASHED: Final = "~"
_LONGEST: Final = 200


def doctor_jid(author: Author, domain: str) -> str:
    r"""The full address that stands for this author: the same at every start, and only theirs.

    Readable where it can be (`matrix+\40ann\3ahospital.example@…`, escaped as in XEP-0106), else
    a hash. A network id holds neither mark, so no two authors can share an address.
    """
    node = f"{author.network}{_AS_IT_IS}{author.id.translate(_ESCAPES)}"
    if not _is_stable(node):
        whole = f"{author.network}\0{author.id}".encode(errors="surrogatepass")
        digest = hashlib.sha256(whole).digest()[:20]
        node = f"{author.network}{_HASHED}{base64.b32encode(digest).decode().lower()}"
    return f"{node}@{domain}/{RESOURCE}"


def _is_stable(node: str) -> bool:
    """Whether nodeprep leaves it as it is (it folds case: two authors would become one)."""
    if not node.isascii() or len(node) > _LONGEST:
        return False
    try:
        return bool(JID(f"{node}@example.org").node == node)
    except InvalidJID:
        return False


def colleague_id(nick: str, occupant_id: str | None, real_jid: str | None) -> str:
    """The id of a colleague, from the best that the room tells: XEP-0421, address, or nick."""
    if occupant_id:
        return occupant_id
    if real_jid:
        return real_jid.partition("/")[0]
    return NO_ID + nick
