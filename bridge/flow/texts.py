"""Texts on their way into a place: in its dialect, in pieces that fit."""

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.contract import Capabilities
from bridge.flow.splitting import split


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, in the dialect of a place; `html` beside it where the dialect has it."""

    text: str
    html: str | None = None


def pieces(
    text: str, html: str | None, capabilities: Capabilities, *, byline: str = ""
) -> Iterator[Piece]:
    """A text as a place takes it, with `byline` before every piece."""
    del html
    limit = capabilities.max_text
    if byline:
        byline = next(split(byline, limit // 2), "") + " "
    for piece in split(text, limit - len(byline.encode())):
        yield Piece(byline + piece)


def quoted(above: str, text: str, html: str | None) -> tuple[str, str | None]:
    """A text with a line of quotation above it, plain and formatted."""
    del html
    return f"> {above}\n{text}", None
