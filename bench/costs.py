"""What a profiled run spent its CPU time on, printed: by part, and the costliest functions."""

import pstats
from collections import Counter
from pathlib import Path
from typing import Any, Final

from bench.figures import Figures

_SHOWN: Final = 25
_PARTS: Final = (
    "bridge/store", "bridge/matrix", "bridge/delivery", "bridge", "adapters", "sqlalchemy",
    "aiohttp", "yarl", "multidict", "slixmpp", "pydantic", "concurrent", "asyncio", "xml",
)  # fmt: skip
"""Folders that are a part of their own; the first that is in a file's path counts."""

_Function = tuple[str, int, str]


def print_costs(path: Path, title: str, row: Figures) -> None:
    """What costs most in the profile of a load, by part and by function."""
    print(f"\n=== {title}: {row.name}, {row.count} messages ===")
    stats = pstats.Stats(str(path))
    _print_parts(stats, row.count)
    stats.sort_stats("tottime").print_stats(_SHOWN)
    stats.sort_stats("cumtime").print_stats(2 * _SHOWN)


def _print_parts(stats: pstats.Stats, messages: int) -> None:
    spent: Counter[str] = Counter()
    # Typeshed does not know the attribute, which pstats' own documentation relies on
    table: dict[_Function, tuple[Any, ...]] = stats.stats  # type: ignore[attr-defined]
    for function, (_, _, own, _, callers) in table.items():
        if function[0] != "~":
            spent[_part(function)] += own
            continue
        for caller, (_, _, own_for_caller, _) in callers.items():
            spent[_part(caller)] += own_for_caller
    total = sum(spent.values())
    print(f"CPU ms per message by part, the profiler's own cost included (in all {total:.3f} s):")
    for part, seconds in spent.most_common():
        print(f"  {seconds * 1000 / messages:7.3f}  {seconds / total:4.0%}  {part}")


def _part(function: _Function) -> str:
    """The part that a function belongs to; what C code costs counts for who called it."""
    path = function[0]
    return next((part for part in _PARTS if f"/{part}/" in path), "other libraries")
