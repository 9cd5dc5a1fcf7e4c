"""A room's archive (XEP-0313): what was said while the bridge was away, and whether it arrived."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp.errors import StanzaError
from adapters.xmpp.incoming import Said, read_archived
from adapters.xmpp.wire import Wire
from adapters.xmpp.xml import DATA_FORM, MAM, RSM, attribute, text

RESULT: Final = f"{{{MAM}}}result"
_PAGE: Final = 100
_PAGES: Final = 50
"""5,000 messages: who missed more is told so in the log."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the archive, oldest first.

    `last` is the id to go on after, `first` the one to go back before. `complete` tells that there
    is no more in the direction that was asked for.
    """

    said: tuple[Said, ...]
    first: str | None
    last: str | None
    complete: bool


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
        """The id of the newest thing in it; None when it is empty. Raises as `after` does."""
        return (await self._page(wire, "<max>1</max><before/>")).last

    async def before(self, wire: Wire, mark: str) -> Page:
        """What is just before the message `mark`; for an empty mark, the newest there is. Raises as
        `after` does.
        """
        return await self._page(wire, f"<max>{_PAGE}</max><before>{text(mark)}</before>")

    async def after(
        self, wire: Wire, mark: str | None, since: datetime | None
    ) -> AsyncIterator[Page]:
        """Everything after the message `mark` ("": everything there is); or, where there is no
        mark, or the archive has lost it, since a time.

        Raises:
            StanzaError: the room does not answer such questions.
            Unreachable: no answer came.
        """
        start = since if mark is None else None
        for _ in range(_PAGES):
            after = f"<after>{text(mark)}</after>" if mark else ""
            try:
                page = await self._page(wire, f"<max>{_PAGE}</max>{after}", start)
            except StanzaError as error:
                if error.condition != "item-not-found" or not mark or start is not None:
                    raise
                mark, start = None, since
                continue
            yield page
            if page.complete or page.last is None:
                return
            mark = page.last

    async def _page(self, wire: Wire, limits: str, start: datetime | None = None) -> Page:
        query = wire.new_number()
        found = self._queries.setdefault(query, [])
        stamp = "" if start is None else start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        form = (
            f"<x xmlns='{DATA_FORM}' type='submit'><field var='FORM_TYPE' type='hidden'>"
            f"<value>{MAM}</value></field><field var='start'><value>{stamp}</value></field></x>"
            if stamp
            else ""
        )
        try:
            answer = await wire.ask(
                "set",
                self._room,
                f"<query xmlns='{MAM}' queryid='{attribute(query)}'>{form}"
                f"<set xmlns='{RSM}'>{limits}</set></query>",
            )
        finally:
            del self._queries[query]
        fin = answer.find(f"{{{MAM}}}fin")
        first, last = (
            None if fin is None else fin.findtext(f"{{{RSM}}}set/{{{RSM}}}{end}")
            for end in ("first", "last")
        )
        complete = fin is None or fin.get("complete") in {"true", "1"}
        return Page(tuple(found), first, last, complete)
