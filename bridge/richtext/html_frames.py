"""The blocks that are open while HTML is read, and what becomes of them when they close."""

from collections.abc import Iterable

from bridge.richtext.normal import cell, list_of, quote, table
from bridge.richtext.runs import BREAK, Run, flatten, joined
from bridge.richtext.tree import (
    Block,
    Cell,
    Code,
    CodeBlock,
    Heading,
    List,
    Paragraph,
    Quote,
    Rule,
    Table,
)


class Frame:
    """An open block that holds others: a quote, list, item, table or cell, or the whole.

    `base` is how many inline tags were open when it opened: they outlive it.
    """

    def __init__(self, tag: str, base: int) -> None:
        self.tag = tag
        self.base = base
        self.blocks: list[Block] = []

    def take(self, child: "Frame") -> None:
        """Take over what a closed block inside of this one makes."""
        self.blocks.extend(child.made())

    def made(self) -> Iterable[Block]:
        """The blocks that it makes."""
        return self.blocks


class QuoteFrame(Frame):
    """An open quotation."""

    def made(self) -> Iterable[Block]:
        """The blocks that it makes."""
        return quote(tuple(self.blocks))


class ListFrame(Frame):
    """Blocks between items belong to the item before: so `<ul><ul>` is meant."""

    def __init__(self, tag: str, base: int, start: int | None) -> None:
        super().__init__(tag, base)
        self._items: list[list[Block]] = []
        self._start = start

    def take(self, child: Frame) -> None:
        """Take over what a closed block inside of this one makes."""
        if child.tag == "li":
            self._gather()
            self._items.append(child.blocks)
        else:
            super().take(child)

    def _gather(self) -> None:
        if self.blocks:
            if not self._items:
                self._items.append([])
            self._items[-1].extend(self.blocks)
            self.blocks = []

    def made(self) -> Iterable[Block]:
        """The blocks that it makes."""
        self._gather()
        return list_of([tuple(item) for item in self._items], self._start)


class TableFrame(Frame):
    """A table, or what was laid out with one: mails are.

    It is taken for one of data where its cells hold only words, in two columns and two rows at
    least, or where it has headings.
    """

    def __init__(self, tag: str, base: int, *, trusted: bool) -> None:
        super().__init__(tag, base)
        self._rows: list[list[Frame]] = []
        self._trusted = trusted

    def begin_row(self) -> None:
        """The next cells are in a new row."""
        if not self._rows or self._rows[-1]:
            self._rows.append([])

    def take(self, child: Frame) -> None:
        """Take over what a closed block inside of this one makes."""
        if child.tag in {"td", "th"}:
            if not self._rows:
                self._rows.append([])
            self._rows[-1].append(child)
        else:
            super().take(child)

    def made(self) -> Iterable[Block]:
        """The blocks that it makes."""
        rows = [row for row in self._rows if row]
        if not self._trusted and not _is_data(rows):
            inner = [block for row in rows for each in row for block in each.blocks]
            return [*self.blocks, *inner]
        head = rows[0] if rows and all(each.tag == "th" for each in rows[0]) else []
        body = rows[1:] if head else rows
        return [
            *self.blocks,
            *table([_cell(each) for each in head], [[_cell(each) for each in row] for row in body]),
        ]


def _is_data(rows: list[list[Frame]]) -> bool:
    cells = [each for row in rows for each in row]
    if any(isinstance(block, Table) for each in cells for block in each.blocks):
        return False
    if any(each.tag == "th" for each in cells):
        return True
    simple = all(
        len(each.blocks) < 2 and all(isinstance(block, Paragraph) for block in each.blocks)
        for each in cells
    )
    return simple and len(rows) > 1 and max(map(len, rows)) > 1


def _cell(frame: Frame) -> Cell:
    return cell(joined([_runs(block) for block in frame.blocks]))


def _runs(block: Block) -> list[Run]:
    """What a block in a cell says, in lines."""
    match block:
        case Paragraph(children) | Heading(_, children):
            return flatten(children)
        case Quote(blocks):
            return joined([_runs(each) for each in blocks])
        case List(items):
            return joined([_runs(each) for item in items for each in item])
        case Table(head, rows):
            return joined([flatten(cell) for row in (head, *rows) for cell in row])
        case CodeBlock(text):
            return _code_lines(text)
        case Rule():
            return []


def _code_lines(text: str) -> list[Run]:
    runs: list[Run] = []
    for line in text.split("\n"):
        if runs:
            runs.append(Run((), BREAK))
        if line:
            runs.append(Run((), Code(line)))
    return runs
