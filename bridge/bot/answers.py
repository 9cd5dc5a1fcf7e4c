"""Answers as plain text and as HTML, short enough for a telephone.

Everything put into an answer is escaped: group names and reasons come from outside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, NamedTuple
from urllib.parse import quote

from bridge.flow.hygiene import clean_text

_LONGEST: Final = 300


class Piece(NamedTuple):
    """A run of text in its two forms."""

    text: str
    html: str


def words(*parts: str | Piece) -> Piece:
    """Text and pieces, one after the other."""
    pieces = [part if isinstance(part, Piece) else _plain(part) for part in parts]
    return Piece("".join(piece.text for piece in pieces), "".join(piece.html for piece in pieces))


def code(text: str) -> Piece:
    """Something to be written exactly so."""
    piece = _plain(text)
    return Piece(piece.text, f"<code>{piece.html}</code>")


def strong(*parts: str | Piece) -> Piece:
    """What the eye is to find first."""
    piece = words(*parts)
    return Piece(piece.text, f"<strong>{piece.html}</strong>")


def room_link(room_id: str, name: str) -> Piece:
    """A room, which clients show by its own name.

    https://spec.matrix.org/v1.19/appendices/#matrixto-navigation
    """
    piece = _plain(name)
    return Piece(piece.text, f'<a href="https://matrix.to/#/{quote(room_id)}">{piece.html}</a>')


def joined(pieces: Iterable[str | Piece], between: str) -> Piece:
    """Pieces with something between them."""
    parts: list[str | Piece] = []
    for piece in pieces:
        parts += [between, piece] if parts else [piece]
    return words(*parts)


def _plain(text: str) -> Piece:
    text = " ".join(clean_text(text, _LONGEST).split(" ")).replace("\n", " ")
    return Piece(text, escape(text))


Block = Piece | Sequence[Piece]
"""A paragraph, or a list."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bot says to a command."""

    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, *blocks: str | Block) -> "Answer":
        """An answer of paragraphs and lists; empty ones are left out."""
        found = [words(block) if isinstance(block, str) else block for block in blocks]
        return cls(tuple(block for block in found if _full(block)))

    @property
    def text(self) -> str:
        """The answer as plain text."""
        return "\n".join(
            block.text
            if isinstance(block, Piece)
            else "\n".join(f"• {item.text}" for item in block)
            for block in self.blocks
        )

    @property
    def html(self) -> str:
        """The answer in the HTML of https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes."""
        return "".join(
            f"<p>{block.html}</p>" if isinstance(block, Piece) else _list(block)
            for block in self.blocks
        )


def _full(block: Block) -> bool:
    return bool(block.text) if isinstance(block, Piece) else bool(block)


def _list(items: Sequence[Piece]) -> str:
    return f"<ul>{''.join(f'<li>{item.html}</li>' for item in items)}</ul>"
