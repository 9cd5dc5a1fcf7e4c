"""Runs the bridge so that it can be profiled: each second SIGUSR1 ends what the one before began,
and writes the profile of all threads in between as DIRECTORY/1.profile, DIRECTORY/2.profile, ….

    python -m bench.profiled DIRECTORY -c config.yaml run

Time is the CPU time of each thread, so waiting costs nothing; what the profiler itself costs is in
the figures, most of all in small functions that are called often. Python 3.12 and later allow but
one profiler at a time: there the threads other than the main one go without.
"""

import cProfile
import itertools
import pstats
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any


class Profiler:
    """A profile for each thread, begun and ended together."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count(1)
        self._main = cProfile.Profile(time.thread_time)
        self._others: list[cProfile.Profile] = []
        self._on = False

    def install(self) -> None:
        """Listen to the signal, and follow every thread that starts from now on."""
        self._directory.mkdir()
        threading.setprofile(self._watch)
        signal.signal(signal.SIGUSR1, self._toggle)

    def _toggle(self, _number: int, _frame: FrameType | None) -> None:
        self._on = not self._on
        if self._on:
            for profile in (self._main, *self._others):
                profile.clear()
            self._main.enable()
        else:
            self._main.disable()
            self._write()

    def _watch(self, _frame: FrameType, _event: str, _argument: Any) -> None:
        """The profile hook of a new thread, until it is time to give way to a profiler."""
        if not self._on:
            return
        profile = cProfile.Profile(time.thread_time)
        try:
            profile.enable()
        except ValueError:
            sys.setprofile(None)
            return
        self._others.append(profile)

    def _write(self) -> None:
        stats = pstats.Stats(self._main)
        for profile in self._others:
            stats.add(profile)
        stats.dump_stats(self._directory / f"{next(self._numbers)}.profile")


if __name__ == "__main__":
    Profiler(Path(sys.argv.pop(1))).install()
    runpy.run_module("bridge", run_name="__main__", alter_sys=True)
