"""The bridge under torture: a process whose log goes through a pipe, as it does under systemd.

Otherwise the file size limit, by which a full disk is played, would hold for its log as well, which
is no part of the database's disk.
"""

import asyncio
import os
import resource
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sandbox.bridge import Bridge, BridgeConfig
from sandbox.process import Process
from torture.disk import Disk

_NO_LIMIT: Final = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
_WATCH_SECONDS: Final = 0.2
_RESTART_SECONDS: Final = 1.0
_TAIL: Final = 30
_UNTIL_MET_SECONDS: Final = 15.0
_MET_POLL_SECONDS: Final = 0.5

FULL: Final = ("database or disk is full", "disk I/O error")
"""What the log says of a full disk: a real one, and one that is played by a limit."""

LOCKED: Final = ("database is locked",)


@dataclass(frozen=True)
class TellingConfig(BridgeConfig):
    """Has the bridge log each step of each message."""

    def content(self) -> dict[str, Any]:
        """The file's content."""
        return {**super().content(), "log": {"level": "debug"}}


class PipedBridge(Bridge):
    """A bridge that writes its log through a pipe into `log_file`."""

    def __init__(self, directory: Path, config: BridgeConfig) -> None:
        super().__init__(directory, config)
        directory.mkdir(parents=True, exist_ok=True)
        self.log_file = self.log
        self.log = directory / "bridge.pipe"
        os.mkfifo(self.log)
        # Held open, so that the pipe does not end with the bridge
        self._held = os.open(self.log, os.O_RDWR)
        self._writer = Process(
            "the log's writer", ["sh", "-c", f"exec cat '{self.log}'"], log=self.log_file
        )

    async def start_writer(self) -> None:
        """Have the log written; before the bridge is started."""
        await self._writer.start()

    async def end_writer(self) -> None:
        """Once the bridge has ended, wait until its log is written."""
        os.close(self._held)
        if self._writer.running:
            await self._writer.wait()

    def met(self, words: Collection[str], since: int = 0) -> int:
        """How many lines of its log, from that byte on, have any of these words."""
        with self.log_file.open("rb") as log:
            log.seek(since)
            wanted = [each.encode() for each in words]
            return sum(any(each in line for each in wanted) for line in log)

    def log_tail(self, lines: int = _TAIL) -> str:
        """The last lines of its log."""
        if not self.log_file.exists():
            return ""
        with self.log_file.open(errors="replace") as log:
            return "".join(deque(log, maxlen=lines))


class Subject:
    """Keeps the bridge running as a service manager would, kills it, and fills its disk.

    Args:
        bridge: the bridge.
        disk: where its database is; without one, a full disk is played by a limit on its files.
    """

    def __init__(self, bridge: PipedBridge, disk: Disk | None = None) -> None:
        self.bridge = bridge
        self._disk = disk
        self.kills = 0
        self.ended_by_itself: list[int] = []
        self._meant_to_run = True

    async def keep_running(self) -> None:
        """Start it again whenever it ends by itself, until cancelled."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._meant_to_run and not self.bridge.running:
                self.ended_by_itself.append(await self.bridge.wait())
                await asyncio.sleep(_RESTART_SECONDS)
                await self._launch()

    async def kill(self, away: float) -> None:
        """Kill it, whatever it is doing, and start it again `away` seconds later."""
        self._meant_to_run = False
        if self.bridge.running:
            await self.bridge.kill()
            self.kills += 1
        await asyncio.sleep(away)
        await self._launch()
        self._meant_to_run = True

    async def fill_disk(self, seconds: float) -> None:
        """For some time, let none of its files grow any more; at least until it has met that.

        Parts of an SQLite database are written again and again in their places, so that nothing is
        noticed for a while.
        """
        if not self.bridge.running:
            return
        since = self.bridge.log_file.stat().st_size
        full = asyncio.create_task(self._keep_full())
        try:
            await asyncio.sleep(seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(_UNTIL_MET_SECONDS):
                    while not self.bridge.met(FULL, since):  # noqa: ASYNC110 - no event
                        await asyncio.sleep(_MET_POLL_SECONDS)
        finally:
            full.cancel()
            await asyncio.wait({full})

    async def _keep_full(self) -> None:
        if self._disk is not None:
            await self._disk.keep_full()
            return
        pid = self.bridge.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        try:
            await asyncio.Event().wait()
        finally:
            with suppress(ProcessLookupError):  # killed meanwhile
                resource.prlimit(pid, resource.RLIMIT_FSIZE, _NO_LIMIT)

    async def _launch(self) -> None:
        if not self.bridge.running:
            await self.bridge.launch()

    async def __aenter__(self) -> Self:
        await self.bridge.start_writer()
        await self.bridge.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._meant_to_run = False
        if self.bridge.running:
            await self.bridge.stop()
        await self.bridge.end_writer()
