"""Everything a run needs, started in order and ended together, each in a process of its own."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.crowd import fill
from bench.meter import Meter
from bench.orders import Director, answers
from bench.setting import (
    DATABASE,
    Setting,
    group,
    make_script,
    make_service,
    password,
    write_config,
)
from sandbox.hospital import HOSPITAL_A
from sandbox.ports import free_port, is_listening
from sandbox.process import Process
from sandbox.prosody import Prosody

_START_SECONDS: Final = 120.0
_REST_SECONDS: Final = 180.0
_QUIET: Final = 0.03
"""A process that uses less than this part of one core is at rest."""
_PROFILE: Final = "bridge.profile"


@dataclass(frozen=True, slots=True)
class Stage:
    """What is running. `ready_seconds` is how long the bridge took to be ready; `profile` is where
    the profile of the first load is written, if any.
    """

    setting: Setting
    homeserver: Director
    colleague: Director
    bridge: Process
    meter: Meter
    ready_seconds: float
    profile: Path | None

    async def rest(self) -> float:
        """Wait until the bridge has nothing left to do; returns its idle use, in cores.

        Raises:
            TimeoutError: it was still busy after three minutes.
        """
        async with asyncio.timeout(_REST_SECONDS):
            while (used := await self._use(1.0)) > _QUIET:
                pass
        return used

    async def idle_use(self, seconds: float) -> float:
        """The part of one core that the bridge uses while nobody says anything."""
        await self.rest()
        return await self._use(seconds)

    def toggle_profile(self) -> None:
        """Begin or end the profile, if the bridge was started for it."""
        if self.profile is not None:
            os.kill(self.bridge.pid, signal.SIGUSR1)

    async def _use(self, seconds: float) -> float:
        before, start = self.meter.cpu(), time.monotonic()
        await asyncio.sleep(seconds)
        return (self.meter.cpu() - before) / (time.monotonic() - start)


@asynccontextmanager
async def staged(directory: Path, setting: Setting, *, profiled: bool) -> AsyncIterator[Stage]:
    """Set the stage in an empty directory, and clear it at the end."""
    service = make_service()
    script = make_script(setting, service)
    script_file, config = directory / "homeserver.json", directory / "config.yaml"
    script.write(script_file)
    await fill(directory / DATABASE, setting, service)
    async with AsyncExitStack() as stack:
        prosody = Prosody(
            directory / "prosody",
            hosts=[HOSPITAL_A.domain],
            mucs=[HOSPITAL_A.muc],
            components={HOSPITAL_A.component: HOSPITAL_A.component_secret},
        )
        await stack.enter_async_context(prosody)
        order_port = free_port()
        colleague = await _colleague(prosody, order_port, setting, directory)
        await stack.enter_async_context(colleague)
        homeserver = _process(
            "homeserver", ["-m", "bench.homeserver", str(script_file)], script.port, directory
        )
        await stack.enter_async_context(homeserver)
        write_config(config, setting, service, script.port, prosody.component_port)
        bridge = _bridge(directory, config, f"{service.url}/ready", profiled=profiled)
        start = time.monotonic()
        await stack.enter_async_context(bridge)
        ready = time.monotonic() - start
        yield Stage(
            setting,
            await stack.enter_async_context(Director(script.port)),
            await stack.enter_async_context(Director(order_port)),
            bridge,
            Meter(bridge.pid),
            ready,
            directory / _PROFILE if profiled else None,
        )


async def _colleague(
    prosody: Prosody, order_port: int, setting: Setting, directory: Path
) -> Process:
    jid, secret = f"colleague@{HOSPITAL_A.domain}", password()
    await prosody.add_user(jid, secret)
    rooms = [group(number) for number in range(setting.portals)]
    arguments = ["-m", "bench.colleague", str(order_port), str(prosody.client_port), jid, secret]
    return _process("colleague", [*arguments, *rooms], order_port, directory)


def _process(name: str, arguments: Sequence[str], port: int, directory: Path) -> Process:
    return Process(
        name,
        [sys.executable, *arguments],
        log=directory / f"{name}.log",
        ready=lambda: is_listening(port),
        start_timeout=_START_SECONDS,
    )


def _bridge(directory: Path, config: Path, ready_url: str, *, profiled: bool) -> Process:
    how = ["-m", "bench.profiled", str(directory / _PROFILE)] if profiled else ["-m", "bridge"]
    return Process(
        "bridge",
        [sys.executable, *how, "-c", str(config), "run"],
        log=directory / "bridge.log",
        ready=lambda: answers(ready_url),
        start_timeout=_START_SECONDS,
    )
