"""The folder that files are in while they are on their way: private, bounded, and soon emptied.

Only the process that has the folder's lock uses it. Nothing in it outlives that process on
purpose: whatever is found in it at start is what a crash left behind.
"""

import asyncio
import fcntl
import os
import re
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import structlog

from bridge.errors import ConfigError
from bridge.media.refusals import SpoolFull
from bridge.media.sniff import HEAD
from bridge.media.threads import Workers

log = structlog.get_logger(__name__)

_OWN: Final = re.compile(r"[0-9a-f]{64}\.(whole|clean)(\.[0-9]+\.part)?")
_LOCK: Final = "lock"
_BUFFER: Final = 262_144


@dataclass(slots=True, eq=False)
class Stored:
    """A file in the spool. It stays while anyone holds a lease.

    `mime` is what its content says, `width` and `height` what a picture's header says, in pixels.
    """

    path: Path
    size: int
    mime: str | None
    width: int | None
    height: int | None
    made: float
    leases: int = 0

    @contextmanager
    def lent(self) -> Iterator[None]:
        """A lease, for as long as the context lasts."""
        self.leases += 1
        try:
            yield
        finally:
            self.leases -= 1


class Spool:
    """The folder, its files and their sum.

    Args:
        directory: made when missing, for the owner alone.
        limit: bytes that all files may take together; who was longest without use goes first.
        keep_seconds: how long a file that nobody uses stays at most.
        workers: threads for the disk.
        clock: seconds, rising.
    """

    def __init__(
        self,
        directory: Path,
        *,
        limit: int,
        keep_seconds: float,
        workers: Workers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._limit = limit
        self._keep_seconds = keep_seconds
        self._workers = workers
        self._clock = clock
        self._files: dict[str, Stored] = {}
        self._used = 0
        self._numbers = count()
        self._lock: int | None = None

    @property
    def used(self) -> int:
        """Bytes that all files take, with those that are being written."""
        return self._used

    async def open(self) -> None:
        """Take the folder, and delete what a crash has left in it.

        Raises:
            ConfigError: it can't be used, is open to others, or another process uses it.
        """
        try:
            self._lock = await self._workers.run(_taken, self._directory)
            await self._workers.run(_wipe, self._directory)
        except OSError as error:
            raise ConfigError(
                f"The folder for files on their way, {self._directory}, can't be used:"
                f" {error.strerror or error}.",
                "Check its access rights, or name another as media.directory.",
            ) from error

    async def close(self) -> None:
        """Delete every file and give the folder back."""
        self._files.clear()
        self._used = 0
        if self._lock is not None:
            try:
                await self._workers.run(_wipe, self._directory)
            except OSError as error:
                log.warning("spool_not_emptied", reason=str(error))
            os.close(self._lock)
            self._lock = None

    def find(self, name: str) -> Stored | None:
        """A file by its name, which makes it the one that was used last."""
        found = self._files.pop(name, None)
        if found is not None:
            self._files[name] = found
        return found

    @asynccontextmanager
    async def part(self, name: str) -> AsyncIterator["Part"]:
        """A new file to be written; gone afterwards unless it was given to `keep`."""
        path = self._directory / f"{name}.{next(self._numbers)}.part"
        part = Part(name, path, self, self._workers)
        try:
            yield part
        finally:
            if not part.kept:
                path.unlink(missing_ok=True)
                self.release(part.size)

    async def keep(
        self, part: "Part", mime: str | None, measured: tuple[int, int] | None
    ) -> Stored:
        """Let a file be found that was written whole.

        Args:
            part: the file.
            mime: what it is.
            measured: width and height, for a picture.

        Raises:
            SpoolFull: the disk fails.
        """
        final = self._directory / part.name
        with disk_faults_told():
            await self._workers.run(part.path.replace, final)
        part.kept = True
        width, height = measured or (None, None)
        stored = Stored(final, part.size, mime, width, height, self._clock())
        self._files[part.name] = stored
        return stored

    async def reserve(self, size: int) -> None:
        """Count so many bytes more, and make room for them.

        Raises:
            SpoolFull: everything that could go is in use.
        """
        if self._used + size > self._limit:
            idle = [name for name, stored in self._files.items() if not stored.leases]
            await self._drop(idle, until=self._limit - size)
        if self._used + size > self._limit:
            raise SpoolFull
        self._used += size

    def release(self, size: int) -> None:
        """Count so many bytes less."""
        self._used -= size

    async def prune(self) -> None:
        """Delete what nobody uses and was kept for long enough."""
        before = self._clock() - self._keep_seconds
        old = [n for n, each in self._files.items() if not each.leases and each.made <= before]
        await self._drop(old)

    async def run(self) -> None:
        """Prune from time to time, until cancelled."""
        while True:
            await asyncio.sleep(min(60.0, self._keep_seconds / 2))
            await self.prune()

    async def _drop(self, names: list[str], until: int | None = None) -> None:
        paths = []
        for name in names:
            if until is not None and self._used <= until:
                break
            stored = self._files.pop(name)
            self._used -= stored.size
            paths.append(stored.path)
        if paths:
            await self._workers.run(_delete, paths)


class Part:
    """A file that is being written. `head` is how it begins, `size` the bytes counted for it."""

    def __init__(self, name: str, path: Path, spool: Spool, workers: Workers) -> None:
        self.name = name
        self.path = path
        self.size = 0
        self.head = b""
        self.kept = False
        self._spool = spool
        self._workers = workers
        self._buffer = bytearray()

    async def write(self, piece: bytes) -> None:
        """Add to its end.

        Raises:
            SpoolFull: there is no room.
        """
        await self.reserve(len(piece))
        self.head += piece[: HEAD - len(self.head)]
        self._buffer += piece
        if len(self._buffer) >= _BUFFER:
            await self.flush()

    async def flush(self) -> None:
        """Bring what was written to the disk.

        Raises:
            SpoolFull: the disk fails.
        """
        taken, self._buffer = bytes(self._buffer), bytearray()
        with disk_faults_told():
            await self._workers.run(_append, self.path, taken)

    async def reserve(self, size: int) -> None:
        """Count so many bytes more, which are going to be written.

        Raises:
            SpoolFull: there is no room.
        """
        await self._spool.reserve(size)
        self.size += size

    def settle(self, size: int) -> None:
        """It has become of this size, which is no more than was reserved."""
        self._spool.release(self.size - size)
        self.size = size


@contextmanager
def disk_faults_told() -> Iterator[None]:
    """What goes wrong with the disk, as the contract calls it.

    Raises:
        SpoolFull: it is full, or fails.
    """
    try:
        yield
    except OSError as error:
        log.warning("spool_not_written", reason=error.strerror or str(error))
        raise SpoolFull from error


def private_file(path: Path, flags: int = 0) -> int:
    """Open a file to add to it, for this user alone; never through a symbolic link."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | flags, 0o600)


def _append(path: Path, content: bytes) -> None:
    with os.fdopen(private_file(path), "ab") as file:
        file.write(content)


def _taken(directory: Path) -> int:
    """The folder's lock, as a file descriptor."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise ConfigError(
            f"The folder for files on their way, {directory}, must be the bridge's own and closed"
            " to others.",
            f"Say: chmod 700 {directory}, or name another as media.directory.",
        )
    lock = private_file(directory / _LOCK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ConfigError(
            f"Another bridge has its files in {directory}.",
            "Name another folder for one of them as media.directory.",
        ) from None
    return lock


def _wipe(directory: Path) -> None:
    for path in directory.iterdir():
        if _OWN.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
