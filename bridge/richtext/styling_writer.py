"""The tree written as message styling (XEP-0393).

Styling has no escapes. What would be read as styling by accident gets an invisible WORD JOINER
before it, after which nothing can begin (section 6.1); a mark that would not be read as one is left
out. No word is ever lost or changed.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from bridge.richtext.layout import NAME_BEGINS, Layout
from bridge.richtext.links import told
from bridge.richtext.plain import PlainLayout, in_words
from bridge.richtext.runs import flatten, words
from bridge.richtext.styling_reader import UNSTYLED
from bridge.richtext.tree import (
    Block,
    Bold,
    Code,
    CodeBlock,
    Inline,
    Italic,
    LineBreak,
    Link,
    List,
    Marked,
    Mention,
    Quote,
    Row,
    Spoiler,
    Strike,
    Table,
    Text,
)

_SIGNS: Final[dict[type, str]] = {Bold: "*", Italic: "_", Strike: "~"}
_FENCE: Final = "```"
_OPENS: Final = re.compile(r"(?:^|(?<=\s))(?=[*_~`]+\S)")
_BLOCK: Final = re.compile(rf"{NAME_BEGINS}?(?:>|```)")


class StylingLayout(Layout):
    """Writes styled text."""

    def line(self, inlines: Sequence[Inline]) -> str:
        """What stands on one line, which no accident may make a quotation or code."""
        line = self._inlines(inlines, "")
        return UNSTYLED + line if _BLOCK.match(line) else line

    def heading(self, level: int, children: tuple[Inline, ...]) -> list[str]:
        """The line of a heading, in bold."""
        return super().heading(level, (Bold(children),))

    def code_block(self, text: str, language: str) -> list[str]:
        """The lines of code between fences; a fence within is moved by a space."""
        return _fenced(text.split("\n"), language)

    def table(self, head: Row, rows: Sequence[Row]) -> list[str]:
        """The lines of a table, as code: that is shown in a fixed-width font."""
        return _fenced(PlainLayout(self._name).table(head, rows))

    def list_lines(self, items: Iterable[tuple[Block, ...]], start: int | None) -> list[str]:
        """The lines of a list; quotes and code in it are not indented, or they were none."""
        return self._list(items, start, "")

    def _list(
        self, items: Iterable[tuple[Block, ...]], start: int | None, indent: str
    ) -> list[str]:
        found: list[str] = []
        for number, item in enumerate(items):
            marker = indent + self.marker(number, start)
            inner = " " * len(marker)
            if not item or isinstance(item[0], CodeBlock | Quote | Table | List):
                found.append(marker.rstrip())
                marker = inner
            for block in item:
                match block:
                    case List(parts, ordered, first):
                        found.extend(self._list(parts, first if ordered else None, inner))
                    case CodeBlock() | Quote() | Table():
                        found.extend(self.block(block))
                    case _:
                        for line in self.block(block):
                            found.append(marker + line)
                            marker = inner
        return found

    def _inlines(self, inlines: Sequence[Inline], before: str) -> str:
        """Inlines after the character `before`, which is empty at the start of a line or mark."""
        parts: list[str] = []
        for inline in inlines:
            part = self._inline(inline, before)
            parts.append(part)
            before = part[-1:] or before
        return "".join(parts)

    def _inline(self, inline: Inline, before: str) -> str:  # noqa: PLR0911 - one for each
        match inline:
            case Text(text):
                return _unstyled(text, before)
            case Code(text):
                return _code(text, before)
            case Mention():
                return self.marked(_unstyled(self.called(inline), before))
            case LineBreak():
                return "\n"
            case Bold() | Italic() | Strike():
                return self._marked(inline, before)
            case Link(children, url):
                text = words(flatten(children))
                if text == url:
                    return text
                return self._inlines(children, before) + told(text, url)[len(text) :]
            case Spoiler(children):
                return in_words(inline, self._inlines(children, " "))
        return in_words(inline, self._inlines(inline.children, before or "("))

    def _marked(self, inline: Marked, before: str) -> str:
        sign = _SIGNS[type(inline)]
        if _may_open(before) and sign not in words(flatten(inline.children)):
            inner = self._inlines(inline.children, "")
            if sign not in inner:
                return f"{sign}{inner}{sign}"
        inner = self._inlines(inline.children, before or ")")
        return f"(struck out: {inner})" if isinstance(inline, Strike) else inner


def _may_open(before: str) -> bool:
    return not before or before.isspace()


def _code(text: str, before: str) -> str:
    if "`" not in text and text == text.strip() and _may_open(before):
        return f"`{text}`"
    return _unstyled(text, before)


def _unstyled(text: str, before: str) -> str:
    """The text such that nothing in it opens a span."""
    if not any(sign in text for sign in "*_~`"):
        return text
    if not _may_open(before) and text[0] in "*_~`":
        return text[0] + _OPENS.sub(UNSTYLED, "x" + text[1:])[1:]
    return _OPENS.sub(UNSTYLED, text)


def _fenced(lines: Sequence[str], language: str = "") -> list[str]:
    moved = [f" {line}" if line == _FENCE else line for line in lines]
    return [f"{_FENCE}{language}", *moved, _FENCE]
