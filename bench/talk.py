"""What is said in a benchmark, and the record of what was heard of it.

Every utterance bears the name of its run and a number, so that a hearer can tell what is missing,
doubled or out of order, whichever way it came. Times are `time.monotonic_ns()`: one clock for all
processes of a machine.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

_MARK = re.compile(r"\[(\w+)/(\d+)\]")
_FILLING = "the second CT shows the same lesion in segment VI, 14 mm, without contrast enhancement"


class Heard(NamedTuple):
    """One arrival: the number of the utterance, and when it came in nanoseconds."""

    number: int
    at: int


def utterance(run: str, number: int) -> str:
    """A text of ordinary length that can be recognised wherever it arrives."""
    return f"[{run}/{number}] {_FILLING}"


class Ears:
    """Everything heard so far, by run, in the order of arrival."""

    def __init__(self) -> None:
        self._runs: dict[str, list[Heard]] = defaultdict(list)
        self._numbers: dict[str, set[int]] = defaultdict(set)
        self._waiting: dict[str, tuple[int, asyncio.Event]] = {}

    def hear(self, text: str) -> None:
        """Note a text, if it is an utterance."""
        at = time.monotonic_ns()
        found = _MARK.search(text)
        if found is None:
            return
        run, number = found[1], int(found[2])
        self._runs[run].append(Heard(number, at))
        self._numbers[run].add(number)
        waiting = self._waiting.get(run)
        if waiting is not None and len(self._numbers[run]) >= waiting[0]:
            waiting[1].set()

    async def listen(self, run: str, count: int, seconds: float) -> list[Heard]:
        """What was heard of a run, once so many different utterances were, or time is up."""
        enough = asyncio.Event()
        self._waiting[run] = (count, enough)
        if len(self._numbers[run]) >= count:
            enough.set()
        try:
            async with asyncio.timeout(seconds):
                await enough.wait()
        except TimeoutError:
            pass  # what is missing shows in the answer
        finally:
            del self._waiting[run]
        return list(self._runs[run])


async def speak(count: int, per_second: float, say: Callable[[int], object]) -> list[int]:
    """Say so many utterances, evenly spaced, or at once when `per_second` is 0.

    Returns:
        When each was said, in nanoseconds.
    """
    said: list[int] = []
    start = time.monotonic()
    for number in range(count):
        if per_second:
            ahead = start + number / per_second - time.monotonic()
            await asyncio.sleep(max(ahead, 0))
        said.append(time.monotonic_ns())
        say(number)
    return said
