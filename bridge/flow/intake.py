"""The one way in: arrivals from every place are committed in groups, and relayed as they are.

Under load many arrivals share one commit: while one commit is on its way to the disk, the next
group gathers. Whoever waits in `receive` is told "on disk" or of the fault, never neither.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bridge.errors import StoreError, UnstorableError
from bridge.flow.codec import encode
from bridge.flow.hygiene import MAX_SUBJECT, clean, clean_text, is_sound_id
from bridge.flow.relay import Arrival, Duty, Relay, Unreadable
from bridge.model import Event
from bridge.store import deliveries
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_GROUP: Final = 500
_WAITING: Final = 200


class IntakeWatcher(Protocol):
    """Called on the event loop, for every commit; must be quick and must not raise."""

    def stored(self, arrivals: Sequence[Arrival], duties: Sequence[Duty], seconds: float) -> None:
        """Arrivals are on disk together with the duties they made, if any, after so long."""
        ...


@dataclass(slots=True)
class _Batch:
    arrivals: Sequence[Arrival]
    stored: asyncio.Future[None]


class Intake:
    """Takes arrivals, stores and relays them, and hands the new duties on.

    Args:
        deliver: called on the loop with the new duties, after their commit, in order.
        watchers: told of each commit, before that.
        read: brings an event's text into the form that is stored.
    """

    def __init__(
        self,
        database: Database,
        relay: Relay,
        deliver: Callable[[Sequence[Duty]], None],
        watchers: Sequence[IntakeWatcher] = (),
        read: Callable[[Event], Event] = lambda event: event,
    ) -> None:
        self._database = database
        self._relay = relay
        self._deliver = deliver
        self._watchers = watchers
        self._read = read
        self._queue: asyncio.Queue[_Batch] = asyncio.Queue(_WAITING)
        self._stopped = asyncio.Event()
        self._turn = asyncio.Lock()
        self._in_doubt: Sequence[Duty] = ()

    async def receive(self, arrivals: Sequence[Arrival]) -> None:
        """Store arrivals, in order; on disk when this returns.

        Raises:
            StoreError: the database failed, or the bridge is stopping. Offer all of `arrivals`
                again: what happens to be stored already is recognised.
        """
        if not arrivals:
            return
        if self._stopped.is_set():
            raise _stopping()
        batch = _Batch(
            [_cleaned(arrival, self._read) for arrival in arrivals],
            asyncio.get_running_loop().create_future(),
        )
        await self._queue.put(batch)
        if self._stopped.is_set():
            self._refuse_waiting()
        await batch.stored

    async def try_again(
        self, find: Callable[[Connection], Sequence[deliveries.FailedDelivery]]
    ) -> list[Duty]:
        """Put deliveries that were set aside back into their lanes.

        In turn with arrivals, since lanes are to be given duties in the order of their ids.

        Args:
            find: tells which, in the same transaction.

        Returns:
            The new duties.

        Raises:
            StoreError: the database failed; what `find` tells is still set aside, or will be tried.
        """

        def put_back(connection: Connection) -> tuple[list[Duty], list[Duty]]:
            before = self._relay_all(connection, ())
            again = self._relay.revive(connection, find(connection))
            self._in_doubt = [*before, *again]
            return before, again

        async with self._turn:
            before, again = await self._database.run(put_back)
            self._in_doubt = ()
            self._deliver([*before, *again])
        return again

    async def run(self) -> None:
        """Work until cancelled; what then still waits is told that it was not stored."""
        batches: list[_Batch] = []
        try:
            while True:
                batches = [await self._queue.get()]
                size = len(batches[0].arrivals)
                while size < _GROUP and not self._queue.empty():
                    batches.append(self._queue.get_nowait())
                    size += len(batches[-1].arrivals)
                await self._store(batches)
        finally:
            self._stopped.set()
            self._refuse_waiting(batches)

    def _refuse_waiting(self, batches: Sequence[_Batch] = ()) -> None:
        waiting = list(batches)
        while not self._queue.empty():  # which lets in the next of those who wait outside
            waiting.append(self._queue.get_nowait())
        for batch in waiting:
            if not batch.stored.done():
                batch.stored.set_exception(_stopping())

    async def _store(self, batches: Sequence[_Batch]) -> None:
        arrivals = [arrival for batch in batches for arrival in batch.arrivals]
        try:
            async with self._turn:
                await self._accept(arrivals)
        except StoreError as error:
            log.error("not_stored", arrivals=len(arrivals), reason=str(error))
            for batch in batches:
                if not batch.stored.done():
                    batch.stored.set_exception(StoreError(error.sentence, error.advice))
            return
        for batch in batches:
            if not batch.stored.done():
                batch.stored.set_result(None)

    async def _accept(self, arrivals: Sequence[Arrival], *, again: bool = True) -> None:
        """Store and relay arrivals in one transaction, or else one by one."""
        began = perf_counter()
        try:
            duties = await self._database.run(lambda c: self._relay_all(c, arrivals))
        except UnstorableError as error:
            # Not for good: on PostgreSQL, the recorder may have written the same copy just now
            await self._single_out(arrivals, error, again=again)
        except StoreError:
            self._relay.forget()
            raise
        except Exception as error:  # noqa: BLE001 - told, and kept as a trace, by _single_out
            await self._single_out(arrivals, error, again=False)
        else:
            self._in_doubt = ()
            for watcher in self._watchers:
                watcher.stored(arrivals, duties, perf_counter() - began)
            self._deliver(duties)

    def _relay_all(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Duty]:
        """One unit of work. Also finds out whether the last one was stored after all, when its
        commit failed: its arrivals, offered again, are known then, and make no duties any more.
        """
        found = deliveries.stored(connection, [duty.id for duty in self._in_doubt])
        duties = [duty for duty in self._in_doubt if duty.id in found]
        duties += self._relay.accept(connection, arrivals)
        self._in_doubt = duties
        return duties

    async def _single_out(
        self, arrivals: Sequence[Arrival], error: Exception, *, again: bool
    ) -> None:
        """One arrival that can't be relayed must not spoil the others: it leaves a trace."""
        self._relay.forget()
        first = arrivals[0]
        if len(arrivals) > 1:
            for each in arrivals:
                await self._accept([each])
        elif again:
            await self._accept(arrivals, again=False)
        elif isinstance(first, Unreadable):
            log.error("trace_not_kept", place=str(first.place), reason=first.reason, exc_info=error)
        else:
            log.error("event_not_relayed", place=str(first.place), exc_info=error)
            await self._accept([_trace(first, f"not relayed: {type(error).__name__}")])


def _cleaned(arrival: Arrival, read: Callable[[Event], Event]) -> Arrival:
    if isinstance(arrival, Unreadable):
        ident = arrival.id if arrival.id and is_sound_id(arrival.id) else None
        return replace(arrival, reason=clean_text(arrival.reason, MAX_SUBJECT), id=ident)
    try:
        return read(clean(arrival))
    except ValueError as error:
        log.warning("event_refused", place=str(arrival.place), reason=str(error))
        return _trace(arrival, str(error))


def _stopping() -> StoreError:
    return StoreError("The bridge is stopping.")


def _trace(event: Event, reason: str) -> Unreadable:
    try:
        raw = encode(event)
    except ValueError:  # a text that is no Unicode
        raw = repr(event).encode("ascii", "backslashreplace")
    return Unreadable(event.place, raw, reason)
