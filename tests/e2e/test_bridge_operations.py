"""The real process is watched, supervised and stopped, whatever state it is in.

This module has servers of its own, because it pauses them.
"""

import asyncio
import json
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest
from bridge_runs import Site
from prometheus_client.parser import text_string_to_metric_families

from sandbox.appservice import AppService
from sandbox.bridge import Bridge
from sandbox.hospital import HOSPITALS
from sandbox.meeting import MATRIX_ROOM, Mark, Meeting
from sandbox.prosody import Prosody
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI
from sandbox.synapse import Synapse

PATIENCE = 60.0
STOP_SECONDS = 10.0


@pytest.fixture(scope="module")
def app_service() -> AppService:
    return AppService(id="operated", bot="operated", ghosts="_operated_")


@pytest.fixture(scope="module")
async def synapse(
    tmp_path_factory: pytest.TempPathFactory, app_service: AppService
) -> AsyncIterator[Synapse]:
    directory = tmp_path_factory.mktemp("synapse")
    async with Synapse(directory, app_services=[app_service.registration]) as server:
        yield server


@pytest.fixture(scope="module")
async def prosody(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prosody]:
    async with Prosody.of(HOSPITALS, tmp_path_factory.mktemp("prosody")) as server:
        yield server


@pytest.fixture
async def bridge(bridge_of_all: Bridge, meeting: Meeting) -> Bridge:
    if not bridge_of_all.running:
        await bridge_of_all.start()
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)
    return bridge_of_all


async def ended_in_time(bridge: Bridge) -> None:
    """Ask it to stop; it has to end by itself, with success."""
    began = time.monotonic()
    assert await bridge.stop(grace=3 * STOP_SECONDS) == 0
    assert time.monotonic() - began < STOP_SECONDS


async def figures(bridge: Bridge) -> dict[str, float]:
    answer = await bridge.ask("GET", "/metrics")
    assert (answer.status, answer.content_type) == (200, "text/plain")
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


async def until_figures(bridge: Bridge, well: Callable[[dict[str, float]], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not well(await figures(bridge)):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.1)


def texts(meeting: Meeting, place: str, speaker: str, before: Mark) -> list[str]:
    name = meeting.shown(speaker, place)
    return [line.text for line in meeting.seen(before)[place] if line.speaker == name]


@asynccontextmanager
async def locked(bridge: Bridge) -> AsyncIterator[None]:
    """Another program holds the database while this block runs."""
    url = bridge.config.database_url
    if url.startswith("sqlite"):
        file = bridge.log.parent / url.removeprefix("sqlite:///")
        other = sqlite3.connect(file, isolation_level=None, timeout=30)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()
        return
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("LOCK TABLE inbox, deliveries, meta IN ACCESS EXCLUSIVE MODE")
    yield
    await transaction.rollback()
    await connection.close()


# --- being watched ------------------------------------------------------------------------------


async def test_a_running_bridge_is_live_and_ready_and_tells_figures(
    bridge: Bridge, meeting: Meeting
) -> None:
    assert json.loads((await bridge.ask("GET", "/live")).body) == {"live": True}
    assert json.loads((await bridge.ask("GET", "/ready")).body) == {"ready": True}
    before = await figures(bridge)
    await meeting.say(ALICE, "one for the figures")
    await meeting.arrived("one for the figures")
    await until_figures(bridge, lambda seen: not seen["consilium_undelivered hospital-b"])
    after = await figures(bridge)

    def more(name: str) -> float:
        return after[name] - before[name]

    assert more("consilium_received_total matrix") >= 1
    assert more("consilium_delivered_total hospital-a") >= 1
    assert more("consilium_delivered_total hospital-b") >= 1
    assert more("consilium_delivery_seconds_count hospital-b") >= 1
    assert after["consilium_homeserver_up"] == 1
    assert after["consilium_network_up hospital-a"] == after["consilium_network_up hospital-b"] == 1
    assert after["consilium_groups hospital-a up"] == after["consilium_groups matrix up"] == 1
    assert after["consilium_ghosts_held"] >= 2
    assert after["consilium_database_up"] == 1
    assert after["process_resident_memory_bytes"] > 0


async def test_a_bridge_whose_database_can_not_be_written_is_not_ready_but_lives(
    bridge: Bridge,
) -> None:
    async with locked(bridge):
        async with asyncio.timeout(PATIENCE):
            while (await bridge.ask("GET", "/ready")).status == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        answer = await bridge.ask("GET", "/ready")
        assert json.loads(answer.body)["why"] == [
            "The database can't be written; the log tells why."
        ]
        assert (await bridge.ask("GET", "/live")).status == 200
        assert (await bridge.ask("GET", "/metrics")).status == 200
    await bridge.until_ready()


async def test_systemd_is_told_that_it_is_ready_how_it_is_and_that_it_stops(
    bridge: Bridge, site: Site, tmp_path: Path
) -> None:
    await bridge.stop()
    with supervisor(tmp_path) as listening:
        bridge._environment = {
            "NOTIFY_SOCKET": listening.getsockname(),
            "WATCHDOG_USEC": "3000000",
        }
        site.synapse.pause()
        try:
            await bridge.launch()
            # Ready, though the homeserver does not answer: waiting for it is all in order
            assert await hear(listening) == "READY=1\nSTATUS=Waiting for the homeserver."
        finally:
            site.synapse.resume()
        await heard(listening, "STATUS=Bridging; all networks are reached; nothing waits.")
        for _ in range(3):
            await heard(listening, "WATCHDOG=1")
        await ended_in_time(bridge)
        await heard(listening, "STOPPING=1")
    bridge._environment = {}


def supervisor(directory: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(directory / "notify"))
    listening.setblocking(False)
    return listening


async def hear(listening: socket.socket) -> str:
    async with asyncio.timeout(PATIENCE):
        return (await asyncio.get_running_loop().sock_recv(listening, 4096)).decode()


async def heard(listening: socket.socket, word: str) -> None:
    """Return once this was said; what was said instead is told."""
    words: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while not words or word not in words[-1]:
                words.append(await hear(listening))
    except TimeoutError:
        pytest.fail(f"{word!r} was not among {words}")


# --- being stopped ------------------------------------------------------------------------------


async def test_it_stops_in_time_while_the_homeserver_hangs(
    bridge: Bridge, meeting: Meeting, site: Site
) -> None:
    before = meeting.mark()
    group_b = meeting.colleagues[DMITRI].group
    said = [f"said to a homeserver that hangs {number}" for number in range(5)]
    site.synapse.pause()
    try:
        for text in said:
            await meeting.say(CHIARA, text)
        await meeting.arrived(said[-1], [group_b])
        await ended_in_time(bridge)
    finally:
        site.synapse.resume()
    await bridge.start()
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)
    assert texts(meeting, MATRIX_ROOM, CHIARA, before) == said
    assert texts(meeting, group_b, CHIARA, before) == said


async def test_it_stops_in_time_while_the_xmpp_server_hangs(
    bridge: Bridge, meeting: Meeting, site: Site
) -> None:
    before = meeting.mark()
    said = [f"said to groups that hang {number}" for number in range(5)]
    site.prosody.pause()
    try:
        received = (await figures(bridge))["consilium_received_total matrix"]
        for text in said:
            await meeting.say(ALICE, text)
        await until_figures(
            bridge, lambda seen: seen["consilium_received_total matrix"] >= received + len(said)
        )
        await ended_in_time(bridge)
    finally:
        site.prosody.resume()
    await bridge.start()
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)
    for group in meeting.places[1:]:
        assert texts(meeting, group, ALICE, before) == said


async def test_it_stops_in_time_while_the_database_hangs(bridge: Bridge, meeting: Meeting) -> None:
    before = meeting.mark()
    said = [f"said to a database that hangs {number}" for number in range(5)]
    async with locked(bridge):
        for text in said:
            await meeting.say(ALICE, text)
        await ended_in_time(bridge)
    await bridge.start()
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)
    for group in meeting.places[1:]:
        assert texts(meeting, group, ALICE, before) == said


async def test_it_stops_in_time_in_the_middle_of_a_stream(bridge: Bridge, meeting: Meeting) -> None:
    before = meeting.mark()
    said = {who: [f"{who} goes on {number}" for number in range(60)] for who in (ALICE, BRAM)}

    async def talk(who: str) -> None:
        for text in said[who]:
            await meeting.say(who, text)

    talking = asyncio.gather(*map(talk, said))
    await meeting.arrived(said[ALICE][10], meeting.places[1:], timeout=PATIENCE)
    await ended_in_time(bridge)
    await talking
    await bridge.start()
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)
    for group in meeting.places[1:]:
        for who, all_of_it in said.items():
            assert texts(meeting, group, who, before) == all_of_it


async def test_it_stops_in_time_while_it_waits_for_a_homeserver_that_hangs(
    bridge: Bridge, site: Site
) -> None:
    await bridge.stop()
    site.synapse.pause()
    try:
        await bridge.launch()
        await bridge.until_it_listens()
        await ended_in_time(bridge)
    finally:
        site.synapse.resume()


async def test_it_stops_in_time_while_it_waits_for_the_database_at_its_start(
    bridge: Bridge,
) -> None:
    await bridge.stop()
    mark = len(bridge.log.read_text())
    async with locked(bridge):
        await bridge.launch()
        async with asyncio.timeout(PATIENCE):
            while "starting" not in bridge.log.read_text()[mark:]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await ended_in_time(bridge)
