"""The one HTTP session to the homeserver, shared by everyone the bridge acts as."""

import asyncio
from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever it is. `body` is None if it is not a JSON object."""

    status: int
    body: JsonObject | None
    retry_after: str | None = None


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
        data: bytes | None,
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


def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)


_TIMEOUT = _timeout(REQUEST_SECONDS)


def _parsed(content: bytes) -> JsonObject | None:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
