"""What is new in a formatted text; see `new_text` for what is cut and what not.

The result is as hostile as what came in: the core makes it harmless.
"""

import re
from dataclasses import dataclass
from typing import Final

import lxml.etree
import lxml.html
import quotequail  # type: ignore[import-untyped]
from lxml.html import HtmlElement

_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NEVER: Final = ("script", "style", "head", "title", "meta", "link", "template", "noscript")
_FROM_HERE: Final = (
    '//*[@id="divRplyFwdMsg" or @id="appendonsend" or @name="messageReplySection"'
    ' or @id="mail-editor-reference-message-container"'
    ' or contains(concat(" ", @class, " "), " OutlookMessageHeader ")]'
)
"""From such an element on, everything is quoted: the programs by Microsoft mark only the start."""
_OUTLOOK_RULE: Final = re.compile(
    r"border:\s*none;\s*border-top:\s*solid #[0-9a-f]{6} 1\.0pt;\s*padding:\s*3\.0pt 0(?:in|cm)",
    re.IGNORECASE,
)
_QUOTED_CLASSES: Final = ("gmail_quote", "yahoo_quoted", "protonmail_quote", "zmail_extra")
_QUOTATION: Final = "//blockquote[@type='cite']|" + "|".join(
    f'//*[contains(concat(" ", @class, " "), " {name} ")]' for name in _QUOTED_CLASSES
)
_INTRODUCTION: Final = (
    '//*[contains(concat(" ", @class, " "), " moz-cite-prefix ")'
    ' or contains(concat(" ", @class, " "), " gmail_attr ")]'
)
_SIGNATURE: Final = (
    '//*[contains(concat(" ", @class, " "), " gmail_signature ")'
    ' or contains(concat(" ", @class, " "), " moz-signature ") or @id="Signature"]'
)
_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "body",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_MOST: Final = 400_000
"""Characters beyond which nothing is looked for."""


@dataclass(frozen=True, slots=True)
class CutHtml:
    """What is left of a formatted text, also as plain text; `quoted` as for `Cut`."""

    html: str
    text: str
    quoted: bool = False


def new_html(html: str, *, answers: bool) -> CutHtml:
    """The new part of a mail's formatted text.

    Args:
        html: the mail's.
        answers: whether the mail is an answer.
    """
    body = _body(html)
    if body is None:
        return CutHtml("", "")
    before = CutHtml(_inner(body), _plain(body))
    if len(html) > _MOST:
        return before
    quoted = False
    if answers:
        quoted = _cut_marked(body)
        if not quoted and (other := _cut_recognised(before.html)) is not None:
            body, quoted = other, True
    for element in _outermost(body.xpath(_SIGNATURE)):
        _drop(element)
    after = CutHtml(_inner(body), _plain(body), quoted)
    return after if after.text or "<img" in after.html else before


def plain_of(html: str) -> str:
    """The words of a formatted text, with a line for each block."""
    body = _body(html)
    return "" if body is None else _plain(body)


def _body(html: str) -> HtmlElement | None:
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = lxml.html.document_fromstring(_ILLEGAL.sub("", html).encode(), parser=parser)
    except (lxml.etree.ParserError, lxml.etree.XMLSyntaxError):
        return None
    for element in list(tree.iter(*_NEVER)):
        _drop(element)
    found = tree.find("body")
    return tree if found is None else found


def _cut_marked(body: HtmlElement) -> bool:
    """Cut off what the mail program itself marks as quoted."""
    starts = [*body.xpath(_FROM_HERE), *_outlook_rules(body)]
    if starts:
        _drop_from(starts[0])
        return True
    quotations = _outermost(body.xpath(_QUOTATION))
    if len(quotations) != 1 or _has_own_words(quotations[0]):
        return False
    introductions = body.xpath(_INTRODUCTION)
    for element in (*quotations, *introductions):
        if element.getparent() is not None:
            _drop(element)
    return True


def _cut_recognised(html: str) -> HtmlElement | None:
    """Cut off what reads as quoted; None where nothing does."""
    try:
        found = quotequail.unwrap_html(html)
    except (lxml.etree.LxmlError, ValueError):
        return None
    if not found or "<blockquote" in found.get("html_bottom", ""):
        return None
    new = found.get("html_top", "") + found.get("html_bottom", "")
    return _body(new) if new else None


def _outlook_rules(body: HtmlElement) -> list[HtmlElement]:
    styled = body.xpath("//div[contains(@style, 'border-top')]")
    return [each for each in styled if _OUTLOOK_RULE.match(each.get("style", "").strip())]


def _has_own_words(quotation: HtmlElement) -> bool:
    """Whether answers stand within it, outside of what it quotes."""
    if quotation.tag == "blockquote":
        return False
    inner = list(quotation.iter("blockquote"))
    if not inner:
        return False
    within = {id(each) for quote in inner for each in quote.iter()}
    introductions = quotation.xpath("." + _INTRODUCTION)
    within |= {id(each) for intro in introductions for each in intro.iter()}
    for element in quotation.iter():
        own = element.text if id(element) not in within else None
        parent = element.getparent()
        tail = element.tail if element is not quotation and id(parent) not in within else None
        if any(words and len(words.strip()) > 2 for words in (own, tail)):
            return True
    return False


def _outermost(elements: list[HtmlElement]) -> list[HtmlElement]:
    chosen = {id(each) for each in elements}
    return [
        each for each in elements if not any(id(above) in chosen for above in each.iterancestors())
    ]


def _drop(element: HtmlElement) -> None:
    """Remove it, but not the words after it."""
    if element.getparent() is not None:
        element.drop_tree()


def _drop_from(element: HtmlElement) -> None:
    """Remove it and everything after it."""
    here = element
    while (parent := here.getparent()) is not None and here.tag != "body":
        here.tail = None
        for later in list(here.itersiblings()):
            parent.remove(later)
        if here is element:
            above = parent
            parent.remove(here)
            here = above
        else:
            here = parent


def _inner(body: HtmlElement) -> str:
    inner = (body.text or "") and lxml.html.tostring(_only_text(body), encoding="unicode")[6:-7]
    return (inner + "".join(lxml.html.tostring(each, encoding="unicode") for each in body)).strip()


def _only_text(body: HtmlElement) -> HtmlElement:
    holder = lxml.html.Element("span")
    holder.text = body.text
    return holder


def _plain(body: HtmlElement) -> str:
    pieces: list[str] = []
    for event, element in lxml.etree.iterwalk(body, events=("start", "end")):
        if not isinstance(element.tag, str):
            continue
        if event == "start":
            if element.tag in _BLOCKS or element.tag == "br":
                pieces.append("\n")
            pieces.append(" ".join((element.text or "").split("\n")))
        else:
            if element.tag in _BLOCKS:
                pieces.append("\n")
            if element is not body:
                pieces.append(" ".join((element.tail or "").split("\n")))
    lines = [" ".join(line.split()) for line in "".join(pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
