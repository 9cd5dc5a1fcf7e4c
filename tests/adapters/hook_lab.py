"""The webhook adapter at work, a caller, and a stand-in for a system that is posted to."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web
from recording_inlet import RecordingInlet

from adapters.web.hook.network import WebhookNetwork
from adapters.web.hook.settings import WebhookSettings
from adapters.web.hook.signature import key_of, signed_headers
from bridge.contract import Copy, Outgoing
from bridge.model import Author, Deliverable, Place, Roster
from sandbox.journal import Journal
from sandbox.ports import LOOPBACK, free_port

SECRET = "a-secret-of-the-tests"
OTHER_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ANN = Author("matrix", "@ann:hospital.example", "Dr. Ann")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

_keys = itertools.count(1)


@dataclass
class Bench:
    """The adapter, who calls it, and what it heard."""

    network: WebhookNetwork
    inlet: RecordingInlet
    session: aiohttp.ClientSession
    port: int

    async def post(
        self,
        payload: Any,
        name: str = "lab",
        *,
        secret: str = SECRET,
        path: str = "/hook/",
        **headers: str,
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Post as a system that sends its token."""
        sent = {"Authorization": f"Bearer {secret}"}
        sent |= {key.replace("_", "-"): value for key, value in headers.items()}
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return await self.request(f"{path}{name}", body, sent)

    async def post_signed(
        self, payload: Any, ident: str, *, name: str = "lab", ago: float = 0, secret: str = SECRET
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        body = json.dumps(payload).encode()
        headers = signed_headers(key_of(secret), ident, int(time.time() - ago), body)
        return await self.request(f"/hook/{name}", body, headers)

    async def request(
        self, path: str, body: bytes, headers: dict[str, str], method: str = "POST"
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        url = f"http://{LOOPBACK}:{self.port}{path}"
        async with self.session.request(method, url, data=body, headers=headers) as answer:
            text = await answer.text()
            said = json.loads(text) if text.startswith("{") else {"text": text}
            return answer.status, said, dict(answer.headers)

    def outgoing(
        self, make: Callable[[Place], Deliverable], name: str = "lab", **more: Any
    ) -> Outgoing:
        place = Place("systems", name)
        return Outgoing(place, f"{next(_keys):a>26}", make(Place("matrix", "!room:x")), **more)


@asynccontextmanager
async def running(
    hooks: dict[str, dict[str, Any]], *, linked: tuple[str, ...] = ("lab",)
) -> AsyncIterator[Bench]:
    port, inlet = free_port(), RecordingInlet()
    settings = WebhookSettings.model_validate({"port": port, "hooks": hooks})
    network = WebhookNetwork("systems", "Systems", settings, inlet)
    async with aiohttp.ClientSession() as session:
        task = asyncio.create_task(network.run())
        try:
            await inlet.up(None)
            for name in linked:
                await network.open(name, ())
                await inlet.first(Roster)
                await inlet.up(name)
            yield Bench(network, inlet, session, port)
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()


def copy(ident: str) -> Copy:
    return Copy(ident, ANN, NOW, "what was said", key="a" * 26)


@dataclass(frozen=True)
class Posted:
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class System:
    """A system that is posted to: real HTTP on loopback. `answers` are used up, one by one."""

    url: str = ""
    answers: list[Callable[[], web.Response]] = field(default_factory=list)
    slow: asyncio.Event = field(default_factory=asyncio.Event)
    posted: Journal[Posted] = field(default_factory=lambda: Journal("what was posted"))

    def __post_init__(self) -> None:
        self.slow.set()

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.posted.add(Posted(dict(request.headers), await request.read()))
        await self.slow.wait()
        return self.answers.pop(0)() if self.answers else web.Response(status=204)


@asynccontextmanager
async def system() -> AsyncIterator[System]:
    found, app = System(), web.Application()
    app.router.add_route("*", "/{any:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        found.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}/take"
        yield found
    finally:
        found.slow.set()
        await runner.cleanup()
