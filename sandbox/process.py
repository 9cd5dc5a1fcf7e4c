"""A child process that is owned: started until ready, stopped, paused, restarted, never leaked."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_TETHER = Path(__file__).with_name("tether.py")
_POLL_SECONDS = 0.03
_LOG_TAIL_LINES = 30


class ProcessError(Exception):
    """A child process did not start, or is not in the state that was asked for."""


class Process:
    """One program, run as often as it is started, always with the same command and log file.

    The program gets a session of its own, so that Ctrl-C in a terminal reaches only its owner, who
    then ends what it owns in the right order.
    """

    def __init__(  # noqa: PLR0913 -- what a process is, all but the first two by keyword
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        ready: Callable[[], Awaitable[bool]] | None = None,
        start_timeout: float = 60.0,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the process; `start` runs it.

        `ready` is asked again and again while the program starts; without it, a program counts as
        ready once it runs. `environment` is added to this process's own.
        """
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._ready = ready
        self._start_timeout = start_timeout
        self._directory = directory
        self._environment = dict(environment or {})
        self._child: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        return self._running_child().pid

    @property
    def running(self) -> bool:
        """Whether the process exists, be it paused."""
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        """Run the program and return when it is ready."""
        await self.launch()
        try:
            await self.until_ready()
        except BaseException:
            await self.kill()
            raise

    async def launch(self) -> None:
        """Run the program, and don't wait until it is ready."""
        if self.running:
            raise ProcessError(f"{self.name} is running already")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *self._command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                env=os.environ | self._environment,
                start_new_session=True,
            )

    async def until_ready(self) -> None:
        """Return once a program that was launched is ready.

        Raises:
            ProcessError: it has ended, or is not ready in time; it may still be running.
        """
        try:
            async with asyncio.timeout(self._start_timeout):
                while not await self._is_ready():  # noqa: ASYNC110 -- it signals no event
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            problem = f"{self.name} was not ready within {self._start_timeout:g} s"
            raise ProcessError(self._with_log(problem)) from None

    async def stop(self, grace: float = 10.0) -> int:
        """Ask the program to end, force it after `grace` seconds; return its exit status.

        The status is negative, minus the signal, when a signal ended it: -9 means that it had to
        be forced.
        """
        child = self._running_child()
        child.terminate()
        child.send_signal(signal.SIGCONT)  # a paused process would never see the request
        try:
            async with asyncio.timeout(grace):
                return await child.wait()
        except TimeoutError:
            child.kill()
            return await child.wait()

    async def kill(self) -> None:
        """End the program without a chance to tidy up, as a crash or a power cut would."""
        if self.running:
            child = self._running_child()
            child.kill()
            await child.wait()

    async def restart(self) -> None:
        """Stop the program and start it again, on the same ports and data."""
        await self.stop()
        await self.start()

    async def wait(self, timeout: float = 30.0) -> int:
        """The exit status, once the program has ended by itself."""
        if self._child is None:
            raise ProcessError(f"{self.name} was never started")
        async with asyncio.timeout(timeout):
            return await self._child.wait()

    def pause(self) -> None:
        """Freeze the program: its sockets stay open, but nothing answers."""
        self._running_child().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused program go on."""
        self._running_child().send_signal(signal.SIGCONT)

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """The last lines the program wrote."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.running:
            await self.stop()

    async def _is_ready(self) -> bool:
        child = self._child
        if child is not None and child.returncode is not None:
            problem = f"{self.name} ended with status {child.returncode} while it was starting"
            raise ProcessError(self._with_log(problem))
        return self._ready is None or await self._ready()

    def _with_log(self, problem: str) -> str:
        return f"{problem}; the end of {self.log}:\n{self.log_tail()}"

    def _running_child(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            raise ProcessError(f"{self.name} is not running")
        return self._child
