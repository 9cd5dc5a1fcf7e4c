"""How often a system may call."""

import time
from collections.abc import Callable


class Limit:
    """So many calls in a minute, all at once or spread.

    Args:
        per_minute: how many.
        clock: seconds that only grow.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._left = self._most
        self._clock = clock
        self._then = clock()

    def take(self) -> float:
        """Seconds to wait for the next call; 0 when this one is let through."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._then) * self._most / 60.0)
        self._then = now
        if self._left < 1.0:
            return (1.0 - self._left) * 60.0 / self._most
        self._left -= 1.0
        return 0.0
