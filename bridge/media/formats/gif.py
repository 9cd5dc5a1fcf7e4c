"""GIF, by https://www.w3.org/Graphics/GIF/spec-gif89a.txt: pictures and how they follow each other
are kept; comments, texts and what applications add are not.
"""

from collections.abc import Iterator
from typing import Final

from bridge.media.formats.reading import Data, MalformedError, Size, number, run, taken

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPS: Final = frozenset({b"NETSCAPE2.0", b"ANIMEXTS1.0"})


def pieces(data: Data) -> Iterator[bytes]:
    """A clean copy.

    Raises:
        MalformedError: it is no whole GIF.
    """
    at = 13 + _table(data, 10)
    if taken(data, 0, 6) not in {b"GIF87a", b"GIF89a"}:
        msg = "it does not begin as a GIF"
        raise MalformedError(msg)
    yield from run(data, 0, at)
    control, blocks = b"", _Blocks(data)
    while (block := number(data, at, 1)) != _TRAILER:
        if block == _EXTENSION:
            label, end = number(data, at + 1, 1), blocks.after(at + 2)
            if label == _CONTROL:
                control = taken(data, at, end)
            elif label == _APPLICATION:
                yield _loop(data, at)
            else:
                control = b""  # it was for a text, which is left out
            at = end
        elif block == _IMAGE:
            end = blocks.after(at + 10 + _table(data, at + 9) + 1)
            yield control
            yield from run(data, at, end)
            control, at = b"", end
        else:
            msg = "a part is not known"
            raise MalformedError(msg)
    yield bytes((_TRAILER,))


def size(data: Data) -> Size | None:
    """Width and height.

    Raises:
        MalformedError: it is no GIF.
    """
    found = number(data, 6, 2, "little"), number(data, 8, 2, "little")
    return found if all(found) else None


def _table(data: Data, at: int) -> int:
    """How long the table of colours is that these flags announce."""
    flags = number(data, at, 1)
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


class _Blocks:
    """Finds the end of what is stored in blocks, which hold 255 bytes each, but for the last."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._left = len(data) // 32 + 100_000

    def after(self, at: int) -> int:
        """Where those that begin there end."""
        while length := number(self._data, at, 1):
            at += 1 + length
            self._left -= 1
            if not self._left:
                msg = "it has too many parts"
                raise MalformedError(msg)
        return at + 1


def _loop(data: Data, at: int) -> bytes:
    """How often an animation is repeated, if that is what an application's block says."""
    found = taken(data, at, min(at + 19, len(data)))
    is_loop = found[2:3] == b"\x0b" and found[3:14] in _LOOPS and found[14:16] == b"\x03\x01"
    return found if is_loop and found[18:] == b"\0" else b""
