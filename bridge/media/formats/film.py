"""MP4, QuickTime and 3GP, by ISO/IEC 14496-12: boxes that don't serve picture and sound become free
space, so that nothing has to move. Times of creation become zero, which means unknown.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from bridge.media.formats.boxes import Box, blanked, box_at, boxes, freed, needed
from bridge.media.formats.patches import Patches
from bridge.media.formats.reading import Data, MalformedError, Size, number, taken
from bridge.media.formats.samples import sample_ranges

_TOP: Final = frozenset(
    {b"ftyp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"styp", b"ssix", b"pdin", b"wide"}
)
_KEPT: Final = {
    b"moov": frozenset({b"mvhd", b"trak", b"mvex", b"iods"}),
    b"trak": frozenset({b"tkhd", b"edts", b"mdia", b"tref", b"tapt", b"load", b"trgr"}),
    b"mdia": frozenset({b"mdhd", b"hdlr", b"minf", b"elng"}),
    b"minf": frozenset(
        {b"vmhd", b"smhd", b"hmhd", b"nmhd", b"sthd", b"gmhd", b"hdlr", b"dinf", b"stbl"}
    ),
    b"moof": frozenset({b"mfhd", b"traf"}),
    b"traf": frozenset(
        {b"tfhd", b"tfdt", b"trun", b"sdtp", b"sbgp", b"sgpd", b"subs", b"saiz", b"saio", b"senc"}
    ),
}
_MOST: Final = 100_000
_TIMED: Final = frozenset({b"mvhd", b"tkhd", b"mdhd"})
_SHOWN: Final = frozenset(
    {b"vide", b"soun", b"subt", b"text", b"sbtl", b"clcp", b"hint", b"pict", b"auxv"}
)
"""Tracks that are seen or heard. Others hold positions, clocks and what sensors measured."""


def pieces(data: Data) -> Iterator[bytes]:
    """A clean copy.

    Raises:
        MalformedError: it is no whole film.
    """
    patches = Patches()
    top, end = top_boxes(data, _TOP)
    movie = next((box for box in top if box.kind == b"moov"), None)
    holders = [box for box in top if box.kind == b"mdat"]
    if movie is None or not holders:
        msg = "it has no table of contents, or no content"
        raise MalformedError(msg)
    for box in top:
        if box.kind not in _TOP:
            freed(box, patches)
        elif box.kind in _KEPT:
            clean_boxes(data, box, patches, holders)
    dropped = any(not _is_shown(data, box) for box in boxes(data, movie.body, movie.end)
                  if box.kind == b"trak")  # fmt: skip
    if dropped and any(box.kind == b"moof" for box in top):
        msg = "a track that must go is spread over fragments"
        raise MalformedError(msg)
    yield from patches.applied(data, end)


def size(data: Data) -> Size | None:
    """Width and height as they are to be shown, of the first track with a picture.

    Raises:
        MalformedError: it is no whole film.
    """
    top, _ = top_boxes(data, _TOP)
    for movie in (box for box in top if box.kind == b"moov"):
        for track in (box for box in boxes(data, movie.body, movie.end) if box.kind == b"trak"):
            if _handler(data, track) == b"vide":
                return _shown_size(data, needed(data, track, b"tkhd"))
    return None


def top_boxes(data: Data, known: frozenset[bytes]) -> tuple[list[Box], int]:
    """The outermost boxes, and where they end: other things may be appended to a file.

    Raises:
        MalformedError: a known box is cut off.
    """
    found: list[Box] = []
    at = 0
    while len(data) - at >= 8:
        box = box_at(data, at, len(data))
        if box is None:
            if taken(data, at + 4, at + 8) in known:
                msg = "it ends too early"
                raise MalformedError(msg)
            break
        found.append(box)
        at = box.end
        if len(found) > _MOST:
            msg = "it has too many parts"
            raise MalformedError(msg)
    return found, at


def clean_boxes(data: Data, parent: Box, patches: Patches, holders: Sequence[Box]) -> None:
    """Free what is not needed in a box that holds others, and in those.

    Args:
        data: the file.
        parent: a box that holds others.
        patches: where that is noted.
        holders: the boxes in which the content of tracks is.

    Raises:
        MalformedError: they can't be understood.
    """
    for box in boxes(data, parent.body, parent.end):
        if box.kind == b"cmov":
            msg = "its table of contents is compressed"
            raise MalformedError(msg)
        if box.kind not in _KEPT[parent.kind]:
            freed(box, patches)
        elif box.kind == b"trak" and not _is_shown(data, box):
            for start, end in sample_ranges(data, box):
                blanked(start, end, holders, patches)
            freed(box, patches)
        elif box.kind in _KEPT:
            clean_boxes(data, box, patches, holders)
        elif box.kind in _TIMED:
            length = 16 if number(data, box.body, 1) == 1 else 8
            patches.blank(box.body + 4, min(box.body + 4 + length, box.end))
        elif box.kind == b"hdlr":
            patches.blank(box.body + 24, box.end)  # a name, often that of the device


def _handler(data: Data, track: Box) -> bytes:
    media = needed(data, track, b"mdia")
    handler = needed(data, media, b"hdlr")
    return taken(data, handler.body + 8, handler.body + 12)


def _is_shown(data: Data, track: Box) -> bool:
    return _handler(data, track) in _SHOWN


def _shown_size(data: Data, header: Box) -> Size | None:
    """By the last fields of a track's header, clause 8.3.2: a matrix, width and height."""
    at = header.body + (88 if number(data, header.body, 1) == 1 else 76)
    found = number(data, at, 4) >> 16, number(data, at + 4, 4) >> 16
    lies = number(data, at - 36, 4) == 0 and number(data, at - 32, 4) != 0
    if not all(found):
        return None
    return (found[1], found[0]) if lies else found
