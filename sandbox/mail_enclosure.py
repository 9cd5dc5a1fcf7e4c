"""Servers of many processes that end together, however their owner ends."""

import os
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox.process import Process


class EnclosedProcess(Process):
    """A server in a world of its own (a PID namespace), whose first process takes all others with
    it. Some servers change their user or their session, and so undo any other tie.
    """

    def __init__(self, name: str, command: Sequence[str | Path], **more: Any) -> None:  # noqa: ANN401 - as Process
        """As `Process`."""
        inner = shlex.join(str(word) for word in command)
        # The colon keeps the shell from becoming the command itself
        enclosed = ["unshare", "--fork", "--pid", "--kill-child", "sh", "-c", f"{inner}; :"]
        super().__init__(name, enclosed, **more)

    async def stop(self, grace: float = 10.0) -> int:
        """End all of it at once: nothing of it is needed any more, and `unshare` hears no request.
        Afterwards its ports are free.
        """
        self._end()
        return await self.wait(grace)

    async def kill(self) -> None:
        """As a power cut would."""
        if self.running:
            await self.stop()

    def _end(self) -> None:
        """Kill the first process inside: it is gone only when all others are."""
        outside = self.pid
        inside = Path(f"/proc/{outside}/task/{outside}/children").read_text().split()
        for pid in map(int, inside or [str(outside)]):
            os.kill(pid, signal.SIGKILL)
