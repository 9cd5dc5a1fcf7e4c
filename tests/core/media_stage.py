"""Servers of files on loopback, for tests of how files are fetched."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from bridge.media.addresses import Allowed
from bridge.media.fetcher import Fetcher, Patience
from bridge.model import Attachment, MediaKind

OUTSIDE = "127.0.0.2"
"""Allowed in tests, as if it were public."""
INSIDE = "127.0.0.1"
"""As private as it is."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Host:
    """A server at one address. `asked` are the paths that were asked for."""

    address: str
    handlers: dict[str, Handler] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    port: int = 0

    def url(self, path: str, host: str | None = None) -> str:
        return f"http://{host or self.address}:{self.port}{path}"

    def serves(self, path: str, content: bytes, **headers: str) -> None:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(
                body=content, headers={k.replace("_", "-"): v for k, v in headers.items()}
            )

        self.handlers[path] = answer

    def redirects(self, path: str, target: str) -> None:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": target})

        self.handlers[path] = answer

    def answers(self, path: str, status: int, **headers: str) -> None:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(
                status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
            )

        self.handlers[path] = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        self.requests.append(request)
        handler = self.handlers.get(request.path)
        return await handler(request) if handler else web.Response(status=404)

    @classmethod
    @asynccontextmanager
    async def at(cls, address: str) -> AsyncIterator["Host"]:
        made = cls(address)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", made.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, address, 0).start()
        made.port = runner.addresses[0][1]
        try:
            yield made
        finally:
            await runner.cleanup()


@dataclass
class NameServer(AbstractResolver):
    """Answers with what was written down for a host: each time the next list of addresses."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        lists = self.answers.get(host)
        if not lists:
            msg = "no such host"
            raise OSError(msg)
        addresses = lists.pop(0) if len(lists) > 1 else lists[0]
        return [
            ResolveResult(
                hostname=host, host=each, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for each in addresses
        ]

    async def close(self) -> None:
        pass


def fetcher(
    names: NameServer | None = None, *, max_size: int = 1_000_000, patience: Patience | None = None
) -> Fetcher:
    return Fetcher(
        Allowed([OUTSIDE]),
        max_size=max_size,
        patience=patience or Patience(connect=2, idle=2, total=5),
        resolver=names or NameServer(),
    )


def attached(source: str, **claims: object) -> Attachment:
    return Attachment(**{"kind": MediaKind.FILE, "source": source, **claims})  # type: ignore[arg-type]
