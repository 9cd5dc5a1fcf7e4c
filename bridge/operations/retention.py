"""Deletes from the database, now and then, what has been dealt with long ago.

In small steps with pauses, so that a message never waits long behind it. What was set aside stays
at least as long as any link keeps trying, so that it can be tried again; what waits stays.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from bridge.clock import now_ms
from bridge.errors import StoreError
from bridge.store import notices
from bridge.store.database import Database
from bridge.store.pruning import Step, prune_deliveries, prune_inbox

log = structlog.get_logger(__name__)

_DAY_MS: Final = 86_400_000
_STEP_ROWS: Final = 200
_FIRST_SECONDS: Final = 600.0
_EVERY_SECONDS: Final = 6 * 3_600.0
_SHORTEST_PAUSE: Final = 0.2
_PAUSE_PER_WORK: Final = 20.0
"""At most a twentieth of the database's time is spent on this."""

_Prune = Callable[[Connection, int], Step]


class Retention:
    """Keeps `days` days; 0 keeps everything for ever.

    Args:
        longest_trying_ms: how long any link keeps trying.
        pruned: told how many rows were deleted from which table.
        pause: seconds between two steps, at least.
    """

    def __init__(  # noqa: PLR0913 - what it works on, what it keeps, and how gently
        self,
        database: Database,
        *,
        days: int,
        longest_trying_ms: int,
        pruned: Callable[[str, int], None] = lambda _table, _rows: None,
        first: float = _FIRST_SECONDS,
        pause: float = _SHORTEST_PAUSE,
    ) -> None:
        self._database = database
        self._keep_ms = days * _DAY_MS
        self._keep_failed_ms = max(self._keep_ms, longest_trying_ms)
        self._pruned = pruned
        self._first = first
        self._pause = pause

    async def run(self) -> None:
        """Prune four times a day, until cancelled; not at once, for a start has enough to do."""
        if not self._keep_ms:
            return
        await asyncio.sleep(self._first)
        while True:
            try:
                await self.prune()
            except StoreError as error:
                log.warning("not_pruned", reason=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def prune(self) -> None:
        """Delete everything that need not be kept.

        Raises:
            StoreError: the database failed; what was deleted before is.
        """
        if not self._keep_ms:
            return
        now = now_ms()
        done, failed = now - self._keep_ms, now - self._keep_failed_ms
        rows = {
            "deliveries": await self._walk(
                "deliveries",
                lambda connection, after: prune_deliveries(
                    connection, after=after, limit=_STEP_ROWS, done_before=done,
                    failed_before=failed,
                ),
            ),
            "inbox": await self._walk(
                "inbox",
                lambda connection, after: prune_inbox(
                    connection, after=after, limit=_STEP_ROWS, received_before=done
                ),
            ),
        }  # fmt: skip
        await self._database.run(notices.drop_forgotten)
        if any(rows.values()):
            log.info("pruned", **rows)

    async def _walk(self, table: str, prune: _Prune) -> int:
        total, after = 0, 0
        while True:
            began = time.monotonic()
            step = await self._database.run(partial(_step, prune, after))
            total += step.deleted
            if step.deleted:
                self._pruned(table, step.deleted)
            if step.after is None:
                return total
            after = step.after
            took = time.monotonic() - began
            await asyncio.sleep(max(self._pause, took * _PAUSE_PER_WORK if self._pause else 0.0))


def _step(prune: _Prune, after: int, connection: Connection) -> Step:
    return prune(connection, after)
