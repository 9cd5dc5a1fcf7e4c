"""Inlines as a flat row of runs: each a leaf with the marks that are on it, outermost first.

Flat, a text can be cut anywhere, and there is one way to nest it again. So all tidying of
inlines is done on runs.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bridge.richtext.tree import (
    Bold,
    Code,
    Inline,
    Italic,
    Leaf,
    LineBreak,
    Link,
    Marked,
    Mention,
    Spoiler,
    Strike,
    Subscript,
    Superscript,
    Text,
    Underline,
)


class LinkTo(NamedTuple):
    """The mark that `Link` makes."""

    url: str


class Hidden(NamedTuple):
    """The mark that `Spoiler` makes."""

    reason: str
    is_spoiler: bool = True  # a tuple of another length than LinkTo is never equal to one


PlainMark = (
    type[Bold] | type[Italic] | type[Strike] | type[Underline] | type[Superscript] | type[Subscript]
)
Mark = PlainMark | LinkTo | Hidden
Marks = tuple[Mark, ...]


class Run(NamedTuple):
    """A leaf and the marks on it."""

    marks: Marks
    leaf: Leaf


BREAK = LineBreak()


def with_mark(marks: Marks, mark: Mark) -> Marks:
    """The marks with one more: none twice, no link in a link, no spoiler in a spoiler."""
    if mark in marks:
        return marks
    if isinstance(mark, tuple) and any(type(other) is type(mark) for other in marks):
        return marks
    return (*marks, mark)


# --- from and to a tree -------------------------------------------------------------------------


def flatten(inlines: Iterable[Inline], marks: Marks = ()) -> list[Run]:
    """The runs of a tree, not yet tidy."""
    runs: list[Run] = []
    _flatten(inlines, marks, runs)
    return runs


def _flatten(inlines: Iterable[Inline], marks: Marks, runs: list[Run]) -> None:
    for inline in inlines:
        match inline:
            case Text(text) if "\n" in text:
                runs.extend(lines_of(text, marks))
            case Text() | Code() | Mention() | LineBreak():
                runs.append(Run(marks, inline))
            case _:
                _flatten(inline.children, with_mark(marks, mark_of(inline)), runs)


def lines_of(text: str, marks: Marks = ()) -> list[Run]:
    """A text with newlines as runs."""
    runs: list[Run] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            runs.append(Run(marks, BREAK))
        if line:
            runs.append(Run(marks, Text(line)))
    return runs


def mark_of(inline: Marked) -> Mark:
    """What an inline puts on its children."""
    if isinstance(inline, Link):
        return LinkTo(inline.url)
    if isinstance(inline, Spoiler):
        return Hidden(inline.reason)
    return type(inline)


def nest(runs: Sequence[Run], depth: int = 0) -> tuple[Inline, ...]:
    """The tree of tidy runs. Runs beside each other share the marks they have in common."""
    if len(runs) == 1 and len(runs[0].marks) == depth:
        return (runs[0].leaf,)
    nested: list[Inline] = []
    start, count = 0, len(runs)
    while start < count:
        marks = runs[start].marks
        if len(marks) == depth:
            nested.append(runs[start].leaf)
            start += 1
            continue
        mark, end = marks[depth], start + 1
        while end < count and len(runs[end].marks) > depth and runs[end].marks[depth] == mark:
            end += 1
        nested.append(_marked(mark, nest(runs[start:end], depth + 1)))
        start = end
    return tuple(nested)


def _marked(mark: Mark, children: tuple[Inline, ...]) -> Inline:
    if isinstance(mark, LinkTo):
        return Link(children, mark.url)
    if isinstance(mark, Hidden):
        return Spoiler(children, mark.reason)
    return mark(children)


# --- tidying ------------------------------------------------------------------------------------


def paragraphs(runs: Sequence[Run]) -> list[list[Run]]:
    """Tidy runs, parted where a line is empty.

    Blank space at the edge of a mark goes out of it (`<b>a </b>b` has a bold "a" only), at the end
    of a line and at the edges of a paragraph it goes; neighbours with the same marks become one.
    """
    if len(runs) == 1:
        marks, leaf = runs[0]
        if isinstance(leaf, Text):
            text = leaf.text.strip()
            return [[Run(marks, Text(text))]] if text else []
    parted: list[list[Run]] = [[]]
    breaks = 0
    for run in _merged(_parted_space(runs)):
        if run.leaf is BREAK:
            breaks += 1
            continue
        if breaks > 1 and parted[-1]:
            parted.append([])
        elif breaks and parted[-1]:
            parted[-1].append(Run(_common(parted[-1][-1].marks, run.marks), BREAK))
        breaks = 0
        if isinstance(run.leaf, Text) and not parted[-1] and run.leaf.text[0].isspace():
            text = run.leaf.text.lstrip()
            if not text:
                continue
            run = Run(run.marks, Text(text))  # noqa: PLW2901
        parted[-1].append(run)
    return [each for each in parted if each]


def _parted_space(runs: Sequence[Run]) -> list[Run]:
    """The runs with the blank space at a text's edges as runs of their own, rightly marked."""
    atoms: list[Run] = []
    for marks, leaf in runs:
        if isinstance(leaf, Text):
            _part(marks, leaf.text, atoms)
        elif isinstance(leaf, LineBreak):
            atoms.append(Run(marks, BREAK))
        elif isinstance(leaf, Mention):  # is a link by itself
            kept = tuple(mark for mark in marks if not isinstance(mark, LinkTo))
            atoms.append(Run(kept, leaf))
        elif leaf.text.strip():
            atoms.append(Run(marks, leaf))
    placed: list[Run] = []
    before: Marks = ()
    start, count = 0, len(atoms)
    while start < count:
        if not _is_space(atoms[start].leaf):
            before = atoms[start].marks
            placed.append(atoms[start])
            start += 1
            continue
        end = start
        while end < count and _is_space(atoms[end].leaf):
            end += 1
        if end < count:
            around = _common(before, atoms[end].marks)
            stretch = atoms[start:end]
            placed.extend(Run(_common(around, each.marks), each.leaf) for each in _kept(stretch))
        start = end
    return placed


def _part(marks: Marks, text: str, atoms: list[Run]) -> None:
    core = text.strip()
    if len(core) == len(text):
        if text:
            atoms.append(Run(marks, Text(text)))
        return
    if not core:
        atoms.append(Run(marks, Text(text)))
        return
    start = len(text) - len(text.lstrip())
    end = start + len(core)
    if start:
        atoms.append(Run(marks, Text(text[:start])))
    atoms.append(Run(marks, Text(core)))
    if end < len(text):
        atoms.append(Run(marks, Text(text[end:])))


def _is_space(leaf: Leaf) -> bool:
    return leaf is BREAK or (isinstance(leaf, Text) and leaf.text.isspace())


def _kept(stretch: list[Run]) -> list[Run]:
    """A stretch of space without what stands at the end of a line."""
    last = max((n for n, run in enumerate(stretch) if run.leaf is BREAK), default=-1)
    if last < 0:
        return stretch
    return [run for n, run in enumerate(stretch) if n > last or run.leaf is BREAK]


def _common(one: Marks, other: Marks) -> Marks:
    if one == other:
        return one
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return one[:length]


def _merged(runs: Sequence[Run]) -> list[Run]:
    merged: list[Run] = []
    start, count = 0, len(runs)
    while start < count:
        marks, leaf = runs[start]
        end = start + 1
        if isinstance(leaf, Text | Code):
            kind = type(leaf)
            while end < count and runs[end].marks == marks and type(runs[end].leaf) is kind:
                end += 1
            if end > start + 1:
                merged.append(Run(marks, kind(words(runs[start:end]))))
                start = end
                continue
        merged.append(runs[start])
        start = end
    return merged


def joined(parts: Sequence[Sequence[Run]]) -> list[Run]:
    """Paragraphs made into one, each on a line of its own."""
    runs: list[Run] = []
    for part in parts:
        if runs and part:
            runs.append(Run(_common(runs[-1].marks, part[0].marks), BREAK))
        runs.extend(part)
    return runs


def one_line(runs: Iterable[Run]) -> list[Run]:
    """The runs with a space for each line break."""
    return [Run(run.marks, Text(" ")) if run.leaf == BREAK else run for run in runs]


def lines(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs of each line."""
    parted: list[list[Run]] = [[]]
    for run in runs:
        if run.leaf == BREAK:
            parted.append([])
        else:
            parted[-1].append(run)
    return parted


def words(runs: Iterable[Run]) -> str:
    """What the runs say, without any mark."""
    return "".join(
        "\n"
        if isinstance(run.leaf, LineBreak)
        else run.leaf.name
        if isinstance(run.leaf, Mention)
        else run.leaf.text
        for run in runs
    )
