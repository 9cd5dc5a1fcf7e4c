"""A plain text cut where people would cut it."""

from collections.abc import Iterator
from typing import Final

from bridge.richtext.characters import graphemes, size

LEAST: Final = 8
"""Bytes that any limit is taken to leave: one character, and what may have to escape it."""


def cut(text: str, limit: int) -> Iterator[str]:
    """Pieces of at most `limit` UTF-8 bytes, cut at paragraph, line or word ends.

    A word longer than that is cut between characters as people see them; only one of those that
    is itself too long is cut in itself. Pieces of nothing but white space are left out.
    """
    limit = max(limit, LEAST)
    start = 0
    while len(text) - start > limit // 4:
        # No more characters than bytes fit, and decoding drops the one that is cut in half.
        window = text[start : start + limit].encode("utf-8", "replace")
        if len(window) <= limit and start + limit >= len(text):
            break
        head = window[:limit].decode("utf-8", "ignore")
        end = _end_of_piece(head, text, start)
        if piece := head[:end].rstrip():
            yield piece
        start = _skip_blank(text, start + end)
    if (rest := text[start:]) and not rest.isspace():
        yield rest


def _end_of_piece(head: str, text: str, start: int) -> int:
    """Where to cut in `head`, which is the text from `start` on as far as it fits."""
    for mark in ("\n\n", "\n"):
        if (end := head.rfind(mark)) > len(head) // 2:
            return end
    if text[start + len(head)] in "\n ":
        return len(head)
    if (end := max(head.rfind(" "), head.rfind("\n"))) > 0:
        return end
    return _last_boundary(text, start, len(head)) or len(head)


def _last_boundary(text: str, start: int, length: int) -> int:
    """How many of the next `length` characters make whole ones; 0 where it is not even one."""
    end = 0
    # Some more are looked at: what follows may belong to the last one.
    for each in graphemes(text[start : start + length + 16]):
        if end + len(each) > length:
            break
        end += len(each)
    return end


def _skip_blank(text: str, start: int) -> int:
    while start < len(text) and text[start] in "\n ":
        start += 1
    return start


def chunks(text: str, limit: int) -> Iterator[str]:
    """A word in pieces of at most `limit` bytes, between characters as people see them."""
    piece, length = "", 0
    for each in graphemes(text):
        for part in (each,) if size(each) <= limit else each:
            room = size(part)
            if piece and length + room > limit:
                yield piece
                piece, length = "", 0
            piece += part
            length += room
    if piece:
        yield piece
