"""Files from URLs that strangers name.

Nothing is asked of an address that is not public, unless the admin allows it. The address is
looked at where the connection is made, so no answer of a name server can differ between the look
and the connection. Each redirect is looked at like the first URL. Nothing is sent but the request:
no credentials, no cookies, and no proxy is used.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_exceptions import InvalidUrlClientError
from yarl import URL

from bridge.media.addresses import Allowed
from bridge.media.refusals import Gone, NotToBeFetched, SourceAway, TooBig
from bridge.model import Attachment

PIECE: Final = 65_536
"""Bytes that are handed on at once, at most."""

_REDIRECTS: Final = 5
_LONGEST_URL: Final = 4096
_HEADERS: Final = {
    # A compressed answer could unpack to anything: none is asked for, and none is taken
    "Accept-Encoding": "identity",
    "Accept": "*/*",
    "User-Agent": "Consilium",
}
_ASK_LATER: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait: for a connection, for the next bytes, and for the whole file."""

    connect: float = 15.0
    idle: float = 30.0
    total: float = 600.0


class Fetcher:
    """Fetches over http and https; is a `bridge.contract.MediaSource`.

    Args:
        allowed: what may be asked beyond public addresses.
        max_size: bytes; a server that announces more is not listened to.
        patience: how long to wait.
        resolver: finds addresses; the system's when None.
    """

    def __init__(
        self,
        allowed: Allowed,
        *,
        max_size: int,
        patience: Patience | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allowed = allowed
        self._max_size = max_size
        self._patience = patience or Patience()
        self._resolver = resolver

    @asynccontextmanager
    async def download(self, attachment: Attachment) -> AsyncIterator[AsyncIterator[bytes]]:
        """The file at the URL `attachment.source`, piece by piece.

        Raises:
            Unreachable: the server does not answer, breaks off, or asks to come later.
            Refused: it may not be fetched, is not there, or is announced as too big.
        """
        deadline = asyncio.get_running_loop().time() + self._patience.total
        async with AsyncExitStack() as stack:
            with _faults_told():
                async with asyncio.timeout_at(deadline):
                    opened = self._response(_checked(attachment.source))
                    response = await stack.enter_async_context(opened)
                self._look_at(response)
            yield _pieces(response, deadline)

    @asynccontextmanager
    async def _response(self, url: URL) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer at the end of all redirects."""
        for _ in range(_REDIRECTS + 1):
            async with self._asked(url) as response:
                if response.status not in {301, 302, 303, 307, 308}:
                    yield response
                    return
                url = _next(url, response)
        msg = "The file's address leads on and on to other addresses."
        raise NotToBeFetched(msg)

    @asynccontextmanager
    async def _asked(self, url: URL) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request over a connection of its own, which goes only where it may."""
        guard = _Guard(url.host or "", self._allowed)
        resolver = self._resolver or aiohttp.DefaultResolver()
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(resolver, guard),
            socket_factory=guard.socket,
            use_dns_cache=False,
            force_close=True,
        )
        patience = self._patience
        timeout = aiohttp.ClientTimeout(
            total=None, connect=patience.connect, sock_read=patience.idle
        )
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    timeout=timeout,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    trust_env=False,
                ) as session,
                session.get(url, headers=_HEADERS, allow_redirects=False) as response,
            ):
                yield response
        except InvalidUrlClientError as error:
            raise _no_address() from error
        except aiohttp.ClientConnectionError as error:
            if guard.stopped:
                raise _forbidden() from error
            raise
        finally:
            if self._resolver is None:
                await resolver.close()

    def _look_at(self, response: aiohttp.ClientResponse) -> None:
        """Whether this is the file, and nothing else.

        Raises:
            Unreachable, Refused: it is not.
        """
        if response.status in _ASK_LATER or response.status >= 500:
            raise SourceAway(
                f"The server that has the file answers with an error ({response.status}).",
                retry_after=_seconds(response.headers.get("Retry-After", "")),
            )
        if response.status != 200:
            raise Gone
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            msg = "The server that has the file packs it in a way that was not asked for."
            raise NotToBeFetched(msg)
        if (response.content_length or 0) > self._max_size:
            raise TooBig(self._max_size)


class _Guard:
    """Lets connections for one host go only to permitted addresses."""

    def __init__(self, host: str, allowed: Allowed) -> None:
        self.host = host
        self.stopped = False
        self._allowed = allowed

    def look(self, address: str) -> None:
        """Raises OSError for an address that is not permitted."""
        if not self._allowed.permits(self.host, address):
            self.stopped = True
            msg = "not a public address"
            raise OSError(msg)

    def socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for this very address."""
        family, kind, proto, _, address = info
        self.look(str(address[0]))
        return socket.socket(family, kind, proto)


class _GuardedResolver(AbstractResolver):
    """A host that has any address that is not permitted has none."""

    def __init__(self, inner: AbstractResolver, guard: _Guard) -> None:
        self._inner = inner
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for each in found:
            self._guard.look(each["host"])
        return found

    async def close(self) -> None:
        """The inner one belongs to others."""


def _checked(source: str) -> URL:
    """Raises NotToBeFetched for what is not a plain http(s) URL."""
    if len(source) > _LONGEST_URL or re.search(r"[\x00-\x20\x7f]", source):
        raise _no_address()
    try:
        url = URL(source)
        port = url.port
    except ValueError:
        raise _no_address() from None
    if url.scheme not in {"http", "https"} or not url.host or port == 0:
        raise _no_address()
    if url.user is not None or url.password is not None:
        raise _no_address()
    return url.with_fragment(None)


def _next(url: URL, response: aiohttp.ClientResponse) -> URL:
    """Where a redirect leads, which is never from https to http."""
    location = response.headers.get("Location", "")
    try:
        target = _checked(str(url.join(URL(location))) if location else "")
    except ValueError:
        raise _no_address() from None
    if url.scheme == "https" and target.scheme == "http":
        raise _forbidden()
    return target


async def _pieces(response: aiohttp.ClientResponse, deadline: float) -> AsyncIterator[bytes]:
    with _faults_told():
        while True:
            async with asyncio.timeout_at(deadline):
                piece = await response.content.read(PIECE)
            if not piece:
                return
            yield piece


@contextmanager
def _faults_told() -> Iterator[None]:
    """What goes wrong with a connection, as the contract calls it."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        msg = "The server that has the file does not answer."
        raise SourceAway(msg) from error


def _seconds(written: str) -> float | None:
    return float(written) if written.isdecimal() and len(written) < 6 else None


def _no_address() -> NotToBeFetched:
    return NotToBeFetched("The file's address can't be used.", "Send the file itself.")


def _forbidden() -> NotToBeFetched:
    return NotToBeFetched(
        "The file is at an address that the bridge may not fetch from.",
        "Send the file itself, or ask the bridge's admin to allow the host.",
    )
