"""An inlet that remembers what an adapter hands over, and can be told to be slow or to fail."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from bridge.contract import Health, Missed, Picture
from bridge.model import Author, Event, Message, Signal
from sandbox.journal import Journal

T = TypeVar("T")


class RecordingInlet:
    def __init__(self) -> None:
        self.events: Journal[Event] = Journal("the events")
        self.healths: Journal[Health] = Journal("the health")
        self.gaps: Journal[Missed] = Journal("what was missed")
        self.signals: Journal[Signal] = Journal("the signals")
        self.own: dict[str, str | None] = {}
        """What `sent` answers: keys of own copies, with the names they were shown under."""
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()

    async def receive(self, events: Sequence[Event]) -> None:
        self.waiting.set()
        await self.open.wait()
        for event in events:
            self.events.add(event)

    def health(self, health: Health) -> None:
        self.healths.add(health)

    async def recorded(self, group: str, ids: Collection[str]) -> Mapping[str, datetime]:
        return {}

    async def sent(self, group: str, keys: Collection[str]) -> Mapping[str, str | None]:
        return {key: self.own[key] for key in keys if key in self.own}

    def missed(self, missed: Missed) -> None:
        self.gaps.add(missed)

    def signal(self, signal: Signal) -> None:
        self.signals.add(signal)

    async def avatar(self, author: Author) -> Picture | None:
        return None

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def texts(self) -> list[str]:
        return [message.text for message in self.of(Message)]

    async def first(self, kind: type[T], *, after: int = 0) -> T:
        found = await self.events.wait_for(lambda event: isinstance(event, kind), after=after)
        assert isinstance(found, kind)
        return found

    async def message(self, part: str) -> Message:
        found = await self.events.wait_for(
            lambda event: isinstance(event, Message) and part in event.text
        )
        assert isinstance(found, Message)
        return found

    async def up(self, group: str | None, *, after: int = 0) -> None:
        await self.healths.wait_for(lambda each: each.up and each.group == group, after=after)

    async def down(self, group: str | None, *, after: int = 0) -> Health:
        return await self.healths.wait_for(
            lambda each: not each.up and each.group == group, after=after
        )
