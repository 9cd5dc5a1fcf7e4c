"""The one way from stanzas to the bridge: in order, in batches, never more than fits."""

import asyncio
from collections import deque
from typing import Final, Protocol

from bridge.contract import Inlet
from bridge.model import Event

FULL: Final = 2000
LOW: Final = 500


class Valve(Protocol):
    """What can be told to bring no more for a while."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read again."""


class Handover:
    """A queue with one consumer. While it is full, nothing more is read from the connection."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._waiting: deque[Event] = deque()
        self._some = asyncio.Event()
        self._valve: Valve | None = None
        self._paused = False

    def attach(self, valve: Valve | None) -> None:
        """Say which connection fills the queue from now on."""
        self._valve = valve
        self._paused = False
        self._hold_if_full()

    def put(self, event: Event) -> None:
        """Add an event; it will be handed over after all those before."""
        self._waiting.append(event)
        self._some.set()
        self._hold_if_full()

    async def run(self) -> None:
        """Hand over until cancelled. What the inlet raises goes to the caller."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._waiting:
                batch = tuple(self._waiting)
                await self._inlet.receive(batch)
                for _ in batch:
                    self._waiting.popleft()
                if self._paused and len(self._waiting) <= LOW:
                    self._paused = False
                    if self._valve is not None:
                        self._valve.resume()

    def _hold_if_full(self) -> None:
        if not self._paused and len(self._waiting) >= FULL and self._valve is not None:
            self._paused = True
            self._valve.pause()
