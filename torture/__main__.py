"""The command line. Exit status: 0 when everything is everywhere once, in order and under the right
names; 1 when not, or when the trial could not be held.
"""

import asyncio
import secrets
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bridge.errors import leaves
from torture.schedule import Schedule
from torture.setting import LONG, SHORT, Setting
from torture.table import offences, outcome_table, show
from torture.trial import hold


def main(  # noqa: PLR0913 - options
    *,
    short: Annotated[bool, typer.Option("--short", help="About a minute")] = False,
    calm: Annotated[bool, typer.Option("--calm", help="Load without any fault")] = False,
    seed: Annotated[int | None, typer.Option(help="Repeat the schedule of this seed")] = None,
    seconds: Annotated[float | None, typer.Option(help="How long to talk")] = None,
    postgresql: Annotated[bool, typer.Option("--postgresql", help="On PostgreSQL")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep logs and data")] = False,
) -> None:
    """Torture the bridge between a real Synapse and a real Prosody, and count what it loses."""
    setting = replace(SHORT if short else LONG, postgresql=postgresql)
    if seconds is not None:
        setting = replace(setting, seconds=seconds)
    if calm:
        setting = setting.calm
    _finish(_trial(setting, secrets.randbelow(10**6) if seed is None else seed), keep=keep)


def _trial(setting: Setting, seed: int) -> tuple[bool, Path]:
    directory = Path(tempfile.mkdtemp(prefix="consilium-torture-"))
    directory.chmod(0o755)  # for PostgreSQL, which runs as a user of its own
    show(f"seed {seed}; in {directory}", *Schedule.draw(setting, seed).lines())
    try:
        outcome = asyncio.run(hold(directory, setting, seed, show))
    except Exception as error:  # noqa: BLE001 - whatever broke it, the directory has to be told
        show(*(f"The trial broke: {type(each).__name__} {each}" for each in leaves(error)))
        return False, directory
    show(outcome_table(outcome), *offences(outcome))
    return outcome.good, directory


def _finish(result: tuple[bool, Path], *, keep: bool) -> None:
    good, directory = result
    if good and not keep:
        shutil.rmtree(directory)
    else:
        show(f"Logs and data are in {directory}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    typer.run(main)
