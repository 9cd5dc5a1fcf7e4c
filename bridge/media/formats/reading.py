"""Reading of bytes that may lie about themselves."""

import mmap
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeVar

Data = bytes | mmap.mmap
"""A whole file; a mapped one takes no memory."""

Size = tuple[int, int]
"""Width and height in pixels."""

_PIECE: Final = 1_048_576

_Part = TypeVar("_Part")


class MalformedError(ValueError):
    """A file is not what it should be by its format, or goes beyond what is understood of it."""


def taken(data: Data, start: int, end: int) -> bytes:
    """Some bytes of a file.

    Raises:
        MalformedError: they are not all there.
    """
    if not 0 <= start <= end <= len(data):
        msg = "it ends too early"
        raise MalformedError(msg)
    return data[start:end]


def number(data: Data, at: int, length: int, order: str = "big") -> int:
    """An unsigned number of so many bytes; `order` is "big" or "little".

    Raises:
        MalformedError: it is not all there.
    """
    found = taken(data, at, at + length)
    return int.from_bytes(found, "little" if order == "little" else "big")


def bounded(found: Iterator[_Part], most: int = 100_000) -> list[_Part]:
    """All parts of a file. Real files have thousands at most; others would take the memory.

    Raises:
        MalformedError: there are too many.
    """
    parts = list(islice(found, most + 1))
    if len(parts) > most:
        msg = "it has too many parts"
        raise MalformedError(msg)
    return parts


def run(data: Data, start: int, end: int) -> Iterator[bytes]:
    """A stretch of a file, piece by piece.

    Raises:
        MalformedError: it is not all there.
    """
    for at in range(start, end, _PIECE):
        yield taken(data, at, min(at + _PIECE, end))


def upright(size: Size, orientation: int) -> Size:
    """Width and height after turning, by the orientation of Exif."""
    return (size[1], size[0]) if orientation >= 5 else size
