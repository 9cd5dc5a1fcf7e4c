"""Writes down what became of deliveries, many in one commit.

An outcome that a crash keeps from the disk leaves its delivery pending; it is looked up, not
blindly repeated, at the next start. So a short wait for company costs nothing but that look-up.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import Connection

from bridge.errors import StoreError
from bridge.store import deliveries, messages
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_LINGER_SECONDS: Final = 0.1
_GROUP: Final = 500
_RETRY_SECONDS: Final = 2.0

UNRECORDED_MAX: Final = 2 * _GROUP
"""At most so many outcomes can be known only in memory."""

Entry = tuple[deliveries.Outcome, Sequence[messages.CopyRow]]


class Recorder:
    """Takes outcomes and the copies they made, and commits them in groups."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries: list[Entry] = []
        self._writing: list[Entry] = []
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def note(
        self, outcome: deliveries.Outcome, copies: Sequence[messages.CopyRow] = ()
    ) -> None:
        """Have an outcome written down soon. Waits while the database is far behind."""
        while not self._room.is_set():
            await self._room.wait()
        self._entries.append((outcome, copies))
        self._something.set()
        if len(self._entries) >= _GROUP:
            self._room.clear()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._something.wait()
            await asyncio.sleep(_LINGER_SECONDS)
            try:
                await self.flush()
            except StoreError as error:
                log.error("outcomes_not_recorded", waiting=len(self._writing), reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def flush(self) -> None:
        """Write down everything noted so far.

        Raises:
            StoreError: the database failed; all of it is kept and written by the next call.
        """
        self._writing += self._entries
        self._entries.clear()
        self._something.clear()
        try:
            await self._database.run(lambda c: _write(c, self._writing))
        except BaseException:
            self._something.set()
            raise
        self._writing = []
        self._room.set()


def _write(connection: Connection, entries: Sequence[Entry]) -> None:
    messages.add_copies(connection, [copy for _, copies in entries for copy in copies])
    deliveries.record(connection, [outcome for outcome, _ in entries])
