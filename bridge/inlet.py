"""The way in for one adapter: what it hands over is stored, however long the database needs."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import structlog

from bridge.attendance.gaps import Gaps
from bridge.contract import Health, Missed, Picture, Sent
from bridge.delivery.own_copies import OwnCopies
from bridge.errors import AdapterError, StoreError
from bridge.flow.intake import Intake
from bridge.health import HealthBoard
from bridge.model import Author, Event, Place, Signal

T = TypeVar("T")

log = structlog.get_logger(__name__)

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0


@dataclass(frozen=True, slots=True)
class Past:
    """What an adapter can be told of earlier runs, and where it tells what it can't find out."""

    copies: OwnCopies
    gaps: Gaps


@dataclass(frozen=True, slots=True)
class Asides:
    """What needs no keeping: where passing things go, and where pictures of people come from."""

    signal: Callable[[Signal], None]
    avatar: Callable[[Author], Awaitable[Picture | None]]


class NetworkInlet:
    """`bridge.contract.Inlet` for the network with the id `network`.

    A homeserver can be told "not stored" and repeats by itself; most networks can't. So here a
    database that fails is waited for, and the adapter with it: that is the backpressure.

    Args:
        echo: waits until what may be coming back from a place is known by its id.
        past: where questions about earlier runs are answered.
        asides: where what is not stored goes; None drops it.
    """

    def __init__(  # noqa: PLR0913 - who it works for, and whom it asks
        self,
        network: str,
        intake: Intake,
        board: HealthBoard,
        echo: Callable[[Place], Awaitable[None]],
        past: Past,
        *,
        asides: Asides | None = None,
    ) -> None:
        self._network = network
        self._intake = intake
        self._board = board
        self._echo = echo
        self._past = past
        self._asides = asides

    async def receive(self, events: Sequence[Event]) -> None:
        """Store events, in order; on disk when it returns.

        Raises:
            AdapterError: an event does not belong to this network.
        """
        for event in events:
            if event.place.network != self._network:
                raise AdapterError(
                    f"The adapter of {self._network} reported an event of {event.place.network}."
                )
        for place in {event.place for event in events}:
            await self._echo(place)
        await self._insist(lambda: self._intake.receive(events))

    async def sent(
        self, group: str, keys: Collection[str] | Mapping[str, Sent]
    ) -> Mapping[str, str | None]:
        """Which of these ids are keys of own copies; see `bridge.contract.Inlet.sent`."""
        place = Place(self._network, group)
        return await self._insist(lambda: self._past.copies.among(place, keys))

    async def recorded(self, group: str, ids: Collection[str]) -> Mapping[str, datetime]:
        """Which of these ids are copies on record; see `bridge.contract.Inlet.recorded`."""
        place = Place(self._network, group)
        return await self._insist(lambda: self._past.copies.made(place, ids))

    def missed(self, missed: Missed) -> None:
        """Tell what could not be fetched."""
        self._past.gaps.report(self._network, missed)

    def signal(self, signal: Signal) -> None:
        """Pass on something passing."""
        if self._asides is not None:
            self._asides.signal(signal)

    async def avatar(self, author: Author) -> Picture | None:
        """The picture of a person of any network; see `bridge.contract.Inlet.avatar`."""
        return None if self._asides is None else await self._asides.avatar(author)

    def health(self, health: Health) -> None:
        """Put the network's or a group's state on the board."""
        self._board.report(self._network, health)

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        delay = _FIRST_DELAY
        while True:
            try:
                return await work()
            except StoreError as error:
                log.warning("waiting_for_database", network=self._network, reason=str(error))
                await asyncio.sleep(delay)
                delay = min(_LONGEST_DELAY, delay * 2)
