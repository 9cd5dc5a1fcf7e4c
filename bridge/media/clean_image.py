"""Takes out of pictures and films what tells where, when, by whom and with what they were taken.

Nothing is decoded or compressed anew: parts of a file are left out or written over. That keeps
pictures as they are, costs no time, and leaves hostile files nothing to unpack to. So Pillow is
not used: what it opens it decodes, and what it saves it compresses.
"""

import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from bridge.media.formats import film, gif, heif, jpeg, png, tiff, webp
from bridge.media.formats.reading import Data, MalformedError, Size
from bridge.media.refusals import Uncleanable

_Result = TypeVar("_Result")


class _Format(NamedTuple):
    pieces: Callable[[Data], Iterator[bytes]]
    size: Callable[[Data], Size | None]


_FILM: Final = _Format(film.pieces, film.size)
_HEIF: Final = _Format(heif.pieces, heif.size)
_FORMATS: Final = {
    "image/jpeg": _Format(jpeg.pieces, jpeg.size),
    "image/png": _Format(png.pieces, png.size),
    "image/webp": _Format(webp.pieces, webp.size),
    "image/gif": _Format(gif.pieces, gif.size),
    "image/tiff": _Format(tiff.pieces, tiff.size),
    "image/heic": _HEIF,
    "image/heif": _HEIF,
    "image/avif": _HEIF,
    "video/mp4": _FILM,
    "video/quicktime": _FILM,
    "video/3gpp": _FILM,
    "audio/mp4": _FILM,
}
_HARMLESS: Final = frozenset({"image/bmp", "image/x-icon", "image/svg+xml"})
"""Pictures that have no place for such things, or are texts."""


def is_cleaned(mime: str) -> bool:
    """Whether files of this type may only be passed on after `clean`, where that is wanted."""
    return mime in _FORMATS or (mime.startswith("image/") and mime not in _HARMLESS)


def clean(source: Path, target: Path, mime: str) -> int:
    """Write a clean copy for this user alone, and return its size in bytes. Blocks.

    Args:
        source: the file.
        target: the copy; must not be there yet.
        mime: what the file is by its content.

    Raises:
        Uncleanable: the file is not what it should be, or its type is not one that can be cleaned.
        OSError: the disk fails.
    """
    known = _FORMATS.get(mime)
    if known is None:
        raise Uncleanable
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        try:
            for piece in _on(source, known.pieces):
                file.write(piece)
        except MalformedError as error:
            raise Uncleanable from error
        return file.tell()


def measure(path: Path, mime: str) -> Size | None:
    """Width and height of a picture or film, in pixels as it is to be shown. Blocks.

    None where they can't be told.

    Raises:
        OSError: the disk fails.
    """
    known = _FORMATS.get(mime)
    if known is None:
        return None

    def once(data: Data) -> Iterator[Size | None]:
        yield known.size(data)

    try:
        [found] = _on(path, once)
    except MalformedError:
        return None
    return found


def _on(path: Path, work: Callable[[Data], Iterator[_Result]]) -> Iterator[_Result]:
    """What a generator gives for a file, which is mapped for as long as that takes."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            msg = "it is empty"
            raise MalformedError(msg)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield from work(data)
