"""The benchmark's command line. Exit status: 0 when everything arrived once and in order, however
long it took; 1 when something was lost, doubled or out of order, or could not be run.
"""

import asyncio
import shutil
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from aiohttp import ClientError

from bench.encrypted import encrypted_table, measure
from bench.load import BenchError
from bench.programme import FULL, QUICK, Performer
from bench.table import machine, show, start_table, talk_table
from sandbox.process import ProcessError

_MEMBERS = 100


class Part(StrEnum):
    """What to run."""

    ALL = "all"
    TALK = "talk"
    START = "start"
    ENCRYPTED = "encrypted"


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="A short run")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="List what costs most")] = False,
    part: Annotated[Part, typer.Option(help="Run only this part")] = Part.ALL,
    keep: Annotated[bool, typer.Option("--keep", help="Keep logs and data")] = False,
) -> None:
    """Measure the bridge between a scripted homeserver and a real Prosody."""
    directory = Path(tempfile.mkdtemp(prefix="consilium-bench-"))
    performer = Performer(QUICK if quick else FULL, directory, profile)
    good = False
    try:
        good = asyncio.run(_run(performer, part))
    except (BenchError, ProcessError, ClientError, TimeoutError, OSError) as error:
        show(f"The benchmark broke: {type(error).__name__} {error}")
    if good and not keep:
        shutil.rmtree(directory)
    else:
        show(f"Logs and data are in {directory}")
    sys.exit(0 if good else 1)


async def _run(performer: Performer, part: Part) -> bool:
    show(machine())
    sections, starts = [], []
    if part in {Part.ALL, Part.TALK}:
        sections += [await performer.talk(setting) for setting in performer.programme.settings]
    if part in {Part.ALL, Part.START}:
        figures, section = await performer.start()
        starts.append(figures)
        sections.append(section)
    if sections:
        show(talk_table([(section.title, section.rows) for section in sections]))
    if starts:
        show(start_table(starts))
    if part in {Part.ALL, Part.ENCRYPTED}:
        show(encrypted_table(await measure(performer.directory, _MEMBERS)))
    return all(section.good for section in sections)


if __name__ == "__main__":
    typer.run(main)
