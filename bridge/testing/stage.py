"""The adapter at work in the kit: run, asked and told as the core does it."""

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from bridge.contract import (
    NEVER_HEARD,
    Capabilities,
    CatchUp,
    Copy,
    Health,
    Network,
    Outgoing,
    Sent,
    Unreachable,
)
from bridge.model import MATRIX, Author, Deliverable, Edited, Message, Place, Roster
from bridge.testing.ears import Ears, Store
from bridge.testing.lab import NETWORK, Lab, Shown

T = TypeVar("T")

ROOM: Final = Place(MATRIX, "!ward:hospital.example")
ANN: Final = Author(MATRIX, "@ann:hospital.example", "Dr. Ann")
BOB: Final = Author(MATRIX, "@bob:hospital.example", "Dr. Bob")

_GLANCE: Final = 0.01
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Something that was sent, and what became of it."""

    outgoing: Outgoing
    sent: Sent

    @property
    def names(self) -> set[str]:
        """All that it may be called at its place."""
        return {name for name in (self.sent.id, *self.sent.aliases) if name is not None}

    @property
    def copy(self) -> Copy:
        """What the core tells of it later."""
        event = self.outgoing.event
        text = event.text if isinstance(event, Message | Edited) else ""
        assert self.sent.id is not None, "send gave a message no id"
        return Copy(self.sent.id, event.author, event.time, text, self.outgoing.key)


def names(message: Message) -> set[str]:
    """All that a message may be called at its place."""
    return {message.id, *message.aliases}


def copy_of(message: Message) -> Copy:
    """What the core tells of a message that was said there."""
    return Copy(message.id, message.author, message.time, message.text)


def new_key() -> str:
    """A key as the core makes them."""
    return base64.b32encode(secrets.token_bytes(20)).decode().lower()[:26]


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass
class Stage:
    """One run of the adapter."""

    lab: Lab
    network: Network
    ears: Ears
    store: Store
    task: asyncio.Task[None]

    # --- in the core's place

    async def enter(self, group: str, *present: Author, catch_up: CatchUp = NEVER_HEARD) -> None:
        """Open a group, and wait until the adapter is in it."""
        before = len(self.ears.of(Roster, group))
        await self.network.open(group, present, catch_up)
        await self.until(lambda: self.ears.of(Roster, group)[before:], f"a Roster of {group}")
        await self.well(group)

    def can(self, group: str) -> Capabilities:
        """What the group can do, as known now."""
        return self.network.capabilities(group)

    def outgoing(self, group: str, event: Deliverable, **more: Any) -> Outgoing:  # noqa: ANN401
        """What the core would ask for, to show an event in a group."""
        key = new_key()
        self.store.own[key] = event.author.name
        if isinstance(event, Message | Edited) and not self.can(group).own_names:
            text = f"{event.author.name}: {event.text}" if event.text else event.text
            event = replace(event, text=text)
        return replace(Outgoing(Place(NETWORK, group), key, event), **more)

    async def send(self, group: str, event: Deliverable, **more: Any) -> Copied:  # noqa: ANN401
        """Show an event in a group."""
        return await self.deliver(self.outgoing(group, event, **more))

    async def deliver(self, outgoing: Outgoing) -> Copied:
        """Show it."""
        async with asyncio.timeout(self.lab.patience):
            sent = await self.network.send(outgoing)
        if sent.id is not None:
            self.store.copies[sent.id] = outgoing.event.time
        return Copied(outgoing, sent)

    async def say(self, group: str, text: str, author: Author = ANN, **more: Any) -> Copied:  # noqa: ANN401
        """Show a message in a group."""
        return await self.send(group, said(text, author), **more)

    async def found(self, outgoing: Outgoing) -> Sent | None:
        """What `find` answers in the end, when it can tell."""

        async def look() -> list[Sent | None] | None:
            try:
                return [await self.network.find(outgoing)]
            except Unreachable:
                return None

        return (await self.until_there(look, "an answer of find"))[0]

    # --- waiting

    async def until(self, look: Callable[[], T | None], what: str) -> T:
        """Look again and again until there is something to be seen.

        Raises:
            AssertionError: there is not; or the adapter's `run` ended.
        """

        async def look_there() -> T | None:
            return look()

        return await self.until_there(look_there, what)

    async def until_there(self, look: Callable[[], Awaitable[T | None]], what: str) -> T:
        """As `until`, for looks that take their time."""
        end = time.monotonic() + self.lab.patience
        while True:
            found = await look()
            if found:
                return found
            if self.task.done() and not self.task.cancelled():
                self.task.result()
                raise AssertionError("Network.run has ended; it has to run until it is cancelled")
            if time.monotonic() > end:
                raise AssertionError(
                    f"{what} did not come within {self.lab.patience:g} s.\nHeard last: "
                    f"{self.ears.events[-5:]}\nHealth: {self.ears.healths[-5:]}"
                )
            await asyncio.sleep(_GLANCE)

    async def hears(self, group: str, text: str) -> Message:
        """The first message in a group that has these words in it."""
        found = await self.until(
            lambda: [each for each in self.ears.of(Message, group) if text in each.text],
            f"the message {text[:60]!r}",
        )
        return found[0]

    async def happens(self, kind: type[T], group: str, after: int = 0) -> T:
        """The first event of a kind in a group, after so many of them."""
        found = await self.until(
            lambda: self.ears.of(kind, group)[after:], f"an event {kind.__name__}"
        )
        return found[0]

    async def sees(
        self, group: str, text: str, fits: Callable[[Shown], bool] = lambda _: True
    ) -> Shown:
        """What is to be seen of a message there, once it looks as it should."""

        async def look() -> list[Shown]:
            seen = await self.lab.shown(group)
            return [each for each in seen if text in each.text and fits(each)]

        return (await self.until_there(look, f"{text[:60]!r} to be seen there"))[0]

    async def sees_no(self, group: str, text: str) -> None:
        """Wait until no message there has these words in it."""

        async def look() -> bool:
            return not any(text in each.text for each in await self.lab.shown(group))

        await self.until_there(look, f"{text[:60]!r} to vanish there")

    async def well(self, group: str | None) -> None:
        """Wait until the network (None) or a group can be used."""
        await self.until(lambda: _is(self.ears.state(group), up=True), f"health of {group}")

    async def ill(self, *groups: str | None) -> Health:
        """Wait until one of these can't be used."""

        def look() -> Health | None:
            states = (self.ears.state(group) for group in groups)
            return next((each for each in states if _is(each, up=False)), None)

        return await self.until(look, f"bad health of {groups}")


def _is(health: Health | None, *, up: bool) -> bool:
    return health is not None and health.up is up


def said(text: str, author: Author = ANN, **more: Any) -> Message:  # noqa: ANN401
    """A message in the room."""
    return Message(ROOM, "$event", author, now(), text, **more)


async def clearly_later(lab: Lab) -> None:
    """Wait until what comes next has another time than what was said last."""
    await asyncio.sleep(lab.exact)


@asynccontextmanager
async def performing(
    lab: Lab, declared: Capabilities, store: Store | None = None
) -> AsyncIterator[Stage]:
    """Run the adapter; complain of all it did against the contract.

    Args:
        lab: the network.
        declared: what the adapter says of itself.
        store: what an earlier run has left.
    """
    store = store or Store()
    ears = Ears(declared, store)
    network = lab.network(ears)
    task = asyncio.create_task(network.run(), name="the network's run")
    try:
        yield Stage(lab, network, ears, store, task)
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=lab.patience)
    assert task.done(), "Network.run goes on after it was cancelled"
    if not task.cancelled():
        task.result()
    assert not ears.problems, "\n".join(ears.problems)
