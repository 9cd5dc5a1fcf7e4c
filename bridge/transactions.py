"""The way in for the homeserver: its transactions become arrivals.

Implements `bridge.matrix.server.TransactionSink`. A homeserver repeats what it was not told "200"
for, so a database that fails is simply reported to it.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import orjson
import structlog

from bridge.bot.ports import Told
from bridge.flow.intake import Intake
from bridge.flow.relay import Arrival, Unreadable
from bridge.matrix import convert
from bridge.matrix.raw import JsonObject
from bridge.model import MATRIX, Place, Signal

log = structlog.get_logger(__name__)

_TRACE_BYTES: Final = 65_536

Observer = Callable[[JsonObject], None]
"""Looks at a raw event after it was stored; must not wait."""

LookBack = Callable[[Collection[str]], Awaitable[None]]
"""Sees to it that nothing older is missing of what was said in these rooms, if it may be."""


class Transactions:
    """Converts events and has them stored and relayed.

    Args:
        converter: reads raw events.
        intake: stores and relays.
        observe: is shown each event once it is stored, for what concerns the Matrix side alone.
        tell: is given what is said to the bot, which is carried nowhere; must not wait.
        signal: is given what is passing, which is not stored; must not wait.
    """

    def __init__(
        self,
        converter: convert.Converter,
        intake: Intake,
        observe: Observer,
        tell: Callable[[Told], None] = lambda _: None,
        signal: Callable[[Signal], None] | None = None,
    ) -> None:
        self._converter = converter
        self._intake = intake
        self._observe = observe
        self._tell = tell
        self._signal = signal
        self._look_back: LookBack | None = None

    def look_back_first(self, look_back: LookBack) -> None:
        """Have `look_back` awaited before arrivals are stored: what it finds comes first."""
        self._look_back = look_back

    async def accept(
        self, txn_id: str, events: Sequence[JsonObject], ephemeral: Sequence[JsonObject]
    ) -> None:
        """Take a transaction over; on disk when it returns.

        Raises:
            StoreError: the database failed; nothing of it is stored.
        """
        told: list[Told] = []
        arrivals: list[Arrival] = []
        for raw in events:
            match self.read(raw):
                case Told() as words:
                    told.append(words)
                case None:
                    pass
                case arrival:
                    arrivals.append(arrival)
        if arrivals and self._look_back is not None:
            await self._look_back({arrival.place.id for arrival in arrivals})
        await self._intake.receive(arrivals)
        log.debug("transaction", txn_id=txn_id, events=len(events), arrivals=len(arrivals))
        for raw in events:
            self._observe(raw)
        for words in told:
            self._tell(words)
        if self._signal is not None:
            # Last: what somebody has read is known by now
            for raw in ephemeral:
                for signal in self._converter.passing(raw):
                    self._signal(signal)

    def read(self, raw: JsonObject) -> Arrival | Told | None:
        """What an event says, to everyone or to the bot; None if it is nothing to carry."""
        found = self._converter.convert(raw)
        match found:
            case convert.Ignored():
                return None
            case convert.Unreadable():
                log.warning(
                    "event_unreadable",
                    room=found.room_id,
                    event_id=found.event_id,
                    reason=found.reason,
                )
                trace = orjson.dumps(raw)[:_TRACE_BYTES]
                place = Place(MATRIX, found.room_id)
                return Unreadable(place, trace, found.reason, found.event_id or None)
            case _:
                return found
