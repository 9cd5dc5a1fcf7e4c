"""What one character is: fit to be kept, wide on a screen, part of a larger one."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

import regex

_FORBIDDEN: Final = re.compile(
    r"[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
)
_GRAPHEME: Final = regex.compile(r"\X")


def sound(text: str) -> str:
    """The text without characters that XML 1.0 forbids (section 2.2), and with LF for newlines.

    The noncharacters U+FDD0 to U+FDEF go, too: Unicode leaves them to programs, and this one
    marks mentions with them while it writes.
    """
    if text.isprintable():
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _FORBIDDEN.sub("\ufffd", text)


def graphemes(text: str) -> Iterator[str]:
    """What people take for one character each (Unicode UAX 29): a family emoji is one."""
    return (found[0] for found in _GRAPHEME.finditer(text))


def size(text: str) -> int:
    """Bytes in UTF-8; a lone surrogate, which none can hold, counts as what replaces it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def width(text: str) -> int:
    """Columns that a text takes in a fixed-width font: two for a Chinese character or an emoji."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )
