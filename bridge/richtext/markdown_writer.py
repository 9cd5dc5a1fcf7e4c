"""The tree written as Markdown: CommonMark, with GitHub's tables and strikethrough.

What Markdown has no mark for, or where its marks would not be taken for marks (a bold part of
a word, in some places), is written as the HTML tags that Markdown lets through.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from bridge.richtext.layout import NAME_BEGINS, NAME_ENDS, Layout
from bridge.richtext.plain import in_words
from bridge.richtext.runs import flatten, lines, nest, words
from bridge.richtext.tree import (
    Block,
    Bold,
    Code,
    Inline,
    Italic,
    LineBreak,
    Link,
    List,
    Marked,
    Mention,
    Row,
    Spoiler,
    Strike,
    Subscript,
    Superscript,
    Text,
    Underline,
)

_SIGNS: Final[dict[type, str]] = {Bold: "**", Italic: "_", Strike: "~~"}
_TAGS: Final[dict[type, str]] = {
    Bold: "strong",
    Italic: "em",
    Strike: "del",
    Underline: "u",
    Superscript: "sup",
    Subscript: "sub",
}
_SPECIAL: Final = re.compile(
    r"[\\`*\[\]|~]|_(?![^\W_])|(?<![^\W_])_|<(?=[a-zA-Z/!?]|$)|&(?=#?\w+;|$)"
)
_BLOCK: Final = re.compile(r"(?:#{1,6}(?=\s|$)|[-+](?=\s|$)|>|[-=:][-=:\s\\|]*$)")
_NUMBERED: Final = re.compile(r"(\d{1,9})([.)])(?=\s|$)")
_BACKTICKS: Final = re.compile(r"`+")
_ENTITY: Final = re.compile(r"&(?=#?\w+;)")
_AUTOLINK: Final = re.compile(r"https?://[\w./?=%#:@-]+", re.ASCII)


class MarkdownLayout(Layout):
    """Writes Markdown."""

    rule = "___"

    def lines(self, blocks: Sequence[Block]) -> list[str]:
        """The lines of blocks; a list right after another has other markers, or they were one."""
        found: list[str] = []
        before: Block | None = None
        other = False
        for block in blocks:
            if before is not None:
                found.append("")
            if isinstance(block, List):
                same = isinstance(before, List) and before.ordered == block.ordered
                other = same and not other
                found.extend(self._list(block, other=other))
            else:
                found.extend(self.block(block))
            before = block
        return found

    def _list(self, block: List, *, other: bool) -> list[str]:
        point, bullet = (")", "*") if other else (".", "-")
        found: list[str] = []
        for number, item in enumerate(block.items, block.start):
            marker = f"{number}{point} " if block.ordered else f"{bullet} "
            found.extend(self.hung(marker, self.lines(item)))
        return found

    def paragraph(self, children: tuple[Inline, ...]) -> list[str]:
        """The lines of a paragraph; two spaces at the end of a line are a line break."""
        found = [_harmless(self.line(nest(runs)).strip()) for runs in lines(flatten(children))]
        return [f"{line}  " for line in found[:-1]] + found[-1:]

    def heading(self, level: int, children: tuple[Inline, ...]) -> list[str]:
        """The line of a heading, whose last # must not be taken for its end."""
        line = self.line(children)
        return [f"{'#' * level} {line[:-1]}\\#" if line[-1:] == "#" else f"{'#' * level} {line}"]

    def code_block(self, text: str, language: str) -> list[str]:
        """The lines of code, in a fence longer than any in it."""
        fence = "`" * max(3, 1 + _longest(text))
        return [fence + language, *text.split("\n"), fence]

    def table(self, head: Row, rows: Sequence[Row]) -> list[str]:
        """The lines of a table, which must have a head."""
        columns = len(head) or len(rows[0])
        top = head or ((),) * columns
        layout = _CellLayout(self._name)
        return [
            layout.row(top),
            "|" + " --- |" * columns,
            *[layout.row(row) for row in rows],
        ]

    def line(self, inlines: Sequence[Inline]) -> str:
        """What stands on one line."""
        return self._inlines(inlines, "", "")

    def _inlines(self, inlines: Sequence[Inline], before: str, after: str) -> str:
        """Inlines between two characters, which are empty at the edges of a line."""
        parts: list[str] = []
        last = len(inlines) - 1
        for at, inline in enumerate(inlines):
            following = after if at == last else _first(inlines[at + 1])
            part = self._inline(inline, before, following)
            parts.append(part)
            before = part[-1:].replace(NAME_ENDS, part[-2:-1]) or before
        return "".join(parts)

    def _inline(self, inline: Inline, before: str, after: str) -> str:  # noqa: PLR0911
        match inline:
            case Text(text):
                return _escaped(text, after)
            case Code(text):
                return self.code(text)
            case Mention():
                return self.marked(_escaped(self.called(inline), after))
            case LineBreak():
                return "<br>"
            case Link(children, url):
                return self._link(children, url)
            case Spoiler(children):
                return in_words(inline, self._inlines(children, " ", after))
        return self._marked(inline, before, after)

    def _link(self, children: tuple[Inline, ...], url: str) -> str:
        if _AUTOLINK.fullmatch(url) and words(flatten(children)) == url:
            return f"<{url}>"
        target = _ENTITY.sub("&amp;", url)
        if "(" in url or ")" in url:
            target = f"<{target}>"
        return f"[{self._inlines(children, '[', ']')}]({target})"

    def _marked(self, inline: Marked, before: str, after: str) -> str:
        """Marked words: with signs, if these are taken for marks between their neighbours."""
        sign = _SIGNS.get(type(inline))
        if sign:
            inner = self._inlines(inline.children, sign[0], sign[0])
            if _is_taken(sign[0], before, _without_names(inner), after):
                return f"{sign}{inner}{sign}"
        tag = _TAGS[type(inline)]
        return f"<{tag}>{self._inlines(inline.children, '>', '<')}</{tag}>"

    def code(self, text: str) -> str:
        """Code on a line, in more backticks than there are in it."""
        sign = "`" * (1 + _longest(text))
        if text[0] == "`" or text[-1] == "`" or (text[0] == text[-1] == " " and text.strip()):
            text = f" {text} "
        return f"{sign}{text}{sign}"


class _CellLayout(MarkdownLayout):
    """Writes what is in cells: on one line, every | escaped, in code, too."""

    def row(self, row: Row) -> str:
        """A row of a table."""
        return "|" + "".join(f" {self.line(cell)} |" if cell else "  |" for cell in row)

    def code(self, text: str) -> str:
        return super().code(text).replace("|", "\\|")


def _escaped(text: str, after: str) -> str:
    escaped = _SPECIAL.sub(r"\\\g<0>", text)
    return escaped[:-1] + "\\!" if after == "[" and escaped.endswith("!") else escaped


def _harmless(line: str) -> str:
    """A line of a paragraph such that it begins no other block."""
    start = line.startswith(NAME_BEGINS)
    if _BLOCK.match(line, start):
        return f"\\{line}" if not start else f"{line[0]}\\{line[1:]}"
    if _NUMBERED.match(line, start):
        return _NUMBERED.sub(r"\1\\\2", line, count=1)
    return line


def _longest(text: str) -> int:
    """The length of the longest row of backticks."""
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def _without_names(text: str) -> str:
    return text.strip(NAME_BEGINS + NAME_ENDS)


def _first(inline: Inline) -> str:
    """The first character of what an inline is written as, or one of its kind."""
    match inline:
        case Text(text):
            return text[:1]
        case Mention(_, _, name):
            return name[:1] or " "
        case LineBreak() | Code() | Link():
            return "[" if isinstance(inline, Link) else "`"
    return _SIGNS.get(type(inline), "<")[0]


def _is_taken(sign: str, before: str, inner: str, after: str) -> bool:
    """Whether signs around `inner` are taken for marks: CommonMark 0.31, section 6.2.

    Versions differ over which symbols are punctuation; both answers must let it pass.
    """
    if not inner or sign in {before, after, inner[0], inner[-1]}:
        return False
    for outside, inside in ((before, inner[0]), (after, inner[-1])):
        if inside.isspace():
            return False
        may_adjoin = not outside or outside.isspace() or _is_punctuation(outside)
        if not may_adjoin and (sign == "_" or _may_be_punctuation(inside)):
            return False
    return True


def _is_punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] == "P" or (
        char.isascii() and char.isprintable() and not char.isalnum() and char != " "
    )


def _may_be_punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS" or not char.isalnum()
