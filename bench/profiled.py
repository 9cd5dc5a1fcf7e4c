"""Runs the bridge so that it can be profiled once: the first SIGUSR1 begins, the second ends and
writes the profile of all threads to a file.

    python -m bench.profiled FILE -c config.yaml run

Time is the CPU time of each thread, so waiting costs nothing; what the profiler itself costs is in
the figures, most of all in small functions that are called often. Python 3.12 and later allow but
one profiler at a time: there the threads other than the main one go without.
"""

import cProfile
import pstats
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any


class _OtherThread(cProfile.Profile):
    """The profile of a thread that goes on: what it has begun is not counted as ended."""

    def create_stats(self) -> None:
        self.snapshot_stats()


class Profiler:
    """A profile for each thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._main = cProfile.Profile(time.thread_time)
        self._others: list[_OtherThread] = []
        self._signals = 0

    def install(self) -> None:
        """Listen to the signal, and follow every thread that starts from now on."""
        threading.setprofile(self._watch)
        signal.signal(signal.SIGUSR1, self._take_signal)

    def _take_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals == 1:
            self._main.enable()
        elif self._signals == 2:
            self._main.disable()
            self._write()

    def _watch(self, _frame: FrameType, _event: str, _argument: Any) -> None:
        """The profile hook of a new thread, until it is time to give way to a profiler."""
        if self._signals != 1:
            return
        profile = _OtherThread(time.thread_time)
        try:
            profile.enable()
        except ValueError:
            sys.setprofile(None)
            return
        self._others.append(profile)

    def _write(self) -> None:
        stats = pstats.Stats(self._main)
        for profile in self._others:
            if profile.getstats():  # pstats refuses the profile of a thread that did nothing
                stats.add(profile)
        stats.dump_stats(self._path)


if __name__ == "__main__":
    Profiler(Path(sys.argv.pop(1))).install()
    runpy.run_module("bridge", run_name="__main__", alter_sys=True)
