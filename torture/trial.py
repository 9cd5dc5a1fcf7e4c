"""One trial: load and chaos, then calm, then the comparison of all archives."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torture import archives
from torture.archives import Shown
from torture.cast import Side
from torture.chaos import Chaos
from torture.ears import Spot
from torture.load import Load
from torture.schedule import Fault, Schedule
from torture.setting import Setting
from torture.subject import FULL, LOCKED
from torture.verdict import Kind, Verdict, judge
from torture.ward import Ward, opened

_POLL_SECONDS: Final = 2.0
_SETTLE_SECONDS: Final = 3.0
"""After the last message has arrived everywhere: for what may come twice."""
_LAST_HOPE_SECONDS: Final = 10.0
_FULL: Final = "full disk"
_LOCKED: Final = "locked database"

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial. `ended_by_itself` are the exit statuses of a bridge that was not told
    to end; `met` counts the lines of its log about each fault of its database, `tracebacks` those.
    """

    verdict: Verdict
    seconds: float
    kills: int
    faults: Mapping[Fault, int]
    ended_by_itself: Sequence[int]
    met: Mapping[str, int]
    tracebacks: int
    log: Path

    @property
    def good(self) -> bool:
        """Whether nothing is wrong, and what was to be met was."""
        unmet = self.faults.get(Fault.LOCKED_FOR_LONG) and not self.met[_LOCKED]
        ended = len(self.ended_by_itself)
        return self.verdict.good and not (self.tracebacks or unmet or ended)


async def hold(directory: Path, setting: Setting, seed: int, tell: Told) -> Outcome:
    """Run a trial in a directory.

    Raises:
        sandbox.process.ProcessError: a server, or the bridge, did not start.
        TimeoutError: the bridge did not come into its rooms, or somebody could not speak.
    """
    schedule = Schedule.draw(setting, seed)
    began = time.monotonic()
    async with opened(directory, setting) as ward:
        tell(f"ready after {time.monotonic() - began:.1f} s; seed {seed}")
        chaos, load = Chaos(ward, schedule, tell), Load(ward, setting, seed)
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(ward.subject.keep_running())]
            background += [group.create_task(each.stay()) for each in ward.colleagues.values()]
            background.append(group.create_task(next(iter(ward.doctors.values())).listen()))
            if setting.warm:
                await load.warm_up()
                await _until_complete(ward, load, setting.patience)
            async with (
                asyncio.timeout(setting.seconds + setting.patience),
                asyncio.TaskGroup() as storm,
            ):
                storm.create_task(chaos.run())
                storm.create_task(load.run())
            tell(f"calm; {sum(load.said.values())} messages were said")
            verdict = await _compare(ward, load, setting.patience, tell)
            for task in background:
                task.cancel()
    bridge = ward.subject.bridge
    log = bridge.log_file
    return Outcome(
        verdict,
        time.monotonic() - began,
        ward.subject.kills,
        chaos.done,
        ward.subject.ended_by_itself,
        {_FULL: bridge.met(FULL), _LOCKED: bridge.met(LOCKED)},
        log.read_text(errors="replace").count("Traceback"),
        log,
    )


async def _compare(ward: Ward, load: Load, patience: float, tell: Told) -> Verdict:
    for colleague in ward.colleagues.values():
        async with asyncio.timeout(patience):
            await colleague.until_inside()
    if behind := await _until_complete(ward, load, patience):
        places = f"{len(behind)} places, such as {_name(behind[0])}"
        tell(f"not everyone's last message has arrived at {places}")
    await asyncio.sleep(_SETTLE_SECONDS)
    verdict = await _judge(ward, load)
    if verdict.count(Kind.LOST):
        await asyncio.sleep(_LAST_HOPE_SECONDS)
        verdict = await _judge(ward, load)
    return verdict


async def _until_complete(ward: Ward, load: Load, patience: float) -> Sequence[Spot]:
    """Wait until everyone's last message is everywhere, but not for ever; where it is not."""
    deadline = time.monotonic() + patience
    behind = _spots(ward)
    while time.monotonic() < deadline:
        behind = [spot for spot in behind if not await _is_complete(ward, spot, load.said)]
        if not behind:
            break
        await asyncio.sleep(_POLL_SECONDS)
    return behind


async def _is_complete(ward: Ward, spot: Spot, said: Mapping[tuple[int, str], int]) -> bool:
    """Whether everyone's last message has arrived at a place."""
    shown = {each.utterance for each in await archives.newest(ward, spot)}
    last = {key[1]: number for key, number in said.items() if key[0] == spot.portal}
    return all(
        any((each.author, each.number) == (author, number) for each in shown)
        for author, number in last.items()
    )


async def _judge(ward: Ward, load: Load) -> Verdict:
    places: dict[Spot, Sequence[Shown]] = {}
    for spot in _spots(ward):
        places[spot] = await archives.read(ward, spot)
    return judge(places, load.said, ward.ears)


def _spots(ward: Ward) -> list[Spot]:
    return [Spot(portal, side) for portal in ward.rooms for side in Side]


def _name(spot: Spot) -> str:
    return f"case {spot.portal} on {spot.side.value}"
