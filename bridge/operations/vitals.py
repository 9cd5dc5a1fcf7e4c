"""Whether the bridge lives: its event loop turns, and its database answers, be it with a fault."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection

from bridge.errors import StoreError
from bridge.store import runs
from bridge.store.database import Database

log = structlog.get_logger(__name__)

T = TypeVar("T")

SILENCE_SECONDS: Final = 45.0
"""A database that has not answered for so long will not: it gives up by itself after 30 seconds."""

_ASK_SECONDS: Final = 5.0
_BEAT_SECONDS: Final = 1.0
_WRITE_SECONDS: Final = 3.0
_WRITTEN_FRESH: Final = 10.0
_REFUSED_FRESH: Final = 1.0


class Vitals:
    """Feels the pulse.

    Args:
        database: asked when nobody else has anything to ask.
        transacted: told how many seconds each transaction took.

    Attributes:
        database: the same, as everybody else should use it: all that it answers is a sign of life.
        database_works: whether the last transaction worked.
        lag: by how many seconds the event loop was late, the last time it was looked at.
    """

    def __init__(
        self, database: Database, transacted: Callable[[float], None] = lambda _: None
    ) -> None:
        self.database: Database = _WatchedDatabase(database, self._transaction)
        self._transacted = transacted
        self._answered_at = time.monotonic()
        self._asked = False
        self._writable: str | None = None
        self._writable_until = float("-inf")
        self._writing = asyncio.Lock()
        self.database_works = True
        self.lag = 0.0

    async def run(self) -> None:
        """Ask the database and measure the loop's lag until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask())
            group.create_task(self._beat())

    def _transaction(self, seconds: float, error: BaseException | None) -> None:
        # An answer whether or not it failed
        self._answered_at = time.monotonic()
        if error is None or isinstance(error, StoreError):
            self.database_works = error is None
        self._transacted(seconds)

    def silence(self) -> str | None:
        """Why the bridge must be taken for dead; None while it lives."""
        silent = time.monotonic() - self._answered_at
        if silent < SILENCE_SECONDS:
            return None
        return f"The database has not answered for {silent:.0f} seconds."

    async def unwritable(self) -> str | None:
        """Why the database can't be written now; None when it can, as tried 10 seconds ago."""
        async with self._writing:
            if time.monotonic() >= self._writable_until:
                await self._try_to_write()
            return self._writable

    async def _try_to_write(self) -> None:
        before, self._writable = self._writable, None
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self.database.run(runs.alive)
        except (StoreError, TimeoutError) as error:
            # Whoever asks need not be told where the database is; the log may
            self._writable = "The database can't be written; the log tells why."
            if before is None:
                log.warning("database_not_writable", reason=str(error) or "it does not answer")
        fresh = _WRITTEN_FRESH if self._writable is None else _REFUSED_FRESH
        self._writable_until = time.monotonic() + fresh

    async def _ask(self) -> None:
        while True:
            if time.monotonic() - self._answered_at >= _ASK_SECONDS:
                try:
                    await self.database.run(_nothing)
                except StoreError as error:
                    log.debug("database_not_well", reason=str(error))
            await asyncio.sleep(_ASK_SECONDS)

    async def _beat(self) -> None:
        while True:
            due = time.monotonic() + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)
            self.lag = max(0.0, time.monotonic() - due)


def _nothing(_connection: Connection) -> None:
    """Only begin a transaction and end it."""


class _WatchedDatabase:
    """A `bridge.store.database.Database` that tells the end of each transaction."""

    def __init__(
        self, database: Database, ended: Callable[[float, BaseException | None], None]
    ) -> None:
        self._database = database
        self._ended = ended

    async def run(self, work: Callable[[Connection], T]) -> T:
        began = time.monotonic()
        try:
            found = await self._database.run(work)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._ended(time.monotonic() - began, error)
            raise
        self._ended(time.monotonic() - began, None)
        return found

    async def claim(self) -> None:
        await self._database.claim()

    async def close(self) -> None:
        await self._database.close()
