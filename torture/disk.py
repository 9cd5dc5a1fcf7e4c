"""A small disk for the bridge's database, which can really be full."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

_MEGABYTES: Final = 96
_TOP_UP_SECONDS: Final = 0.1


class Disk:
    """A file system in memory, of a bounded size, mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no room on it, whatever has become free."""
        with self._ballast.open("ab") as ballast:
            state = os.fstatvfs(ballast.fileno())
            room = state.f_bavail * state.f_frsize
            size = os.fstat(ballast.fileno()).st_size
            if room:
                with suppress(OSError):  # the bridge was quicker
                    os.posix_fallocate(ballast.fileno(), size, room)

    async def keep_full(self) -> None:
        """Until cancelled; then there is room again."""
        try:
            while True:
                self.fill()
                await asyncio.sleep(_TOP_UP_SECONDS)
        finally:
            self._ballast.unlink(missing_ok=True)


@asynccontextmanager
async def mounted(path: Path) -> AsyncIterator[Disk | None]:
    """A disk at `path`, a new folder; None where nothing may be mounted, as for all but root.

    What is on it at the end stays there.
    """
    await asyncio.to_thread(path.mkdir, parents=True)
    options = f"size={_MEGABYTES}m,mode=0755"
    if await _run("mount", "-t", "tmpfs", "-o", options, "consilium-torture", str(path)):
        yield None
        return
    try:
        yield Disk(path)
    finally:
        kept = path.with_name(f"{path.name}-kept")
        await asyncio.to_thread(shutil.copytree, path, kept)
        await _run("umount", "--lazy", str(path))
        await asyncio.to_thread(_put_in_place, kept, path)


def _put_in_place(kept: Path, path: Path) -> None:
    path.rmdir()
    kept.rename(path)


async def _run(*command: str) -> int:
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return 1
    return await child.wait()
