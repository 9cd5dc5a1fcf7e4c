"""The figures, printed."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.figures import Figures, Latency, StartFigures

_CAPTION = (
    "p50, p99: from saying to hearing, Prosody's time and the scripted homeserver's included. "
    "Prosody alone: p50 / p99 of the same messages from colleague to colleague."
)


def machine() -> str:
    """What the figures were measured on."""
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {_prosody()}, "
        f"Linux {platform.release()}, load average {os.getloadavg()[0]:.1f} at the start"
    )


def talk_table(sections: Sequence[tuple[str, Sequence[Figures]]]) -> Table:
    """Messages carried; one section for each stage."""
    table = Table(title="Messages", title_justify="left", caption=_CAPTION, caption_justify="left")
    for name in ("what", "whole, in order"):
        table.add_column(name)
    for name in (
        "sent", "per s", "CPU ms each", "p50 ms", "p99 ms", "Prosody alone", "peak MB"
    ):  # fmt: skip
        table.add_column(name, justify="right")
    for title, rows in sections:
        table.add_section()
        table.add_row(f"[bold]{title}[/bold]")
        for row in rows:
            table.add_row(
                row.name, str(row.verdict), str(row.count), f"{row.per_second:.0f}",
                f"{row.cpu:.2f}", f"{row.latency.p50:.1f}", f"{row.latency.p99:.1f}",
                _pair(row.floor), f"{row.peak:.0f}",
            )  # fmt: skip
    return table


def start_table(rows: Sequence[StartFigures]) -> Table:
    """Starts."""
    table = Table(title="Start", title_justify="left")
    for name in (
        "portals", "ghosts known", "s to ready", "s to rest", "CPU s", "MB at rest", "peak MB"
    ):  # fmt: skip
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row.portals), str(row.ghosts), f"{row.ready:.2f}", f"{row.rested:.1f}",
            f"{row.cpu:.2f}", f"{row.memory:.0f}", f"{row.peak:.0f}",
        )  # fmt: skip
    return table


def show(*things: object) -> None:
    """Print, wide enough for the tables wherever the output goes."""
    console = Console(width=max(120, shutil.get_terminal_size().columns), highlight=False)
    for thing in things:
        console.print(thing)


def _pair(latency: Latency | None) -> str:
    return "" if latency is None else f"{latency.p50:.1f} / {latency.p99:.1f}"


def _prosody() -> str:
    program = shutil.which("prosodyctl")
    if program is None:
        return "no Prosody"
    told = subprocess.run(  # its first words are "Prosody 0.12.3"
        [program, "about"], capture_output=True, text=True, timeout=30, check=False
    ).stdout
    return next((line for line in told.splitlines() if line.startswith("Prosody ")), "Prosody")
