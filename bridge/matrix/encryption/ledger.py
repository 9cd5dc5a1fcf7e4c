"""Changes of ratchets and keys, which must be on disk before anything that rests on them leaves.

A ratchet that was used and then goes back to an earlier state, since the process was killed, uses
the same key twice, and the other side can't read the second message. So what changes is noted here,
and `commit` writes all of it in one transaction before a request is sent.
"""

import asyncio
from collections.abc import Callable, Hashable

from sqlalchemy import Connection

from bridge.errors import StoreError
from bridge.store.database import Database

Write = Callable[[Connection], object]


class Ledger:
    """What has changed in memory and is not on disk yet.

    Args:
        database: where it goes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[Hashable, Callable[[], Write]] = {}
        self._turn = asyncio.Lock()

    def note(self, what: Hashable, prepare: Callable[[], Write]) -> None:
        """Something has changed.

        Args:
            what: names the thing: a later change of it takes the place of an earlier one.
            prepare: called at the commit, when it takes the thing's state as it is then.
        """
        self._noted.pop(what, None)
        self._noted[what] = prepare

    def put(self, what: Hashable, write: Write) -> None:
        """As `note`, for what is known already."""
        self.note(what, lambda: write)

    async def commit(self) -> None:
        """Write everything that was noted until now; on disk when it returns.

        Raises:
            StoreError: the database failed; all of it stays noted.
        """
        async with self._turn:
            if not self._noted:
                return
            taken, self._noted = self._noted, {}
            writes = [prepare() for prepare in taken.values()]
            try:
                await self._database.run(lambda connection: _write_all(connection, writes))
            except (StoreError, asyncio.CancelledError):
                self._noted = taken | self._noted
                raise


def _write_all(connection: Connection, writes: list[Write]) -> None:
    for write in writes:
        write(connection)
