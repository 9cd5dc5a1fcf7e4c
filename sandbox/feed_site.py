"""A journal's web site with a feed (Atom, RFC 4287), on loopback."""

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self
from xml.sax.saxutils import escape

from aiohttp import web

from sandbox.ports import LOOPBACK

_PATIENCE = 20.0
"""Seconds for which a reader is kept waiting for news: less than the bridge waits for an answer."""


@dataclass(frozen=True)
class Article:
    """What the feed shows of an article. `updated` is later than `published` once it is changed."""

    id: str
    author: str
    title: str
    summary: str
    published: datetime
    updated: datetime


class FeedSite:
    """The site. A reader who has seen all that there is is answered when there is more, or after a
    while: so that nobody has to wait a minute, which is how often the bridge asks at most.
    """

    def __init__(self, title: str = "The Heart Journal") -> None:
        self.title = title
        self.articles: list[Article] = []
        self._url = ""
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def feed(self) -> str:
        """The address of the feed, which is the group's id."""
        return f"{self._url}/feed"

    async def publish(self, title: str, summary: str, author: str) -> Article:
        """Put an article on the site, when a second begins: dates in feeds have no fractions, and
        one of before the bridge looked would be an old article.
        """
        now = _next_second()
        while (early := (now - datetime.now(UTC)).total_seconds()) > 0:  # noqa: ASYNC110 - a clock
            await asyncio.sleep(early)
        ident = f"urn:article:{len(self.articles) + 1}"
        self.articles.append(Article(ident, author, title, summary, now, now))
        self._wake()
        return self.articles[-1]

    def correct(self, article: Article, summary: str) -> None:
        """Change what an article says."""
        place = next(n for n, each in enumerate(self.articles) if each.id == article.id)
        later = max(_next_second(), article.published + timedelta(seconds=1))
        self.articles[place] = replace(article, summary=summary, updated=later)
        self._wake()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/feed", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0).start()
        self._url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        known = request.headers.get("If-None-Match", "")
        try:
            async with asyncio.timeout(_PATIENCE):
                while not self.articles or self._etag() == known:
                    await self._changed.wait()
        except TimeoutError:
            pass  # nothing new, which the answer says
        etag = self._etag()
        if etag == known:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(
            text=self._page(), content_type="application/atom+xml", headers={"ETag": etag}
        )

    def _etag(self) -> str:
        return f'"{hashlib.sha256(self._page().encode()).hexdigest()[:16]}"'

    def _page(self) -> str:
        entries = "".join(
            f"<entry><id>{each.id}</id><title>{escape(each.title)}</title>"
            f"<author><name>{escape(each.author)}</name></author>"
            f"<published>{each.published.isoformat()}</published>"
            f"<updated>{each.updated.isoformat()}</updated>"
            f"<summary>{escape(each.summary)}</summary></entry>"
            for each in reversed(self.articles)
        )
        return (
            "<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'>"
            f"<title>{escape(self.title)}</title>{entries}</feed>"
        )

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _next_second() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
