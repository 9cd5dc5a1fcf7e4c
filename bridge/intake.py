"""The one way in: arrivals from every place are committed in groups, and relayed as they are.

Under load many arrivals share one commit: while one commit is on its way to the disk, the next
group gathers. Whoever waits in `receive` is told "on disk" or of the fault, never neither.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from bridge.codec import encode
from bridge.errors import StoreError
from bridge.hygiene import clean
from bridge.relay import Arrival, Duty, Relay, Unreadable
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_GROUP: Final = 500
_WAITING: Final = 200


@dataclass(slots=True)
class _Batch:
    arrivals: Sequence[Arrival]
    stored: asyncio.Future[None]


class Intake:
    """Takes arrivals, stores and relays them, and hands the new duties on.

    Args:
        deliver: called on the loop with the new duties, after their commit, in order.
    """

    def __init__(
        self, database: Database, relay: Relay, deliver: Callable[[Sequence[Duty]], None]
    ) -> None:
        self._database = database
        self._relay = relay
        self._deliver = deliver
        self._queue: asyncio.Queue[_Batch] = asyncio.Queue(_WAITING)

    async def receive(self, arrivals: Sequence[Arrival]) -> None:
        """Store arrivals, in order; on disk when this returns.

        Raises:
            StoreError: the database failed, nothing of `arrivals` is stored; offer them again.
        """
        if not arrivals:
            return
        batch = _Batch(
            [_cleaned(arrival) for arrival in arrivals],
            asyncio.get_running_loop().create_future(),
        )
        await self._queue.put(batch)
        await batch.stored

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
            while not self._queue.empty():
                batches.append(self._queue.get_nowait())
            for batch in batches:
                if not batch.stored.done():
                    batch.stored.set_exception(StoreError("The bridge is stopping."))

    async def _store(self, batches: Sequence[_Batch]) -> None:
        arrivals = [arrival for batch in batches for arrival in batch.arrivals]
        try:
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

    async def _accept(self, arrivals: Sequence[Arrival]) -> None:
        try:
            duties = await self._database.run(lambda c: self._relay.accept(c, arrivals))
        except StoreError:
            self._relay.forget()
            raise
        except Exception as error:  # noqa: BLE001 - told, and kept as a trace, by _single_out
            self._relay.forget()
            await self._single_out(arrivals, error)
        else:
            self._deliver(duties)

    async def _single_out(self, arrivals: Sequence[Arrival], error: Exception) -> None:
        """One arrival that the relay can't take must not spoil the others: it leaves a trace."""
        if len(arrivals) > 1:
            for each in arrivals:
                await self._accept([each])
        elif isinstance(arrivals[0], Unreadable):
            raise error
        else:
            log.error("event_not_relayed", place=str(arrivals[0].place), exc_info=error)
            await self._accept([_trace(arrivals[0], f"not relayed: {error!r}")])


def _cleaned(arrival: Arrival) -> Arrival:
    if isinstance(arrival, Unreadable):
        return arrival
    try:
        return clean(arrival)
    except ValueError as error:
        return _trace(arrival, str(error))


def _trace(arrival: Arrival, reason: str) -> Unreadable:
    if isinstance(arrival, Unreadable):
        return arrival
    return Unreadable(arrival.place, encode(arrival), reason)
