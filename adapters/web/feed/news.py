"""What is new in a feed, and what has changed.

A feed shows its latest items again and again. While the bridge runs, it remembers what it saw. At
its start it knows only until when it had read: then it tells again what is dated since, as the
core knows what it has already.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final

from adapters.web.feed.document import Document, Item
from adapters.web.feed.telling import Teller
from bridge.contract import CatchUp
from bridge.model import Edited, Event, Message

_OVERLAP: Final = timedelta(days=1)
"""Items are often dated before they appear."""
_REMEMBERED: Final = 5_000
"""Items. Feeds have at most `reading.MAX_ITEMS`."""
_MOST_EDITS: Final = 10
"""After so many changes of one item no more are told: it has a counter or a clock in it."""


@dataclass(slots=True)
class _Known:
    digest: str
    told: bool
    edits: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the feed brought, in order; `gap` says what may be missing."""

    events: tuple[Event, ...] = ()
    gap: str = ""
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class _Choice:
    fresh: Sequence[Item]
    changed: Sequence[Item] = ()
    old: Sequence[Item] = ()
    gap: str = ""
    left_out: int = 0


class News:
    """The memory of one feed.

    Args:
        teller: makes messages of items.
        catch_up: what is known from before.
        opened: since when the feed is read by this run.
        clock: tells the time.
    """

    def __init__(
        self,
        teller: Teller,
        catch_up: CatchUp,
        opened: datetime,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._teller = teller
        self._catch_up = catch_up
        self._opened = opened
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._looked = False

    def of(self, document: Document) -> Found:
        """What a document has that was not told yet. It counts as told from then on."""
        now = self._clock()
        items = _in_order(document, now)
        found = self._later(items, now) if self._looked else self._first(document, items, now)
        self._looked = True
        events = tuple(self._events(found, document.title, now))
        told = {item.id for item in (*found.fresh, *found.old)}
        for item in items:
            self._remember(item, told=item.id in told)
        return Found(events, found.gap, found.left_out)

    # --- the first look

    def _first(self, document: Document, items: list[Item], now: datetime) -> _Choice:
        catch_up = self._catch_up
        recent = [item for item in items if _dated(item, self._opened)]
        if catch_up.since is None:
            before = [item for item in items if not _dated(item, self._opened)]
            return _Choice(recent, old=before[-catch_up.history :] if catch_up.history else ())
        if not catch_up.wanted:
            return _Choice(recent)
        since = catch_up.since - _OVERLAP
        floor = max(since, now - catch_up.max_age, catch_up.begun or since)
        fresh = [item for item in items if _dated(item, floor)] + self._undated(document)
        left_out = max(0, len(fresh) - catch_up.max_messages)
        changed = [item for item in items if self._changed_since(item, floor)]
        gap = _gap(items, catch_up)
        return _Choice(fresh[left_out:], changed, gap=gap, left_out=left_out)

    def _changed_since(self, item: Item, floor: datetime) -> bool:
        """Whether an item that may be known was changed while nobody looked."""
        since = self._catch_up.since
        return (
            since is not None
            and item.updated is not None
            and item.updated >= floor
            and item.published is not None
            and item.published <= since
            and item.published < item.updated
        )

    def _undated(self, document: Document) -> list[Item]:
        """Items without a date that stand above the last one that is known."""
        last = self._catch_up.last_id
        if not any(item.id == last for item in document.items):
            return []
        above = takewhile(lambda item: item.id != last, document.items)
        return [item for item in reversed(list(above)) if item.published is None]

    # --- each further look

    def _later(self, items: list[Item], now: datetime) -> _Choice:
        unseen = [item for item in items if item.id not in self._known]
        gap = ""
        if self._known and items and len(unseen) == len(items):
            # All is new: either more came than the feed holds, or it calls its items otherwise
            digests = {known.digest for known in self._known.values()}
            unseen = [item for item in items if self._teller.digest(item) not in digests]
            if len(unseen) == len(items):
                gap = "More may have come than the feed shows at a time."
        floor = now - max(self._catch_up.max_age, _OVERLAP)
        fresh = [item for item in unseen if item.published is None or item.published > floor]
        changed = [item for item in items if self._has_changed(item)]
        return _Choice(fresh, changed, gap=gap if fresh else "")

    def _has_changed(self, item: Item) -> bool:
        known = self._known.get(item.id)
        if known is None or not known.told or known.digest == self._teller.digest(item):
            return False
        known.edits += 1
        return known.edits <= _MOST_EDITS

    # --- what comes of it

    def _events(self, choice: _Choice, title: str, now: datetime) -> Iterator[Message | Edited]:
        for item in choice.old:
            yield self._teller.message(item, title, now, old=True)
        for item in choice.fresh:
            yield self._teller.message(item, title, now)
        for item in choice.changed:
            yield self._teller.edited(item, title, now)

    def _remember(self, item: Item, *, told: bool) -> None:
        digest = self._teller.digest(item)
        known = self._known.get(item.id)
        if known is None:
            # At the first look it may have been told by an earlier run
            began = self._catch_up.begun
            told = told or (began is not None and _dated(item, began))
            self._known[item.id] = _Known(digest, told)
        else:
            known.digest = digest
        self._known.move_to_end(item.id)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _in_order(document: Document, now: datetime) -> list[Item]:
    """The oldest first; feeds begin with the newest. An id that is there twice counts once."""
    items = {item.id: item for item in reversed(document.items)}
    return sorted(items.values(), key=lambda item: item.published or now)


def _dated(item: Item, since: datetime) -> bool:
    return item.published is not None and item.published >= since


def _gap(items: list[Item], catch_up: CatchUp) -> str:
    since = catch_up.since
    if since is None or not items:
        return ""
    if all(item.published is None for item in items):
        known = any(item.id == catch_up.last_id for item in items)
        return "" if known else "The feed does not date its items."
    if all(item.published is not None and item.published > since for item in items):
        return "More may have come than the feed shows at a time."
    return ""
