"""Files on their way: each fetched once, checked, cleaned where that is wanted, and lent out."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from bridge.contract import LocalFile, MediaSource
from bridge.media.clean_image import clean, is_cleaned, measure
from bridge.media.fetcher import Patience
from bridge.media.names import clean_name
from bridge.media.refusals import SourceAway, TooBig, TypeNotTaken, Uncleanable
from bridge.media.sniff import TypePolicy, claims_picture, settle, sniff
from bridge.media.spool import Spool, Stored, disk_faults_told
from bridge.media.threads import Workers
from bridge.model import Attachment, MediaKind

_Result = TypeVar("_Result")

MAX_PIXELS: Final = 256_000_000
"""A picture of more would take a gigabyte of memory where it is shown: it goes as a mere file."""

_AT_ONCE: Final = 12
_AT_ONCE_FROM_ONE: Final = 4
_CLEANED_GROWS: Final = 4096  # by an orientation tag, at most
_LONGEST_MS: Final = 10 * 86_400_000
_WIDEST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a place takes, on top of what the bridge takes at all: `max_size` in bytes."""

    max_size: int | None = None
    types: TypePolicy = field(default_factory=TypePolicy)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the bridge takes at all, and where it keeps it.

    `max_size` of one file and `spool_limit` of all together in bytes; `keep_seconds` is how long a
    file stays that nobody uses.
    """

    directory: Path
    max_size: int
    spool_limit: int
    keep_seconds: float
    types: TypePolicy = field(default_factory=TypePolicy)
    patience: Patience = field(default_factory=Patience)


@dataclass(slots=True, eq=False)
class _Flight:
    """The making of one file, for all who wait for it, each with the most that it takes."""

    ceilings: list[int] = field(default_factory=list)
    task: asyncio.Task[Stored] | None = None


_Make = Callable[[_Flight], Coroutine[object, object, Stored]]


class Depot:
    """Lends out files. To be entered before use; when left, all files are deleted.

    Args:
        rules: what is taken, and where it is kept.
        sources: who resolves the references of a network; None for one that has only URLs.
        fetcher: for URLs.
        clock: seconds, rising.
    """

    def __init__(
        self,
        rules: Rules,
        sources: Callable[[str], MediaSource | None],
        fetcher: MediaSource,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._sources = sources
        self._fetcher = fetcher
        self._workers = Workers()
        self._spool = Spool(
            rules.directory,
            limit=rules.spool_limit,
            keep_seconds=rules.keep_seconds,
            workers=self._workers,
            clock=clock,
        )
        self._flights: dict[str, _Flight] = {}
        self._all = asyncio.Semaphore(_AT_ONCE)
        self._each = defaultdict[str, asyncio.Semaphore](
            lambda: asyncio.Semaphore(_AT_ONCE_FROM_ONE)
        )

    async def __aenter__(self) -> Self:
        """Raises ConfigError when the folder can't be used."""
        await self._spool.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = [flight.task for flight in self._flights.values() if flight.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._spool.close()
        self._workers.close()

    async def run(self) -> None:
        """Delete what was kept for long enough, until cancelled."""
        await self._spool.run()

    async def prune(self) -> None:
        """Delete at once what was kept for long enough."""
        await self._spool.prune()

    @property
    def used(self) -> int:
        """Bytes that all files take."""
        return self._spool.used

    @asynccontextmanager
    async def fetch(
        self, network: str, attachment: Attachment, *, limits: Limits | None = None, cleaned: bool
    ) -> AsyncIterator[LocalFile]:
        """The file of a message, for as long as the context lasts.

        Whoever asks for the same file at the same time shares one download.

        Args:
            network: where the attachment comes from.
            attachment: the file; what it says of itself is checked.
            limits: what the place takes that it is for.
            cleaned: take out of pictures and films what tells where and when they were taken.

        Raises:
            Unreachable: it can't be had now, or there is no room for it.
            Refused: it is too big, of a type that is not taken, gone, or can't be cleaned.
        """
        limits = limits or Limits()
        ceiling = min(self._rules.max_size, limits.max_size or self._rules.max_size)
        if attachment.size is not None and attachment.size > ceiling:
            raise TooBig(ceiling)
        async with self._held(network, attachment, ceiling, cleaned=cleaned) as stored:
            if stored.size > ceiling:
                raise TooBig(ceiling)
            file = _lent(stored, attachment)
            if not (self._rules.types.takes(file.mime) and limits.types.takes(file.mime)):
                raise TypeNotTaken(file.mime)
            yield file

    @asynccontextmanager
    async def _held(
        self, network: str, attachment: Attachment, ceiling: int, *, cleaned: bool
    ) -> AsyncIterator[Stored]:
        """The file, cleaned where that is wanted, with a lease on it."""
        digest = _digest(network, attachment)
        ready = self._spool.find(f"{digest}.clean") if cleaned else None
        if ready is not None:
            with ready.lent():
                yield ready
            return

        async def download(flight: _Flight) -> Stored:
            return await self._download(flight, network, attachment, f"{digest}.whole")

        async with self._lease(f"{digest}.whole", download, ceiling) as whole:
            if not cleaned or not _to_be_cleaned(whole.mime, attachment):
                yield whole
                return

            async def clean_it(_flight: _Flight) -> Stored:
                return await self._clean(whole, f"{digest}.clean")

            async with self._lease(f"{digest}.clean", clean_it, ceiling) as made:
                yield made

    # --- one making for all who want the same ---------------------------------------------------

    @asynccontextmanager
    async def _lease(self, name: str, make: _Make, ceiling: int) -> AsyncIterator[Stored]:
        stored = self._spool.find(name)
        if stored is None:
            stored = await self._shared(name, make, ceiling)
            stored.leases -= 1  # no turn of the loop comes between this and the next lease
        with stored.lent():
            yield stored

    async def _shared(self, name: str, make: _Make, ceiling: int) -> Stored:
        """What a flight brings, with a lease on it. Without anyone who waits, it is cancelled."""
        flight = self._flights.get(name)
        if flight is None or flight.task is None or flight.task.done():
            flight = self._flights[name] = _Flight([ceiling])
            flight.task = asyncio.create_task(self._fly(name, flight, make), name=f"media {name}")
        else:
            flight.ceilings.append(ceiling)
        task = flight.task
        try:
            await asyncio.wait({task})
            if task.cancelled():
                msg = "The bridge is about to stop."
                raise SourceAway(msg)
            stored = task.result()
            stored.leases += 1
        except TooBig:
            raise TooBig(ceiling) from None
        finally:
            flight.ceilings.remove(ceiling)
            if not flight.ceilings:
                self._land(name, flight, task)
        return stored

    async def _fly(self, name: str, flight: _Flight, make: _Make) -> Stored:
        try:
            stored = await make(flight)
            stored.leases += 1  # until the last of those who wait has taken its own
            return stored
        finally:
            if self._flights.get(name) is flight:
                del self._flights[name]

    def _land(self, name: str, flight: _Flight, task: asyncio.Task[Stored]) -> None:
        if not task.done():
            if self._flights.get(name) is flight:
                del self._flights[name]
            task.cancel()
        elif not task.cancelled() and task.exception() is None:
            task.result().leases -= 1

    # --- the making -----------------------------------------------------------------------------

    async def _download(
        self, flight: _Flight, network: str, attachment: Attachment, name: str
    ) -> Stored:
        source = self._sources(network) or self._fetcher
        patience = self._rules.patience
        async with self._each[network], self._all, self._spool.part(name) as part:
            end = asyncio.get_running_loop().time() + patience.total
            async with AsyncExitStack() as stack:
                opening = stack.enter_async_context(source.download(attachment))
                pieces = await _within(patience.connect + patience.idle, end, opening)
                while (piece := await _within(patience.idle, end, anext(pieces, None))) is not None:
                    ceiling = max(flight.ceilings, default=0)
                    if part.size + len(piece) > ceiling:
                        raise TooBig(ceiling)
                    await part.write(piece)
            await part.flush()
            mime = sniff(part.head)
            measured = await self._workers.run(measure, part.path, mime) if mime else None
            return await self._spool.keep(part, mime, measured)

    async def _clean(self, whole: Stored, name: str) -> Stored:
        if whole.mime is None:
            raise Uncleanable
        async with self._spool.part(name) as part:
            await part.reserve(whole.size + _CLEANED_GROWS)
            with disk_faults_told():
                size = await self._workers.run(clean, whole.path, part.path, whole.mime)
            part.settle(size)
            measured = await self._workers.run(measure, part.path, whole.mime)
            return await self._spool.keep(part, whole.mime, measured)


async def _within(seconds: float, end: float, what: Awaitable[_Result]) -> _Result:
    """What a source gives, if it gives it in time.

    Args:
        seconds: how long to wait.
        end: time of the loop after which nothing is waited for.
        what: what is waited for.

    Raises:
        SourceAway: it does not.
    """
    try:
        async with asyncio.timeout_at(min(end, asyncio.get_running_loop().time() + seconds)):
            return await what
    except TimeoutError:
        msg = "Where the file comes from is too slow or does not answer."
        raise SourceAway(msg) from None


def _digest(network: str, attachment: Attachment) -> str:
    """What a file is called in the spool: the same for the same file, and telling nothing."""
    named = json.dumps([network, attachment.source, attachment.key])
    return sha256(named.encode("utf-8", "surrogatepass")).hexdigest()


def _to_be_cleaned(mime: str | None, attachment: Attachment) -> bool:
    """Whether a file may only be passed on after cleaning.

    Raises:
        Uncleanable: it should be a picture, but is none that is known.
    """
    if mime is None and claims_picture(attachment.mime, attachment.name):
        raise Uncleanable
    return mime is not None and is_cleaned(mime)


def _lent(stored: Stored, attachment: Attachment) -> LocalFile:
    verdict = settle(stored.mime, attachment.mime, attachment.name, attachment.kind)
    kind = verdict.kind
    width, height = _bounded(attachment.width, _WIDEST), _bounded(attachment.height, _WIDEST)
    if stored.width is not None and stored.height is not None:
        width, height = stored.width, stored.height
        if kind is not MediaKind.FILE and width * height > MAX_PIXELS:
            kind = MediaKind.FILE
    return LocalFile(
        path=stored.path,
        name=clean_name(attachment.name, verdict.mime, kind),
        mime=verdict.mime,
        size=stored.size,
        kind=kind,
        width=width,
        height=height,
        duration_ms=_bounded(attachment.duration_ms, _LONGEST_MS),
    )


def _bounded(claim: int | None, most: int) -> int | None:
    return claim if claim is not None and 0 < claim <= most else None
