"""Does to the bridge and its servers what the schedule says, when it says so."""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from sandbox.process import Process, ProcessError
from torture.schedule import Fault, Schedule
from torture.ward import Ward

_LOCKER: Final = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
database.execute("BEGIN EXCLUSIVE")
time.sleep(float(sys.argv[2]))
database.execute("ROLLBACK")
"""
_LOCKING_SECONDS: Final = 60.0
_AWAY: Final = 0.4
"""A restart takes time by itself: the server stays away for this part of a fault's length."""

Told = Callable[[str], None]


class Chaos:
    """Carries out a schedule on a ward; `done` counts what was really done."""

    def __init__(self, ward: Ward, schedule: Schedule, tell: Told) -> None:
        self.done: Counter[Fault] = Counter()
        self._ward = ward
        self._schedule = schedule
        self._tell = tell
        self._began = time.monotonic()
        self._alive = asyncio.Lock()

    async def run(self) -> None:
        """Do all of it; returns when all is over and every server runs again."""
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill())
            group.create_task(self._inject())

    async def _kill(self) -> None:
        for kill in self._schedule.kills:
            await self._until(kill.at)
            async with self._alive:
                self._note("the bridge is killed")
                await self._ward.subject.kill(kill.seconds)

    async def _inject(self) -> None:
        for injection in self._schedule.faults:
            await self._until(injection.at)
            self._note(f"{injection.fault}, {injection.seconds:.1f} s")
            await self._means(injection.fault)(injection.seconds)
            self.done[injection.fault] += 1

    def _means(self, fault: Fault) -> Callable[[float], Awaitable[None]]:
        ward = self._ward
        means: dict[Fault, Callable[[float], Awaitable[None]]] = {
            Fault.PROSODY_RESTARTS: lambda seconds: _restart(ward.prosody, seconds),
            Fault.SYNAPSE_RESTARTS: lambda seconds: _restart(ward.synapse, seconds),
            Fault.PROSODY_PAUSES: lambda seconds: _pause(ward.prosody, seconds),
            Fault.SYNAPSE_PAUSES: lambda seconds: _pause(ward.synapse, seconds),
            Fault.DISK_FULL: ward.subject.fill_disk,
            Fault.DATABASE_LOCKED: lambda seconds: _lock(ward.database, seconds),
            Fault.LOCKED_FOR_LONG: self._lock_for_long,
            Fault.POSTGRESQL_RESTARTS: self._restart_postgres,
        }
        return means[fault]

    async def _lock_for_long(self, seconds: float) -> None:
        """Longer than the bridge waits for it, which has to run, and not to be killed meanwhile."""
        async with self._alive:
            await self._ward.subject.bridge.until_ready()
            await _lock(self._ward.database, seconds)

    async def _restart_postgres(self, seconds: float) -> None:
        if self._ward.postgres is None:
            raise ProcessError("this trial has no PostgreSQL")
        await _restart(self._ward.postgres, seconds)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - (time.monotonic() - self._began)))

    def _note(self, what: str) -> None:
        self._tell(f"{time.monotonic() - self._began:6.1f}  {what}")


async def _restart(server: Process, seconds: float) -> None:
    await server.stop()
    await asyncio.sleep(seconds * _AWAY)
    await server.start()


async def _pause(server: Process, seconds: float) -> None:
    server.pause()
    try:
        await asyncio.sleep(seconds)
    finally:
        server.resume()


async def _lock(database: Path, seconds: float) -> None:
    """Keep everyone else from writing, from a process of its own."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", _LOCKER, str(database), str(seconds)),
        stdin=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds + _LOCKING_SECONDS):
            status = await child.wait()
    except BaseException:
        child.kill()
        await child.wait()
        raise
    if status:
        raise ProcessError(f"the database could not be locked (exit status {status})")
