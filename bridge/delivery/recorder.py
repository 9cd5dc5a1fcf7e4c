"""Writes down what became of deliveries, many in one commit.

An outcome that a crash keeps from the disk leaves its delivery pending; it is looked up, not
blindly repeated, at the next start. So a short wait for company costs nothing but that look-up.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog
from sqlalchemy import Connection

from bridge.errors import StoreError, UnstorableError
from bridge.store import deliveries, messages
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_GROUP: Final = 500

UNRECORDED_MAX: Final = 2 * _GROUP
"""At most so many outcomes can be known only in memory."""

Entry = tuple[deliveries.Outcome, Sequence[messages.CopyRow]]


class Recorder:
    """Takes outcomes and the copies they made, and commits them in groups.

    Args:
        linger: seconds to wait for company.
        retry: seconds to wait after the database failed.
    """

    def __init__(self, database: Database, *, linger: float = 0.5, retry: float = 2.0) -> None:
        self._database = database
        self._linger = linger
        self._retry = retry
        self._entries: list[Entry] = []
        self._copies: set[messages.CopyKey] = set()
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._writing = asyncio.Lock()

    async def note(
        self, outcome: deliveries.Outcome, copies: Sequence[messages.CopyRow] = ()
    ) -> None:
        """Have an outcome written down soon. Waits while the database is far behind."""
        # Known at once, however long the outcome has to wait: the copy may come back any moment
        self._copies.update((copy.place_id, copy.remote_id) for copy in copies)
        while len(self._entries) >= UNRECORDED_MAX:
            self._room.clear()
            await self._room.wait()
        self._entries.append((outcome, copies))
        self._something.set()

    @property
    def waiting(self) -> int:
        """How many outcomes are known only in memory."""
        return len(self._entries)

    def holds(self, copy: messages.CopyKey) -> bool:
        """Whether this copy was made, and is not on disk yet. May be asked from any thread."""
        return copy in self._copies

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._something.wait()
            await asyncio.sleep(self._linger)
            try:
                await self.flush()
            except StoreError as error:
                log.error("outcomes_not_recorded", waiting=len(self._entries), reason=str(error))
                await asyncio.sleep(self._retry)

    async def flush(self) -> None:
        """Write down everything noted so far.

        Raises:
            StoreError: the database failed; all of it is kept and written by the next call.
        """
        async with self._writing:
            left = len(self._entries)
            while entries := self._entries[: min(left, _GROUP)]:
                await self._write(entries)
                del self._entries[: len(entries)]
                left -= len(entries)
                for _, copies in entries:
                    self._copies.difference_update((c.place_id, c.remote_id) for c in copies)
                self._room.set()
            if not self._entries:
                self._something.clear()

    async def _write(self, entries: Sequence[Entry]) -> None:
        try:
            await self._database.run(lambda connection: _write(connection, entries))
        except UnstorableError:
            # One outcome that can't be written must not keep the others from the disk
            for entry in entries:
                await self._write_alone(entry)

    async def _write_alone(self, entry: Entry) -> None:
        try:
            await self._database.run(lambda connection: _write(connection, [entry]))
        except UnstorableError as error:
            outcome, copies = entry
            log.error(
                "copies_not_recorded",
                delivery=outcome.delivery_id,
                copies=len(copies),
                reason=str(error),
            )
            bare = replace(outcome, last_error=None)
            await self._database.run(lambda connection: _write(connection, [(bare, ())]))


def _write(connection: Connection, entries: Sequence[Entry]) -> None:
    messages.add_copies(connection, [copy for _, copies in entries for copy in copies])
    deliveries.record(connection, [outcome for outcome, _ in entries])
