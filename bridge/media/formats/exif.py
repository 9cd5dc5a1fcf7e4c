"""Of all that Exif holds, the orientation (Exif 2.32, tag 0x0112): 1 is upright, 2 to 8 are turned
or mirrored.
"""

from typing import Final

from bridge.media.formats.reading import MalformedError, number

_ORIENTATION: Final = 0x0112
_SHORT: Final = 3


def orientation(tiff: bytes) -> int:
    """What Exif data says; 1 when that can't be read. `tiff` begins with the byte order."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        directory = number(tiff, 4, 4, order)
        for index in range(number(tiff, directory, 2, order)):
            entry = directory + 2 + 12 * index
            if number(tiff, entry, 2, order) == _ORIENTATION:
                found = number(tiff, entry + 8, 2, order)
                right = number(tiff, entry + 2, 2, order) == _SHORT and 1 <= found <= 8
                return found if right else 1
    except MalformedError:
        pass  # what can't be read is upright
    return 1


def only(orientation: int) -> bytes:
    """Exif data that tells the orientation and nothing else."""
    return (
        b"MM\0*\0\0\0\x08\0\1"
        + _ORIENTATION.to_bytes(2)
        + _SHORT.to_bytes(2)
        + (1).to_bytes(4)
        + orientation.to_bytes(2)
        + bytes(6)
    )


NOTHING: Final = b"MM\0*\0\0\0\x08\0\0\0\0\0\0"
"""Exif data that tells nothing."""
