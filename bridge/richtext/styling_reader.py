"""Message styling (XEP-0393) read into the tree.

Deviations, all to keep what was said: a line of ``>5 mg/l`` is a value and no quotation; a code
block on one line (```like this```) does not swallow the rest of the message.
"""

import re
from bisect import bisect_left
from typing import Final

from bridge.richtext.characters import sound
from bridge.richtext.normal import blocks_of, code_block, quote
from bridge.richtext.runs import BREAK, Marks, PlainMark, Run
from bridge.richtext.tree import (
    MAX_DEPTH,
    Block,
    Bold,
    Code,
    Document,
    Italic,
    Strike,
    Text,
)

UNSTYLED: Final = "\u2060"
"""WORD JOINER, which we put before what only looks like styling."""

_STYLED: Final = re.compile(r"[*_~`>]")
_FENCE: Final = "```"
_FENCED_LINE: Final = re.compile(r"```([^`]+)```\s*")
_VALUE: Final = re.compile(r">=?\s*[\d.,]*\d")
_OPENERS: Final = re.compile(r"[*_~`]")
_MARKS: Final[dict[str, PlainMark]] = {"*": Bold, "_": Italic, "~": Strike}
_LANGUAGE: Final = re.compile(r"[\w+#.-]{1,40}")


def may_be_styled(text: str) -> bool:
    """Whether there is anything in a text that may be styling: a quick look."""
    return _STYLED.search(text) is not None


def read(text: str) -> Document:
    """The tree of a styled text. Takes time in proportion to its length, but for a logarithm."""
    return Document(tuple(_blocks(sound(text).split("\n"), 0)))


def _blocks(lines: list[str], depth: int) -> list[Block]:
    found: list[Block] = []
    plain: list[str] = []
    at, count = 0, len(lines)
    while at < count:
        line = lines[at]
        if line.startswith(_FENCE):
            block, after = _code(lines, at)
        elif line.startswith(">") and depth < MAX_DEPTH and not _VALUE.match(line):
            block, after = _quote(lines, at, depth)
        else:
            plain.append(line)
            at += 1
            continue
        found.extend(_paragraphs(plain))
        plain = []
        found.extend(block)
        at = after
    found.extend(_paragraphs(plain))
    return found


def _code(lines: list[str], at: int) -> tuple[list[Block], int]:
    """Section 5.1.2: up to a line of three backticks, or the end of the parent block."""
    if one_line := _FENCED_LINE.fullmatch(lines[at]):
        return code_block(one_line[1]), at + 1
    first = lines[at][len(_FENCE) :].strip()
    is_language = _LANGUAGE.fullmatch(first) is not None
    try:
        end = lines.index(_FENCE, at + 1)
    except ValueError:
        end = len(lines)
    code = lines[at + 1 : end]
    if not any(line.strip() for line in code):
        return blocks_of([Run((), Text(first))]) if first else [], end + 1
    if first and not is_language:
        code.insert(0, first)
    return code_block("\n".join(code), first if is_language else ""), end + 1


def _quote(lines: list[str], at: int, depth: int) -> tuple[list[Block], int]:
    """Section 5.1.3."""
    end = at
    inner: list[str] = []
    while end < len(lines) and lines[end].startswith(">"):
        inner.append(lines[end][1:].removeprefix(" "))
        end += 1
    return quote(tuple(_blocks(inner, depth + 1))), end


def _paragraphs(lines: list[str]) -> list[Block]:
    runs: list[Run] = []
    for number, line in enumerate(lines):
        if number:
            runs.append(Run((), BREAK))
        if _OPENERS.search(line):
            _Spans(line, runs).read(0, len(line), ())
        elif line:
            runs.append(Run((), Text(line.replace(UNSTYLED, ""))))
    return blocks_of(runs)


class _Spans:
    """The spans of one line (section 6), from left to right, each closed at the first place."""

    def __init__(self, line: str, runs: list[Run]) -> None:
        self._line = line
        self._runs = runs
        self._closers: dict[str, list[int]] = {each: [] for each in "*_~`"}
        for found in _OPENERS.finditer(line):
            if (at := found.start()) and not line[at - 1].isspace():
                self._closers[found[0]].append(at)

    def read(self, begin: int, end: int, marks: Marks) -> None:
        line = self._line
        done, at = begin, begin
        may_open = True  # at the start of a line, after white space, after another opening mark
        while found := _OPENERS.search(line, at, end):
            at = found.start()
            if at > begin and at > done:
                may_open = line[at - 1].isspace()
            elif at > begin:
                may_open = False
            close = self._closer(found[0], at, end) if may_open else None
            if close is None:
                at += 1
                continue
            self._say(line[done:at], marks)
            if found[0] == "`":
                self._runs.append(Run(marks, Code(line[at + 1 : close])))
            else:
                self.read(at + 1, close, (*marks, _MARKS[found[0]]))
            done = at = close + 1
        self._say(line[done:end], marks)

    def _closer(self, mark: str, at: int, end: int) -> int | None:
        if at + 1 >= end or self._line[at + 1].isspace():
            return None
        places = self._closers[mark]
        place = bisect_left(places, at + 2)
        return places[place] if place < len(places) and places[place] < end else None

    def _say(self, text: str, marks: Marks) -> None:
        text = text.replace(UNSTYLED, "")
        if text:
            self._runs.append(Run(marks, Text(text)))
