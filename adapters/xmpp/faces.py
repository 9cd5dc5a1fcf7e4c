"""Pictures of colleagues and rooms, fetched when they are wanted (XEP-0054, XEP-0084)."""

import base64
import binascii
import hashlib
from typing import Final

from adapters.xmpp.errors import StanzaError
from adapters.xmpp.scene import Scene
from adapters.xmpp.vcards import Reference
from adapters.xmpp.wire import Wire
from adapters.xmpp.xml import PUBSUB, VCARD
from bridge.contract import Refused, Unreachable

_AVATAR: Final = "urn:xmpp:avatar:data"
_LARGEST: Final = 2_000_000
"""Characters of a picture as it comes, in base64."""


async def fetch(wire: Wire, scene: Scene, reference: Reference) -> bytes:
    """The picture that bears the hash of the reference, from the vCard or else from PEP.

    Raises:
        Refused: it is not to be had, or not any more.
        Unreachable: not now.
    """
    owner = reference.owner
    if reference.nick:
        nick = scene.people.nick_with(reference.photo) or reference.nick
        owner = f"{reference.room}/{nick}"
    item = f"<item id='{reference.photo}'/>"
    asked = (
        f"<vCard xmlns='{VCARD}'/>",
        f"<pubsub xmlns='{PUBSUB}'><items node='{_AVATAR}'>{item}</items></pubsub>",
    )
    for request in asked if reference.nick else asked[:1]:
        try:
            answer = await wire.ask("get", owner, request)
        except StanzaError as error:
            if error.kind == "wait":
                raise Unreachable(f"The picture of {owner} can't be had now ({error}).") from error
            continue
        for encoded in (
            answer.findtext(f"{{{VCARD}}}vCard/{{{VCARD}}}PHOTO/{{{VCARD}}}BINVAL"),
            answer.findtext(f".//{{{_AVATAR}}}data"),
        ):
            data = _decoded(encoded or "")
            if hashlib.sha1(data).hexdigest() == reference.photo:  # noqa: S324 - XEP-0153
                return data
    raise Refused(f"The picture of {owner} is not to be had any more.")


def _decoded(encoded: str) -> bytes:
    if len(encoded) > _LARGEST:
        return b""
    try:
        return base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return b""
