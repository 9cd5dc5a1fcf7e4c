"""Writes down what became of deliveries, many in one commit.

An outcome that a crash keeps from the disk leaves its delivery pending; it is looked up, not
blindly repeated, at the next start. So a short wait for company costs nothing but that look-up.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog
from sqlalchemy import Connection

from bridge.errors import StoreError, UnstorableError
from bridge.store import deliveries, messages, references
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_GROUP: Final = 500

UNRECORDED_MAX: Final = 2 * _GROUP
"""At most so many outcomes can be known only in memory."""


@dataclass(frozen=True, slots=True)
class TopicName:
    """What a place calls the topic that the message `root_id` began."""

    place_id: int
    remote_id: str
    root_id: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of an attempt, and the copies and the topic's name that it brought."""

    outcome: deliveries.Outcome
    copies: Sequence[messages.CopyRow] = ()
    topic: TopicName | None = None


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
        self._copies: dict[messages.CopyKey, messages.CopyRow] = {}
        self._topics: dict[messages.CopyKey, int] = {}
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._writing = asyncio.Lock()

    async def note(
        self,
        outcome: deliveries.Outcome,
        copies: Sequence[messages.CopyRow] = (),
        topic: TopicName | None = None,
    ) -> None:
        """Have an outcome written down soon. Waits while the database is far behind."""
        # Known at once, however long the outcome has to wait: the copy may come back any moment
        self._copies.update(((copy.place_id, copy.remote_id), copy) for copy in copies)
        if topic is not None:
            self._topics[topic.place_id, topic.remote_id] = topic.root_id
        while len(self._entries) >= UNRECORDED_MAX:
            self._room.clear()
            await self._room.wait()
        self._entries.append(Entry(outcome, copies, topic))
        self._something.set()

    @property
    def waiting(self) -> int:
        """How many outcomes are known only in memory."""
        return len(self._entries)

    def message_of(self, copy: messages.CopyKey) -> int | None:
        """The message of a copy that was made and is not on disk yet; None if there is no such.

        May be asked from any thread.
        """
        row = self._copies.get(copy)
        return None if row is None else row.message_id

    def root_of(self, topic: messages.CopyKey) -> int | None:
        """The message that began a topic whose name is not on disk yet. From any thread."""
        return self._topics.get(topic)

    @property
    def unrecorded(self) -> Sequence[Entry]:
        """What is not on disk yet, oldest first."""
        return tuple(self._entries)

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
                for copy in (copy for entry in entries for copy in entry.copies):
                    self._copies.pop((copy.place_id, copy.remote_id), None)
                for topic in (entry.topic for entry in entries if entry.topic):
                    self._topics.pop((topic.place_id, topic.remote_id), None)
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
            log.error(
                "copies_not_recorded",
                delivery=entry.outcome.delivery_id,
                copies=len(entry.copies),
                reason=str(error),
            )
            bare = Entry(replace(entry.outcome, last_error=None))
            await self._database.run(lambda connection: _write(connection, [bare]))


def _write(connection: Connection, entries: Sequence[Entry]) -> None:
    messages.add_copies(connection, [copy for entry in entries for copy in entry.copies])
    for topic in (entry.topic for entry in entries if entry.topic):
        references.add_topic(connection, (topic.place_id, topic.remote_id), topic.root_id)
    deliveries.record(connection, [entry.outcome for entry in entries])
