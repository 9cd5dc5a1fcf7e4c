"""Mentions in a tree: found, and put in where only the words of them are known."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from bridge.richtext.tree import (
    Block,
    Code,
    CodeBlock,
    Document,
    Heading,
    Inline,
    LineBreak,
    Link,
    List,
    Mention,
    Paragraph,
    Quote,
    Rule,
    Spoiler,
    Table,
    Text,
)

_MAX_CALLED: Final = 200
"""People mentioned in one message; more are left as words."""


class Called(Protocol):
    """Somebody whom a text calls `span`, as `bridge.model.Mention` says it."""

    @property
    def network(self) -> str: ...  # noqa: D102
    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def span(self) -> str: ...  # noqa: D102


def mentions_in(document: Document) -> tuple[Mention, ...]:
    """All mentions, in the order of the text; one who is called twice is there twice."""
    return tuple(_in_blocks(document.blocks))


def _in_blocks(blocks: Iterable[Block]) -> Iterator[Mention]:
    for block in blocks:
        match block:
            case Paragraph(children) | Heading(_, children):
                yield from _in_inlines(children)
            case Quote(inner):
                yield from _in_blocks(inner)
            case List(items):
                for item in items:
                    yield from _in_blocks(item)
            case Table(head, rows):
                for row in (head, *rows):
                    for cell in row:
                        yield from _in_inlines(cell)


def _in_inlines(inlines: Iterable[Inline]) -> Iterator[Mention]:
    for inline in inlines:
        match inline:
            case Mention():
                yield inline
            case Text() | Code() | LineBreak():
                pass
            case _:
                yield from _in_inlines(inline.children)


def with_mentions(document: Document, called: Sequence[Called]) -> Document:
    """The document with mentions where their words stand as words of their own.

    Words in code and in links stay what they are.
    """
    people = {each.span: each for each in called[:_MAX_CALLED] if each.span.strip()}
    if not people:
        return document
    return Document(_Finder(people).blocks(document.blocks))


class _Finder:
    def __init__(self, people: dict[str, Called]) -> None:
        self._people = people
        longest_first = sorted(people, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_whole, longest_first)))

    def blocks(self, blocks: Iterable[Block]) -> tuple[Block, ...]:
        return tuple([self._block(block) for block in blocks])

    def _block(self, block: Block) -> Block:
        match block:
            case Paragraph(children):
                return Paragraph(self._inlines(children))
            case Heading(level, children):
                return Heading(level, self._inlines(children))
            case Quote(inner):
                return Quote(self.blocks(inner))
            case List(items, ordered, start):
                return List(tuple([self.blocks(item) for item in items]), ordered, start)
            case Table(head, rows):
                return Table(
                    tuple([self._inlines(cell) for cell in head]),
                    tuple([tuple([self._inlines(cell) for cell in row]) for row in rows]),
                )
            case CodeBlock() | Rule():
                return block

    def _inlines(self, inlines: Iterable[Inline]) -> tuple[Inline, ...]:
        found: list[Inline] = []
        for inline in inlines:
            match inline:
                case Text(text):
                    found.extend(self._text(text))
                case Code() | Mention() | LineBreak() | Link():
                    found.append(inline)
                case Spoiler(children, reason):
                    found.append(Spoiler(self._inlines(children), reason))
                case _:
                    found.append(type(inline)(self._inlines(inline.children)))
        return tuple(found)

    def _text(self, text: str) -> Iterator[Inline]:
        done = 0
        for match in self._pattern.finditer(text):
            if match.start() > done:
                yield Text(text[done : match.start()])
            person = self._people[match[0]]
            yield Mention(person.network, person.id, person.span)
            done = match.end()
        if done < len(text):
            yield Text(text[done:])


def _whole(span: str) -> str:
    """A pattern for the words, not as part of others: "Ann" is not in "Annual"."""
    before = r"(?<!\w)" if re.match(r"\w", span) else ""
    after = r"(?!\w)" if re.match(r"\w", span[-1]) else ""
    return f"{before}{re.escape(span)}{after}"
