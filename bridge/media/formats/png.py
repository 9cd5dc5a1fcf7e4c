"""PNG, by https://www.w3.org/TR/png-3/: chunks are kept that the picture needs.

What follows the last chunk is left out.
"""

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from bridge.media.formats import exif
from bridge.media.formats.reading import (
    Data,
    MalformedError,
    Size,
    bounded,
    number,
    run,
    taken,
    upright,
)

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_NEEDED: Final = _CRITICAL | {
    b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"mDCv", b"cLLI",
    b"cLLi", b"bKGD", b"hIST", b"pHYs", b"acTL", b"fcTL", b"fdAT",
}  # fmt: skip


class _Chunk(NamedTuple):
    """`start` to `end` is all of it, with length, name and checksum."""

    name: bytes
    start: int
    end: int


def pieces(data: Data) -> Iterator[bytes]:
    """A clean copy.

    Raises:
        MalformedError: it is no whole PNG.
    """
    chunks = bounded(_chunks(data))
    turned = _orientation(data, chunks)
    yield _SIGNATURE
    for chunk in chunks:
        if chunk.name in _NEEDED:
            yield from run(data, chunk.start, chunk.end)
        if chunk.name == b"IHDR" and turned != 1:
            yield _chunk(b"eXIf", exif.only(turned))


def size(data: Data) -> Size | None:
    """Width and height as they are to be shown.

    Raises:
        MalformedError: it is no whole PNG.
    """
    chunks = bounded(_chunks(data))
    found = number(data, 16, 4), number(data, 20, 4)
    return upright(found, _orientation(data, chunks)) if all(found) else None


def _chunks(data: Data) -> Iterator[_Chunk]:
    if taken(data, 0, 8) != _SIGNATURE or taken(data, 8, 16) != b"\0\0\0\x0dIHDR":
        msg = "it does not begin as a PNG"
        raise MalformedError(msg)
    at, pictured = 8, False
    while True:
        length, name = number(data, at, 4), taken(data, at + 4, at + 8)
        chunk = _Chunk(name, at, at + 12 + length)
        if chunk.end > len(data):
            msg = "it ends within a chunk"
            raise MalformedError(msg)
        if not name[0] & 0x20 and name not in _CRITICAL:
            msg = "it has a part that is needed and not known"
            raise MalformedError(msg)
        pictured = pictured or name == b"IDAT"
        yield chunk
        at = chunk.end
        if name == b"IEND":
            break
    if not pictured:
        msg = "it has no picture"
        raise MalformedError(msg)


def _orientation(data: Data, chunks: list[_Chunk]) -> int:
    for chunk in chunks:
        if chunk.name == b"eXIf":
            return exif.orientation(taken(data, chunk.start + 8, chunk.end - 4))
    return 1


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return len(content).to_bytes(4) + name + content + check.to_bytes(4)
