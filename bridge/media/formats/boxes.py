"""The boxes that MP4, QuickTime, HEIC and AVIF are made of, by ISO/IEC 14496-12, clause 4.2."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridge.media.formats.patches import Patches
from bridge.media.formats.reading import Data, MalformedError, number, taken


@dataclass(frozen=True, slots=True)
class Box:
    """`start` is where its header begins, `body` where its content does."""

    kind: bytes
    start: int
    body: int
    end: int


def boxes(data: Data, start: int, end: int) -> Iterator[Box]:
    """The boxes in a stretch of a file.

    Raises:
        MalformedError: one is longer than the stretch, or shorter than its header.
    """
    at = start
    while end - at >= 8:
        box = box_at(data, at, end)
        if box is None:
            msg = "a box is too long or too short"
            raise MalformedError(msg)
        yield box
        at = box.end


def box_at(data: Data, at: int, end: int) -> Box | None:
    """The box that begins there; None if it has no possible length."""
    length, kind, header = number(data, at, 4), taken(data, at + 4, at + 8), 8
    if length == 1 and end - at >= 16:
        length, header = number(data, at + 8, 8), 16
    elif length == 0:
        length = end - at
    if kind == b"uuid":
        header += 16
    if length < header or at + length > end:
        return None
    return Box(kind, at, at + header, at + length)


def child(data: Data, parent: Box, kind: bytes, skipped: int = 0) -> Box | None:
    """The first box of a kind within another, whose own fields take `skipped` bytes."""
    found = boxes(data, parent.body + skipped, parent.end)
    return next((each for each in found if each.kind == kind), None)


def needed(data: Data, parent: Box, kind: bytes, skipped: int = 0) -> Box:
    """The same.

    Raises:
        MalformedError: there is none.
    """
    found = child(data, parent, kind, skipped)
    if found is None:
        msg = f"the box {kind!r} is missing"
        raise MalformedError(msg)
    return found


def freed(box: Box, patches: Patches) -> None:
    """Make it free space of the same length, with nothing in it (clause 8.1.2)."""
    patches.write(box.start + 4, b"free")
    patches.blank(box.body - (16 if box.kind == b"uuid" else 0), box.end)


def blanked(
    start: int, end: int, holders: Iterable[Box], patches: Patches, content: bytes = b""
) -> None:
    """Write over a stretch of content with `content` and zeros.

    Raises:
        MalformedError: it is not within one of the boxes that hold content.
    """
    if not any(box.body <= start <= end <= box.end for box in holders):
        msg = "a part is not where it should be"
        raise MalformedError(msg)
    patches.blank(start, end, content)
