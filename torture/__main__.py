"""The command line. Exit status: 0 when everything is everywhere once, in order and under the right
names; 1 when not, or when the trial could not be held.
"""

import asyncio
import secrets
import shutil
import sys
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bridge.errors import leaves
from torture.backlog import drain
from torture.schedule import Schedule
from torture.setting import LONG, SHORT, Setting
from torture.table import delay_table, offences, outcome_table, show
from torture.trial import hold

_UNHURRIED: Final = 5.0
"""Messages a second when delays are compared: where a homeserver on a small machine is at its
limit, it is only its queue that is measured.
"""


def main(  # noqa: PLR0913 - options
    *,
    short: Annotated[bool, typer.Option("--short", help="About a minute")] = False,
    calm: Annotated[bool, typer.Option("--calm", help="Load without any fault")] = False,
    seed: Annotated[int | None, typer.Option(help="Repeat the schedule of this seed")] = None,
    seconds: Annotated[float | None, typer.Option(help="How long to talk")] = None,
    postgresql: Annotated[bool, typer.Option("--postgresql", help="On PostgreSQL")] = False,
    dead_network: Annotated[
        bool, typer.Option("--dead-network", help="Compare delays with a network that is dead")
    ] = False,
    backlog: Annotated[int, typer.Option(help="Start with so many undelivered messages")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep logs and data")] = False,
) -> None:
    """Torture the bridge between a real Synapse and a real Prosody, and count what it loses."""
    setting = replace(SHORT if short else LONG, postgresql=postgresql)
    if seconds is not None:
        setting = replace(setting, seconds=seconds)
    if calm:
        setting = setting.calm
    if seed is None:
        seed = secrets.randbelow(10**6)
    directory = Path(tempfile.mkdtemp(prefix="consilium-torture-"))
    directory.chmod(0o755)  # for PostgreSQL, which runs as a user of its own
    show(f"in {directory}")
    if backlog:
        work = _drain(directory, backlog)
    elif dead_network:
        work = _compare_dead(directory, replace(setting.calm, per_second=_UNHURRIED), seed)
    else:
        work = _trial(directory, setting, seed)
    _finish(directory, work, keep=keep)


async def _trial(directory: Path, setting: Setting, seed: int) -> bool:
    show(f"seed {seed}", *Schedule.draw(setting, seed).lines())
    outcome = await hold(directory, setting, seed, show)
    show(outcome_table(outcome), *offences(outcome))
    return outcome.good


async def _compare_dead(directory: Path, setting: Setting, seed: int) -> bool:
    good, rows = True, []
    for dead in (False, True):
        part = directory / ("dead" if dead else "alive")
        part.mkdir()
        outcome = await hold(part, replace(setting, dead_network=dead), seed, show)
        rows.append(("with a dead network" if dead else "without", outcome))
        show(*offences(outcome))
        good = good and outcome.good
    show(delay_table(rows))
    return good


async def _drain(directory: Path, count: int) -> bool:
    drained = await drain(directory, count)
    show(str(drained))
    return drained.good


def _finish(directory: Path, work: Coroutine[Any, Any, bool], *, keep: bool) -> None:
    good = False
    try:
        good = asyncio.run(work)
    except Exception as error:  # noqa: BLE001 - whatever broke it, the directory has to be told
        show(*(f"It broke: {type(each).__name__} {each}" for each in leaves(error)))
    if good and not keep:
        shutil.rmtree(directory)
    else:
        show(f"Logs and data are in {directory}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    typer.run(main)
