"""Copies of files that differ from the original in a few places, and not in length."""

from collections.abc import Iterator
from typing import Final

from bridge.media.formats.reading import Data, MalformedError, run

_BLANKS: Final = 65_536
_MOST: Final = 500_000


class Patches:
    """What is to be written over in a copy."""

    def __init__(self) -> None:
        self._all: list[tuple[int, int, bytes]] = []

    def write(self, at: int, content: bytes) -> None:
        """Put this there."""
        self._add(at, at + len(content), content)

    def blank(self, start: int, end: int, content: bytes = b"") -> None:
        """Put `content` there, or nothing if it is too long, and zeros in the rest."""
        if end > start:
            self._add(start, end, content if len(content) <= end - start else b"")

    def _add(self, start: int, end: int, content: bytes) -> None:
        if len(self._all) >= _MOST:
            msg = "it has too many parts"
            raise MalformedError(msg)
        self._all.append((start, end, content))

    def applied(self, data: Data, end: int) -> Iterator[bytes]:
        """The copy, piece by piece, up to `end`. Where patches overlap, the later is cut.

        Raises:
            MalformedError: the file is shorter.
        """
        at = 0
        for start, stop, content in sorted(self._all):
            first, last = max(at, min(start, end)), min(stop, end)
            if first >= last:
                continue
            yield from run(data, at, first)
            put = content if first == start else b""
            yield put[: last - first]
            for blank in range(first + len(put), last, _BLANKS):
                yield bytes(min(blank + _BLANKS, last) - blank)
            at = last
        yield from run(data, at, end)
