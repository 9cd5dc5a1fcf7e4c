"""`consilium check`: each feed, fetched and read once."""

import asyncio
from collections.abc import Sequence
from typing import Final

from adapters.web.feed.feed import expect_document
from adapters.web.feed.reader import Reader
from adapters.web.feed.settings import FeedSettings
from adapters.web.fetching import Fetcher
from bridge.contract import Finding, Refused, Unreachable

_SECONDS: Final = 18.0
_FETCH_SECONDS: Final = 10.0
_AT_ONCE: Final = 8


async def examine(settings: FeedSettings, name: str, groups: Sequence[str]) -> list[Finding]:
    """One finding for each feed, in order. Bounded to 20 seconds."""
    gate, reader = asyncio.Semaphore(_AT_ONCE), Reader()
    async with Fetcher(settings.max_mb * 1_000_000, _FETCH_SECONDS) as fetcher:

        async def look(url: str) -> Finding:
            async with gate:
                return await _look(settings, f"{name}: {url}", url, fetcher, reader)

        looks = [asyncio.create_task(look(url)) for url in groups]
        try:
            if looks:
                await asyncio.wait(looks, timeout=_SECONDS)
        finally:
            for each in looks:
                each.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
    return [
        _late(f"{name}: {url}") if each.cancelled() else each.result()
        for url, each in zip(groups, looks, strict=True)
    ]


def _late(subject: str) -> Finding:
    return Finding(
        ok=False, subject=subject, sentence="There was no time left for this feed.",
        advice="Try again.",
    )  # fmt: skip


async def _look(
    settings: FeedSettings, subject: str, url: str, fetcher: Fetcher, reader: Reader
) -> Finding:
    try:
        fetched = await fetcher.get(url, login=settings.login)
        expect_document(fetched, url)
        kind = fetched.headers.get("Content-Type", "")
        document = await reader.read(fetched.body, fetched.url, kind)
    except Refused as error:
        return Finding(ok=False, subject=subject, sentence=error.sentence, advice=error.advice)
    except Unreachable as error:
        return Finding(
            ok=False, subject=subject, sentence=error.sentence,
            advice="Look whether the feed opens in a browser on this machine.",
        )  # fmt: skip
    if fetched.moved is not None:
        return Finding(
            ok=True, subject=subject, sentence=f"The feed has moved to {fetched.moved}.",
            advice="It is read there; write the new address when you next link it.",
        )  # fmt: skip
    return Finding(
        ok=True, subject=subject,
        sentence=f"The feed can be read; it shows {len(document.items)} items now.",
    )  # fmt: skip
