"""Formatted text as older clients send it (XEP-0071)."""

from html import escape
from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.xml import XHTML

_BODY: Final = f"{{{XHTML}}}body"
_BLOCKQUOTE: Final = f"{{{XHTML}}}blockquote"
_DROPPED: Final = frozenset({"script", "style", "head", "title", "object", "iframe"})
_EMPTY: Final = frozenset({"br", "img", "hr"})
_ATTRIBUTES: Final = ("href", "src", "alt", "title")
_DEEPEST: Final = 60


def read(said: Said, *, quotation_cut: bool) -> str | None:
    """The formatted form of a message, as HTML; None where it has none.

    Args:
        said: the message.
        quotation_cut: whether a quotation before the answer was cut from the text: it goes from
            here as well, and if it can't be found, then the text alone is to be shown.
    """
    html = said.part(Part.XHTML)
    body = None if html is None else html.find(_BODY)
    if body is None:
        return None
    if quotation_cut:
        if len(body) == 0 or body[0].tag != _BLOCKQUOTE or (body.text or "").strip():
            return None
        without = Element(_BODY)
        without.text = body[0].tail
        without.extend(body[1:])
        body = without
    written: list[str] = []
    return "".join(written).strip() or None if _write(body, written, 0) else None


def _write(element: Element, written: list[str], depth: int) -> bool:
    """Write what is in it; False where it is nested beyond all reason."""
    if depth > _DEEPEST:
        return False
    written.append(escape(element.text or "", quote=False))
    for child in element:
        namespace, _, local = child.tag.rpartition("}")
        if namespace == "{" + XHTML and local not in _DROPPED:
            attributes = "".join(
                f' {name}="{escape(value)}"'
                for name in _ATTRIBUTES
                if (value := child.get(name)) is not None
            )
            written.append(f"<{local}{attributes}>")
            if local not in _EMPTY:
                if not _write(child, written, depth + 1):
                    return False
                written.append(f"</{local}>")
        written.append(escape(child.tail or "", quote=False))
    return True
