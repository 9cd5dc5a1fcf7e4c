"""One lane: all deliveries for one place, one after the other.

A lane holds a bounded number of duties in memory; what comes on top waits on disk and is read
page by page. A temporary fault holds this lane, and no other; a permanent one sets the delivery
aside and the lane goes on.
"""

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from bridge.clock import now_ms
from bridge.contract import Refused, Unreachable
from bridge.delivery.digest import FEW, MOST, fits
from bridge.delivery.recorder import UNRECORDED_MAX, Recorder, TopicName
from bridge.delivery.restraint import Restraint
from bridge.delivery.showing import Showing, Tools
from bridge.delivery.watch import NOBODY, Watcher
from bridge.errors import StoreError
from bridge.flow.codec import decode_deliverable
from bridge.flow.hygiene import clean_text, is_sound_id
from bridge.flow.relay import Duty
from bridge.model import Edited, Message, Place
from bridge.store import deliveries
from bridge.store.database import Database
from bridge.store.messages import CopyRow
from bridge.store.tables import ALIAS, DeliveryState

log = structlog.get_logger(__name__)

HELD_MAX: Final = 256
"""At most so many duties are held in memory by one lane."""

KEEP_TRYING_MS: Final = 3 * 86_400_000
"""How long a delivery is tried where its link says nothing else."""

_PAGE: Final = 128
_POISON_FAULTS: Final = 5
_LOOK_AGAIN: Final = 60.0
"""Seconds after which a rest is looked at anew: clocks are set."""
_ERROR_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Patience:
    """How long lanes wait, in seconds: for the next attempt, and for the database.

    The wait for the next attempt doubles from `first_delay` up to `longest_delay`.
    """

    first_delay: float = 1.0
    longest_delay: float = 300.0
    store: float = 2.0


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What all lanes share.

    `tools` show; `give_up_after_ms` tells how long to try for a place; `watcher` is told how
    deliveries fare, and `taken` of new ones. `restraint` is what a link asks for, if anything.
    """

    database: Database
    recorder: Recorder
    tools: Tools
    give_up_after_ms: Callable[[Place], int] = lambda _: KEEP_TRYING_MS
    watcher: Watcher = NOBODY
    taken: Callable[[Sequence[Duty]], None] = lambda _: None
    patience: Patience = Patience()
    restraint: Callable[[Place], Restraint | None] = lambda _: None


class Lane:
    """Sends to one place, in order.

    Args:
        behind: whether older duties wait on disk.
        crashed: whether the first of them may have arrived already, because their outcomes were
            not written down; they are looked up before they are sent.
        recovered: told when a place that could not be reached takes messages again.
    """

    def __init__(  # noqa: PLR0913 - all but three by keyword
        self,
        place: Place,
        place_id: int,
        context: LaneContext,
        *,
        behind: bool,
        crashed: bool,
        recovered: Callable[[Place], None] = lambda _: None,
    ) -> None:
        self.place = place
        self.last_taken = 0  # the id of the last delivery that came into the hands of this lane
        self._place_id = place_id
        self._showing = Showing(place, context.tools)
        self._context = context
        self._duties: deque[Duty] = deque()
        self._behind = behind
        self._came_meanwhile = False
        self._doubtful_left = UNRECORDED_MAX if crashed else 0
        self._times_emptied = 0
        self._stuck = False
        self._may_hurry = False
        self._recovered = recovered
        self._awake = asyncio.Event()
        self._nothing_in_hand = asyncio.Event()
        self._nothing_in_hand.set()

    def add(self, duty: Duty) -> None:
        """Take over a new duty, which is on disk already."""
        if duty.id <= self.last_taken:
            return  # a page was read between its commit and now, and brought it
        if self._behind or len(self._duties) >= HELD_MAX:
            self._behind = self._came_meanwhile = True
            return
        self._duties.append(duty)
        self.last_taken = duty.id

    def wake(self) -> None:
        """End the wait after a fault: the place can be reached again."""
        self._awake.set()

    def hurry(self) -> None:
        """Another place of the network takes messages again: perhaps this one does, too. If the
        network has asked to wait, that is kept.
        """
        if self._stuck and self._may_hurry:
            self._awake.set()

    async def in_hand(self) -> None:
        """Return once the attempt that is being made now, if any, has ended."""
        await self._nothing_in_hand.wait()

    def empty(self) -> None:
        """Send nothing of what waits, for it was given up in the store. What is being sent now
        is finished, but not tried again.
        """
        self._duties.clear()
        self._behind = False
        self._times_emptied += 1
        self.wake()

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until nothing waits, or until `stopping` is set and the send in hand is done."""
        restraint = self._context.restraint(self.place)
        while not stopping.is_set() and (duty := await self._next(stopping)) is not None:
            if restraint is None:
                await self._deliver(duty, stopping)
            else:
                await self._deliver_within(restraint, duty, stopping)

    async def _deliver_within(
        self, restraint: Restraint, duty: Duty, stopping: asyncio.Event
    ) -> None:
        """Send when the link may be sent to; what had to wait goes together."""
        # Those in doubt after a start may have gone together: so they are looked up
        rested = duty.doubtful
        while (rest := restraint.rest()) is not None:
            rested = self._stuck = True
            self._context.watcher.stuck(self.place, duty, rest.reason)
            self._awake.clear()
            await self._wait(min(rest.seconds, _LOOK_AGAIN), stopping)
            if stopping.is_set():
                return
        if rested and fits(duty):
            self._gather(duty)
        duty.zone = restraint.zone
        if isinstance(duty.event, Message):
            restraint.sent()
        await self._deliver(duty, stopping)

    def _gather(self, duty: Duty) -> None:
        """Have what waits behind a message said together with it, as it was edited since."""
        while len(duty.together) < MOST - 1 and self._goes_with(duty):
            duty.together.append(self._duties.popleft())
        if len(duty.together) < FEW:
            self._duties.extendleft(reversed(duty.together))
            duty.together.clear()
            return
        edits = {each.target_id: each.event for each in self._duties}
        for each in (duty, *duty.together):
            edit = edits.get(each.message_id)
            if isinstance(edit, Edited) and isinstance(each.event, Message):
                each.event = replace(each.event, text=edit.text, html=edit.html)

    def _goes_with(self, duty: Duty) -> bool:
        """Whether what waits next can be said in one message with `duty`."""
        return (
            bool(self._duties)
            and fits(following := self._duties[0])
            and (following.doubtful == duty.doubtful)
        )

    async def _next(self, stopping: asyncio.Event) -> Duty | None:
        while not self._duties and self._behind and not stopping.is_set():
            await self._read_page(stopping)
        return self._duties.popleft() if self._duties else None

    async def _read_page(self, stopping: asyncio.Event) -> None:
        self._came_meanwhile = False
        times_emptied = self._times_emptied
        try:
            rows = await self._context.database.run(
                lambda c: deliveries.page(c, self._place_id, after=self.last_taken, limit=_PAGE)
            )
        except StoreError as error:
            log.error("lane_not_read", place=str(self.place), reason=str(error))
            self._awake.clear()
            await self._wait(self._context.patience.store, stopping)
            return
        if times_emptied != self._times_emptied:
            return  # what was read has been given up since
        for row in rows:
            self._take_row(row)
        if len(rows) < _PAGE and not self._came_meanwhile:
            self._behind = False

    def _take_row(self, row: deliveries.PendingDelivery) -> None:
        self.last_taken = row.id
        self._doubtful_left -= 1
        self._duties.append(
            Duty(
                row.id,
                row.message_id,
                self._place_id,
                decode_deliverable(row.kind, row.payload),
                row.created_at,
                attempts=row.attempts,
                # One that was tried may have failed without the far side's telling so
                doubtful=self._doubtful_left >= 0 or row.attempts > 0,
                target_id=row.target_id,
                topic_id=row.topic_id,
                withdrawn=row.deleted,
            )
        )

    async def _deliver(self, duty: Duty, stopping: asyncio.Event) -> None:
        times_emptied = self._times_emptied
        while True:
            self._awake.clear()
            self._nothing_in_hand.clear()
            try:
                delay = await self._try(duty)
            finally:
                self._nothing_in_hand.set()
            if delay is None:
                return
            await self._wait(delay, stopping)
            if stopping.is_set() or times_emptied != self._times_emptied:
                return

    async def _try(self, duty: Duty) -> float | None:
        """Make one attempt and write down what came of it; seconds until the next, if any."""
        duty.attempts += 1
        fault = await self._attempt(duty)
        if fault is None:
            await self._settle(duty, DeliveryState.DONE, None)
            return None
        if isinstance(fault, Refused) or self._given_up(duty, fault):
            await self._settle(duty, DeliveryState.FAILED, str(fault))
            return None
        delay = self._delay(duty.attempts, fault.retry_after)
        self._stuck = True
        self._may_hurry = fault.retry_after is None and not duty.faults
        self._context.watcher.stuck(self.place, duty, str(fault))
        for each in (duty, *duty.together):
            each.attempts = duty.attempts
            await self._finish(each, DeliveryState.PENDING, str(fault), delay)
        return delay

    async def _attempt(self, duty: Duty) -> Unreachable | Refused | None:
        try:
            await self._showing.attempt(duty)
        except Unreachable as error:
            duty.doubtful = duty.doubtful or error.doubtful
            return error
        except Refused as error:
            return error
        except TimeoutError:
            duty.doubtful = True
            return Unreachable(f"{self._network_name} does not answer.", doubtful=True)
        except Exception:
            log.exception(
                "adapter_fault", message=duty.message_id, delivery=duty.id, place=str(self.place)
            )
            duty.doubtful = True
            duty.faults += 1
            sentence = f"{self._network_name} could not take this message."
            if duty.faults >= _POISON_FAULTS:
                return Refused(sentence)
            return Unreachable(sentence, doubtful=True)
        return None

    async def _settle(self, duty: Duty, state: DeliveryState, reason: str | None) -> None:
        if self._stuck:
            self._stuck = False
            self._context.watcher.moving(self.place)
            if state is DeliveryState.DONE:
                self._recovered(self.place)
        for each in (duty, *duty.together):
            self._context.watcher.settled(self.place, each, state, reason)
            await self._finish(each, state, reason)

    async def _finish(
        self, duty: Duty, state: DeliveryState, error: str | None, delay: float = 0.0
    ) -> None:
        now, topic = now_ms(), self._topic(duty)
        outcome = deliveries.Outcome(
            duty.id,
            state,
            duty.attempts,
            now + round(delay * 1000),
            None if error is None else clean_text(error, _ERROR_CHARACTERS),
            None if state is DeliveryState.PENDING else now,
        )
        await self._context.recorder.note(outcome, self._copies(duty), topic)

    def _copies(self, duty: Duty) -> list[CopyRow]:
        """What was sent and is not noted yet."""
        copies: list[CopyRow] = []
        for part in range(duty.noted, len(duty.sent)):
            sent = duty.sent[part]
            if sent.id and is_sound_id(sent.id):
                # What several messages share is to be known, and not to be changed with any of them
                number = ALIAS if duty.together else part + duty.marks.get(part, 0)
                copies.append(CopyRow(self._place_id, sent.id, duty.message_id, number))
                copies += [
                    CopyRow(self._place_id, alias, duty.message_id, ALIAS)
                    for alias in sent.aliases
                    if alias != sent.id and is_sound_id(alias)
                ]
            elif sent.id is not None:
                log.error(
                    "copy_has_impossible_id",
                    message=duty.message_id,
                    delivery=duty.id,
                    place=str(self.place),
                )
        duty.noted = len(duty.sent)
        return copies

    def _topic(self, duty: Duty) -> TopicName | None:
        """What the place calls the topic, where this was told only now."""
        name = next((each.topic for each in duty.sent[duty.noted :] if each.topic), None)
        if name is None or not is_sound_id(name):
            return None
        return TopicName(self._place_id, name, duty.topic_id or duty.message_id)

    def _given_up(self, duty: Duty, fault: Unreachable) -> bool:
        waited = now_ms() - duty.created_at
        return waited + (fault.retry_after or 0) * 1000 > self._context.give_up_after_ms(self.place)

    async def _wait(self, delay: float, stopping: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stopping.wait())
        awake = asyncio.ensure_future(self._awake.wait())
        try:
            await asyncio.wait({stopped, awake}, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            awake.cancel()

    def _delay(self, attempts: int, retry_after: float | None) -> float:
        """Seconds to wait: what the network asked for, or ever longer, less a random part."""
        patience = self._context.patience
        if retry_after is not None and math.isfinite(retry_after):
            return max(retry_after, patience.first_delay / 2)  # "at once" would be a busy loop
        longest = min(patience.longest_delay, patience.first_delay * 2.0 ** min(attempts - 1, 16))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    @property
    def _network_name(self) -> str:
        return self._context.tools.network_names.get(self.place.network, self.place.network)
