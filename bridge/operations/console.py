"""Puts together all that watches the bridge, and hands out what the other parts have to call."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from bridge.config.load import LoadedConfig
from bridge.config.schema import LogLevel
from bridge.delivery.recorder import Recorder
from bridge.delivery.watch import Watcher
from bridge.flow.intake import IntakeWatcher
from bridge.health import HealthBoard
from bridge.model import MATRIX
from bridge.operations.backlog import Backlog
from bridge.operations.doors import doors
from bridge.operations.gauges import Gauges
from bridge.operations.journal import Journal
from bridge.operations.metrics import CONTENT_TYPE, Metrics
from bridge.operations.supervision import Supervision
from bridge.operations.systemd import Systemd
from bridge.operations.vitals import Vitals


@dataclass(slots=True)
class Instruments:
    """What is there before anything else: the figures, the pulse, and the way to systemd."""

    metrics: Metrics
    vitals: Vitals
    systemd: Systemd


@dataclass(slots=True)
class Console:
    """Everything that watches.

    `watchers` are told how deliveries fare, `intake_watchers` what comes in. `resumed` is to be
    set once everything has been read that a start reads.
    """

    instruments: Instruments
    backlog: Backlog
    supervision: Supervision
    watchers: Sequence[Watcher]
    intake_watchers: Sequence[IntakeWatcher]
    board: HealthBoard
    asked_for_figures: bool
    resumed: bool = field(default=False)

    @classmethod
    def make(
        cls,
        loaded: LoadedConfig,
        instruments: Instruments,
        recorder: Recorder,
        board: HealthBoard,
        ghosts: Callable[[], int],
    ) -> "Console":
        """Make all parts; `ghosts` tells how many are in memory."""
        metrics, vitals = instruments.metrics, instruments.vitals
        backlog = Backlog(vitals.database, recorder)
        journal = Journal(backlog.place, thorough=loaded.config.log.level is LogLevel.DEBUG)
        networks = (MATRIX, *loaded.networks)
        metrics.add(
            Gauges(networks, board.states, backlog, vitals, lambda: recorder.waiting, ghosts)
        )
        asked = loaded.config.metrics
        return cls(
            instruments,
            backlog,
            Supervision(instruments.systemd, vitals, board.states, backlog.waiting),
            (metrics, backlog, journal) if asked else (backlog, journal),
            (metrics, journal) if asked else (journal,),
            board,
            asked,
        )

    def doors(self, met: Callable[[], bool]) -> list[web.RouteDef]:
        """The routes for those who watch; `met` tells whether homeserver and bridge have met."""
        figures = self._figures if self.asked_for_figures else None
        return doors(self._dead, lambda: self._not_ready(met), figures, CONTENT_TYPE)

    async def run(self) -> None:
        """Feel the pulse and tell systemd, until cancelled. To be begun when the bridge listens."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.instruments.vitals.run())
            group.create_task(self.supervision.run())

    async def _dead(self) -> Sequence[str]:
        silence = self.instruments.vitals.silence()
        return [] if silence is None else [silence]

    async def _not_ready(self, met: Callable[[], bool]) -> Sequence[str]:
        reasons: list[str] = []
        if not self.resumed:
            reasons.append("What was left from the last run is being looked through.")
        if not met():
            state = self.board.states().get((MATRIX, None))
            why = state.reason if state is not None and state.reason else ""
            reasons.append(f"The homeserver and the bridge have not met yet. {why}".rstrip())
        if unwritable := await self.instruments.vitals.unwritable():
            reasons.append(unwritable)
        return reasons

    async def _figures(self) -> bytes:
        await self.backlog.refresh()
        return self.instruments.metrics.render()
