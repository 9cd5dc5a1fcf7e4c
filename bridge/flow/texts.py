"""Texts on their way: into the form that is stored, and out of it into what a place understands."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from bridge import richtext
from bridge.contract import Capabilities, Dialect
from bridge.flow.naming import bare_name
from bridge.model import Edited, Event, Mention, Message, Place

Worded = TypeVar("Worded", bound=Message | Edited)

_LEAST: Final = 8


def canonical(event: Worded, dialect: Dialect) -> Worded:
    """What was reported in the dialect of its place, as it is stored: plain text and, where that
    does not say everything, canonical HTML.
    """
    if event.unformatted:
        event, dialect = replace(event, unformatted=False), Dialect.PLAIN
    if event.html is None and not event.mentions and dialect is Dialect.PLAIN:
        return event
    called = {mention.span: mention for mention in event.mentions}

    def mentioned(url: str, text: str) -> richtext.Mention | None:  # noqa: ARG001 - a hook's form
        found = called.get(" ".join(text.split()))
        return None if found is None else richtext.Mention(found.network, found.id, found.span)

    rich = richtext.read(
        dialect, event.text, event.html, event.mentions, link=mentioned if called else None
    )
    if rich.plain == event.text and rich.html == event.html:
        return event
    return replace(event, text=rich.plain, html=rich.html)


def reader(capabilities: Callable[[Place], Capabilities]) -> Callable[[Event], Event]:
    """What brings the texts of events into the form that is stored.

    Args:
        capabilities: those of a place, which tell what text it speaks.
    """

    def read(event: Event) -> Event:
        match event:
            case Message() | Edited():
                return canonical(event, capabilities(event.place).dialect)
        return event

    return read


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text as a place takes it. `html` stands beside it where the dialect has it.
    `unformatted` is as in `Message`.
    """

    text: str
    html: str | None = None
    mentions: tuple[Mention, ...] = ()
    unformatted: bool = False


@dataclass(frozen=True, slots=True)
class Wording:
    """How texts are written for a place."""

    place: Place
    capabilities: Capabilities
    network_names: Mapping[str, str]

    def pieces(self, text: str, html: str | None, lead: str = "") -> Iterator[Piece]:
        """A stored text in pieces that fit, with a few words before each of them."""
        can = self.capabilities
        if lead:
            [lead, *_] = [each.plain for each in self._cut(lead, None, can.max_text // 2)] or [""]
        room = max(_LEAST, can.max_text - 2 * len(lead.encode()) - 1) if lead else can.max_text
        for rich in self._cut(text, html, room):
            led = richtext.with_lead(rich.plain, rich.html, lead) if lead else rich
            yield self._piece(led)

    def _cut(self, text: str, html: str | None, limit: int) -> list[richtext.Rich]:
        if html is None and len(text) * 4 <= limit and not self._marks:
            return [richtext.Rich(text)] if text and not text.isspace() else []
        return richtext.fragments(self.capabilities.dialect, text, html, limit, name=self._name)

    @property
    def _marks(self) -> bool:
        """Whether characters of a plain text mean something there, and have to be escaped."""
        return self.capabilities.dialect is Dialect.MARKDOWN

    def _piece(self, rich: richtext.Rich) -> Piece:
        dialect = self.capabilities.dialect
        mentions = tuple(
            Mention(each.network, each.id, self._name(each))
            for each in richtext.mentions_of(rich.html)
        )
        if dialect is Dialect.HTML:  # canonical: only there is it known how to name a person
            return Piece(rich.plain, rich.html, mentions)
        written = richtext.write(dialect, rich.plain, rich.html, name=self._name)
        return Piece(written.text, written.html, mentions, written.unstyled)

    def _name(self, mention: richtext.Mention) -> str:
        """How a person is called there: at home by their bare name."""
        if mention.network != self.place.network:
            return mention.name
        return bare_name(mention.name, self.network_names)
