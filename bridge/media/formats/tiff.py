"""TIFF 6.0: a copy of the same layout in which everything is zero but what the pixels need.

Pages keep the tags that say how to read them. Previews are left out; camera raw files, of which
little but a preview would be left, are not taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bridge.media.formats.patches import Patches
from bridge.media.formats.reading import Data, MalformedError, Size, number, taken, upright

_ORDERS: Final = {b"II*\0": "little", b"MM\0*": "big"}
_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _ORIENTATION = 254, 256, 257, 259, 274
_STRIPS, _TILES, _DNG = (273, 279), (324, 325), 50706
_OLD_JPEG: Final = 6
_NEEDED: Final = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284,
     286, 287, 290, 291, 292, 293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 332,
     334, 336, 338, 339, 340, 341, 342, 347, 529, 530, 531, 532, 34675}
)  # fmt: skip
_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_PAGES: Final = 2_000
_PARTS: Final = 200_000


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tag. `start` to `end` are its values, within the entry or elsewhere."""

    tag: int
    at: int
    width: int
    start: int
    end: int

    @property
    def inside(self) -> bool:
        return self.start == self.at + 8


@dataclass(frozen=True, slots=True)
class _Page:
    at: int
    end: int
    entries: dict[int, _Entry]


class _Reader:
    def __init__(self, data: Data) -> None:
        order = _ORDERS.get(taken(data, 0, 4))
        if order is None or taken(data, 8, 10) == b"CR":
            msg = "it is no TIFF of a kind that is known"
            raise MalformedError(msg)
        self.data = data
        self.order = order

    def number(self, at: int, length: int) -> int:
        return number(self.data, at, length, self.order)

    def pages(self) -> list[_Page]:
        """The first, and all others that are no previews."""
        found: list[_Page] = []
        seen = set[int]()
        at = self.number(4, 4)
        while at:
            if at in seen or len(seen) > _PAGES:
                msg = "its pages have no end"
                raise MalformedError(msg)
            seen.add(at)
            page = self._page(at)
            if not found or not self.value(page, _SUBFILE) & 1:
                found.append(page)
            at = self.number(page.end - 4, 4)
        if not found or self.value(found[0], _SUBFILE) & 1 or _DNG in found[0].entries:
            msg = "it has no page, or is a camera's raw file"
            raise MalformedError(msg)
        return found

    def _page(self, at: int) -> _Page:
        count = self.number(at, 2)
        listed = (self._entry(at + 2 + 12 * each) for each in range(count))
        entries = {entry.tag: entry for entry in listed if entry is not None}
        return _Page(at, at + 2 + 12 * count + 4, entries)

    def _entry(self, at: int) -> _Entry | None:
        tag, width = self.number(at, 2), _BYTES.get(self.number(at + 2, 2))
        if tag not in _NEEDED and tag != _DNG:
            return None
        if width is None:
            msg = "a tag is of a type that is not known"
            raise MalformedError(msg)
        length = width * self.number(at + 4, 4)
        start = at + 8 if length <= 4 else self.number(at + 8, 4)
        if start + length > len(self.data):
            msg = "it ends too early"
            raise MalformedError(msg)
        return _Entry(tag, at, width, start, start + length)

    def value(self, page: _Page, tag: int) -> int:
        """The first value of a tag; 0 when it is not there."""
        entry = page.entries.get(tag)
        if entry is None or entry.end <= entry.start:
            return 0
        return self.number(entry.start, entry.width)

    def values(self, page: _Page, tag: int) -> list[int]:
        entry = page.entries.get(tag)
        if entry is None:
            return []
        if (entry.end - entry.start) // entry.width > _PARTS:
            msg = "a page has too many parts"
            raise MalformedError(msg)
        return [self.number(at, entry.width) for at in range(entry.start, entry.end, entry.width)]

    def pixels(self, page: _Page) -> list[tuple[int, int]]:
        """Beginning and end of each strip or tile."""
        found = []
        for starts, lengths in (_STRIPS, _TILES):
            offsets, sizes = self.values(page, starts), self.values(page, lengths)
            if len(offsets) != len(sizes):
                msg = "the parts of a page don't fit each other"
                raise MalformedError(msg)
            found += [(at, at + size) for at, size in zip(offsets, sizes, strict=True)]
        if not found or any(end > len(self.data) for _, end in found):
            msg = "it ends too early"
            raise MalformedError(msg)
        return found


def pieces(data: Data) -> Iterator[bytes]:
    """A clean copy.

    Raises:
        MalformedError: it is no whole TIFF of a kind that is known.
    """
    reader = _Reader(data)
    pages = reader.pages()
    patches = Patches()
    kept = [(0, 8)]
    patches.write(4, _written(pages[0].at, 4, reader.order))
    for index, page in enumerate(pages):
        if reader.value(page, _COMPRESSION) == _OLD_JPEG:
            msg = "a page is compressed in a way that is long obsolete"
            raise MalformedError(msg)
        entries = [entry for tag, entry in sorted(page.entries.items()) if tag in _NEEDED]
        following = pages[index + 1].at if index + 1 < len(pages) else 0
        written = (
            _written(len(entries), 2, reader.order)
            + b"".join(taken(data, entry.at, entry.at + 12) for entry in entries)
            + _written(following, 4, reader.order)
        )
        patches.write(page.at, written)
        kept.append((page.at, page.at + len(written)))
        kept += [(entry.start, entry.end) for entry in entries if not entry.inside]
        kept += reader.pixels(page)
    end = 0
    for start, stop in sorted(kept):
        patches.blank(end, start)
        end = max(end, stop)
    yield from patches.applied(data, end)


def size(data: Data) -> Size | None:
    """Width and height of the first page as they are to be shown.

    Raises:
        MalformedError: it is no TIFF of a kind that is known.
    """
    reader = _Reader(data)
    page = reader.pages()[0]
    found = reader.value(page, _WIDTH), reader.value(page, _HEIGHT)
    return upright(found, reader.value(page, _ORIENTATION)) if all(found) else None


def _written(value: int, length: int, order: str) -> bytes:
    return value.to_bytes(length, "little" if order == "little" else "big")
