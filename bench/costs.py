"""The costliest functions of a profiled run, printed."""

import pstats
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.figures import Figures

_SHOWN: Final = 25


def print_costs(directory: Path, title: str, rows: Sequence[Figures]) -> None:
    """For each row and its profile: what costs most by itself, and with all that it calls."""
    for number, row in enumerate(rows, start=1):
        print(f"\n=== {title}: {row.name}, {row.count} messages ===")
        stats = pstats.Stats(str(directory / f"{number}.profile"))
        stats.sort_stats("tottime").print_stats(_SHOWN)
        stats.sort_stats("cumtime").print_stats(2 * _SHOWN)
