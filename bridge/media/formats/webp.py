"""WebP, by RFC 9649: chunks are kept that the picture needs, also within frames."""

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

_NEEDED: Final = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_IN_FRAMES: Final = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_FRAME_HEADER: Final = 16
_EXIF_FLAG, _XMP_FLAG = 0x08, 0x04
_LITTLE: Final = "little"


class _Chunk(NamedTuple):
    """`start` to `end` is its content, without name, length and padding."""

    name: bytes
    start: int
    end: int


def pieces(data: Data) -> Iterator[bytes]:
    """A clean copy.

    Raises:
        MalformedError: it is no whole WebP.
    """
    chunks = _chunks(data)
    turned = _orientation(data, chunks) if chunks[0].name == b"VP8X" else 1
    frames = {c.start: _frame(data, c) for c in chunks if c.name == b"ANMF"}
    kept = [chunk for chunk in chunks if chunk.name in _NEEDED]
    ending = _chunk(b"EXIF", exif.only(turned)) if turned != 1 else b""
    lengths = (sum(_padded(c) for c in frames[k.start]) + 16 if k.start in frames else
               k.end - k.start for k in kept)  # fmt: skip
    total = 4 + len(ending) + sum(8 + length + length % 2 for length in lengths)
    yield b"RIFF" + total.to_bytes(4, _LITTLE) + b"WEBP"
    for chunk in kept:
        if chunk.start in frames:
            parts = frames[chunk.start]
            length = _FRAME_HEADER + sum(map(_padded, parts))
            yield b"ANMF" + length.to_bytes(4, _LITTLE)
            yield taken(data, chunk.start, chunk.start + _FRAME_HEADER)
            for part in parts:
                yield from _copied(data, part)
        elif chunk.name == b"VP8X":
            flags = number(data, chunk.start, 1) & ~(_EXIF_FLAG | _XMP_FLAG)
            flags |= _EXIF_FLAG if turned != 1 else 0
            yield _chunk(b"VP8X", bytes((flags,)) + taken(data, chunk.start + 1, chunk.end))
        else:
            yield from _copied(data, chunk)
    yield ending


def size(data: Data) -> Size | None:
    """Width and height as they are to be shown.

    Raises:
        MalformedError: it is no whole WebP.
    """
    chunks = _chunks(data)
    name, at, _ = chunks[0]
    if name == b"VP8X":
        found = number(data, at + 4, 3, _LITTLE) + 1, number(data, at + 7, 3, _LITTLE) + 1
        return upright(found, _orientation(data, chunks))
    if name == b"VP8L":
        bits = number(data, at + 1, 4, _LITTLE)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return number(data, at + 6, 2, _LITTLE) & 0x3FFF, number(data, at + 8, 2, _LITTLE) & 0x3FFF


def _chunks(data: Data) -> list[_Chunk]:
    end = 8 + number(data, 4, 4, _LITTLE)
    if taken(data, 0, 4) != b"RIFF" or taken(data, 8, 12) != b"WEBP" or end > len(data):
        msg = "it is no WebP, or not a whole one"
        raise MalformedError(msg)
    chunks = bounded(_within(data, 12, end))
    names = {chunk.name for chunk in chunks}
    if chunks[:1] == [] or chunks[0].name not in {b"VP8X", b"VP8 ", b"VP8L"}:
        msg = "it does not begin as a WebP"
        raise MalformedError(msg)
    if not names & {b"VP8 ", b"VP8L", b"ANMF"}:
        msg = "it has no picture"
        raise MalformedError(msg)
    return chunks


def _within(data: Data, start: int, end: int) -> Iterator[_Chunk]:
    at = start
    while at < end:
        length = number(data, at + 4, 4, _LITTLE)
        chunk = _Chunk(taken(data, at, at + 4), at + 8, at + 8 + length)
        if chunk.end > end:
            msg = "it ends within a chunk"
            raise MalformedError(msg)
        yield chunk
        at = chunk.end + length % 2


def _frame(data: Data, frame: _Chunk) -> list[_Chunk]:
    if frame.end - frame.start < _FRAME_HEADER:
        msg = "a frame is too short"
        raise MalformedError(msg)
    parts = bounded(_within(data, frame.start + _FRAME_HEADER, frame.end))
    return [part for part in parts if part.name in _IN_FRAMES]


def _orientation(data: Data, chunks: list[_Chunk]) -> int:
    for chunk in chunks:
        if chunk.name == b"EXIF":
            content = taken(data, chunk.start, chunk.end)
            return exif.orientation(content.removeprefix(b"Exif\0\0"))
    return 1


def _padded(chunk: _Chunk) -> int:
    length = chunk.end - chunk.start
    return 8 + length + length % 2


def _copied(data: Data, chunk: _Chunk) -> Iterator[bytes]:
    length = chunk.end - chunk.start
    yield chunk.name + length.to_bytes(4, _LITTLE)
    yield from run(data, chunk.start, chunk.end)
    yield bytes(length % 2)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, _LITTLE) + content + bytes(len(content) % 2)
