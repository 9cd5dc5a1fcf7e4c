"""What a `style` attribute says about words: XHTML-IM has no other way (XEP-0071, section 7.5)."""

import re
from typing import Final

from bridge.richtext.runs import PlainMark
from bridge.richtext.tree import Bold, Italic, Strike, Subscript, Superscript, Underline

_DECLARATION: Final = re.compile(r"([a-z-]+)\s*+:\s*+([^;]*+)")
_HEAVY: Final = re.compile(r"bold|[6-9]\d\d")
_HIDING: Final = {"display": "none", "visibility": "hidden", "mso-hide": "all"}


def declarations(style: str) -> dict[str, str]:
    """Properties and their values, in small letters."""
    return dict(_DECLARATION.findall(style.lower()))


def marks_of(style: dict[str, str]) -> list[PlainMark]:
    """The marks that a style puts on words."""
    marks: list[PlainMark] = []
    if _HEAVY.match(style.get("font-weight", "")):
        marks.append(Bold)
    if style.get("font-style", "").startswith(("italic", "oblique")):
        marks.append(Italic)
    decoration = style.get("text-decoration", "") + style.get("text-decoration-line", "")
    if "line-through" in decoration:
        marks.append(Strike)
    if "underline" in decoration:
        marks.append(Underline)
    raised = style.get("vertical-align", "")
    if raised.startswith("super"):
        marks.append(Superscript)
    elif raised.startswith("sub"):
        marks.append(Subscript)
    return marks


def unmarks(style: dict[str, str], mark: object) -> bool:
    """Whether a style takes the weight or slant away that its tag gives."""
    if mark is Bold:
        return style.get("font-weight", "").startswith(("normal", "400"))
    return mark is Italic and style.get("font-style", "").startswith("normal")


def hides(style: dict[str, str]) -> bool:
    """Whether nobody is to see it: such text is for machines, or for tricks."""
    return any(style.get(name, "").startswith(value) for name, value in _HIDING.items())
