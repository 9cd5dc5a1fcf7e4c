"""One lane: all deliveries for one place, one after the other.

A lane holds a bounded number of duties in memory; what comes on top waits on disk and is read
page by page. A temporary fault holds this lane, and no other; a permanent one sets the delivery
aside and the lane goes on.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from bridge.clock import now_ms
from bridge.codec import decode
from bridge.contract import Outgoing, Outlet, Refused, Sent, Unreachable
from bridge.delivery.recorder import UNRECORDED_MAX, Recorder
from bridge.errors import StoreError
from bridge.model import Place, Roster
from bridge.presentation import delivery_key, present
from bridge.relay import Duty
from bridge.store import deliveries
from bridge.store.database import Database
from bridge.store.messages import CopyRow
from bridge.store.tables import DeliveryState

log = structlog.get_logger(__name__)

_HELD_MAX: Final = 256
_PAGE: Final = 128
_SEND_SECONDS: Final = 60.0
_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 300.0
_STORE_DELAY: Final = 2.0
_POISON_ATTEMPTS: Final = 5
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What all lanes share. `outlet` finds who sends to a network, None for one not configured."""

    database: Database
    recorder: Recorder
    outlet: Callable[[str], Outlet | None]
    network_names: Mapping[str, str]
    give_up_after_ms: int = 3 * _DAY_MS


class Lane:
    """Sends to one place, in order.

    Args:
        behind: whether older duties wait on disk. After a crash the first of them may have
            arrived already, and are looked up before they are sent.
    """

    def __init__(
        self, place: Place, place_id: int, context: LaneContext, *, behind: bool, crashed: bool
    ) -> None:
        self.place = place
        self._place_id = place_id
        self._context = context
        self._duties: deque[Duty] = deque()
        self._behind = behind
        self._came_meanwhile = False
        self._last_taken = 0
        self._doubtful_left = UNRECORDED_MAX if crashed else 0
        self._awake = asyncio.Event()

    def add(self, duty: Duty) -> None:
        """Take over a new duty, which is on disk already."""
        if self._behind or len(self._duties) >= _HELD_MAX:
            self._behind = self._came_meanwhile = True
            return
        self._duties.append(duty)
        self._last_taken = duty.id

    def wake(self) -> None:
        """End the wait after a fault: the place can be reached again."""
        self._awake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until nothing waits, or until `stopping` is set and the send in hand is done."""
        while not stopping.is_set() and (duty := await self._next()) is not None:
            await self._deliver(duty, stopping)

    async def _next(self) -> Duty | None:
        while not self._duties and self._behind:
            await self._read_page()
        return self._duties.popleft() if self._duties else None

    async def _read_page(self) -> None:
        self._came_meanwhile = False
        try:
            rows = await self._context.database.run(
                lambda c: deliveries.page(c, self._place_id, after=self._last_taken, limit=_PAGE)
            )
        except StoreError as error:
            log.error("lane_not_read", place=str(self.place), reason=str(error))
            await asyncio.sleep(_STORE_DELAY)
            return
        for row in rows:
            self._last_taken = row.id
            await self._take_row(row)
        if len(rows) < _PAGE and not self._came_meanwhile:
            self._behind = False

    async def _take_row(self, row: deliveries.PendingDelivery) -> None:
        try:
            event = decode(row.kind, row.payload)
        except ValueError:
            event = None
        if event is None or isinstance(event, Roster):
            log.error("delivery_unreadable", delivery=row.id, place=str(self.place))
            await self._context.recorder.note(
                _outcome(row.id, DeliveryState.FAILED, row.attempts, "It can't be read any more.")
            )
            return
        self._doubtful_left -= 1
        self._duties.append(
            Duty(
                row.id,
                row.message_id,
                self._place_id,
                event,
                row.created_at,
                attempts=row.attempts,
                doubtful=self._doubtful_left >= 0,
            )
        )

    async def _deliver(self, duty: Duty, stopping: asyncio.Event) -> None:
        while True:
            self._awake.clear()
            duty.attempts += 1
            fault = await self._attempt(duty)
            if fault is None:
                await self._finish(duty, DeliveryState.DONE, None)
                return
            if isinstance(fault, Refused) or self._given_up(duty, fault):
                log.warning("set_aside", delivery=duty.id, place=str(self.place), reason=str(fault))
                await self._finish(duty, DeliveryState.FAILED, str(fault))
                return
            delay = _delay(duty.attempts, fault.retry_after)
            await self._context.recorder.note(
                _outcome(
                    duty.id, DeliveryState.PENDING, duty.attempts, str(fault), round(delay * 1000)
                )
            )
            await self._wait(delay, stopping)
            if stopping.is_set():
                return

    async def _attempt(self, duty: Duty) -> Unreachable | Refused | None:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._send(duty)
        except Unreachable as error:
            duty.doubtful = error.doubtful
            return error
        except Refused as error:
            return error
        except TimeoutError:
            duty.doubtful = True
            return Unreachable(f"{self._network_name} does not answer.", doubtful=True)
        except Exception:
            log.exception("adapter_fault", delivery=duty.id, place=str(self.place))
            duty.doubtful = True
            sentence = f"{self._network_name} could not take this message."
            if duty.attempts >= _POISON_ATTEMPTS:
                return Refused(sentence)
            return Unreachable(sentence, doubtful=True)
        return None

    async def _send(self, duty: Duty) -> None:
        outlet = self._context.outlet(self.place.network)
        if outlet is None:
            raise Unreachable(f"{self._network_name} is not in the configuration.")
        pieces = present(
            duty.event,
            key=delivery_key(duty.event, duty.message_id, self.place),
            target=self.place,
            capabilities=outlet.capabilities(self.place.id),
            network_names=self._context.network_names,
        )
        for number, outgoing in enumerate(pieces):
            if number < len(duty.sent):
                continue
            duty.sent.append((await self._show(outlet, outgoing, doubtful=duty.doubtful)).id)

    @staticmethod
    async def _show(outlet: Outlet, outgoing: Outgoing, *, doubtful: bool) -> Sent:
        if doubtful and (found := await outlet.find(outgoing)):
            return found
        return await outlet.send(outgoing)

    async def _finish(self, duty: Duty, state: DeliveryState, error: str | None) -> None:
        copies = [
            CopyRow(self._place_id, remote_id, duty.message_id, part)
            for part, remote_id in enumerate(duty.sent)
            if remote_id is not None
        ]
        await self._context.recorder.note(_outcome(duty.id, state, duty.attempts, error), copies)

    def _given_up(self, duty: Duty, fault: Unreachable) -> bool:
        waited = now_ms() - duty.created_at
        return waited + (fault.retry_after or 0) * 1000 > self._context.give_up_after_ms

    async def _wait(self, delay: float, stopping: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stopping.wait())
        awake = asyncio.ensure_future(self._awake.wait())
        try:
            await asyncio.wait({stopped, awake}, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            awake.cancel()

    @property
    def _network_name(self) -> str:
        return self._context.network_names.get(self.place.network, self.place.network)


def _delay(attempts: int, retry_after: float | None) -> float:
    """Seconds to wait: doubling from one second to five minutes, less a random part."""
    if retry_after is not None:
        return retry_after
    longest = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(attempts - 1, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def _outcome(
    delivery_id: int, state: DeliveryState, attempts: int, error: str | None, delay_ms: int = 0
) -> deliveries.Outcome:
    now = now_ms()
    finished = None if state is DeliveryState.PENDING else now
    return deliveries.Outcome(delivery_id, state, attempts, now + delay_ms, error, finished)
