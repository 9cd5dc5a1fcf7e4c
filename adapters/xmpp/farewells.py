"""Leaves, held back for a moment: many of them turn out to be none.

A server that shuts down ends its own users' sessions before it ends the bridge's; a phone that
changes networks leaves and comes back. So a leave is told only after it has lasted, and not at all
when the bridge itself is out by then: the roster at its return tells who is really gone.
"""

import asyncio
from collections.abc import Callable

from bridge.model import Author, Event, Left


class Farewells:
    """Holds back the leaves of one room.

    Args:
        seconds: for how long.
        emit: where they go then.
    """

    def __init__(self, seconds: float, emit: Callable[[Event], None]) -> None:
        self._seconds = seconds
        self._emit = emit
        self._held: dict[str, tuple[Left, asyncio.TimerHandle]] = {}

    def hold(self, left: Left) -> None:
        """Tell it later."""
        self.withdraw(left.author)
        timer = asyncio.get_running_loop().call_later(self._seconds, self._tell, left.author.id)
        self._held[left.author.id] = (left, timer)

    def withdraw(self, author: Author) -> Left | None:
        """The author is back: what would have been told of them."""
        left, timer = self._held.pop(author.id, (None, None))
        if timer is not None:
            timer.cancel()
        return left

    def forget(self) -> None:
        """Tell nothing of what is held."""
        for _, timer in self._held.values():
            timer.cancel()
        self._held.clear()

    def _tell(self, author_id: str) -> None:
        left, _ = self._held.pop(author_id)
        self._emit(left)
