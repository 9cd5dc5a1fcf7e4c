"""What somebody saw, in order: a list that can be waited on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

_SHOWN_ON_TIMEOUT = 10


class Journal(Generic[T]):
    """Items that only ever grow, and the means to wait for one that is still to come."""

    def __init__(self, name: str) -> None:
        """The name appears in the error of a wait that was in vain."""
        self.name = name
        self._items: list[T] = []
        self._grown = asyncio.Event()
        self._failure: BaseException | None = None

    def add(self, item: T) -> None:
        """Note an item and wake whoever waits."""
        self._items.append(item)
        self._wake()

    def fail(self, error: BaseException) -> None:
        """Note that nothing more will come: everyone who waits, now or later, gets this error."""
        self._failure = error
        self._wake()

    async def follow(self, after: int = 0) -> AsyncIterator[T]:
        """Every item from position `after` on, then each new one as it comes, without end."""
        position = after
        while True:
            while position < len(self._items):
                yield self._items[position]
                position += 1
            await self._growth()

    async def wait_for(
        self, predicate: Callable[[T], bool], *, timeout: float = 10.0, after: int = 0
    ) -> T:
        """The first item that fits, from position `after` on, already seen or still to come."""
        position = after
        async with self._no_longer_than(timeout):
            while True:
                for item in self._items[position:]:
                    if predicate(item):
                        return item
                position = len(self._items)
                await self._growth()

    async def wait_until(self, condition: Callable[[], bool], *, timeout: float = 10.0) -> None:
        """Return once `condition` holds; it is looked at now and after each new item."""
        async with self._no_longer_than(timeout):
            while not condition():
                await self._growth()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._items))

    def __getitem__(self, position: int) -> T:
        return self._items[position]

    def _wake(self) -> None:
        # A fresh event for every growth: whoever waits on the old one is woken exactly once.
        self._grown.set()
        self._grown = asyncio.Event()

    async def _growth(self) -> None:
        if self._failure is not None:
            raise self._failure
        await self._grown.wait()

    @asynccontextmanager
    async def _no_longer_than(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            last = self._items[-_SHOWN_ON_TIMEOUT:]
            seen = "\n".join(f"  {item}" for item in last) or "  nothing"
            raise TimeoutError(
                f"{self.name}: what was waited for did not come within {seconds:g} s. "
                f"Of {len(self._items)} seen, the last:\n{seen}"
            ) from None
