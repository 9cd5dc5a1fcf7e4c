"""HTML cut into tags and texts, as the HTML standard's tokenizer does (section 13.2.5).

One regular expression, in which no character can be looked at twice but for blank space: its time
is linear for every input. What it gets wrong can't be dangerous, since nothing of the input's
markup is ever passed on: what is written anew is our own tree.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Final, NamedTuple

from bridge.richtext.characters import sound

_NAME: Final = r"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_VALUE: Final = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >"'][^\t\n\f\r >]*+)"""
_ATTRIBUTE: Final = rf"[\t\n\f\r /]*+{_NAME}(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+{_VALUE}?+)?+"

_TOKEN: Final = re.compile(
    rf"""
    (?P<text>(?:[^<]++|<(?![a-zA-Z/!?]))++)
  | <(?P<end>/?)(?P<name>[a-zA-Z][^\t\n\f\r />]*+)
     (?P<attributes>(?:{_ATTRIBUTE})*+)(?P<tail>[\t\n\f\r\ /]*+)(?:>|\Z)
  | <!--(?:-?>|.*?(?:--!?>|\Z))
  | <[!?/][^>]*+(?:>|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_ONE_ATTRIBUTE: Final = re.compile(
    r"""([^\t\n\f\r />][^\t\n\f\r />=]*+)(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+"""
    r"""(?:"([^"]*+)"?|'([^']*+)'?|([^\t\n\f\r >"'][^\t\n\f\r >]*+))?+)?+"""
)
# What is in these is no markup; none of it is text for people, either.
_RAW: Final = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE)
    for name in ("script", "style", "title", "xmp", "iframe", "noembed", "noframes")
}


class Tag(NamedTuple):
    """A start or end tag; `attributes` as they stand, see `attributes_of`."""

    name: str
    attributes: str = ""
    is_end: bool = False
    closes_itself: bool = False


def tokens(html: str) -> Iterator[Tag | str]:
    """Tags and texts in their order; comments, scripts and styles are left out."""
    position, end = 0, len(html)
    match = _TOKEN.match
    while position < end:
        found = match(html, position)
        if found is None:  # can't be: the last alternative takes what the others leave
            return
        position = found.end()
        kind = found.lastgroup
        if kind == "text":
            text = found[0]
            yield sound(unescape(text) if "&" in text else text)
        elif kind == "tail":
            if html[position - 1] != ">":
                return  # a tag that never ends is none, says the standard
            _, is_end, name, attributes, tail = found.groups()
            name = name.lower()
            yield Tag(name, attributes, bool(is_end), "/" in tail)
            if name in _RAW and not is_end:
                ending = _RAW[name].search(html, position)
                if ending is None:
                    return
                position = ending.start()


def attributes_of(tag: Tag) -> dict[str, str]:
    """The attributes of a tag; of two with one name the first counts."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ONE_ATTRIBUTE.findall(tag.attributes):
        value = double or single or bare
        found.setdefault(name.lower(), sound(unescape(value)) if "&" in value else sound(value))
    return found
