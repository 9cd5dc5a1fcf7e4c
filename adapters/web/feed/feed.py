"""One feed: looked at again and again, for as long as it is linked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from yarl import URL

from adapters.web.feed.document import Document
from adapters.web.feed.news import News
from adapters.web.feed.reader import Reader
from adapters.web.feed.settings import FeedSettings
from adapters.web.feed.telling import Teller
from adapters.web.fetching import Fetched, Fetcher
from adapters.web.waiting import backoff, retry_after, spread
from bridge.contract import CatchUp, Health, Inlet, Missed, Refused, Unreachable
from bridge.model import Place, Roster

log = structlog.get_logger(__name__)

_GONE: Final = 410
_DAY_MINUTES: Final = 1_440.0
_LOOKED_AT_ONCE: Final = 4


class Tools:
    """What all feeds of a network share.

    Args:
        minute: how many seconds a minute has; tests have shorter ones.
    """

    def __init__(self, settings: FeedSettings, inlet: Inlet, minute: float = 60.0) -> None:
        self.settings = settings
        self.inlet = inlet
        self.minute = minute
        self.fetcher = Fetcher(settings.max_mb * 1_000_000)
        self.reader = Reader()
        self.gate = asyncio.Semaphore(_LOOKED_AT_ONCE)


@dataclass(frozen=True, slots=True)
class _Mark:
    """By what a server knows which version was read last (RFC 9110, section 8.8)."""

    etag: str = ""
    modified: str = ""

    @property
    def headers(self) -> dict[str, str]:
        found = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in found.items() if value}


class Feed:
    """Reads one feed.

    Args:
        place: its place; the id is its address.
        catch_up: what is known of it from before.
        tools: what feeds share.
        clock: tells the time.
    """

    def __init__(
        self,
        place: Place,
        catch_up: CatchUp,
        tools: Tools,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._place = place
        self._url = place.id
        self._tools = tools
        self._clock = clock
        settings = tools.settings
        teller = Teller(place, settings.show, files=settings.files, quiet=settings.quiet)
        self._news = News(teller, catch_up, clock(), clock)
        self._mark = _Mark()
        self._failures = 0
        self._come_in = False
        self._state: Health | None = None

    async def stay(self) -> None:
        """Look at it again and again, until cancelled."""
        while True:
            async with self._tools.gate:
                minutes = await self._look()
            await asyncio.sleep(minutes * self._tools.minute)

    async def _look(self) -> float:
        """Look once; minutes until the next time."""
        every = float(self._tools.settings.minutes)
        try:
            wait = await self._fetch()
        except Unreachable as error:
            self._failures += 1
            self._report(Health(up=False, reason=error.sentence, group=self._place.id))
            asked = None if error.retry_after is None else error.retry_after / 60.0
            return max(asked or 0.0, backoff(self._failures, 1.0, every))
        except Refused as error:
            self._failures += 1
            self._report(Health(up=False, reason=str(error), group=self._place.id, lasting=True))
            return spread(max(every, wait_for_people(self._failures)))
        self._failures = 0
        self._report(Health(up=True, group=self._place.id))
        return max(spread(every), wait)

    async def _fetch(self) -> float:
        """Fetch it and hand over what is new; minutes that the server asks to wait.

        Raises:
            Unreachable: not now.
            Refused: not before somebody does something.
        """
        tools = self._tools
        fetched = await tools.fetcher.get(self._url, self._mark.headers, tools.settings.login)
        expect_document(fetched, self._place.id)
        if fetched.status != 304:
            kind = fetched.headers.get("Content-Type", "")
            await self._take(await tools.reader.read(fetched.body, fetched.url, kind))
            self._mark = _Mark(
                fetched.headers.get("ETag", ""), fetched.headers.get("Last-Modified", "")
            )
        if fetched.moved is not None and fetched.moved != self._url:
            log.warning("feed_moved", group=self._place.id, target=fetched.moved)
            self._url = fetched.moved
        return (retry_after(fetched.headers) or 0.0) / 60.0

    async def _take(self, document: Document) -> None:
        found = self._news.of(document)
        events = list(found.events)
        if not self._come_in:
            events.append(Roster(self._place, (), self._clock()))
        if events:
            await self._tools.inlet.receive(events)
        self._come_in = True
        if found.gap or found.left_out:
            reason = found.gap or "It was more than is wanted."
            self._tools.inlet.missed(Missed(self._place.id, reason, found.left_out or None))

    def _report(self, health: Health) -> None:
        if health != self._state:
            self._state = health
            self._tools.inlet.health(health)


def wait_for_people(failures: int) -> float:
    """Minutes to leave a feed alone that needs somebody to do something: up to a day."""
    return min(_DAY_MINUTES, 15.0 * 2.0 ** min(failures - 1, 10))


def expect_document(fetched: Fetched, group: str) -> None:
    """Raises Unreachable or Refused for an answer that is neither a document nor "the same"."""
    status, host = fetched.status, URL(group).host
    if status in {200, 203, 304}:
        return
    wait = retry_after(fetched.headers)
    if status in {429, 503}:
        raise Unreachable(f"{host} asks to wait ({status}).", retry_after=wait)
    if status == _GONE:
        raise Refused(f"The feed {group} is gone for good.", "Unlink it, or link its successor.")
    if status in {401, 403}:
        raise Refused(
            f"{host} does not let the bridge read its feed ({status}).",
            "Look whether it asks for user and password.",
        )
    if status == 404:
        raise Refused(f"There is no feed at {group} (404).", "Look up its address.")
    raise Unreachable(f"{host} answers with a fault ({status}).", retry_after=wait)
