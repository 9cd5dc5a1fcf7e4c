"""A system that posts to a hook of the bridge, and is posted to."""

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from adapters.web.hook.network import WebhookNetwork
from adapters.web.hook.settings import WebhookSettings
from bridge.contract import Inlet
from bridge.testing import NETWORK, File, Lab, Shown, Words
from sandbox.ports import LOOPBACK, free_port

_SECRET = "a-secret-of-the-tests"
_AGAIN = 0.02
_NEAR = 5
"""A run knows so many hooks before and after the latest."""


class HookLab(Lab):
    """A system that keeps what it is told, and posts again what was not taken.

    Args:
        template: whether it has JSON of its own, of which a template makes messages.
    """

    def __init__(self, _directory: Path, *, template: bool) -> None:
        self._template = template
        self._port, self._bridge_port = free_port(), free_port()
        self._hooks = 0
        self._ids = itertools.count(1)
        self._told: dict[str, list[dict[str, Any]]] = {}
        self._said: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._files: dict[str, File] = {}
        self._queues: dict[str, asyncio.Queue[dict[str, Any]]] = defaultdict(asyncio.Queue)
        self._posters: dict[str, asyncio.Task[None]] = {}
        self._runner: web.AppRunner | None = None

    # --- the system

    async def start(self) -> None:
        if self._runner is not None:
            return
        app = web.Application()
        app.router.add_post("/take", self._take)
        app.router.add_get("/files/{name}", self._give)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port).start()
        for group in self._queues:
            self._posters[group] = asyncio.create_task(self._post(group))

    async def stop(self) -> None:
        if self._runner is None:
            return
        for poster in self._posters.values():
            poster.cancel()
        await asyncio.gather(*self._posters.values(), return_exceptions=True)
        self._posters.clear()
        await self._runner.cleanup()
        self._runner = None

    def network(self, inlet: Inlet) -> WebhookNetwork:
        hook = {"secret": _SECRET, "url": f"{self._url}/take", "url_secret": _SECRET}
        if self._template:
            hook |= {
                "text": "{{ payload.says }}", "author": "{{ payload.who }}",
                "id": "{{ payload.number }}", "topic": "{{ payload.case }}",
            }  # fmt: skip
        near = range(max(0, self._hooks - _NEAR), self._hooks + _NEAR)
        hooks = {f"hook{number}": hook for number in near}
        settings = WebhookSettings.model_validate({"port": self._bridge_port, "hooks": hooks})
        return WebhookNetwork(NETWORK, "Systems", settings, inlet)

    async def new_group(self) -> str:
        self._hooks += 1
        return f"hook{self._hooks}"

    def missing_group(self) -> str:
        return "nowhere"

    @property
    def _url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    async def _take(self, request: web.Request) -> web.Response:
        """A system knows by its id what it was told before, as Standard Webhooks have it."""
        event = await request.json()
        known = self._told.setdefault(event["hook"], [])
        if event["id"] not in [each["id"] for each in known]:
            known.append(event)
        return web.Response(status=204)

    async def _give(self, request: web.Request) -> web.Response:
        file = self._files[request.match_info["name"]]
        return web.Response(body=file.data, content_type=file.mime)

    async def _post(self, group: str) -> None:
        """Post one after the other, each until it is taken."""
        headers = {"Authorization": f"Bearer {_SECRET}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            while True:
                payload = await self._queues[group].get()
                while not await self._posted(session, group, payload):  # noqa: ASYNC110
                    await asyncio.sleep(_AGAIN)  # as systems do

    async def _posted(
        self, session: aiohttp.ClientSession, group: str, payload: dict[str, Any]
    ) -> bool:
        url = f"http://{LOOPBACK}:{self._bridge_port}/hook/{group}"
        try:
            async with session.post(url, data=json.dumps(payload)) as answer:
                assert answer.status in {202, 503}, await answer.text()
                return answer.status == 202
        except aiohttp.ClientConnectionError:
            return False

    # --- what it says

    async def say(self, group: str, words: Words) -> str:
        ident = f"event-{next(self._ids)}"
        payload: dict[str, Any] = {
            "text": words.text, "emote": words.emote, "reply_to": words.reply_to,
            "topic": words.topic,
        }  # fmt: skip
        if words.bold:
            payload["html"] = f"<p><b>{words.text}</b></p>"
        if words.mention:
            payload["text"] += ", @Dora"
            payload["mentions"] = [{"id": "dora", "span": "@Dora"}]
        if words.file is not None:
            file = words.file
            self._files[ident] = file
            told = {"url": f"{self._url}/files/{ident}", "name": file.name, "mime": file.mime}
            payload["files"] = [told]
        said = {"type": "message", "id": ident, "author": {"name": self.colleague}}
        self._said[group].append({**said, "html": None, "mentions": [], **payload})
        if self._template:
            payload = {
                "says": words.text, "who": self.colleague, "number": ident,
                "case": words.topic or ident,
            }  # fmt: skip
        return await self._tell(group, {"type": "message", **payload}, ident)

    async def edit(self, group: str, ident: str, text: str) -> None:
        await self._tell(group, {"type": "edited", "target": ident, "text": text})

    async def delete(self, group: str, ident: str) -> None:
        await self._tell(group, {"type": "deleted", "target": ident})

    async def moderate(self, group: str, ident: str) -> None:
        await self._tell(group, {"type": "deleted", "target": ident, "moderated": True})

    async def react(self, group: str, ident: str, emoji: str, *, gone: bool = False) -> None:
        await self._tell(group, {"type": "reacted", "target": ident, "emoji": emoji, "gone": gone})

    async def _tell(self, group: str, payload: dict[str, Any], ident: str = "") -> str:
        """Post it when its turn comes."""
        ident = ident or f"event-{next(self._ids)}"
        payload = {"id": ident, "author": {"name": self.colleague}, **payload}
        await self._queues[group].put(payload)
        if group not in self._posters:
            self._posters[group] = asyncio.create_task(self._post(group))
        return ident

    # --- what it was told

    def _all(self, group: str) -> list[dict[str, Any]]:
        """What was said there, by the system and others."""
        return [*self._said[group], *self._told.get(group, [])]

    def _events(self, group: str, *kinds: str) -> list[dict[str, Any]]:
        return [each for each in self._told.get(group, []) if each["type"] in kinds]

    async def shown(self, group: str) -> Sequence[Shown]:
        seen: dict[str, Shown] = {}
        for event in self._all(group):
            target = event.get("target")
            match event["type"]:
                case "message":
                    seen[event["id"]] = _as_seen(event)
                case "edited":
                    seen[target] = replace(seen[target], text=event["text"])
                case "deleted":
                    seen.pop(target, None)
                case "reacted":
                    emojis = {event["emoji"]} ^ set(seen[target].reactions)
                    seen[target] = replace(seen[target], reactions=tuple(emojis))
        return list(seen.values())

    async def people(self, group: str) -> Sequence[str]:
        present: dict[str, None] = {}
        for event in self._events(group, "joined", "left"):
            name = event["author"]["name"]
            if event["type"] == "joined":
                present[name] = None
            else:
                present.pop(name, None)
        return list(present)

    async def subject(self, group: str) -> str:
        return str(self._events(group, "subject")[-1]["subject"])

    async def title(self, group: str) -> str:
        return str(self._events(group, "title")[-1]["title"])


def _as_seen(event: dict[str, Any]) -> Shown:
    topic = event["topic"]
    return Shown(
        event["id"],
        event["author"]["name"],
        event["text"],
        html=event["html"] or "",
        emote=event["emote"],
        reply_to=event["reply_to"],
        topic=None if topic == event["id"] else topic,
        mentions=tuple(each["span"].removeprefix("@") for each in event["mentions"]),
    )
