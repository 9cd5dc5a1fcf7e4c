"""The normal form of a tree: what is the same is written the same.

- Inlines: texts are on one line and not empty; no mark twice on the same words; no blank space at
  the edges of marks and paragraphs, nor at line ends; two line breaks are a new paragraph.
- Blocks: nothing empty but items of lists; cells in rows of equal length; headings on one line.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from bridge.richtext.characters import sound
from bridge.richtext.links import safe_url
from bridge.richtext.runs import (
    Hidden,
    LinkTo,
    Mark,
    Run,
    flatten,
    joined,
    lines_of,
    nest,
    one_line,
    paragraphs,
)
from bridge.richtext.tree import (
    MAX_DEPTH,
    Block,
    Cell,
    Code,
    CodeBlock,
    Document,
    Heading,
    Inline,
    Leaf,
    List,
    Mention,
    Paragraph,
    Quote,
    Row,
    Rule,
    Table,
    Text,
)

_LANGUAGE: Final = re.compile(r"[\w+#.-]{1,40}")
_MAX_START: Final = 900_000_000
_MAX_FILLED: Final = 10_000
"""Cells of a table most of which are empty: a row of 1,000 and 1,000 rows of one make a million."""


def normal(document: Document) -> Document:
    """The document in normal form; one that has it stays as it is."""
    return Document(_blocks(document.blocks, MAX_DEPTH))


def _blocks(blocks: Iterable[Block], depth: int) -> tuple[Block, ...]:
    found: list[Block] = []
    for block in blocks:
        found.extend(_block(block, depth))
    return tuple(found)


def _block(block: Block, depth: int) -> Sequence[Block]:  # noqa: PLR0911 - one line for each
    match block:
        case Paragraph(children):
            return blocks_of(_sound(flatten(children)))
        case Heading(level, children):
            return heading(level, _sound(flatten(children)))
        case CodeBlock(text, language):
            return code_block(sound(text), language)
        case Rule():
            return (block,)
        case Table(head, rows):
            if depth:
                return table(_row(head), [_row(row) for row in rows])
            cells = (Paragraph(cell) for row in (head, *rows) for cell in row)
            return _blocks(cells, depth)
        case Quote(inner):
            return quote(_blocks(inner, depth - 1)) if depth else _blocks(inner, depth)
        case List(items, ordered, start):
            if not depth:
                return _blocks((block for item in items for block in item), depth)
            return list_of([_blocks(item, depth - 1) for item in items], start if ordered else None)


def _row(row: Row) -> list[Cell]:
    return [cell(_sound(flatten(each))) for each in row]


def _sound(runs: list[Run]) -> list[Run]:
    """Runs whose marks and codes are such as the readers make."""
    found: list[Run] = []
    for marks, leaf in runs:
        kept = tuple(fit for mark in marks if (fit := _sound_mark(mark)))
        if isinstance(leaf, Text):
            found.extend(lines_of(sound(leaf.text), kept))
        else:
            found.append(Run(kept, _sound_leaf(leaf)))
    return found


def _sound_leaf(leaf: Leaf) -> Leaf:
    match leaf:
        case Code(text):
            return Code(on_one_line(sound(text)))
        case Mention(network, ident, name):
            return Mention(sound(network), sound(ident), on_one_line(sound(name)))
    return leaf


def _sound_mark(mark: Mark) -> Mark | None:
    if isinstance(mark, Hidden):
        return Hidden(on_one_line(sound(mark.reason)))
    if not isinstance(mark, LinkTo):
        return mark
    url = safe_url(mark.url)
    return LinkTo(url) if url else None


def on_one_line(text: str) -> str:
    """The text with spaces for its newlines."""
    return text.replace("\n", " ") if "\n" in text else text


# --- blocks of parts that are in normal form, or none where they are empty ----------------------


def blocks_of(runs: Sequence[Run]) -> list[Block]:
    """The paragraphs that runs make."""
    return [Paragraph(nest(each)) for each in paragraphs(runs)]


def heading(level: int, runs: Sequence[Run]) -> list[Block]:
    """A heading of at most one line."""
    return [Heading(min(max(level, 1), 6), nest(each)) for each in paragraphs(one_line(runs))]


def code_block(text: str, language: str = "") -> list[Block]:
    """A block of code; a language that is more than a word is none."""
    text = text.strip("\n")
    if not text.strip():
        return []
    return [CodeBlock(text, language if _LANGUAGE.fullmatch(language) else "")]


def quote(blocks: tuple[Block, ...]) -> list[Block]:
    """A quotation."""
    return [Quote(blocks)] if blocks else []


def list_of(items: Sequence[tuple[Block, ...]], start: int | None = None) -> list[Block]:
    """A list, ordered where it has a start. Empty items stay: they count."""
    if not any(items):
        return []
    if start is None:
        return [List(tuple(items))]
    return [List(tuple(items), ordered=True, start=min(max(start, 0), _MAX_START))]


def cell(runs: Sequence[Run]) -> Cell:
    """What is in a cell: paragraphs become lines."""
    return nest(joined(paragraphs(runs)))


def table(head: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> list[Block]:
    """A table whose rows are filled up to one length."""
    kept = [row for row in rows if any(row)]
    top = head if any(head) else ()
    columns = max((len(row) for row in (top, *kept)), default=0)
    if not columns:
        return []
    if columns * len(kept) > _MAX_FILLED and columns * len(kept) > 2 * sum(map(len, kept)):
        return [Paragraph(row) for row in (_told_row(row) for row in (top, *kept)) if row]
    filled = tuple((*row, *[()] * (columns - len(row))) for row in kept)
    return [Table((*top, *[()] * (columns - len(top))) if top else (), filled)]


def _told_row(row: Sequence[Cell]) -> Cell:
    runs: list[Run] = []
    for each in row:
        if runs and each:
            runs.append(Run((), Text(" | ")))
        runs.extend(flatten(each))
    return nest(joined(paragraphs(one_line(runs))))


# --- questions ----------------------------------------------------------------------------------


def is_formatted(document: Document) -> bool:
    """Whether there is more to it than plain text says."""
    return any(
        not isinstance(block, Paragraph)
        or any(isinstance(each, Mention) or not _is_plain(each) for each in block.children)
        for block in document.blocks
    )


def _is_plain(inline: Inline) -> bool:
    return isinstance(inline, Text) or not (hasattr(inline, "children") or isinstance(inline, Code))
