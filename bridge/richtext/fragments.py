"""A formatted text in pieces that each fit, with what is open at a cut closed and opened again.

The tree is taken apart into atoms: words, lines of code and rows of tables, each with the path of
blocks that it is in. As many atoms as fit are put together into a tree again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import groupby
from typing import Final

from bridge.richtext.characters import size
from bridge.richtext.cutting import LEAST, chunks
from bridge.richtext.links import told
from bridge.richtext.normal import blocks_of, code_block, heading, list_of, quote, table
from bridge.richtext.runs import BREAK, LinkTo, Run, flatten, words
from bridge.richtext.tree import (
    Block,
    Code,
    CodeBlock,
    Document,
    Heading,
    LineBreak,
    List,
    Paragraph,
    Quote,
    Row,
    Rule,
    Table,
    Text,
)

Measure = Callable[[Document], int]
"""The bytes that a document takes when it is written for its place."""

_PARTS: Final = (4, 16)
"""What does not fit by itself is cut to a fourth, then a sixteenth of the limit; then it is made
bare, and in the end cut into single characters: these fit everywhere."""

_FULL: Final = 0.85
"""How much of the limit a piece takes at least, if there is more to say."""

_BARE: Final = 3
_SMALLEST: Final = 4
_PARAGRAPH: Final = Paragraph(())


class _End(IntEnum):
    """What ends with an atom, the best place for a cut being the highest."""

    CHARACTER = 0
    WORD = 1
    LINE = 2
    BLOCK = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A block on the way to an atom: `block` as it was, `number` of the item in a list.

    `serial` tells apart blocks that are equal.
    """

    serial: int
    block: Block
    number: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Step) and (self.serial, self.number) == (
            other.serial,
            other.number,
        )

    def __hash__(self) -> int:
        return hash((self.serial, self.number))


@dataclass(frozen=True, slots=True)
class _Atom:
    """What is not cut if it can be helped. `path` ends with the block that it is part of.

    `tries` is how often it was made smaller.
    """

    path: tuple[_Step, ...]
    runs: tuple[Run, ...] = ()
    line: str = ""
    row: Row = ()
    end: _End = _End.WORD
    tries: int = 0

    @property
    def least(self) -> int:
        """Bytes that it takes in any form."""
        if self.row:
            return sum(size(words(flatten(cell))) for cell in self.row)
        return size(self.line) + 1 if self.line else size(words(self.runs))


def fragments_of(document: Document, limit: int, measure: Measure) -> Iterator[Document]:
    """Documents that each measure at most `limit` and together say what `document` says."""
    limit = max(limit, LEAST)
    atoms = list(_Atoms(limit).of(document.blocks, ()))
    at, expected = 0, 1.0
    while at < len(atoms):
        end, piece, length = _fitting(atoms, at, limit, measure, expected)
        if piece is None:
            atoms[at : at + 1] = _smaller(atoms[at], limit)
            continue
        if piece.blocks:
            yield piece
            expected = max(1.0, length / max(1, sum(atom.least for atom in atoms[at:end])))
        at = end


def _fitting(
    atoms: list[_Atom], at: int, limit: int, measure: Measure, expected: float
) -> tuple[int, Document | None, int]:
    """As many atoms as fit, cut well, and their length; no document where the first is too large.

    `expected` is by how much the atoms before grew when they were written: measuring is what takes
    time, so it is best to guess well.
    """
    end = _filled(atoms, at, limit, expected)
    most = _filled(atoms, at, limit, 1.0)
    while True:
        piece = _built(atoms[at:end])
        length = measure(piece)
        if length > limit and end > at + 1:
            most = end - 1
            end = at + max(1, min(end - at - 1, (end - at) * limit // length))
        elif length > limit and atoms[at].tries < _SMALLEST:
            return end, None, length
        elif length < limit * _FULL and end < most:
            end = min(most, at + max(end - at + 1, (end - at) * limit // max(1, length)))
        else:
            better = _best_end(atoms, at, end)
            if better < end:
                piece = _built(atoms[at:better])
                length = measure(piece)
            if length <= limit or better == end:
                return better, piece, length
            end = most = better  # shorter and yet longer: marks that were left out


def _filled(atoms: list[_Atom], at: int, limit: int, expected: float) -> int:
    """The end of as many atoms as may fit, at least one."""
    room = limit / expected - atoms[at].least + 1  # a space or newline at the end is left out
    end = at + 1
    while end < len(atoms) and atoms[end].least <= room:
        room -= atoms[end].least
        end += 1
    return end


def _best_end(atoms: Sequence[_Atom], at: int, end: int) -> int:
    if end == len(atoms) or atoms[end - 1].end is _End.BLOCK:
        return end
    middle = at + max(1, (end - at) // 2)
    for kind in (_End.BLOCK, _End.LINE):
        for place in range(end, middle - 1, -1):
            if atoms[place - 1].end >= kind:
                return place
    for place in range(end, at + 1, -1):
        if atoms[place - 1].end >= _End.WORD:
            return place
    return end


# --- into atoms ---------------------------------------------------------------------------------


class _Atoms:
    """Takes blocks apart."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._serial = 0

    def of(self, blocks: Iterable[Block], path: tuple[_Step, ...]) -> Iterator[_Atom]:
        """The atoms of blocks that are at the end of a path."""
        for block in blocks:
            self._serial += 1
            step = _Step(self._serial, block)
            here = (*path, step)
            match block:
                case Paragraph(children) | Heading(_, children):
                    yield from _word_atoms(
                        _without_long_links(flatten(children), self._limit), here
                    )
                case CodeBlock(text):
                    yield from _lines([_Atom(here, line=line) for line in text.split("\n")])
                case Table(head, rows):
                    above = [_Atom((*path, replace(step, number=-1)), row=head)] if head else []
                    yield from _lines([*above, *[_Atom(here, row=row) for row in rows]])
                case Rule():
                    yield _Atom(here, end=_End.BLOCK)
                case Quote(inner):
                    yield from self.of(inner, here)
                case List(items, _, start):
                    for number, item in enumerate(items, start):
                        inside = (*path, replace(step, number=number))
                        if item:
                            yield from self.of(item, inside)
                        else:
                            yield _Atom(inside, end=_End.BLOCK)


def _lines(atoms: Sequence[_Atom]) -> Iterator[_Atom]:
    last = len(atoms) - 1
    for at, atom in enumerate(atoms):
        yield replace(atom, end=_End.BLOCK if at == last else _End.LINE)


def _without_long_links(runs: Sequence[Run], limit: int) -> list[Run]:
    """The runs with the URLs told as words that would take up most of a piece."""
    found: list[Run] = []
    for link, part in groupby(runs, _link_of):
        if link is None or size(link.url) <= limit // 3:
            found.extend(part)
            continue
        bare = [Run(tuple(mark for mark in run.marks if mark != link), run.leaf) for run in part]
        text = words(bare)
        found.extend([*bare, Run((), Text(told(text, link.url)[len(text) :]))])
    return found


def _link_of(run: Run) -> LinkTo | None:
    return next((mark for mark in run.marks if isinstance(mark, LinkTo)), None)


def _word_atoms(runs: Sequence[Run], path: tuple[_Step, ...]) -> Iterator[_Atom]:
    """Words, each with the space after it; a word may be of several runs."""
    word: list[Run] = []
    for run in runs:
        if isinstance(run.leaf, LineBreak):
            yield _Atom(path, (*word, run), end=_End.LINE)
            word = []
        elif isinstance(run.leaf, Text):
            *whole, last = run.leaf.text.split(" ")
            for part in whole:
                yield _Atom(path, (*word, Run(run.marks, Text(part + " "))))
                word = []
            if last:
                word.append(Run(run.marks, Text(last)))
        else:
            word.append(run)
    yield _Atom(path, tuple(word), end=_End.BLOCK)


# --- an atom that does not fit ------------------------------------------------------------------


def _smaller(atom: _Atom, limit: int) -> list[_Atom]:
    """Parts of an atom that does not fit by itself: smaller, then bare, then single characters."""
    if atom.row:
        step = _Step(-atom.path[-1].serial, _PARAGRAPH)
        path = (*atom.path[:-1], step)
        cells = [_Atom(path, tuple(flatten(cell))) for cell in atom.row if cell]
        return list(_lines(cells))
    if len(atom.runs) > 1:
        parts = [replace(atom, runs=(run,), end=_End.CHARACTER) for run in atom.runs]
        return [*parts[:-1], replace(parts[-1], end=atom.end)]
    text = atom.line or words(atom.runs)
    if not text.strip():
        return []
    if atom.tries < len(_PARTS) and size(text) > (room := limit // _PARTS[atom.tries]):
        cut = _cut(atom, text, room)
    else:
        cut = _bare(atom, text, limit)
    return [
        *[replace(part, end=_End.CHARACTER) for part in cut[:-1]],
        replace(cut[-1], end=atom.end),
    ]


def _cut(atom: _Atom, text: str, room: int) -> list[_Atom]:
    """Pieces of a long word or line, in the blocks and with the marks that it has."""
    if atom.line:
        return [replace(atom, line=part, tries=atom.tries + 1) for part in chunks(text, room)]
    marks, leaf = atom.runs[0]
    kind = Code if isinstance(leaf, Code) else Text
    return [
        replace(atom, runs=(Run(marks, kind(part)),), tries=atom.tries + 1)
        for part in chunks(text, room)
    ]


def _bare(atom: _Atom, text: str, limit: int) -> list[_Atom]:
    """The words alone: even their blocks and marks are too large."""
    if link := _link_of(atom.runs[0]) if atom.runs else None:
        text = told(text, link.url)
    path = (_Step(-abs(atom.path[-1].serial), _PARAGRAPH),)
    parts = chunks(text, limit // 3) if atom.tries < _BARE else text
    tries = _BARE if atom.tries < _BARE else _SMALLEST
    return [_Atom(path, (Run((), Text(part)),), tries=tries) for part in parts]


# --- out of atoms -------------------------------------------------------------------------------


def _built(atoms: Sequence[_Atom]) -> Document:
    return Document(tuple(_blocks(atoms, 0)))


def _blocks(atoms: Sequence[_Atom], depth: int) -> list[Block]:
    found: list[Block] = []
    start = 0
    while start < len(atoms):
        serial, end = atoms[start].path[depth].serial, start + 1
        while end < len(atoms) and atoms[end].path[depth].serial == serial:
            end += 1
        found.extend(_block(atoms[start:end], depth))
        start = end
    return found


def _block(atoms: Sequence[_Atom], depth: int) -> list[Block]:  # noqa: PLR0911 - one for each
    step = atoms[0].path[depth]
    match step.block:
        case Paragraph():
            return blocks_of(_runs(atoms))
        case Heading(level):
            return heading(level, _runs(atoms))
        case CodeBlock(_, language):
            lines = (atom.line + "\n" * (atom.end >= _End.LINE) for atom in atoms)
            return code_block("".join(lines), language)
        case Table(head):
            return table(head, [atom.row for atom in atoms if atom.path[depth].number >= 0])
        case Quote():
            return quote(tuple(_blocks(atoms, depth + 1)))
        case List(_, ordered):
            return list_of(_items(atoms, depth), step.number if ordered else None)
    return [step.block]


def _runs(atoms: Sequence[_Atom]) -> list[Run]:
    runs: list[Run] = []
    for atom in atoms:
        runs.extend(atom.runs)
        if atom.end >= _End.LINE and runs and runs[-1].leaf != BREAK:
            runs.append(Run((), BREAK))
    return runs


def _items(atoms: Sequence[_Atom], depth: int) -> list[tuple[Block, ...]]:
    return [
        tuple(_blocks([atom for atom in part if len(atom.path) > depth + 1], depth + 1))
        for _, part in groupby(atoms, lambda atom: atom.path[depth].number)
    ]
