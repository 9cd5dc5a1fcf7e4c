"""Takes out of pictures and films what tells where and when they were taken."""

from pathlib import Path

from bridge.media.refusals import Uncleanable


def is_cleaned(mime: str) -> bool:
    """Whether files of this type may only be passed on after `clean`, where that is wanted."""
    return mime.startswith(("image/", "video/"))


def clean(source: Path, target: Path, mime: str) -> int:  # noqa: ARG001 - none can be cleaned yet
    """Write a clean copy, and return its size in bytes.

    Raises:
        Uncleanable: it can't be done.
    """
    raise Uncleanable


def measure(path: Path, mime: str) -> tuple[int, int] | None:  # noqa: ARG001
    """Width and height of a picture in pixels; None where they can't be told."""
    return None
