"""The feed adapter at work on a stand-in server, so quickly that nobody waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from feed_stand_in import FeedServer, feed_server
from recording_inlet import RecordingInlet

from adapters.web.feed.network import FeedNetwork
from adapters.web.feed.settings import FeedSettings
from bridge.contract import CatchUp
from bridge.model import Roster

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = 0.02
"""Seconds: with `minutes: 1`, a feed is looked at fifty times a second."""


def ago(**what: float) -> datetime:
    return NOW - timedelta(**what)


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with feed_server() as found:
        yield found


@asynccontextmanager
async def running(inlet: RecordingInlet, **more: object) -> AsyncIterator[FeedNetwork]:
    settings = FeedSettings.model_validate({"minutes": 1, **more})
    network = FeedNetwork("feeds", "Feeds", settings, inlet, MINUTE)
    task = asyncio.create_task(network.run())
    try:
        yield network
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def reading(
    server: FeedServer, catch_up: CatchUp | None = None, **more: object
) -> AsyncIterator[RecordingInlet]:
    inlet = RecordingInlet()
    async with running(inlet, **more) as network:
        await network.open(f"{server.url}/feed", (), catch_up or CatchUp())
        await inlet.first(Roster)
        yield inlet
