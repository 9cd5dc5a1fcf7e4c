"""An HTTP port of the bridge's own, for those who call it.

It speaks plain HTTP: a proxy with a certificate belongs in front of it, unless the callers are on
this machine.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

_AT_ONCE: Final = 64
"""Requests. Whoever comes on top is asked to come again."""
_BODY_SECONDS: Final = 15.0
_AGAIN_SECONDS: Final = 5
_SHUTDOWN_SECONDS: Final = 2.0

Handle = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Listener:
    """Answers every request with `handle`.

    Args:
        address: where.
        handle: makes the answer.
        max_bytes: the longest body of a request, unpacked.
    """

    def __init__(self, address: Address, handle: Handle, max_bytes: int) -> None:
        self._address = address
        self._handle = handle
        self._max_bytes = max_bytes
        self._in_hand = 0

    async def run(self, report: Callable[[str], None], retry: float = 10.0) -> None:
        """Listen until cancelled; while the port can't be had, try again every `retry` seconds.

        Args:
            report: told why it can't listen, and with an empty text that it does.
            retry: seconds.
        """
        app = web.Application(client_max_size=self._max_bytes)
        app.router.add_route("*", "/{any:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            while True:
                try:
                    await web.TCPSite(runner, self._address.host, self._address.port).start()
                except OSError as error:
                    report(f"The bridge can't listen on {self._address} ({error.strerror}).")
                    await asyncio.sleep(retry)
                    continue
                report("")
                await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        if self._in_hand >= _AT_ONCE:
            return refusal(503, "Too many requests at once.", again=_AGAIN_SECONDS)
        self._in_hand += 1
        try:
            return await self._handle(request)
        finally:
            self._in_hand -= 1


async def try_address(address: Address) -> OSError | None:
    """Whether one can listen there now; the error when not."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        return error
    finally:
        await runner.cleanup()
    return None


def refusal(status: int, sentence: str, *, again: float | None = None) -> web.Response:
    """An answer that says why, and after how many seconds it is worth another attempt."""
    headers = {} if again is None else {"Retry-After": str(max(1, round(again)))}
    return web.json_response({"error": sentence}, status=status, headers=headers)


async def body_of(request: web.Request) -> bytes:
    """The whole body of a request.

    Raises:
        web.HTTPRequestEntityTooLarge: it is longer than the listener takes.
        web.HTTPRequestTimeout: it does not come.
    """
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
