"""HEIC, HEIF and AVIF, by ISO/IEC 23008-12: items that are no pictures are written over in place.

How a picture is turned is a property of it (`irot`, `imir`), so it stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bridge.media.formats import exif, film
from bridge.media.formats.boxes import Box, blanked, boxes, child, freed, needed
from bridge.media.formats.patches import Patches
from bridge.media.formats.reading import Data, MalformedError, Size, number, taken

_TOP: Final = frozenset({b"ftyp", b"meta", b"mdat", b"moov", b"moof", b"mfra", b"sidx"})
_IN_META: Final = frozenset(
    {b"hdlr", b"pitm", b"iloc", b"iinf", b"iprp", b"iref", b"idat", b"grpl", b"dinf", b"ipro"}
)
_PICTURES: Final = frozenset(
    {b"hvc1", b"hev1", b"lhv1", b"av01", b"avc1", b"vvc1", b"jpeg", b"j2k1", b"unci", b"grid",
     b"iovl", b"iden", b"tmap", b"mski"}
)  # fmt: skip
_TELLING: Final = frozenset({b"udes", b"altt", b"crtt", b"mdft", b"cmin", b"cmex", b"uuid"})
"""Properties of pictures that say what is shown, when, and from where (clause 6.5)."""
_NO_EXIF: Final = bytes(4) + exif.NOTHING
_ITEMS: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Item:
    id: int
    kind: bytes


def pieces(data: Data) -> Iterator[bytes]:
    """A clean copy.

    Raises:
        MalformedError: it is no whole picture of this family.
    """
    patches = Patches()
    top, end = film.top_boxes(data, _TOP)
    holders = [box for box in top if box.kind == b"mdat"]
    found = False
    for box in top:
        if box.kind == b"meta":
            found = True
            _clean_meta(data, box, patches, holders)
        elif box.kind in {b"moov", b"moof"}:
            film.clean_boxes(data, box, patches, holders)
        elif box.kind not in _TOP:
            freed(box, patches)
    if not found:
        msg = "it has no table of contents"
        raise MalformedError(msg)
    yield from patches.applied(data, end)


def size(data: Data) -> Size | None:
    """Width and height of the main picture as they are to be shown.

    Raises:
        MalformedError: it is no whole picture of this family.
    """
    top, _ = film.top_boxes(data, _TOP)
    for meta in (box for box in top if box.kind == b"meta"):
        main = needed(data, meta, b"pitm", 4)
        wide = number(data, main.body, 1) > 0
        properties = _properties(data, meta, number(data, main.body + 4, 4 if wide else 2))
        for box in properties:
            if box.kind == b"ispe":
                shape = number(data, box.body + 4, 4), number(data, box.body + 8, 4)
                turns = sum(number(data, p.body, 1) & 1 for p in properties if p.kind == b"irot")
                return (shape[1], shape[0]) if turns % 2 else shape
    return None


def _clean_meta(data: Data, meta: Box, patches: Patches, holders: list[Box]) -> None:
    for box in boxes(data, meta.body + 4, meta.end):
        if box.kind not in _IN_META:
            freed(box, patches)
    properties = child(data, meta, b"iprp", 4)
    contents = child(data, properties, b"ipco") if properties else None
    if contents is not None:
        for box in boxes(data, contents.body, contents.end):
            if box.kind in _TELLING:
                freed(box, patches)
    no_pictures = {item.id: item for item in _items(data, meta) if item.kind not in _PICTURES}
    inner = [box for box in boxes(data, meta.body + 4, meta.end) if box.kind == b"idat"]
    for id_, start, end in _extents(data, meta):
        if id_ in no_pictures:
            instead = _NO_EXIF if no_pictures[id_].kind == b"Exif" else b" " * (end - start)
            blanked(start, end, [*holders, *inner], patches, instead)


def _items(data: Data, meta: Box) -> Iterator[_Item]:
    """ISO/IEC 14496-12, clause 8.11.6."""
    info = needed(data, meta, b"iinf", 4)
    wide = number(data, info.body, 1) > 0
    for entry in boxes(data, info.body + (8 if wide else 6), info.end):
        version = number(data, entry.body, 1)
        if entry.kind != b"infe" or version not in {2, 3}:
            msg = "its items are listed in a way that is not known"
            raise MalformedError(msg)
        length = 4 if version == 3 else 2
        at = entry.body + 4 + length + 2
        yield _Item(number(data, entry.body + 4, length), taken(data, at, at + 4))


def _extents(data: Data, meta: Box) -> Iterator[tuple[int, int, int]]:
    """The id of an item, and beginning and end of one of its parts: clause 8.11.3.

    Raises:
        MalformedError: they can't be understood.
    """
    table = needed(data, meta, b"iloc", 4)
    inner = child(data, meta, b"idat", 4)
    version, at = number(data, table.body, 1), table.body + 6
    sizes = number(data, table.body + 4, 2)
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    id_bytes = 4 if version == 2 else 2
    count = _bounded(number(data, at, id_bytes))
    at += id_bytes
    for _ in range(count):
        id_, at = number(data, at, id_bytes), at + id_bytes
        method = number(data, at, 2) & 15 if version else 0
        at += 4 if version else 2
        base, at = number(data, at, base_bytes), at + base_bytes
        parts, at = _bounded(number(data, at, 2)), at + 2
        for _ in range(parts):
            at += index_bytes
            offset, at = base + number(data, at, offset_bytes), at + offset_bytes
            length, at = number(data, at, length_bytes), at + length_bytes
            if method == 1 and inner is not None:
                offset += inner.body
            elif method:
                continue  # made of another item, which has a place of its own
            if not length or offset + length > len(data):
                msg = "an item is not where it should be"
                raise MalformedError(msg)
            yield id_, offset, offset + length


def _properties(data: Data, meta: Box, id_: int) -> list[Box]:
    """Those of one item: ISO/IEC 23008-12, clause 9.3."""
    outer = needed(data, meta, b"iprp", 4)
    contents = needed(data, outer, b"ipco")
    everything = list(boxes(data, contents.body, contents.end))
    table = needed(data, outer, b"ipma")
    version, wide = number(data, table.body, 1), number(data, table.body + 3, 1) & 1
    id_bytes, index_bytes = (4 if version else 2), (2 if wide else 1)
    at = table.body + 8
    for _ in range(_bounded(number(data, table.body + 4, 4))):
        item, count = number(data, at, id_bytes), number(data, at + id_bytes, 1)
        at += id_bytes + 1
        if item == id_:
            mask = 0x7FFF if wide else 0x7F
            indexes = [number(data, at + index_bytes * i, index_bytes) & mask for i in range(count)]
            return [everything[i - 1] for i in indexes if 0 < i <= len(everything)]
        at += index_bytes * count
    return []


def _bounded(count: int) -> int:
    if count > _ITEMS:
        msg = "it has too many items"
        raise MalformedError(msg)
    return count
