"""Whoever watches is told whether the bridge lives and works, and why not."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bridge.contract import Health
from bridge.health import HealthBoard
from bridge.model import MATRIX
from bridge.operations.doors import doors
from bridge.operations.metrics import CONTENT_TYPE, Metrics
from bridge.operations.pulse import Pulse
from bridge.operations.supervision import Supervision
from bridge.operations.systemd import Systemd
from bridge.operations.vitals import Vitals


@dataclass
class House:
    """What the doors tell of."""

    dead: list[str] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)
    url: str = ""

    async def ask(self, path: str) -> tuple[int, Any, str]:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as got:
            if got.content_type == "application/json":
                return got.status, await got.json(), got.content_type
            return got.status, await got.text(), got.headers["Content-Type"]

    async def why_dead(self) -> Sequence[str]:
        return self.dead

    async def why_unready(self) -> Sequence[str]:
        return self.unready


@pytest.fixture(params=[True, False], ids=["with figures", "without figures"])
def figures(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def house(figures: bool) -> AsyncIterator[House]:
    made = House()
    metrics = Metrics([MATRIX])

    async def render() -> bytes:
        return metrics.render()

    app = web.Application()
    routes = doors(made.why_dead, made.why_unready, render if figures else None, CONTENT_TYPE)
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_a_bridge_that_is_well_says_so(house: House) -> None:
    assert await house.ask("/live") == (200, {"live": True}, "application/json")
    assert await house.ask("/ready") == (200, {"ready": True}, "application/json")


async def test_a_bridge_that_is_not_well_says_why(house: House) -> None:
    house.dead.append("The database has not answered for 50 seconds.")
    house.unready += ["One.", "Two."]
    assert (await house.ask("/live"))[:2] == (503, {"live": False, "why": house.dead})
    assert (await house.ask("/ready"))[:2] == (503, {"ready": False, "why": ["One.", "Two."]})


async def test_figures_are_there_unless_they_are_switched_off(house: House, figures: bool) -> None:
    status, text, kind = await house.ask("/metrics")
    assert status == (200 if figures else 404)
    if figures:
        assert kind == CONTENT_TYPE
        assert 'consilium_received_total{network="matrix"} 0.0' in text
        assert "process_resident_memory_bytes" in text
        assert "_created" not in text


# --- what systemd is told -----------------------------------------------------------------------


@dataclass
class Watched:
    """A supervision whose words can be read, and what it tells of."""

    supervision: Supervision
    board: HealthBoard
    waiting: dict[str, int]
    vitals: Vitals
    supervisor: socket.socket

    async def hear(self) -> str:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            return (await loop.sock_recv(self.supervisor, 4096)).decode()


class AnsweringDatabase:
    async def run(self, work: object) -> None:
        return None


@pytest.fixture
def watched(tmp_path: Path) -> Any:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "90000000"}
        board, waiting = HealthBoard(), dict[str, int]()
        vitals = Vitals(AnsweringDatabase())  # type: ignore[arg-type]
        with Systemd(environment) as systemd:
            supervision = Supervision(systemd, vitals, board.states, lambda: waiting)
            yield Watched(supervision, board, waiting, vitals, listening)


async def test_systemd_hears_ready_signs_of_life_how_it_is_and_the_stop(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.operations.supervision._LOOK_SECONDS", 0.01)
    running = asyncio.create_task(watched.supervision.run())
    assert await watched.hear() == "READY=1\nSTATUS=Waiting for the homeserver."
    assert await watched.hear() == "WATCHDOG=1"
    watched.board.report(MATRIX, Health(up=True))
    assert await watched.hear() == "STATUS=Bridging; all networks are reached; nothing waits."
    watched.waiting["b"] = 1
    watched.board.report("b", Health(up=False, reason="No."))
    assert await watched.hear() == "STATUS=Bridging; can't be reached: b; 1 delivery waits."
    watched.supervision.stopping()
    assert (await watched.hear()).startswith("STOPPING=1\n")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_bridge_whose_database_is_silent_gives_no_sign_of_life(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.operations.vitals.SILENCE_SECONDS", 0.0)
    running = asyncio.create_task(watched.supervision.run())
    assert (await watched.hear()).startswith("READY=1")
    assert (await watched.hear()).startswith("STATUS=The database has not answered")
    with pytest.raises(BlockingIOError):
        watched.supervisor.recv(4096)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# --- the homeserver's pulse ---------------------------------------------------------------------


async def test_a_homeserver_that_goes_and_comes_back_is_noticed() -> None:
    board, up, seen = HealthBoard(), asyncio.Event(), asyncio.Queue[bool]()
    board.watch(lambda _network, health: seen.put_nowait(health.up))
    up.set()

    async def until_up() -> None:
        await up.wait()

    async def greeted() -> None:
        board.report(MATRIX, Health(up=True))

    running = asyncio.create_task(Pulse(until_up, board, every=0.001, patience=0.01).run(greeted))
    async with asyncio.timeout(10):
        assert await seen.get() is True
        up.clear()
        assert await seen.get() is False
        up.set()
        assert await seen.get() is True
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
