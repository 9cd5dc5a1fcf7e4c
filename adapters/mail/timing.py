"""How long to wait, and how often."""

import random
import time
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. One value for a whole network; tests make it shorter."""

    connect: float = 20.0
    """For a connection, up to being let in."""
    answer: float = 60.0
    """For the answer to one command; searches in large mailboxes take long."""
    idle: float = 25 * 60.0
    """A server may end an IDLE after 30 minutes (RFC 2177)."""
    look: float = 60.0
    """How often to look for new mail where a server has no IDLE."""
    steady: float = 30.0
    """What has lasted so long is no repeated failure when it ends."""
    echo: float = 90.0
    """How long to wait for a mail in doubt to come back from a list that sends own mails back."""
    first_delay: float = 1.0
    longest_delay: float = 120.0


_LARGEST_EXPONENT: Final = 16
DEFAULT: Final = Timing()


class Backoff:
    """Delays between attempts: none, then doubling from `first_delay`, with jitter, up to a cap.

    It starts again from none only after something has lasted, so that what is let in and thrown
    out at once does not spin.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._failures = 0
        self._since: float | None = None

    def succeeded(self) -> None:
        """Note that it works from now on."""
        self._since = time.monotonic()

    def next(self) -> float:
        """Seconds until the next attempt."""
        since, self._since = self._since, None
        if since is not None and time.monotonic() - since >= self._timing.steady:
            self._failures = 0
        self._failures += 1
        exponent = min(self._failures - 2, _LARGEST_EXPONENT)
        if exponent < 0:
            return 0.0
        ceiling = min(self._timing.longest_delay, self._timing.first_delay * 2.0**exponent)
        return random.uniform(0.5, 1.0) * ceiling  # noqa: S311 - jitter, not a secret
