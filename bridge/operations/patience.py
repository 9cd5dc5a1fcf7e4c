"""A start that finds the database away waits for it; it need not be started again and again."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from bridge.errors import StoreUnavailableError
from bridge.operations.systemd import Systemd

log = structlog.get_logger(__name__)

T = TypeVar("T")

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 15.0
_MORE_TIME_SECONDS: Final = 120.0
"""Longer than a wait, and an attempt at a database that is locked."""


async def patiently(
    work: Callable[[], Awaitable[T]], systemd: Systemd, *, first_delay: float = _FIRST_DELAY
) -> T:
    """Do a part of the start; again, while the database is away. Why is told once, to the log.

    Args:
        work: what needs the database; harmless when repeated.
        systemd: told as well, and asked for the time it takes.
        first_delay: seconds until it is tried again; they grow up to 15.

    Raises:
        StoreError: waiting for the database would not help.
    """
    delay, told = first_delay, ""
    while True:
        try:
            done = await work()
        except StoreUnavailableError as error:
            systemd.starts_later(f"Waiting for the database. {error.sentence}", _MORE_TIME_SECONDS)
            if error.sentence != told:
                told = error.sentence
                log.warning("waiting_for_database", reason=str(error))
        else:
            if told:
                log.info("database_is_up")
            return done
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
        delay = min(delay * 2, _LONGEST_DELAY)
