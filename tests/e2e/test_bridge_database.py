"""A bridge whose PostgreSQL is away waits for it, when it starts as well as when it runs.

This module has a PostgreSQL of its own, because it stops it.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.bridge import Bridge
from sandbox.meeting import Meeting
from sandbox.postgres import Postgres
from sandbox.staff import ALICE, CHIARA

PATIENCE = 60.0


@pytest.fixture(scope="module")
async def cluster(reachable: Path) -> AsyncIterator[Postgres]:
    async with Postgres(reachable / "stopped-at-times") as own:
        yield own


@pytest.fixture(scope="module")
def database_url(cluster: Postgres) -> str:
    return cluster.url()


@pytest.fixture
async def bridge(bridge_of_all: Bridge, meeting: Meeting) -> Bridge:
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)
    return bridge_of_all


async def until_logged(bridge: Bridge, words: str, since: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while words not in bridge.log.read_text()[since:]:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.05)


async def test_a_start_waits_for_the_database(
    bridge: Bridge, cluster: Postgres, meeting: Meeting
) -> None:
    await bridge.stop()
    await cluster.stop()
    since = len(bridge.log.read_text())
    await bridge.launch()
    await until_logged(bridge, "waiting_for_database", since)
    assert bridge.running
    await cluster.start()
    await bridge.until_ready()
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.say(ALICE, "after a late start")
    await meeting.arrived("after a late start", timeout=PATIENCE)


async def test_a_database_that_goes_away_ends_nothing_and_loses_nothing(
    bridge: Bridge, cluster: Postgres, meeting: Meeting
) -> None:
    pid, since = bridge.pid, len(bridge.log.read_text())
    await cluster.stop()
    await meeting.say(ALICE, "said to a bridge without a database")
    await meeting.say(CHIARA, "heard by a bridge without a database")
    await until_logged(bridge, "not_stored", since)
    await cluster.start()
    for text in ("said to a bridge without a database", "heard by a bridge without a database"):
        await meeting.arrived(text, timeout=PATIENCE)
    assert bridge.pid == pid
