"""The time, as the bridge counts it."""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def milliseconds(when: datetime) -> int:
    """A time as milliseconds since the Unix epoch."""
    return round(when.timestamp() * 1000)


def from_milliseconds(count: int) -> datetime:
    """The time that many milliseconds after the Unix epoch."""
    return datetime.fromtimestamp(count / 1000, UTC)
