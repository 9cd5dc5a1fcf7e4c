"""Where in a written text the names of mentioned people stand."""

import re
from typing import Final, NamedTuple

from bridge.richtext.layout import NAME_BEGINS, NAME_ENDS
from bridge.richtext.tree import Mention

_NAME: Final = re.compile(f"{NAME_BEGINS}([^{NAME_ENDS}]*){NAME_ENDS}")


class Span(NamedTuple):
    """A mention in a text, from character `begin` up to before character `end`.

    Characters are Unicode code points, as XEP-0372 and XEP-0426 count them.
    """

    begin: int
    end: int
    mention: Mention


def without_marks(text: str) -> str:
    """The text without the marks that `bridge.richtext.layout` puts around names."""
    if text.isascii() or NAME_BEGINS not in text:
        return text
    return text.replace(NAME_BEGINS, "").replace(NAME_ENDS, "")


def spans_of(text: str, mentions: tuple[Mention, ...]) -> tuple[Span, ...]:
    """The places of mentions in a marked text, counted as if it had no marks.

    Args:
        text: as a `Layout` wrote it.
        mentions: all of them, in the order of the text.
    """
    found = _NAME.finditer(text)
    return tuple(
        Span(name.start() - 2 * number, name.end() - 2 * number - 2, mention)
        for number, (name, mention) in enumerate(zip(found, mentions, strict=False))
    )
