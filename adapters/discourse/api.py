"""Asks the forum: one request, one answer, and never while it asked to wait."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp
import orjson

from adapters.discourse.credentials import Credentials
from adapters.discourse.errors import Declined, Redirected, expect_well
from adapters.discourse.settings import DiscourseSettings
from adapters.web.fetching import USER_AGENT, in_words
from bridge.contract import Unreachable

_SECONDS: Final = 30.0
_UPLOAD_SECONDS: Final = 55.0
_LONGEST_ANSWER: Final = 20_000_000
_PIECE: Final = 65_536
_WAITS: Final = 5
_LONGEST_WAIT: Final = 120.0

Json = dict[str, Any]
Params = Mapping[str, Any] | Sequence[tuple[str, str]] | None


class Api:
    """A forum's REST API (docs.discourse.org).

    Args:
        settings: where it is.
        name: how people call it.
        credentials: as whom it is asked.
        session: the connection, closed by whoever made it.
        seconds: how long an answer may take.
    """

    def __init__(
        self,
        settings: DiscourseSettings,
        name: str,
        credentials: Credentials,
        session: aiohttp.ClientSession,
        seconds: float = _SECONDS,
    ) -> None:
        self._url = settings.url
        self._name = name
        self._credentials = credentials
        self._session = session
        self._seconds = seconds
        self._not_before = 0.0

    async def get(self, path: str, params: Params = None) -> Json:
        """Read something.

        Raises:
            Unreachable: not now.
            Declined: it is not there, or not for the bridge.
        """
        return await self._ask("GET", path, params=params)

    async def get_patiently(self, path: str, params: Params = None) -> Json:
        """Read something that is one of many: when the forum asks to wait, wait, and go on.

        Raises:
            Unreachable: not now.
            Declined: it is not there, or not for the bridge.
        """
        for _ in range(_WAITS):
            try:
                return await self.get(path, params)
            except Unreachable as error:
                if error.retry_after is None or error.retry_after > _LONGEST_WAIT:
                    raise
                await asyncio.sleep(error.retry_after)
        return await self.get(path, params)

    async def redirect(self, path: str) -> str | None:
        """Where a path redirects to; None when it is not there.

        Raises:
            Unreachable: not now.
        """
        try:
            await self._ask("GET", path)
        except Redirected as error:
            return error.location
        except Declined as error:
            if error.status in {403, 404}:
                return None
            raise
        return None

    async def change(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params = None,
    ) -> Json:
        """Change something, as the bridge or with the `headers` of somebody else.

        Raises:
            Unreachable: not now; it may have happened.
            Declined: no.
        """
        return await self._ask(method, path, json=body, headers=headers, params=params)

    async def upload(self, form: aiohttp.FormData, headers: Mapping[str, str]) -> Json:
        """Upload a file.

        Raises:
            Unreachable: not now.
            Declined: the forum does not take it.
        """
        return await self._ask(
            "POST", "/uploads.json", data=form, headers=headers, seconds=_UPLOAD_SECONDS
        )

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        **more: Any,  # noqa: ANN401 - what aiohttp takes
    ) -> Json:
        self._expect_time()
        changing = method != "GET"
        sent = {
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
            **(headers or self._credentials.relay),
        }
        try:
            async with (
                asyncio.timeout(seconds or self._seconds),
                self._session.request(
                    method, self._url + path, headers=sent, allow_redirects=False, **more
                ) as answer,
            ):
                body = await self._read(answer)
        except TimeoutError:
            raise Unreachable(f"{self._name} does not answer.", doubtful=changing) from None
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(f"{self._name} can't be reached ({in_words(error)}).") from None
        except aiohttp.ClientError as error:
            raise Unreachable(
                f"{self._name} fails ({in_words(error)}).", doubtful=changing
            ) from None
        self._expect_well(answer, body, changing=changing)
        return self._parsed(body)

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in answer.content.iter_chunked(_PIECE):
            body += piece
            if len(body) > _LONGEST_ANSWER:
                answer.close()
                raise Unreachable(f"{self._name} answers with too much.")
        return bytes(body)

    def _expect_time(self) -> None:
        left = self._not_before - time.monotonic()
        if left > 0:
            raise Unreachable(f"{self._name} asks to wait.", retry_after=left)

    def _expect_well(self, answer: aiohttp.ClientResponse, body: bytes, *, changing: bool) -> None:
        try:
            expect_well(self._name, answer.status, answer.headers, body, changing=changing)
        except Unreachable as error:
            if error.retry_after is not None:
                self._not_before = time.monotonic() + error.retry_after
            raise

    def _parsed(self, body: bytes) -> Json:
        if not body.strip():
            return {}
        try:
            said = orjson.loads(body)
        except ValueError:
            raise Unreachable(f"{self._name} answers with what is no JSON.") from None
        return said if isinstance(said, dict) else {"list": said}
