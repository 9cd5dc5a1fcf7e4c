"""Words for clients that do not understand the rest of a message (XEP-0428)."""

from collections.abc import Collection
from xml.etree.ElementTree import Element

from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.xml import FALLBACK, attribute

Span = tuple[int, int]
"""From where to where, in characters of the body."""


def cut(said: Said, understood: Collection[str]) -> tuple[str, bool]:
    """The body without what stands in for a part that is understood; and whether that was any.

    Args:
        said: the message.
        understood: the namespaces of those parts.
    """
    body = said.body or ""
    spans = sorted(
        (
            span
            for fallback in said.all(Part.FALLBACK)
            if fallback.get("for") in understood
            for span in _spans(fallback, len(body))
        ),
        reverse=True,
    )
    for start, end in spans:
        body = body[:start] + body[end:]
        if start == 0:
            body = body.lstrip("\n")
    return body, bool(spans)


def mark(namespace: str, span: Span | None = None) -> str:
    """The element that says so of a part of the body, or of all of it."""
    where = "" if span is None else f" start='{span[0]}' end='{span[1]}'"
    return f"<fallback xmlns='{FALLBACK}' for='{attribute(namespace)}'><body{where}/></fallback>"


def _spans(fallback: Element, length: int) -> list[Span]:
    children = list(fallback)
    bodies = [each for each in children if each.tag == f"{{{FALLBACK}}}body"]
    if not bodies:
        return [] if children else [(0, length)]
    found = (span(each.get("start"), each.get("end"), length) for each in bodies)
    return [each for each in found if each is not None]


def span(start: str | None, end: str | None, length: int) -> Span | None:
    """A range as stanzas give it; None where it is none. Without numbers it is the whole."""
    if start is None and end is None:
        return (0, length)
    first, last = _number(start or "0"), _number(end or str(length))
    if first is None or last is None or not first <= last <= length:
        return None
    return (first, last)


def _number(text: str) -> int | None:
    return int(text) if len(text) < 10 and text.isascii() and text.isdecimal() else None
