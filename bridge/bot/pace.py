"""How fast one user may give commands, so that nobody keeps the bot from the others."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic
from typing import Final

_USERS_HELD: Final = 1_000


class Leave(Enum):
    """What to do with one more command."""

    RUN = auto()
    WARN = auto()
    """Tell the user that it is too much; it is not run."""
    DROP = auto()
    """Say nothing: that was told."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    warned: bool = False


class Pace:
    """A bucket of tokens for each user: a command takes one, and they come back with time.

    Args:
        burst: so many at once.
        seconds: after so many, one comes back.
        clock: seconds that only grow.
    """

    def __init__(
        self, burst: int = 20, seconds: float = 3.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._burst = burst
        self._seconds = seconds
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, user_id: str) -> Leave:
        """One more command of a user."""
        bucket = self._filled(user_id)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return Leave.RUN
        if bucket.warned:
            return Leave.DROP
        bucket.warned = True
        return Leave.WARN

    def _filled(self, user_id: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(user_id, _Bucket(self._burst, now))
        self._buckets.move_to_end(user_id)
        if len(self._buckets) > _USERS_HELD:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) / self._seconds)
        bucket.at = now
        if bucket.tokens >= self._burst / 2:
            bucket.warned = False
        return bucket
