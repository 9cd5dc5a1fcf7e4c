"""How the benchmark directs those who speak and hear for it: a few JSON orders over loopback HTTP.

The homeserver and the colleague understand the same two: speak, and tell what was heard.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Final, Self

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from bench.talk import Ears, Heard
from sandbox.ports import LOOPBACK

_PREFIX: Final = "/_bench"
_LIMIT_BYTES: Final = 32 * 2**20
_SPEAKING_SECONDS: Final = 600.0
_SLACK_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Speech:
    """An order to speak at a place; `per_second` 0 means all at once."""

    place: str
    run: str
    count: int
    per_second: float


Speaking = Callable[[Speech], Awaitable[list[int]]]
"""Carries out a speech and returns when each utterance was said, in nanoseconds."""


def order_routes(speaking: Speaking, ears: Ears) -> list[web.RouteDef]:
    """The routes by which a process takes orders."""

    async def speak(request: web.Request) -> web.Response:
        return _answer(await speaking(Speech(**orjson.loads(await request.read()))))

    async def heard(request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        found = await ears.listen(asked["run"], asked["count"], asked["seconds"])
        return _answer([tuple(each) for each in found])  # orjson takes no named tuples

    return [web.post(f"{_PREFIX}/speak", speak), web.post(f"{_PREFIX}/heard", heard)]


def query_route(name: str, ask: Callable[[], Awaitable[Any]]) -> web.RouteDef:
    """One more order, which takes nothing and answers with JSON."""

    async def handle(_request: web.Request) -> web.Response:
        return _answer(await ask())

    return web.post(f"{_PREFIX}/{name}", handle)


def _answer(value: Any) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


async def serve(app: web.Application, port: int) -> web.AppRunner:
    """Listen on loopback; returns once connections are accepted."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    return runner


class Director:
    """The benchmark's end: gives orders to the process on a port."""

    def __init__(self, port: int) -> None:
        self._url = f"http://{LOOPBACK}:{port}{_PREFIX}"
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def speak(self, speech: Speech) -> list[int]:
        """Have somebody speak; returns when each utterance was said, in nanoseconds."""
        said: list[int] = await self.ask("speak", asdict(speech), _SPEAKING_SECONDS)
        return said

    async def heard(self, run: str, count: int, seconds: float) -> list[Heard]:
        """What was heard of a run once so many were, or after so many seconds."""
        order = {"run": run, "count": count, "seconds": seconds}
        rows = await self.ask("heard", order, seconds + _SLACK_SECONDS)
        return [Heard(*row) for row in rows]

    async def ask(self, name: str, order: object = None, seconds: float = _SLACK_SECONDS) -> Any:
        """Give any order and return the answer."""
        if self._session is None:
            raise RuntimeError("a director works inside its block")
        async with self._session.post(
            f"{self._url}/{name}", data=orjson.dumps(order), timeout=ClientTimeout(seconds)
        ) as response:
            response.raise_for_status()
            return orjson.loads(await response.read())


async def answers(url: str) -> bool:
    """Whether a URL answers 200 now."""
    try:
        async with (
            ClientSession(timeout=ClientTimeout(5)) as session,
            session.get(url) as response,
        ):
            return response.status == web.HTTPOk.status_code
    except (ClientError, TimeoutError):
        return False
