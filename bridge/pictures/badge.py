"""The avatar of those who were given none: initials on a square of a colour of their own."""

import colorsys
import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Final

from bridge.pictures.picture import Picture

SIDE: Final = 256
"""Width and height in pixels."""

CONTRAST_MIN: Final = 4.5
"""Between letters and square, https://www.w3.org/TR/WCAG22/#contrast-minimum."""

_DRAWING: Final = 1
"""To be raised when the same badge is drawn otherwise, so that it is uploaded anew."""

_SATURATION: Final = 0.6
_HEIGHT: Final = {1: 0.6, 2: 0.46}
"""Size of the letters as a part of the square's, by their number."""

Colour = tuple[int, int, int]

_WHITE: Final = (255, 255, 255)


@dataclass(frozen=True)
class Badge:
    """One or two letters in white on `colour`. Not drawn before `render`."""

    letters: str
    colour: Colour

    @classmethod
    def of(cls, name: str, id_: str) -> "Badge":
        """The badge of a network or a bot, always the same.

        Args:
            name: gives the letters, if it has Latin ones; no font with others is at hand.
            id_: gives the colour, and the letters else.
        """
        return cls(_initials(name) or _initials(id_) or "?", _colour(id_))

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digits that are others when the badge looks otherwise."""
        return sha256(f"badge {_DRAWING} {self.letters} {self.colour}".encode()).hexdigest()

    def render(self) -> Picture:
        """Draw it, as a PNG. Takes some milliseconds, the first time a tenth of a second."""
        from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - most starts need no Pillow

        font = ImageFont.load_default(SIDE * _HEIGHT[len(self.letters)])
        stencil = Image.new("L", (2 * SIDE, 2 * SIDE))
        ImageDraw.Draw(stencil).text((SIDE, SIDE), self.letters, 255, font, anchor="mm")
        stencil = stencil.crop(stencil.getbbox())
        square = Image.new("RGB", (SIDE, SIDE), self.colour)
        middle = ((SIDE - stencil.width) // 2, (SIDE - stencil.height) // 2)
        square.paste(_WHITE, middle, stencil)
        file = BytesIO()
        square.save(file, "PNG", optimize=True)
        return Picture(file.getvalue(), "image/png")


def contrast(one: Colour, other: Colour) -> float:
    """Between 1 and 21, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [part / 255 for part in colour]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _initials(name: str) -> str:
    """Of the first and the last word that have Latin letters or digits, without accents."""
    plain = unicodedata.normalize("NFKD", name)
    words = [re.sub(r"[^A-Za-z0-9]", "", word) for word in re.split(r"[\W_]+", _bare(plain))]
    firsts = [word[0].upper() for word in words if word]
    return "".join(firsts if len(firsts) < 2 else (firsts[0], firsts[-1]))


def _bare(text: str) -> str:
    return "".join(char for char in text if not unicodedata.combining(char))


def _colour(id_: str) -> Colour:
    """Of a hue that the id decides, as light as white letters allow."""
    hue = int.from_bytes(sha256(id_.encode()).digest()[:2]) / 65_536
    for percent in range(55, 0, -1):
        red, green, blue = colorsys.hls_to_rgb(hue, percent / 100, _SATURATION)
        colour = (round(red * 255), round(green * 255), round(blue * 255))
        if contrast(colour, _WHITE) >= CONTRAST_MIN:
            return colour
    return (0, 0, 0)
