"""Doctors' pictures, shown to rooms (XEP-0153): a hash in the presence, and the rest when asked."""

import asyncio
import base64
import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

import structlog
from PIL import Image, UnidentifiedImageError

from adapters.xmpp.outgoing import answer, refuse_request
from adapters.xmpp.vcards import vcard
from adapters.xmpp.wire import Wire
from bridge.contract import Inlet, Picture, Unreachable
from bridge.model import Author

log = structlog.get_logger()

Who = tuple[str, str]

_LARGEST: Final = 60_000
"""Bytes: a picture goes through the stream in one piece, as text."""
_SIDE: Final = 192
"""Pixels, of one that was too large."""
_KEPT: Final = 200
_ASKERS: Final = 100
_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture as it is shown; without data, there is none."""

    mime: str = ""
    data: bytes = b""

    @property
    def photo(self) -> str:
        """Its hash (XEP-0153); empty for none."""
        return hashlib.sha1(self.data).hexdigest() if self.data else ""  # noqa: S324

    def card(self) -> str:
        """The vCard with it."""
        return vcard(self.mime, base64.b64encode(self.data).decode())


@dataclass(slots=True)
class _Sitter:
    """A doctor, and who has asked for their picture."""

    author: Author
    askers: list[Element] = field(default_factory=list)


class Portraits:
    """Fetches each picture once, one after the other, when its doctor is in a room.

    Args:
        inlet: where the pictures come from.
        show: told an author and the hash of their picture, whenever it was fetched.
    """

    def __init__(self, inlet: Inlet, show: Callable[[Author, str], None]) -> None:
        self._inlet = inlet
        self._show = show
        self._photos: dict[Who, tuple[str | None, str]] = {}
        self._kept: OrderedDict[str, Portrait] = OrderedDict()
        self._sitters: dict[str, Author] = {}
        self._waiting: OrderedDict[Who, _Sitter] = OrderedDict()
        self._some = asyncio.Event()

    def photo_of(self, author: Author) -> str | None:
        """The hash of a doctor's picture, empty for none; None while it is not known."""
        if author.avatar is None:
            return ""
        avatar, photo = self._photos.get((author.network, author.id), (None, ""))
        return photo if avatar == author.avatar else None

    def sit(self, jid: str, author: Author) -> None:
        """A doctor is in a room under this address: their picture is to be shown."""
        self._sitters[jid.partition("/")[0]] = author
        photo = self.photo_of(author)
        if photo is None:
            self._want(author)

    def asked(self, wire: Wire, request: Element) -> None:
        """Answer a request for the vCard of one of the bridge's own addresses."""
        author = self._sitters.get(request.get("to", "").partition("/")[0])
        photo = "" if author is None else self.photo_of(author)
        if author is None or photo == "":
            wire.post(refuse_request(request, "item-not-found"))
        elif photo is not None and photo in self._kept:
            self._kept.move_to_end(photo)
            wire.post(answer(request, self._kept[photo].card()))
        else:
            askers = self._want(author).askers
            if len(askers) < _ASKERS:
                askers.append(request)

    def _want(self, author: Author) -> _Sitter:
        sitter = self._waiting.setdefault((author.network, author.id), _Sitter(author))
        sitter.author = author
        self._some.set()
        return sitter

    async def run(self, wire: Wire) -> None:
        """Fetch what is wanted, until cancelled."""
        while True:
            await self._some.wait()
            while self._waiting:
                who, sitter = self._waiting.popitem(last=False)
                portrait = await self._fetch(sitter.author)
                self._answer(wire, sitter, portrait)
                if portrait is not None:
                    self._keep(who, sitter.author, portrait)
            self._some.clear()

    async def _fetch(self, author: Author) -> Portrait | None:
        try:
            async with asyncio.timeout(_SECONDS):
                picture = await self._inlet.avatar(author)
                return Portrait() if picture is None else await _fitting(picture)
        except (Unreachable, TimeoutError) as error:
            log.info("picture_not_had", reason=str(error) or "it took too long")
            return None

    def _keep(self, who: Who, author: Author, portrait: Portrait) -> None:
        known = self._photos.get(who)
        self._photos[who] = (author.avatar, portrait.photo)
        if portrait.data:
            self._kept[portrait.photo] = portrait
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if known != self._photos[who]:
            self._show(author, portrait.photo)

    def _answer(self, wire: Wire, sitter: _Sitter, portrait: Portrait | None) -> None:
        for request in sitter.askers:
            if portrait is not None and portrait.data:
                wire.post(answer(request, portrait.card()))
            else:
                wire.post(refuse_request(request, "item-not-found"))


async def _fitting(picture: Picture) -> Portrait:
    if len(picture.data) <= _LARGEST:
        return Portrait(picture.mime, picture.data)
    try:
        return await asyncio.to_thread(_smaller, picture.data)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        log.info("picture_not_shown", reason=type(error).__name__)
        return Portrait()


def _smaller(data: bytes) -> Portrait:
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((_SIDE, _SIDE))
        written = io.BytesIO()
        image.convert("RGB").save(written, "JPEG", quality=85)
    return Portrait("image/jpeg", written.getvalue())
