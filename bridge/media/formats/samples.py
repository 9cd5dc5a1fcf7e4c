"""Where the content of one track lies, by ISO/IEC 14496-12, clauses 8.7.3 to 8.7.5."""

from collections.abc import Iterator
from typing import Final

from bridge.media.formats.boxes import Box, child, needed
from bridge.media.formats.reading import Data, MalformedError, number

_MOST: Final = 500_000


def sample_ranges(data: Data, track: Box) -> Iterator[tuple[int, int]]:
    """Beginning and end of each chunk of a track, in bytes of the file.

    Raises:
        MalformedError: its tables can't be understood, or are beyond measure.
    """
    table = needed(data, needed(data, needed(data, track, b"mdia"), b"minf"), b"stbl")
    sizes, counts = _sizes(data, table), _counts(data, table)
    sample = rule = 0
    for index, offset in enumerate(_offsets(data, table)):
        while rule + 1 < len(counts) and counts[rule + 1][0] <= index:
            rule += 1
        count = counts[rule][1] if counts else 0
        alike = sizes * count if isinstance(sizes, int) else None
        length = sum(sizes[sample : sample + count]) if isinstance(sizes, list) else alike or 0
        sample += count
        yield offset, min(offset + length, len(data))


def _sizes(data: Data, table: Box) -> list[int] | int:
    """Of each sample, or of all of them if they are alike."""
    box = child(data, table, b"stsz")
    if box is None:
        msg = "the sizes of samples are missing"
        raise MalformedError(msg)
    same, count = number(data, box.body + 4, 4), number(data, box.body + 8, 4)
    if same:
        return same
    return [number(data, box.body + 12 + 4 * each, 4) for each in range(_bounded(count))]


def _counts(data: Data, table: Box) -> list[tuple[int, int]]:
    """From which chunk on, counted from 0, there are how many samples in one."""
    box = needed(data, table, b"stsc")
    at = box.body + 8
    return [
        (number(data, at + 12 * each, 4) - 1, number(data, at + 12 * each + 4, 4))
        for each in range(_bounded(number(data, box.body + 4, 4)))
    ]


def _offsets(data: Data, table: Box) -> Iterator[int]:
    short = child(data, table, b"stco")
    box, width = (short, 4) if short is not None else (needed(data, table, b"co64"), 8)
    for each in range(_bounded(number(data, box.body + 4, 4))):
        yield number(data, box.body + 8 + width * each, width)


def _bounded(count: int) -> int:
    if count > _MOST:
        msg = "a track has too many parts"
        raise MalformedError(msg)
    return count
