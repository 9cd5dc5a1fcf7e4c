"""JPEG, by ITU-T T.81 annex B and JFIF (T.871): segments are kept that the picture needs.

What follows the end of the picture (films of motion photos, further pictures) is left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

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

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_EXIF: Final = b"Exif\0\0"
_JFIF_BYTES, _ADOBE_BYTES = 14, 12
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NEEDED: Final = frozenset(range(0xC0, 0xD0)) - {0xC8} | {_SCAN, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF}
_MISPLACED: Final = frozenset({0, _START, *range(0xD0, 0xD8)})
_MARKER_IN_SCAN: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


@dataclass(frozen=True, slots=True)
class _Segment:
    """`start` is that of its content, behind marker and length; `end` that of the content, or of
    the coded data that follow a scan's header.
    """

    marker: int
    start: int
    content_end: int
    end: int


def pieces(data: Data) -> Iterator[bytes]:
    """A clean copy.

    Raises:
        MalformedError: it is no whole JPEG.
    """
    segments = bounded(_segments(data))
    turned = _orientation(data, segments)
    yield bytes((0xFF, _START))
    for segment in segments:
        if segment.marker == _APP0:
            yield from _jfif(data, segment)
    if turned != 1:
        yield _segment(_APP1, _EXIF + exif.only(turned))
    for segment in segments:
        if _is_kept(data, segment):
            content = taken(data, segment.start, segment.content_end)
            yield _segment(
                segment.marker, content[:_ADOBE_BYTES] if segment.marker == _APP14 else content
            )
            yield from run(data, segment.content_end, segment.end)
    yield bytes((0xFF, _END))


def size(data: Data) -> Size | None:
    """Width and height as they are to be shown; None when they come later than the first scan.

    Raises:
        MalformedError: it is no JPEG.
    """
    found: Size | None = None
    before = []
    for segment in _segments(data):
        before.append(segment)
        if segment.marker in _FRAMES:
            at = segment.start
            found = number(data, at + 3, 2), number(data, at + 1, 2)
        if segment.marker == _SCAN:
            break
    if found is None or not all(found):
        return None
    return upright(found, _orientation(data, before))


def _segments(data: Data) -> Iterator[_Segment]:
    """All up to the end of the picture."""
    if taken(data, 0, 2) != bytes((0xFF, _START)):
        msg = "it does not begin as a JPEG"
        raise MalformedError(msg)
    at = 2
    while True:
        if number(data, at, 1) != 0xFF:
            msg = "a marker is missing"
            raise MalformedError(msg)
        while (marker := number(data, at + 1, 1)) == 0xFF:
            at += 1
        if marker == _END:
            return
        if marker in _MISPLACED:
            msg = "a marker is out of place"
            raise MalformedError(msg)
        length = number(data, at + 2, 2)
        start, end = at + 4, at + 2 + length
        if length < 2 or end > len(data):
            msg = "a segment is too long or too short"
            raise MalformedError(msg)
        at = end
        if marker == _SCAN:
            following = _MARKER_IN_SCAN.search(data, end)
            if following is None:
                msg = "it ends within the picture"
                raise MalformedError(msg)
            at = following.start()
        yield _Segment(marker, start, end, at)


def _is_kept(data: Data, segment: _Segment) -> bool:
    begin = taken(data, segment.start, min(segment.start + 12, segment.content_end))
    match segment.marker:
        case 0xE2:
            return begin == b"ICC_PROFILE\0"
        case 0xEE:
            return begin[:5] == b"Adobe" and len(begin) == _ADOBE_BYTES
    return segment.marker in _NEEDED


def _jfif(data: Data, segment: _Segment) -> Iterator[bytes]:
    """The header of JFIF, without its preview."""
    content = taken(data, segment.start, segment.content_end)
    if content[:5] == b"JFIF\0" and len(content) >= _JFIF_BYTES:
        yield _segment(_APP0, content[: _JFIF_BYTES - 2] + bytes(2))


def _orientation(data: Data, segments: list[_Segment]) -> int:
    for segment in segments:
        if segment.marker == _APP1:
            content = taken(data, segment.start, segment.content_end)
            if content.startswith(_EXIF):
                return exif.orientation(content[len(_EXIF) :])
    return 1


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content
