"""How long a server asks to wait, and how long to wait where it does not say."""

import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_WAIT: Final = 86_400.0
"""Seconds. A server that asks for more is asked again after so long all the same."""
_LARGEST_EXPONENT: Final = 16


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait (RFC 9110, section 10.2.3); None when it does not."""
    written = headers.get("Retry-After", "").strip()
    if not written:
        return None
    try:
        seconds = float(written)
    except ValueError:
        try:
            when = parsedate_to_datetime(written)
        except (ValueError, OverflowError):
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    return bounded(seconds)


def bounded(seconds: float) -> float | None:
    """A wait that can be kept; None for what is no number of seconds."""
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def backoff(failures: int, first: float, longest: float) -> float:
    """Seconds to wait after failures in a row: doubling from `first`, less a random part."""
    ceiling = min(longest, first * 2.0 ** min(max(failures - 1, 0), _LARGEST_EXPONENT))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def spread(seconds: float) -> float:
    """About so long: ten percent more or less, so that not everyone comes at the same moment."""
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing
