"""A stand-in for a web server with feeds: real HTTP on loopback, answers as the tests want them."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

from aiohttp import web

from sandbox.journal import Journal
from sandbox.ports import LOOPBACK


@dataclass
class Post:
    guid: str
    title: str = ""
    summary: str = ""
    when: datetime | None = None
    updated: datetime | None = None
    author: str = ""
    more: str = ""


def rss(posts: Sequence[Post], title: str = "The Journal") -> bytes:
    """RSS 2.0 (https://www.rssboard.org/rss-specification), the newest item first."""
    items = "".join(
        f"<item><guid isPermaLink='false'>{escape(post.guid)}</guid>"
        f"<title>{escape(post.title)}</title>"
        f"<link>https://journal.example/{escape(post.guid)}</link>"
        f"<description>{escape(post.summary)}</description>"
        + (f"<pubDate>{format_datetime(post.when)}</pubDate>" if post.when else "")
        + (f"<dc:creator>{escape(post.author)}</dc:creator>" if post.author else "")
        + f"{post.more}</item>"
        for post in posts
    )
    return (
        "<?xml version='1.0'?><rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'>"
        f"<channel><title>{escape(title)}</title><link>https://journal.example/</link>{items}"
        "</channel></rss>"
    ).encode()


def atom(posts: Sequence[Post]) -> bytes:
    """Atom (RFC 4287)."""
    entries = "".join(
        f"<entry><id>{escape(post.guid)}</id><title>{escape(post.title)}</title>"
        f"<link href='https://journal.example/{escape(post.guid)}'/>"
        + (f"<author><name>{escape(post.author)}</name></author>" if post.author else "")
        + (f"<published>{post.when.isoformat()}</published>" if post.when else "")
        + (f"<updated>{post.updated.isoformat()}</updated>" if post.updated else "")
        + f"<summary type='html'>{escape(post.summary)}</summary>{post.more}</entry>"
        for post in posts
    )
    return (
        "<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'>"
        f"<title>The Journal</title>{entries}</feed>"
    ).encode()


@dataclass(frozen=True)
class Asked:
    path: str
    status: int
    headers: dict[str, str]


@dataclass
class FeedServer:
    """`pages` maps paths to documents; `answers` to another answer instead."""

    url: str = ""
    pages: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, web.Response] = field(default_factory=dict)
    asked: Journal[Asked] = field(default_factory=lambda: Journal("the requests"))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        answer = self._answer(request)
        self.asked.add(Asked(request.path, answer.status, dict(request.headers)))
        return answer

    def _answer(self, request: web.Request) -> web.Response:
        if request.path in self.answers:
            given = self.answers[request.path]
            return web.Response(status=given.status, headers=given.headers, body=given.body)
        page = self.pages.get(request.path)
        if page is None:
            return web.Response(status=404)
        etag = f'"{hashlib.sha256(page).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=page, content_type="application/rss+xml", headers={"ETag": etag})

    async def wait_asked(self, status: int, *, path: str = "/feed", after: int = 0) -> Asked:
        return await self.asked.wait_for(
            lambda each: each.status == status and each.path == path, after=after
        )


@asynccontextmanager
async def feed_server(host: str = LOOPBACK) -> AsyncIterator[FeedServer]:
    server = FeedServer()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        server.url = f"http://{host}:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
