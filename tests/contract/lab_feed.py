"""The stand-in for a web server with feeds, and an author who publishes in them."""

import hashlib
import itertools
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from aiohttp import web
from feed_stand_in import FeedServer, Post, rss

from adapters.web.feed.adapter import FeedAdapter
from adapters.web.feed.network import FeedNetwork
from adapters.web.feed.settings import FeedSettings
from bridge.contract import Inlet
from bridge.testing import NETWORK, File, Lab, Words
from sandbox.ports import LOOPBACK, free_port

_MINUTE = 0.02


class FeedLab(Lab):
    """Feeds that show all their items, the newest first."""

    def __init__(self, _directory: Path) -> None:
        self._port = free_port()
        self._server = FeedServer(f"http://{LOOPBACK}:{self._port}")
        self._posts: dict[str, list[Post]] = {}
        self._numbers = itertools.count(1)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        if self._runner is not None:
            return
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", self._server.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def network(self, inlet: Inlet) -> FeedNetwork:
        return FeedNetwork(NETWORK, "Feeds", FeedSettings(minutes=1), inlet, _MINUTE)

    async def new_group(self) -> str:
        url = FeedAdapter.normalise(f"{self._server.url}/feed{next(self._numbers)}")
        self._posts[url] = []
        self._publish(url)
        return url

    def missing_group(self) -> str:
        return f"{self._server.url}/nowhere"

    async def say(self, group: str, words: Words) -> str:
        guid = f"item-{next(self._numbers)}"
        text = escape(words.text)
        summary = f"<p><b>{text}</b></p>" if words.bold else f"<p>{text}</p>"
        post = Post(guid, "", summary, datetime.now(UTC), author=self.colleague)
        if words.file is not None:
            post.more = self._enclosure(words.file)
        self._posts[group].append(post)
        self._publish(group)
        return guid

    async def edit(self, group: str, ident: str, text: str) -> None:
        posts = self._posts[group]
        at = next(number for number, post in enumerate(posts) if post.guid == ident)
        posts[at] = replace(posts[at], summary=f"<p>{escape(text)}</p>")
        self._publish(group)

    def _enclosure(self, file: File) -> str:
        path = f"/files/{hashlib.sha256(file.data).hexdigest()}/{file.name}"
        self._server.pages[path] = file.data
        url = f"{self._server.url}{path}"
        return f"<enclosure url='{url}' type='{file.mime}' length='{len(file.data)}'/>"

    def _publish(self, group: str) -> None:
        self._server.pages[group.removeprefix(self._server.url)] = rss(self._posts[group][::-1])
