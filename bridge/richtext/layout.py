"""A tree laid out in lines of text: what plain text, message styling and Markdown share."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bridge.richtext.characters import sound, width
from bridge.richtext.runs import flatten, lines, nest
from bridge.richtext.tree import (
    Block,
    CodeBlock,
    Document,
    Heading,
    Inline,
    List,
    Mention,
    Paragraph,
    Quote,
    Row,
    Rule,
    Table,
)

NAME_BEGINS: Final = "\ufdd0"
NAME_ENDS: Final = "\ufdd1"
"""Around the name of a mention while a text is written: see `bridge.richtext.spans`."""

_MAX_PADDING: Final = 40

Name = Callable[[Mention], str]
"""How a mentioned person is called at the place that a text is written for."""


def own_name(mention: Mention) -> str:
    """The name as the author wrote it."""
    return mention.name


class Layout:
    """Writes blocks as lines; how marks look is for those who inherit it to say."""

    rule = "---"

    def __init__(self, name: Name = own_name) -> None:
        self._name = name

    def document(self, document: Document) -> str:
        """The text of a document, with mentions marked by `NAME_BEGINS` and `NAME_ENDS`."""
        return "\n".join(self.lines(document.blocks))

    def lines(self, blocks: Sequence[Block]) -> list[str]:
        """The lines of blocks, with empty ones where blocks must be told apart."""
        found: list[str] = []
        before: Block | None = None
        for block in blocks:
            if before is not None and self.apart(before, block):
                found.append("")
            found.extend(self.block(block))
            before = block
        return found

    def apart(self, before: Block, block: Block) -> bool:
        """Whether an empty line stands between two blocks."""
        match before:
            case Heading():
                return False
            case Paragraph():
                return not isinstance(block, List)
            case Quote():
                return not isinstance(block, Paragraph)
        return True

    def block(self, block: Block) -> list[str]:  # noqa: PLR0911 - one line for each
        """The lines of one block."""
        match block:
            case Paragraph(children):
                return self.paragraph(children)
            case Heading(level, children):
                return self.heading(level, children)
            case Quote(blocks):
                return [f"> {line}" if line else ">" for line in self.lines(blocks)]
            case CodeBlock(text, language):
                return self.code_block(text, language)
            case List(items, ordered, start):
                return self.list_lines(items, start if ordered else None)
            case Table(head, rows):
                return self.table(head, rows)
            case Rule():
                return [self.rule]

    def paragraph(self, children: tuple[Inline, ...]) -> list[str]:
        """The lines of a paragraph."""
        return [self.line(nest(runs)) for runs in lines(flatten(children))]

    def heading(self, level: int, children: tuple[Inline, ...]) -> list[str]:  # noqa: ARG002
        """The line of a heading."""
        return self.paragraph(children)

    def code_block(self, text: str, language: str) -> list[str]:  # noqa: ARG002
        """The lines of code."""
        return text.split("\n")

    def list_lines(self, items: Iterable[tuple[Block, ...]], start: int | None) -> list[str]:
        """The lines of a list, numbered from `start` on, if at all."""
        found: list[str] = []
        for number, item in enumerate(items):
            found.extend(self.hung(self.marker(number, start), self.lines(item)))
        return found

    def hung(self, marker: str, lines: Sequence[str]) -> list[str]:
        """The lines of an item behind its marker."""
        if not lines or not lines[0]:
            return [marker.rstrip()]
        indent = " " * len(marker)
        return [marker + lines[0], *[indent + line if line else "" for line in lines[1:]]]

    def marker(self, number: int, start: int | None) -> str:
        """What stands before the item of this number, counted from 0."""
        return "- " if start is None else f"{start + number}. "

    def table(self, head: Row, rows: Sequence[Row]) -> list[str]:
        """The lines of a table, in columns as a fixed-width font shows them."""
        grid = [[self.paragraph(cell) for cell in row] for row in ((head, *rows) if head else rows)]
        if not grid:
            return []
        columns = [
            min(max(_columns(line) for cell in column for line in cell), _MAX_PADDING)
            for column in zip(*grid, strict=True)
        ]
        found: list[str] = []
        for number, row in enumerate(grid):
            for at in range(max(len(cell) for cell in row)):
                cells = [cell[at] if at < len(cell) else "" for cell in row]
                padded = (_padded(*each) for each in zip(cells, columns, strict=True))
                found.append(" | ".join(padded).rstrip())
            if number == 0 and head:
                found.append("-+-".join("-" * each for each in columns))
        return found

    def line(self, inlines: Sequence[Inline]) -> str:
        """What stands on one line."""
        raise NotImplementedError

    def called(self, mention: Mention) -> str:
        """The name of a mention, without what would confuse the search for it."""
        return sound(self._name(mention)).replace("\n", " ")

    def marked(self, name: str) -> str:
        """A name as it is written, marked to be found."""
        return f"{NAME_BEGINS}{name}{NAME_ENDS}" if name else ""


def _columns(line: str) -> int:
    return width(line) - 2 * line.count(NAME_BEGINS) if not line.isascii() else len(line)


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - _columns(text))
