"""Gets documents from addresses that an admin chose, and from where those redirect to.

The admin may name an address in the house. A server out on the internet must not lead there: so a
redirect is followed to a private address only when the first one was private itself.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from adapters.web.addresses import PRIVATE, Resolver, is_public
from bridge.contract import Refused, Unreachable

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PERMANENT: Final = frozenset({301, 308})
_MOST_REDIRECTS: Final = 5
_SECONDS: Final = 30.0
_PIECE: Final = 65_536
USER_AGENT: Final = "Consilium (bridge for Matrix)"


@dataclass(frozen=True, slots=True)
class Login:
    """A name and password for HTTP Basic authentication (RFC 7617)."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of the Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer. `moved`: where the document is from now on, when it has moved for good."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    moved: str | None = None
    url: str = ""


class Fetcher:
    """To be entered before use.

    Args:
        max_bytes: how long a document may be, unpacked.
        seconds: how long it may take altogether.
    """

    def __init__(self, max_bytes: int, seconds: float = _SECONDS) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._known: Resolver | None = None
        self._anywhere: aiohttp.ClientSession | None = None
        self._public: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._known = Resolver(private=True)
        self._anywhere = _session(self._known)
        self._public = _session(Resolver(private=False))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in (self._anywhere, self._public):
            if session is not None:
                await session.close()

    async def get(
        self, url: str, headers: Mapping[str, str] | None = None, login: Login | None = None
    ) -> Fetched:
        """Get a document, following redirects. Its status is not judged.

        Args:
            url: where it is.
            headers: sent everywhere.
            login: sent to the first address only, and others of the same origin.

        Raises:
            Unreachable: no answer came, or none that ends.
            Refused: it is too long, or leads where it must not.
        """
        private = {} if login is None else {"Authorization": login.header}
        async with self.open(url, headers, private) as opened:
            body = bytearray()
            async for piece in opened.pieces():
                body += piece
            return Fetched(
                opened.answer.status,
                opened.answer.headers,
                bytes(body),
                opened.moved,
                str(opened.answer.url),
            )

    @asynccontextmanager
    async def open(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        private: Mapping[str, str] | None = None,
    ) -> AsyncIterator["Opened"]:
        """As `get`, and to be read piece by piece. `private` are headers for the first origin."""
        host = URL(url).host or url
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(_no_longer_than(self._seconds, host))
            with _told(host):
                opened = await self._follow(
                    stack, URL(url), dict(headers or {}), dict(private or {})
                )
            yield opened

    async def _follow(
        self, stack: AsyncExitStack, url: URL, headers: dict[str, str], private: dict[str, str]
    ) -> "Opened":
        origin, session, for_good = url.origin(), self._anywhere, True
        moved: URL | None = None
        for _ in range(_MOST_REDIRECTS + 1):
            if session is None:
                raise Unreachable("The bridge is not connected yet.")
            _expect_allowed(url, public=session is self._public)
            sent = headers | (private if url.origin() == origin else {})
            asking = session.get(url, headers=sent, allow_redirects=False)
            answer = await stack.enter_async_context(asking)
            if answer.status not in _REDIRECTS or "Location" not in answer.headers:
                return Opened(answer, None if moved is None else str(moved), self._max_bytes)
            answer.close()
            if self._known is None or self._known.leads_out(url.host or ""):
                session = self._public
            for_good = for_good and answer.status in _PERMANENT
            target = url.join(URL(answer.headers["Location"])).with_fragment(None)
            if url.scheme == "https" and target.scheme == "http":
                raise Refused(f"{url.host} redirects to an address without encryption.")
            url = target
            moved = target if for_good else moved
        raise Unreachable(f"{origin.host} redirects in circles.")


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer that is still to be read; `moved` as in `Fetched`."""

    answer: aiohttp.ClientResponse
    moved: str | None
    max_bytes: int

    async def pieces(self) -> AsyncIterator[bytes]:
        """What it holds, unpacked.

        Raises:
            Refused: it is too long.
        """
        length, host = 0, self.answer.url.host or ""
        pieces = self.answer.content.iter_chunked(_PIECE)
        while True:
            with _told(host):
                piece = await anext(pieces, b"")
            if not piece:
                return
            length += len(piece)
            if length > self.max_bytes:
                self.answer.close()
                raise Refused(f"{host} answers with more than {self.max_bytes:,} bytes.")
            yield piece


@asynccontextmanager
async def _no_longer_than(seconds: float, host: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Unreachable(f"{host} does not answer in time.") from None


@contextmanager
def _told(host: str) -> Iterator[None]:
    """Faults of a connection, in words."""
    try:
        yield
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise Unreachable(f"{host} can't be reached ({in_words(error)}).") from None


def _session(resolver: Resolver) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=16, resolver=resolver),
        headers={"User-Agent": USER_AGENT},
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=15.0, sock_read=30.0),
    )


def _expect_allowed(url: URL, *, public: bool) -> None:
    """The resolver never sees a host that is written as an address; so it is looked at here."""
    if url.scheme not in {"http", "https"} or not url.host:
        raise Refused("It leads to what is no web address.")
    literal = ":" in url.host or url.host.replace(".", "").isdigit()
    if public and literal and not is_public(url.host):
        raise Refused("It leads to a private address.")


def in_words(error: BaseException) -> str:
    """Why a connection failed, in a few words for people."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "its certificate is not valid"
        case aiohttp.ClientConnectorDNSError():
            cause = error.os_error
            return PRIVATE if PRIVATE in str(cause) else "the host is not found"
        case aiohttp.ClientConnectorError():
            return "connection refused" if error.os_error.errno == 111 else "no connection"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "the connection was cut"
        case aiohttp.ClientPayloadError():
            return "the answer is broken"
    return "the answer is no proper HTTP"
