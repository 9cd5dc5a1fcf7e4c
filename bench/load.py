"""Talk across the bridge, measured: at an even pace, and all at once."""

import asyncio
import itertools
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bench.figures import Figures, Latency, judge, latency, rate
from bench.orders import Director, Speech
from bench.script import room_id
from bench.setting import group
from bench.stage import Stage

_ARRIVAL_SECONDS: Final = 60.0
_WARM_SECONDS: Final = 2.0
_WARM_TRIES: Final = 30
_IDLE_SECONDS: Final = 5.0
_AFTERWORK_SECONDS: Final = 1.5
"""The bridge writes down what became of its deliveries a little later: that is its work as well."""

_runs = itertools.count(1)


class BenchError(Exception):
    """The benchmark could not be carried out."""


class Way(StrEnum):
    """Which way the talk goes."""

    OUT = "Matrix → XMPP"
    IN = "XMPP → Matrix"


@dataclass(frozen=True, slots=True)
class Load:
    """So many messages, so many each second; 0 means all at once."""

    way: Way
    count: int
    per_second: float

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.way}, {f'{self.per_second:g}/s' if self.per_second else 'burst'}"


class Talk:
    """Runs loads on one stage, in its last portal."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._room = stage.setting.portals - 1
        self._idle = 0.0

    async def warm_up(self) -> None:
        """Talk both ways until it arrives: ghosts and occupants are made on first need. Then let
        the bridge come to rest, and see what it uses when nothing is said.

        Raises:
            BenchError: nothing arrives.
        """
        for way in Way:
            await self._until_heard(way)
        self._idle = await self._stage.idle_use(_IDLE_SECONDS)

    async def carry(self, load: Load) -> Figures:
        """Run one load and measure it."""
        stage, run = self._stage, f"r{next(_runs)}"
        speaker, place, hearer = self._sides(load.way)
        before, start = stage.meter.cpu(), time.monotonic()
        stage.toggle_profile()
        said = await speaker.speak(Speech(place, run, load.count, load.per_second))
        heard = await hearer.heard(run, load.count, _ARRIVAL_SECONDS)
        await asyncio.sleep(_AFTERWORK_SECONDS)
        stage.toggle_profile()
        used = stage.meter.cpu() - before - self._idle * (time.monotonic() - start)
        heard = await hearer.heard(run, load.count, 0)  # and what was doubled since
        return Figures(
            name=load.name,
            count=load.count,
            verdict=judge(load.count, heard),
            per_second=rate(said, heard),
            cpu=used * 1000 / load.count,
            latency=latency(said, heard),
            floor=await self._floor(load, run, said),
            peak=stage.meter.memory().peak,
        )

    async def _floor(self, load: Load, run: str, said: list[int]) -> Latency | None:
        """How long the same messages took from colleague to colleague, through Prosody alone."""
        if load.way is Way.OUT:
            return None
        return latency(said, await self._stage.colleague.heard(run, load.count, 0))

    async def _until_heard(self, way: Way) -> None:
        speaker, place, hearer = self._sides(way)
        count = self._stage.setting.doctors if way is Way.OUT else 1
        for _ in range(_WARM_TRIES):
            run = f"w{next(_runs)}"
            await speaker.speak(Speech(place, run, count, 0))
            if len(await hearer.heard(run, count, _WARM_SECONDS)) >= count:
                return
        raise BenchError(
            f"{way}: nothing arrives; the end of {self._stage.bridge.log} says:\n"
            f"{self._stage.bridge.log_tail()}"
        )

    def _sides(self, way: Way) -> tuple[Director, str, Director]:
        stage = self._stage
        if way is Way.OUT:
            return stage.homeserver, room_id(self._room), stage.colleague
        return stage.colleague, group(self._room), stage.homeserver
