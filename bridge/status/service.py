"""All that rooms are told about deliveries, as one part of the bridge."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final, Protocol, TypeVar

import structlog

from bridge.clock import now_ms
from bridge.contract import Unreachable
from bridge.delivery.lane import KEEP_TRYING_MS
from bridge.errors import StoreError
from bridge.model import Place
from bridge.portals.service import PortalIndex
from bridge.status.messages import MessageStatus
from bridge.status.notifier import Notifier
from bridge.status.outages import Outages
from bridge.status.picture import Manner
from bridge.status.unreadable import UnreadableNotices
from bridge.status.words import Clock
from bridge.store.database import Database

log = structlog.get_logger(__name__)

T = TypeVar("T")

_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 60.0


_MANNER: Final = Manner()


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """After how many milliseconds what is told, how, and in which time zone.

    `kept_ms` tells how long deliveries are tried for a place.
    """

    after_ms: int = 10_000
    away_after_ms: int = 180_000
    manner: Manner = _MANNER
    zone: tzinfo = UTC
    kept_ms: Callable[[Place], int] = lambda _: KEEP_TRYING_MS


class _Part(Protocol):
    changed: asyncio.Event

    @property
    def pause(self) -> float: ...

    async def resume(self) -> None: ...

    async def step(self) -> bool: ...


class Status:
    """Tells rooms how their messages and networks fare.

    Give `messages` to the lanes as a watcher, `outages.note` to the health board,
    `unreadable` to the intake as a watcher, `unreadable.missed` to the gaps, `messages.retried` to
    the retries and `messages.follow` to the portals.

    Args:
        database: where deliveries, and what rooms were told, are kept.
        notifier: tells them.
        index: the portals as they are now.
        names: how people call each network.
        settings: what is told, and when.
        now: milliseconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - all by keyword
        self,
        *,
        database: Database,
        notifier: Notifier,
        index: Callable[[], PortalIndex],
        names: Mapping[str, str],
        settings: StatusSettings,
        now: Callable[[], int] = now_ms,
    ) -> None:
        self.outages = Outages(
            database=database,
            notifier=notifier,
            index=index,
            names=names,
            clock=Clock(settings.zone),
            after_ms=settings.away_after_ms,
            retry=settings.manner.retry,
            kept_ms=settings.kept_ms,
            now=now,
        )
        self.messages = MessageStatus(
            database=database,
            notifier=notifier,
            index=index,
            names=names,
            away=self.outages.away,
            after_ms=settings.after_ms,
            manner=settings.manner,
            now=now,
        )
        self.unreadable = UnreadableNotices(
            database=database, notifier=notifier, index=index, names=names, now=now
        )

    async def run(self, ready: Callable[[], Awaitable[None]]) -> None:
        """Work until cancelled, once `ready` says that rooms can be told something."""
        await ready()
        async with asyncio.TaskGroup() as tasks:
            for part in (self.messages, self.outages, self.unreadable):
                tasks.create_task(_work(part))


async def _work(part: _Part) -> None:
    await _insist(part.resume)
    while True:
        part.changed.clear()
        more = await _insist(part.step)
        if not more:
            with suppress(TimeoutError):
                async with asyncio.timeout(part.pause):
                    await part.changed.wait()


async def _insist(work: Callable[[], Awaitable[T]]) -> T:
    """Do it again until neither the database nor the homeserver fails."""
    delay = _FIRST_DELAY
    while True:
        try:
            return await work()
        except (StoreError, Unreachable) as error:
            log.warning("status_waits", reason=str(error))
            wait = getattr(error, "retry_after", None) or delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load
            await asyncio.sleep(wait)
            delay = min(_LONGEST_DELAY, delay * 2)
