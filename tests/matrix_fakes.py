"""What tests of the Matrix side share: a scripted homeserver, a store in memory, settings."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from bridge.config.schema import Config
from bridge.matrix.client import ActingClient
from bridge.matrix.connection import Connection
from bridge.matrix.ghosts import GhostRecord
from sandbox.appservice import AppService as Service
from sandbox.ports import LOOPBACK

ROOM = "!ward:hospital.test"
BOT = "@consilium:hospital.test"
AS_TOKEN = "as-token-of-the-test"
HS_TOKEN = "hs-token-of-the-test"


def config(homeserver: str = "http://127.0.0.1:1", **appservice: Any) -> Config:
    """A configuration that needs no network."""
    service = {
        "url": "http://127.0.0.1:29300",
        "port": 0,
        "as_token": AS_TOKEN,
        "hs_token": HS_TOKEN,
    }
    return Config.model_validate(
        {
            "homeserver": {"url": homeserver, "domain": "hospital.test"},
            "appservice": service | appservice,
        }
    )


def config_of(service: Service, url: str, domain: str, **appservice: Any) -> Config:
    """The configuration with which a bridge is this application service of the sandbox."""
    own = {
        "id": service.id,
        "url": service.url,
        "host": LOOPBACK,
        "port": service.port,
        "as_token": service.as_token,
        "hs_token": service.hs_token,
        "bot": service.bot,
        "ghost_prefix": service.ghosts,
    }
    return Config.model_validate(
        {"homeserver": {"url": url, "domain": domain}, "appservice": own | appservice}
    )


class GhostsInMemory:
    """A `GhostStore` that counts how often it is asked."""

    def __init__(self) -> None:
        self.records: dict[str, GhostRecord] = {}
        self.room_ids: dict[str, set[str]] = {}
        self.asked = 0

    async def load(self, user_id: str) -> GhostRecord | None:
        self.asked += 1
        return self.records.get(user_id)

    async def save(self, record: GhostRecord) -> None:
        self.asked += 1
        self.records[record.user_id] = record

    async def rooms(self, user_id: str) -> frozenset[str]:
        self.asked += 1
        return frozenset(self.room_ids.get(user_id, ()))

    async def add_room(self, user_id: str, room_id: str) -> None:
        self.asked += 1
        self.room_ids.setdefault(user_id, set()).add(room_id)

    async def remove_room(self, user_id: str, room_id: str) -> None:
        self.asked += 1
        self.room_ids.get(user_id, set()).discard(room_id)


@dataclass(frozen=True)
class Asked:
    """One request that the scripted homeserver got."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]

    def __str__(self) -> str:
        short = self.path.removeprefix("/_matrix/client/v3/")
        user_id = self.query.get("user_id", BOT)
        user = "" if user_id == BOT else f" as {user_id}"
        return f"{self.method} {short}{user}"


@dataclass(frozen=True)
class Reply:
    """One answer to give."""

    status: int
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, errcode: str, error: str = "no") -> Reply:
    """https://spec.matrix.org/v1.19/client-server-api/#standard-error-response"""
    return Reply(status, {"errcode": errcode, "error": error})


FORBIDDEN = refusal(403, "M_FORBIDDEN", "You may not")


class ScriptedHomeserver:
    """Says yes to everything, but for what it is told to answer otherwise."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self._script: list[tuple[str, str, list[Reply]]] = []

    def answer(self, method: str, part: str, *replies: Reply) -> None:
        """Answer requests whose path contains `part`: with each reply once, then as usual."""
        self._script.append((method, part, list(replies)))

    def always(self, method: str, part: str, reply: Reply) -> None:
        """Answer every request whose path contains `part` so."""
        self._script.append((method, part, [reply] * 1000))

    @property
    def log(self) -> list[str]:
        return [str(each) for each in self.asked]

    async def handle(self, request: web.Request) -> web.Response:
        content = await request.read()
        path = unquote(request.rel_url.raw_path)
        self.asked.append(
            Asked(
                request.method,
                path,
                dict(request.query),
                _body(content, request.content_type),
                dict(request.headers),
            )
        )
        reply = self._reply(request.method, path)
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        return web.Response(
            text=body, status=reply.status, headers=reply.headers, content_type="application/json"
        )

    def _reply(self, method: str, path: str) -> Reply:  # noqa: PLR0911 - one for each question
        for asked, part, replies in self._script:
            if asked == method and part in path and replies:
                return replies.pop(0)
        if "/state/" in path and method == "GET":
            return refusal(404, "M_NOT_FOUND")
        if "/send/" in path or "/state/" in path:
            return Reply(200, {"event_id": f"$event{len(self.asked)}"})
        if "/join/" in path:
            return Reply(200, {"room_id": path.rpartition("/join/")[2]})
        if path.endswith("/upload"):
            return Reply(200, {"content_uri": f"mxc://hospital.test/{len(self.asked)}"})
        if path.endswith("/versions"):
            return Reply(200, {"versions": ["v1.11"]})
        return Reply(200, {})

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ScriptedHomeserver"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0).start()
        self.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def _body(content: bytes, media_type: str) -> Any:
    if not content:
        return None
    return json.loads(content) if media_type == "application/json" else content


@asynccontextmanager
async def acting_bot(configured: Config) -> AsyncIterator[ActingClient]:
    """The bot's client for a configuration."""
    token = configured.appservice.as_token.get_secret_value()
    async with Connection(configured.homeserver.url, token) as connection:
        yield ActingClient(connection, configured.bot_id, configured.sender_id)
