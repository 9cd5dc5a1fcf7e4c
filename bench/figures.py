"""What was measured of one run, and whether everything arrived once and in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.talk import Heard


@dataclass(frozen=True, slots=True)
class Verdict:
    """How what was heard differs from what was said."""

    missing: int
    doubled: int
    misplaced: int

    @property
    def good(self) -> bool:
        """Whether everything arrived exactly once and in order."""
        return not (self.missing or self.doubled or self.misplaced)

    def __str__(self) -> str:
        if self.good:
            return "yes"
        counts = {
            "missing": self.missing, "doubled": self.doubled, "out of order": self.misplaced
        }  # fmt: skip
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from saying to hearing."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One run. `cpu` is the bridge's, in milliseconds for each message, idle use subtracted;
    `floor` is the latency of the same messages without the bridge, where it was measured; memory
    in MB.
    """

    name: str
    count: int
    verdict: Verdict
    per_second: float
    cpu: float
    latency: Latency
    floor: Latency | None
    peak: float


@dataclass(frozen=True, slots=True)
class StartFigures:
    """One start: seconds until ready and until at rest, CPU seconds, memory in MB at rest."""

    portals: int
    ghosts: int
    ready: float
    rested: float
    cpu: float
    memory: float
    peak: float


def judge(count: int, heard: Sequence[Heard]) -> Verdict:
    """Compare what was heard with the numbers 0 to `count` - 1."""
    numbers = [each.number for each in heard]
    different = set(numbers)
    firsts = list(dict.fromkeys(numbers))
    misplaced = sum(later < earlier for earlier, later in pairwise(firsts))
    return Verdict(count - len(different), len(numbers) - len(different), misplaced)


def latency(said: Sequence[int], heard: Sequence[Heard]) -> Latency:
    """The latency of what was heard; of each utterance its first arrival."""
    first: dict[int, int] = {}
    for each in heard:
        first.setdefault(each.number, each.at)
    waits = sorted((at - said[number]) / 10**6 for number, at in first.items())
    return Latency(quantile(waits, 0.5), quantile(waits, 0.99))


def rate(said: Sequence[int], heard: Sequence[Heard]) -> float:
    """Utterances per second, from the first one said to the last one heard."""
    if not heard:
        return 0.0
    return len(heard) * 10**9 / (heard[-1].at - said[0])


def quantile(ascending: Sequence[float], part: float) -> float:
    """The value below which `part` of the values lie; NaN when there is none."""
    if not ascending:
        return float("nan")
    return ascending[min(int(len(ascending) * part), len(ascending) - 1)]
