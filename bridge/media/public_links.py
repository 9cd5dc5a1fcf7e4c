"""Links by which people on networks that take no files can fetch one for a while.

A link holds what it stands for, until when it works, and a signature over both (HMAC-SHA256, of
which 128 bits are kept). So nothing is stored for it, and nobody can make one or change one.
"""

import asyncio
import base64
import binascii
import hmac
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF
from pydantic import SecretStr

from bridge.contract import LocalFile
from bridge.errors import ConsiliumError
from bridge.media.depot import Depot
from bridge.media.names import ACTIVE
from bridge.model import Attachment

log = structlog.get_logger(__name__)

_PURPOSE: Final = b"consilium media link 1"
_SIGNATURE: Final = 16
_EXPIRY: Final = 5
_LONGEST: Final = 400
_ROUNDED: Final = 3_600
_AT_ONCE: Final = 32
_SENDING_SECONDS: Final = 900.0
_SHOWN: Final = frozenset(
    {"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp"}
)
_HEADERS: Final = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; media-src 'self';"
    " style-src 'unsafe-inline'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


@dataclass(frozen=True, slots=True)
class Shared:
    """What a link stands for: a file of a message from `network`."""

    network: str
    attachment: Attachment


Resolve = Callable[[str], Awaitable[Shared | None]]
"""Finds what a reference stands for; None when that is not there any more. May raise
`ConsiliumError`.
"""


def signing_key(link_key: SecretStr | None, as_token: SecretStr) -> bytes:
    """The key that links are signed with: from the configured one, or else from the as_token, by
    HKDF (RFC 5869). Nothing can be told from it about either.
    """
    secret = (link_key or as_token).get_secret_value().encode()
    return HKDF(secret, 32, None, SHA256, context=_PURPOSE)


class PublicLinks:
    """Makes links and reads them.

    Args:
        public_url: where the public reaches the bridge, without a slash at its end.
        key: see `signing_key`.
        ttl_seconds: how long a link works; it works up to an hour longer, so that the same is
            made again within that hour.
        clock: seconds since the Unix epoch.
    """

    def __init__(
        self,
        public_url: str,
        key: bytes,
        ttl_seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = public_url
        self._key = key
        self._ttl = ttl_seconds
        self._clock = clock

    def make(self, reference: str, name: str) -> str:
        """A link.

        Args:
            reference: what it stands for, as `Resolve` understands it; at most 200 bytes. Whoever
                has the link can read it.
            name: the file's name, which only serves people.
        """
        end = int(self._clock()) + self._ttl
        expiry = -(-end // _ROUNDED) * _ROUNDED
        content = expiry.to_bytes(_EXPIRY) + reference.encode()
        token = base64.urlsafe_b64encode(content + self._signature(content)).rstrip(b"=")
        return f"{self._url}/media/{token.decode()}/{quote(name, safe='')}"

    def read(self, token: str) -> str | None:
        """The reference in a link; None when it was not made here, or works no more."""
        signed = _decoded(token)
        content, signature = signed[:-_SIGNATURE], signed[-_SIGNATURE:]
        if not hmac.compare_digest(self._signature(content), signature):
            return None
        if int.from_bytes(content[:_EXPIRY]) <= self._clock():
            return None
        return content[_EXPIRY:].decode()

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, _PURPOSE + b"\0" + content, sha256)[:_SIGNATURE]


def media_doors(
    links: PublicLinks, resolve: Resolve, depot: Depot, *, cleaned: bool
) -> list[web.RouteDef]:
    """The route `/media/{token}/{name}`, for aiohttp. Anyone may come in by it.

    Args:
        links: reads the token.
        resolve: finds the file.
        depot: has it.
        cleaned: take out of pictures and films where and when they were taken.
    """
    room = asyncio.Semaphore(_AT_ONCE)

    async def on_media(request: web.Request) -> web.StreamResponse:
        reference = links.read(request.match_info["token"])
        if reference is None:
            return _nothing()
        if room.locked():
            return web.Response(status=503, headers=_HEADERS | {"Retry-After": "10"})
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(room)
                shared = await resolve(reference)
                if shared is None:
                    return _nothing()
                lent = depot.fetch(shared.network, shared.attachment, cleaned=cleaned)
                file = await stack.enter_async_context(lent)
            except ConsiliumError as error:
                log.info("link_not_served", reason=error.sentence)
                return _nothing()
            return _Lent(file, stack.pop_all())

    return [web.get("/media/{token}/{name}", on_media)]


class _Lent(web.FileResponse):
    """A file, whose lease ends when it was sent."""

    def __init__(self, file: LocalFile, lease: AsyncExitStack) -> None:
        mime = "application/octet-stream" if file.mime in ACTIVE else file.mime
        headers = {
            "Content-Type": mime,
            "Content-Disposition": _disposition(file.name, shown=_is_inert(file.mime)),
        }
        super().__init__(file.path, headers=_HEADERS | headers)
        self._lease = lease

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        async with self._lease, asyncio.timeout(_SENDING_SECONDS):
            return await super().prepare(request)


def _nothing() -> web.Response:
    """The one answer to everything that is not right."""
    return web.Response(status=404, text="There is no such file.", headers=_HEADERS)


def _is_inert(mime: str) -> bool:
    """Whether a browser may show it: nothing in it can act."""
    return mime in _SHOWN or mime.startswith(("audio/", "video/"))


def _disposition(name: str, *, shown: bool) -> str:
    """RFC 6266, with a plain name for those who don't know RFC 8187."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    kind = "inline" if shown else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _decoded(token: str) -> bytes:
    """The bytes of a token; none when it is not written in the one way that it should be."""
    if len(token) > _LONGEST or not token.isascii():
        return b""
    try:
        found = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return b""
    again = base64.urlsafe_b64encode(found).rstrip(b"=").decode()
    return found if again == token and len(found) >= _EXPIRY + _SIGNATURE else b""
