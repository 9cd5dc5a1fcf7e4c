"""The outcome of a trial, printed."""

import re
import shutil
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from torture.cast import Side
from torture.schedule import Fault
from torture.trial import Outcome
from torture.verdict import Kind, Offence, Verdict

_OFFENCES_SHOWN: Final = 4
"""Of each kind."""
_LINES_SHOWN: Final = 14
_MESSAGE: Final = re.compile(r"\bmessage[=\":' ]+(\d+)")
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_RESTARTS: Final = (Fault.PROSODY_RESTARTS, Fault.SYNAPSE_RESTARTS, Fault.POSTGRESQL_RESTARTS)
_PAUSES: Final = (Fault.PROSODY_PAUSES, Fault.SYNAPSE_PAUSES)


def show(*things: object) -> None:
    """Print, wide enough wherever the output goes."""
    console = Console(width=max(120, shutil.get_terminal_size().columns), highlight=False)
    for thing in things:
        console.print(thing, markup=False)


def quantile(values: Iterable[float], part: float) -> float:
    """The value below which `part` of the values lie; NaN when there is none."""
    ascending = sorted(values)
    if not ascending:
        return float("nan")
    return ascending[min(int(len(ascending) * part), len(ascending) - 1)]


def outcome_table(outcome: Outcome) -> Table:
    """Everything there is to know of a trial."""
    verdict, faults = outcome.verdict, outcome.faults
    table = Table(title="Torture", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    injected = {
        str(fault): count for fault, count in faults.items() if fault not in {*_RESTARTS, *_PAUSES}
    }
    rows: list[tuple[str, object]] = [
        ("said", verdict.said),
        ("copies expected", verdict.expected),
        ("copies arrived", verdict.arrived),
        *((str(kind), verdict.count(kind)) for kind in Kind),
        ("bridge killed", outcome.kills),
        *((fault, faults[fault]) for fault in (*_RESTARTS, *_PAUSES) if fault in faults),
        *injected.items(),
        *((f"its log's lines of a {fault}", count) for fault, count in outcome.met.items()),
        ("bridge ended by itself", _statuses(outcome.ended_by_itself)),
        ("tracebacks in its log", outcome.tracebacks),
        *((f"delay to {side.value}, p50 / p99", _delay(verdict, side)) for side in Side),
        ("furthest off its time", f"{verdict.furthest_off:.1f} s"),
        ("longest delay", f"{verdict.longest:.1f} s"),
        ("duration", f"{outcome.seconds:.0f} s"),
    ]
    for name, value in rows:
        table.add_row(str(name), str(value))
    return table


def delay_table(outcomes: Sequence[tuple[str, Outcome]]) -> Table:
    """The delays of several trials, side by side."""
    table = Table(title="Delays", title_justify="left")
    for name in ("p50 / p99 ms", "copies arrived", *(f"to {side.value}" for side in Side)):
        table.add_column(name)
    for name, outcome in outcomes:
        delays = [_delay(outcome.verdict, side) for side in Side]
        table.add_row(name, str(outcome.verdict.arrived), *delays)
    return table


def offences(outcome: Outcome) -> Iterator[str]:
    """The first messages that are not as they should be, each with its way through the log."""
    found = outcome.verdict.offences
    where = Counter((str(each.kind), each.utterance.author, each.spot.side.value) for each in found)
    for (kind, author, side), count in sorted(where.items()):
        yield f"{kind}: {count} by {author} at {side}"
    for kind in Kind:
        alike = [each for each in found if each.kind is kind]
        for offence in alike[:_OFFENCES_SHOWN]:
            detail = f" {offence.detail}" if offence.detail else ""
            yield f'{kind}{detail}: "{offence.utterance.text}" at {offence.spot.side.value}'
            yield from (f"    {line}" for line in _way(outcome.log, offence))


def _way(log: Path, offence: Offence) -> Sequence[str]:
    """The lines of the log about a message: those with an id of it, or with its number."""
    if not offence.ids:
        return ["no place has it"]
    lines = [_ANSI.sub("", line.rstrip()) for line in log.open(errors="replace")]
    numbers = {
        match[1]
        for line in lines
        if any(id_ in line for id_ in offence.ids)
        for match in [_MESSAGE.search(line)]
        if match
    }
    words = [re.escape(id_) for id_ in offence.ids]
    words += [rf"\bmessage[=\":' ]+{number}\b" for number in numbers]
    pattern = re.compile("|".join(words))
    about = deque((line for line in lines if pattern.search(line)), maxlen=_LINES_SHOWN)
    return about or [f"the log knows none of {', '.join(offence.ids)}"]


def _delay(verdict: Verdict, side: Side) -> str:
    p50, p99 = (quantile(verdict.delays[side], part) * 1000 for part in (0.5, 0.99))
    return f"{p50:.0f} / {p99:.0f} ms"


def _statuses(statuses: Sequence[int]) -> str:
    return f"{len(statuses)} ({', '.join(map(str, statuses))})" if statuses else "0"
