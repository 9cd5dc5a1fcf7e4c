"""The command line, run as an admin runs it."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Told:
    """What a command told, and its exit status."""

    status: int
    lines: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """Each problem that `check` found: what, which, and what to do about it."""
        found: list[str] = []
        for line in self.lines:
            if line.startswith("PROBLEM"):
                found.append(" ".join(line.removeprefix("PROBLEM").split()))
            elif line.startswith(" ") and found:
                found[-1] += f" | {line.strip()}"
        return found


async def consilium(config: Path, *arguments: str) -> Told:
    """Run `consilium` with a configuration file until it ends."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "-c", str(config), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            output, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    return Told(child.returncode or 0, tuple(output.decode().splitlines()))
