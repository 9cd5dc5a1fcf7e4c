"""Pictures as bytes, of the few formats that every Matrix client shows."""

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Final

FORMATS: Final = "PNG, JPEG, WebP or GIF"

_BEGINNINGS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


@dataclass(frozen=True)
class Picture:
    """A picture in a file format that `media_type` names."""

    content: bytes = field(repr=False)
    media_type: str

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digits that are others when the content is."""
        return sha256(self.content).hexdigest()

    def render(self) -> "Picture":
        """Itself: there is nothing to draw."""
        return self


def media_type_of(content: bytes) -> str | None:
    """What kind of picture this is, by how it begins; None if it is none of `FORMATS`.

    See https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern.
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begin, kind in _BEGINNINGS.items() if content.startswith(begin)), None)
