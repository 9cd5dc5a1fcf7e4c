"""A room's archive (XEP-0313): what was said while the bridge was away, and whether it arrived."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp.incoming import Said, read_archived
from adapters.xmpp.wire import Wire
from adapters.xmpp.xml import DATA_FORM, MAM, RSM, attribute, text

RESULT: Final = f"{{{MAM}}}result"
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the archive: after the message `after` (none or "": from its beginning on), and
    said between two times.
    """

    after: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the archive, oldest first.

    `last` is the id to go on after, `first` the one to go back before. `complete` tells that there
    is no more in the direction that was asked for. `count` is how many there are between the times
    that were asked for; None where the archive does not tell.
    """

    said: tuple[Said, ...]
    first: str | None
    last: str | None
    complete: bool
    count: int | None = None


_ALL: Final = Stretch()


class Archive:
    """Asks, and collects the results, which come as messages of their own."""

    def __init__(self, room: str) -> None:
        self._room = room
        self._queries: dict[str, list[Said]] = {}

    def collect(self, result: Element) -> None:
        """Take a result that the room has sent; what was not asked for is dropped."""
        found = self._queries.get(result.get("queryid", ""))
        if found is not None and len(found) < 2 * _PAGE:
            said = read_archived(result, self._room)
            if said is not None:
                found.append(said)

    async def newest_id(self, wire: Wire) -> str | None:
        """The id of the newest thing in it; None when it is empty. Raises as `forward` does."""
        return (await self._page(wire, "<max>1</max><before/>")).last

    async def before(self, wire: Wire, mark: str) -> Page:
        """What is just before the message `mark`; for an empty mark, the newest there is. Raises as
        `forward` does.
        """
        return await self._page(wire, f"<max>{_PAGE}</max><before>{text(mark)}</before>")

    async def forward(self, wire: Wire, stretch: Stretch) -> AsyncIterator[Page]:
        """A stretch, page by page, the oldest first.

        Raises:
            StanzaError: the room does not answer such questions; `item-not-found`: the archive
                does not know the message to begin after (any more).
            Unreachable: no answer came.
        """
        mark = stretch.after
        while True:
            after = f"<after>{text(mark)}</after>" if mark else ""
            page = await self._page(wire, f"<max>{_PAGE}</max>{after}", stretch)
            yield page
            if page.complete or page.last is None:
                return
            mark = page.last

    async def backward(self, wire: Wire, stretch: Stretch) -> AsyncIterator[Page]:
        """A stretch, page by page, the newest first; it goes on beyond `stretch.after`.

        Raises as `forward` does.
        """
        mark = ""
        while True:
            limits = f"<max>{_PAGE}</max><before>{text(mark)}</before>"
            page = await self._page(wire, limits, stretch)
            yield page
            if page.complete or page.first is None:
                return
            mark = page.first

    async def _page(self, wire: Wire, limits: str, stretch: Stretch = _ALL) -> Page:
        query = wire.new_number()
        found = self._queries.setdefault(query, [])
        try:
            answer = await wire.ask(
                "set",
                self._room,
                f"<query xmlns='{MAM}' queryid='{attribute(query)}'>{_form(stretch)}"
                f"<set xmlns='{RSM}'>{limits}</set></query>",
            )
        finally:
            del self._queries[query]
        fin = answer.find(f"{{{MAM}}}fin")
        if fin is None:
            return Page(tuple(found), None, None, complete=True)
        first, last, count = (
            fin.findtext(f"{{{RSM}}}set/{{{RSM}}}{part}") for part in ("first", "last", "count")
        )
        complete = fin.get("complete") in {"true", "1"}
        number = int(count) if count and count.isascii() and count.isdecimal() else None
        return Page(tuple(found), first, last, complete, number)


def _form(stretch: Stretch) -> str:
    """The times of a query (XEP-0313, section 4.1.2)."""
    times = {"start": stretch.start, "end": stretch.end}
    fields = "".join(
        f"<field var='{name}'><value>{_stamp(time)}</value></field>"
        for name, time in times.items()
        if time is not None
    )
    if not fields:
        return ""
    return (
        f"<x xmlns='{DATA_FORM}' type='submit'><field var='FORM_TYPE' type='hidden'>"
        f"<value>{MAM}</value></field>{fields}</x>"
    )


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
