"""A start with very many undelivered messages: how soon is it ready, how much memory does it take,
and do all lanes drain in order?
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from bench.meter import Meter
from bench.script import DOMAIN, room_id
from bench.setting import Setting, make_script, make_service
from bridge.clock import now_ms
from bridge.flow.codec import encode
from bridge.model import MATRIX, Author, Kind, Message, Place
from bridge.store import deliveries, messages, migrate, places
from bridge.store.database import open_database
from sandbox.bridge import Bridge, BridgeConfig
from sandbox.ports import LOOPBACK, is_listening
from sandbox.process import Process
from torture import paper

_ROOT: Final = Path(__file__).resolve().parent.parent
_PORTALS: Final = 20
_DATABASE: Final = "consilium.db"
_CHUNK: Final = 5_000
_POLL_SECONDS: Final = 0.25
_START_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Drained:
    """What was seen. Memory in MB (10**6 bytes); `lanes_out_of_order` counts lanes."""

    count: int
    ready_seconds: float
    drained_seconds: float
    peak: float
    missing: int
    doubled: int
    lanes_out_of_order: int

    @property
    def good(self) -> bool:
        """Whether every message is there, once, and in order."""
        return not (self.missing or self.doubled or self.lanes_out_of_order)

    def __str__(self) -> str:
        rate = self.count / self.drained_seconds
        return (
            f"{self.count} undelivered rows: ready after {self.ready_seconds:.2f} s, drained after "
            f"{self.drained_seconds:.1f} s ({rate:.0f}/s), peak memory {self.peak:.0f} MB, "
            f"{self.missing} missing, {self.doubled} doubled, "
            f"{self.lanes_out_of_order} lanes out of order"
        )


async def drain(directory: Path, count: int, *, patience: float = 300.0) -> Drained:
    """Start a bridge with so many undelivered messages, and watch it until all are delivered.

    Raises:
        sandbox.process.ProcessError: something did not start.
        TimeoutError: not everything was delivered within `patience` seconds.
    """
    service = make_service()
    script = make_script(Setting(portals=_PORTALS), service)
    script_file, bridge_home = directory / "homeserver.json", directory / "bridge"
    script.write(script_file)
    bridge_home.mkdir()
    sheets = directory / "sheets"
    sheets.mkdir()
    await _fill(bridge_home / _DATABASE, count)
    config = BridgeConfig(
        service,
        f"http://{LOOPBACK}:{script.port}",
        DOMAIN,
        {paper.NETWORK: paper.network(sheets)},
        {room_id(n): [(paper.NETWORK, _group(n), "both")] for n in range(_PORTALS)},
        f"sqlite:///{_DATABASE}",
    )
    homeserver = Process(
        "the scripted homeserver",
        [sys.executable, "-m", "bench.homeserver", script_file],
        log=directory / "homeserver.log",
        ready=lambda: is_listening(script.port),
        start_timeout=_START_SECONDS,
        directory=_ROOT,
    )
    with paper.installed():
        async with homeserver:
            bridge, began = Bridge(bridge_home, config), time.monotonic()
            async with bridge:
                ready = time.monotonic() - began
                meter = Meter(bridge.pid)
                async with asyncio.timeout(patience):
                    while _written(sheets) < count:  # noqa: ASYNC110 - files signal nothing
                        await asyncio.sleep(_POLL_SECONDS)
                drained, peak = time.monotonic() - began, meter.memory().peak
    return _judged(sheets, count, ready, drained, peak)


async def _fill(path: Path, count: int) -> None:
    def work(connection: Connection) -> None:
        migrate.upgrade(connection)
        sites = [
            (Place(MATRIX, room_id(number)), Place(paper.NETWORK, _group(number)))
            for number in range(_PORTALS)
        ]
        numbers = places.intern(connection, [place for site in sites for place in site])
        now = now_ms()
        for start in range(0, count, _CHUNK):
            ids = range(start + 1, min(start + _CHUNK, count) + 1)
            rooms, groups = zip(*(sites[id_ % _PORTALS] for id_ in ids), strict=True)
            messages.add_inbox(
                connection,
                [
                    messages.InboxRow(
                        id_, numbers[room], Kind.MESSAGE, encode(_message(room, id_)), now
                    )
                    for id_, room in zip(ids, rooms, strict=True)
                ],
            )
            deliveries.add(
                connection,
                [
                    deliveries.NewDelivery(id_, id_, numbers[group], now)
                    for id_, group in zip(ids, groups, strict=True)
                ],
            )

    async with open_database(f"sqlite:///{path}") as database:
        await database.run(work)


def _message(room: Place, number: int) -> Message:
    author = Author(MATRIX, f"@doctor-0-1:{DOMAIN}", "Dr. 0-1")
    return Message(room, f"$undelivered-{number}", author, datetime.now(UTC), f"message {number}")


def _group(number: int) -> str:
    return f"sheet-{number}"


def _written(sheets: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in sheets.iterdir())


def _judged(sheets: Path, count: int, ready: float, drained: float, peak: float) -> Drained:
    lanes = [_numbers(paper.written(sheets, _group(number))) for number in range(_PORTALS)]
    found = [number for lane in lanes for number in lane]
    different = set(found)
    return Drained(
        count,
        ready,
        drained,
        peak,
        missing=count - len(different),
        doubled=len(found) - len(different),
        lanes_out_of_order=sum(any(b < a for a, b in pairwise(lane)) for lane in lanes),
    )


def _numbers(texts: Sequence[str]) -> list[int]:
    return [int(text.removeprefix("message ")) for text in texts]
