"""The one HTTP session to the homeserver, shared by everyone the bridge acts as."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp
import orjson
from yarl import URL

from bridge.contract import Unreachable
from bridge.matrix.faults import fault
from bridge.matrix.raw import JsonObject

REQUEST_SECONDS: Final = 30.0
"""How long a request may take, the wait for a free connection included."""

_CONNECT_SECONDS: Final = 10.0
_CONNECTIONS_MAX: Final = 64
_PAUSE_SECONDS: Final = 30.0
"""Longest wait for the next piece of a file."""

_PIECE: Final = 65_536
_ERROR_BYTES: Final = 65_536
_ELSEWHERE: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever it is. `body` is None if it is not a JSON object."""

    status: int
    body: JsonObject | None
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way: its pieces, and its size in bytes where that is told."""

    pieces: AsyncIterator[bytes]
    size: int | None


class Connection:
    """Requests to one homeserver, authorised by the as_token.

    The token travels in the Authorization header only, and redirects are not followed: they would
    carry it elsewhere. Nothing is retried here; whoever calls knows what a fault means to it.

    Args:
        url: the homeserver's, without a slash at its end.
        token: the as_token.

    Attributes:
        answers: whether the last request was answered, or may be so still.
        outages: how often it stopped answering, be it that it was restarted; not that it was slow.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._session: aiohttp.ClientSession | None = None
        self._has_answered = False
        self.answers = True
        self.outages = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session; a later request opens another."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self, method: str, path: str, body: object = None, *, timeout: float | None = None
    ) -> JsonObject:
        """Send a request and return the JSON object that came back with a status of 2xx.

        Args:
            method: GET, PUT, POST or DELETE.
            path: path and query below the homeserver's url, percent-encoded.
            body: what to send as JSON; nothing for None.
            timeout: seconds, if other than `REQUEST_SECONDS`.

        Raises:
            Denied: the homeserver won't.
            Unreachable: it can't now, or can't be reached.
        """
        return self._granted(await self.exchange(method, path, body, timeout=timeout))

    async def upload(
        self, path: str, content: bytes, media_type: str, *, timeout: float
    ) -> JsonObject:
        """POST bytes that are not JSON; else as `request`.

        Args:
            path: path and query below the homeserver's url, percent-encoded.
            content: what to send.
            media_type: what it is, for the Content-Type header.
            timeout: seconds for all of it.

        Raises:
            Denied: the homeserver won't.
            Unreachable: it can't now, or can't be reached.
        """
        headers = {"Content-Type": media_type}
        return self._granted(await self._send("POST", path, content, headers, timeout))

    async def send_file(
        self,
        path: str,
        pieces: AsyncIterable[bytes],
        *,
        size: int,
        media_type: str,
        timeout: float,
    ) -> JsonObject:
        """POST a file piece by piece; else as `upload`. `size` is its length in bytes.

        Raises:
            Denied: the homeserver won't.
            Unreachable: it can't now, or can't be reached.
        """
        headers = {"Content-Type": media_type, "Content-Length": str(size)}
        return self._granted(await self._send("POST", path, pieces, headers, timeout))

    @asynccontextmanager
    async def fetch_file(self, path: str, *, timeout: float) -> AsyncIterator[Download]:
        """GET a file, which is read piece by piece while the context lasts.

        One that the homeserver keeps elsewhere is fetched from there, without the token:
        https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid

        Args:
            path: path and query below the homeserver's url, percent-encoded.
            timeout: seconds for all of it.

        Raises:
            Denied: the homeserver won't.
            Unreachable: it can't now, or can't be reached; also while the file is read.
        """
        session = self._session or self._open()
        url = URL(self.url + path, encoded=True)
        limits = _timeout(timeout, pause=_PAUSE_SECONDS)
        with self._broken():
            async with session.get(url, allow_redirects=False, timeout=limits) as response:
                if response.status not in _ELSEWHERE:
                    yield await self._download(response)
                    return
                target = url.join(_address(response.headers.get("Location", "")))
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as bare,
                bare.get(target, max_redirects=3, timeout=limits) as response,
            ):
                yield await self._download(response)

    async def _download(self, response: aiohttp.ClientResponse) -> Download:
        if response.status != 200:
            body = _parsed(await response.content.read(_ERROR_BYTES))
            raise fault(response.status, body, response.headers.get("Retry-After"), self.url)
        return Download(response.content.iter_chunked(_PIECE), response.content_length)

    @contextmanager
    def _broken(self) -> Iterator[None]:
        """Tell what the connection does to whoever uses it."""
        try:
            yield
        except TimeoutError as error:
            raise Unreachable(f"The homeserver at {self.url} does not answer.") from error
        except aiohttp.ClientError as error:
            sentence = f"The connection to the homeserver at {self.url} broke."
            raise Unreachable(sentence) from error

    async def exchange(
        self, method: str, path: str, body: object = None, *, timeout: float | None = None
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        Raises:
            Unreachable: there was no answer.
        """
        data = None if body is None else orjson.dumps(body)
        return await self._send(method, path, data, None, timeout)

    async def _send(
        self,
        method: str,
        path: str,
        data: bytes | AsyncIterable[bytes] | None,
        headers: Mapping[str, str] | None,
        timeout: float | None,
    ) -> Answer:
        session = self._session or self._open()
        try:
            async with session.request(
                method,
                URL(self.url + path, encoded=True),
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=_TIMEOUT if timeout is None else _timeout(timeout),
            ) as response:
                content = await response.read()
        except aiohttp.ClientConnectorError as error:
            # aiohttp sends a request again by itself when a connection that was kept breaks over
            # it: the homeserver may have done what it was asked before it went down.
            self._note_outage()
            sentence = f"The homeserver is not reachable at {self.url}."
            raise Unreachable(sentence, doubtful=self._has_answered) from error
        except TimeoutError as error:
            sentence = f"The homeserver at {self.url} does not answer."
            raise Unreachable(sentence, doubtful=True) from error
        except aiohttp.ClientError as error:
            self._note_outage()
            sentence = f"The connection to the homeserver at {self.url} broke."
            raise Unreachable(sentence, doubtful=True) from error
        self._has_answered = self.answers = True
        return Answer(response.status, _parsed(content), response.headers.get("Retry-After"))

    def _note_outage(self) -> None:
        if self.answers:
            self.answers = False
            self.outages += 1

    def _granted(self, answer: Answer) -> JsonObject:
        if 200 <= answer.status < 300 and answer.body is not None:
            return answer.body
        raise fault(answer.status, answer.body, answer.retry_after, self.url)

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_TIMEOUT,
            loop=asyncio.get_running_loop(),
        )
        return self._session


def _timeout(seconds: float, pause: float | None = None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS, sock_read=pause)


_TIMEOUT = _timeout(REQUEST_SECONDS)


def _address(text: str) -> URL:
    try:
        return URL(text)
    except ValueError as error:
        raise Unreachable("The homeserver keeps this file at an impossible address.") from error


def _parsed(content: bytes) -> JsonObject | None:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
