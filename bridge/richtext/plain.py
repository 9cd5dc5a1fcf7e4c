"""Plain text: read without looking for any meaning, written so that people can read it."""

from collections.abc import Sequence
from typing import Final

from bridge.richtext.characters import sound
from bridge.richtext.layout import Layout
from bridge.richtext.links import told
from bridge.richtext.normal import blocks_of
from bridge.richtext.runs import lines_of
from bridge.richtext.tree import (
    Code,
    Document,
    Inline,
    LineBreak,
    Link,
    Mention,
    Spoiler,
    Strike,
    Subscript,
    Superscript,
    Text,
)

_RAISED: Final = str.maketrans("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ")
_LOWERED: Final = str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")


def read(text: str) -> Document:
    """The paragraphs and lines of a text."""
    return Document(tuple(blocks_of(lines_of(sound(text)))))


class PlainLayout(Layout):
    """Words without marks, but for those that change what is said: struck out, raised, lowered."""

    def paragraph(self, children: tuple[Inline, ...]) -> list[str]:
        """The lines of a paragraph: no mark of ours minds the end of a line."""
        return self.line(children).split("\n")

    def line(self, inlines: Sequence[Inline]) -> str:
        """What stands on one line."""
        return "".join([self.inline(each) for each in inlines])

    def inline(self, inline: Inline) -> str:
        """One inline in words."""
        match inline:
            case Text(text) | Code(text):
                return text
            case Mention():
                return self.marked(self.called(inline))
            case LineBreak():
                return "\n"
            case Link(children, url):
                return told(self.line(children), url)
            case Strike(children):
                return f"~~{self.line(children)}~~"
        return in_words(inline, self.line(inline.children))


def in_words(inline: Inline, text: str) -> str:
    """A text with what can be said of its mark."""
    match inline:
        case Superscript():
            return _moved(text, _RAISED, "^")
        case Subscript():
            return _moved(text, _LOWERED, "_")
        case Spoiler(_, reason):
            return f"(spoiler: {reason}) {text}" if reason else f"(spoiler) {text}"
    return text


def _moved(text: str, table: dict[int, int], mark: str) -> str:
    """10⁹ where there are such digits, else 10^x or 10^(x y)."""
    if all(ord(each) in table for each in text):
        return text.translate(table)
    return f"{mark}{text}" if text.isalnum() else f"{mark}({text})"
