"""What a benchmark consists of, and how each part of it is carried out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.costs import print_costs
from bench.figures import Figures, StartFigures
from bench.load import Load, Talk, Way
from bench.setting import Setting
from bench.stage import Stage, staged
from bench.table import show


@dataclass(frozen=True, slots=True)
class Programme:
    """The stages to talk on with the loads for each, and the stage of the big start."""

    settings: tuple[Setting, ...]
    loads: tuple[Load, ...]
    big: Setting


FULL: Final = Programme(
    settings=(Setting(doctors=1), Setting(doctors=20)),
    loads=tuple(
        Load(way, count, per_second) for count, per_second in ((400, 20), (1000, 0)) for way in Way
    ),
    big=Setting(portals=1000, ghosts=10_000),
)
QUICK: Final = Programme(
    settings=(Setting(doctors=1),),
    loads=tuple(
        Load(way, count, per_second) for count, per_second in ((100, 20), (300, 0)) for way in Way
    ),
    big=Setting(portals=100, ghosts=1000),
)


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of all the talk on one stage."""

    title: str
    rows: tuple[Figures, ...]

    @property
    def good(self) -> bool:
        """Whether everything arrived once and in order."""
        return all(row.verdict.good for row in self.rows)


@dataclass(frozen=True, slots=True)
class Performer:
    """Carries out the parts of a programme, each in a directory of its own."""

    programme: Programme
    directory: Path
    profiled: bool

    async def talk(self, setting: Setting) -> Section:
        """Every load on one stage; when profiled, each on a stage of its own."""
        loads = self.programme.loads
        if not self.profiled:
            return await self._talk(setting, loads)
        sections = [await self._talk(setting, (load,)) for load in loads]
        return Section(sections[0].title, tuple(row for each in sections for row in each.rows))

    async def _talk(self, setting: Setting, loads: Sequence[Load]) -> Section:
        async with staged(self._fresh(), setting, profiled=self.profiled) as stage:
            talk = Talk(stage)
            await talk.warm_up()
            occupants = await stage.colleague.ask("occupants")
            rows = [await _carried(talk, load) for load in loads]
            await _remarks(stage)
        return self._section(stage, f"{_doctors(setting)}, {occupants} occupants", rows)

    async def start(self) -> tuple[StartFigures, Section]:
        """The big start, and some talk after it."""
        big = self.programme.big
        async with staged(self._fresh(), big, profiled=self.profiled) as stage:
            began = time.monotonic()
            await stage.rest()
            rested = stage.ready_seconds + time.monotonic() - began
            cpu, memory = stage.meter.cpu(), stage.meter.memory()
            talk = Talk(stage)
            await talk.warm_up()
            count = self.programme.loads[0].count // 2
            rows = [await _carried(talk, Load(way, count, 20)) for way in Way]
            await _remarks(stage)
        ready = stage.ready_seconds
        figures = StartFigures(big.portals, big.ghosts, ready, rested, cpu, memory.now, memory.peak)
        title = f"{big.portals} portals"
        return figures, self._section(stage, title, rows)

    def _fresh(self) -> Path:
        made = self.directory / f"{len(list(self.directory.iterdir())) + 1}"
        made.mkdir()
        return made

    @staticmethod
    def _section(stage: Stage, title: str, rows: list[Figures]) -> Section:
        if stage.profile is not None:
            print_costs(stage.profile, title, rows[0])
        return Section(title, tuple(rows))


async def _carried(talk: Talk, load: Load) -> Figures:
    figures = await talk.carry(load)
    show(f"  {figures.name}: {figures.verdict}, {figures.cpu:.2f} ms of CPU each")
    return figures


async def _remarks(stage: Stage) -> None:
    """What the homeserver had to do that it should not."""
    counts = await stage.homeserver.ask("counts")
    for what in ("failures", "repeats", "unknown"):
        if counts[what]:
            show(f"  homeserver: {what}: {counts[what]}")


def _doctors(setting: Setting) -> str:
    return f"{setting.doctors} doctor{'s' if setting.doctors > 1 else ''}"
