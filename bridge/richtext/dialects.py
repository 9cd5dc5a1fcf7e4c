"""The doors of this package: from a place's text to plain text and canonical HTML, and back.

What is kept of a text is its plain form and, only where that does not say everything, canonical
HTML. All functions are pure, take time in proportion to their input, and raise nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bridge.contract import Dialect
from bridge.richtext import markdown_reader, plain, styling_reader
from bridge.richtext.characters import size, sound
from bridge.richtext.cutting import LEAST, chunks, cut
from bridge.richtext.fragments import fragments_of
from bridge.richtext.html_reader import LinkHook, read_canonical, read_hostile
from bridge.richtext.html_writer import HtmlWriter, MatrixHtmlWriter, Pill, no_pill
from bridge.richtext.layout import Name, own_name
from bridge.richtext.mail import MailHtmlWriter
from bridge.richtext.markdown_writer import MarkdownLayout
from bridge.richtext.mentions import Called, mentions_in, with_mentions
from bridge.richtext.normal import is_formatted, normal
from bridge.richtext.replies import shortened
from bridge.richtext.spans import Span, spans_of, without_marks
from bridge.richtext.styling_writer import StylingLayout
from bridge.richtext.tree import Bold, Document, LineBreak, Mention, Paragraph, Quote, Text

MAX_HTML: Final = 1_000_000
"""Characters of HTML that are read; of longer ones the plain text beside them is taken."""

_KEPT: Final = 8_000
"""Characters of canonical HTML up to which its tree is kept for the next place."""


@dataclass(frozen=True, slots=True)
class Rich:
    """A text as it is stored. `html` is canonical HTML, None where `plain` says everything."""

    plain: str
    html: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A text as it is sent to a place.

    `html` goes beside it, in the dialects that have it (`HTML`, `MAIL`), None where it would say
    no more. `spans` are the mentions in `text`, in code points.
    `unstyled`: only of XMPP. It is plain text that would be taken for styled: send it with the
    hint `<unstyled xmlns="urn:xmpp:styling:0"/>` (XEP-0393, section 7).
    """

    text: str
    html: str | None = None
    spans: tuple[Span, ...] = ()
    unstyled: bool = False


# --- in -----------------------------------------------------------------------------------------


def read(
    dialect: Dialect,
    text: str,
    html: str | None = None,
    mentions: Sequence[Called] = (),
    *,
    link: LinkHook | None = None,
) -> Rich:
    """What somebody wrote, in the form that is stored.

    Args:
        dialect: that of `text`.
        text: what was written.
        html: its formatted form beside it, if it has one, in any HTML. Where it says anything, it
            alone is read: a text and its formatted form could say different things.
        mentions: people whom the text calls by name.
        link: tells links that are mentions.
    """
    document = _read(dialect, text, html, link)
    if document is None:
        text = sound(text)
        if not any(each.span in text for each in mentions):
            return Rich(text)
        document = with_mentions(plain.read(text), mentions)
        return Rich(text, HtmlWriter().document(document) if is_formatted(document) else None)
    if mentions:
        document = with_mentions(document, mentions)
    return rich(document)


def _read(dialect: Dialect, text: str, html: str | None, link: LinkHook | None) -> Document | None:
    """The tree of a text; None where it is plain."""
    if html and (len(html) <= MAX_HTML or not text):
        document = read_hostile(html[:MAX_HTML], link)
        if document.blocks:
            return document
    if dialect is Dialect.XMPP and styling_reader.may_be_styled(text):
        return _if_formatted(styling_reader.read(text))
    if dialect is Dialect.MARKDOWN and markdown_reader.may_be_marked(text):
        return markdown_reader.read(text, link)
    return None


def _if_formatted(document: Document) -> Document | None:
    return document if is_formatted(document) else None


def rich(document: Document) -> Rich:
    """The form of a tree that is stored."""
    text = without_marks(plain.PlainLayout().document(document))
    return Rich(text, HtmlWriter().document(document) if is_formatted(document) else None)


# --- out ----------------------------------------------------------------------------------------


def write(
    dialect: Dialect,
    text: str,
    html: str | None,
    *,
    name: Name = own_name,
    pill: Pill = no_pill,
) -> Written:
    """What is stored, as it is sent to a place.

    Args:
        dialect: that of the place.
        text: the plain form.
        html: canonical HTML, if there is any; then `text` is not looked at.
        name: how a mentioned person is called there.
        pill: the URL that stands for a mentioned person there; only of `HTML` and `MAIL`.
    """
    if html is not None:
        return _write_tree(dialect, _tree(html), name, pill)
    if dialect is Dialect.XMPP and styling_reader.may_be_styled(text):
        return Written(text, unstyled=is_formatted(styling_reader.read(text)))
    if dialect is Dialect.MARKDOWN and ("\n" in text or markdown_reader.may_be_marked(text)):
        return Written(MarkdownLayout().document(plain.read(text)))
    return Written(text)


def _tree(html: str) -> Document:
    return _kept_tree(html) if len(html) <= _KEPT else read_canonical(html)


_kept_tree = lru_cache(maxsize=64)(read_canonical)  # one message goes to many places


def _write_tree(dialect: Dialect, document: Document, name: Name, pill: Pill) -> Written:
    marked = _LAYOUTS[dialect](name).document(document)
    text = without_marks(marked)
    spans = spans_of(marked, mentions_in(document)) if len(text) != len(marked) else ()
    html: str | None = None
    if dialect is Dialect.HTML:
        html = MatrixHtmlWriter(name, pill).document(document)
    elif dialect is Dialect.MAIL:
        html = MailHtmlWriter(name, pill).document(document)
    return Written(text, html, spans)


_LAYOUTS: Final = {
    Dialect.PLAIN: plain.PlainLayout,
    Dialect.HTML: plain.PlainLayout,
    Dialect.MAIL: plain.PlainLayout,
    Dialect.XMPP: StylingLayout,
    Dialect.MARKDOWN: MarkdownLayout,
}


# --- parts and additions ------------------------------------------------------------------------


def fragments(  # noqa: PLR0913 - those of `write`, and the limit
    dialect: Dialect,
    text: str,
    html: str | None,
    max_bytes: int,
    *,
    name: Name = own_name,
    pill: Pill = no_pill,
) -> list[Rich]:
    """A text in pieces each of which, written with the same arguments, takes `max_bytes` at most.

    They are cut at paragraph ends, else line ends, else between words, and never within what
    people take for one character. What is open at a cut is closed, and opened again in the next.
    Pieces of nothing but white space are left out.

    Args:
        dialect: that of the place.
        text: the plain form.
        html: canonical HTML, if there is any.
        max_bytes: of UTF-8, for the text and the HTML beside it together; 8 at least.
        name: see `write`.
        pill: see `write`.
    """
    max_bytes = max(max_bytes, LEAST)

    def measure(piece: Rich) -> int:
        return _size(write(dialect, piece.plain, piece.html, name=name, pill=pill))

    def measure_tree(piece: Document) -> int:
        if is_formatted(piece):
            return _size(_write_tree(dialect, piece, name, pill))
        return measure(rich(piece))

    whole = Rich(text, html)
    if html is None:
        return _plain_fragments(whole, max_bytes, measure)
    if measure(whole) <= max_bytes:
        return [whole]
    return [rich(each) for each in fragments_of(_tree(html), max_bytes, measure_tree)]


def _size(written: Written) -> int:
    return size(written.text) + size(written.html or "")


def _plain_fragments(whole: Rich, max_bytes: int, measure: Callable[[Rich], int]) -> list[Rich]:
    """Pieces of a plain text; where a dialect's escapes make one too long, it is cut again."""
    found: list[Rich] = []
    for piece in map(Rich, cut(whole.plain, max_bytes)):
        length = measure(piece)
        if length <= max_bytes:
            found.append(piece)
            continue
        smaller = max_bytes * size(piece.plain) // length
        for part in map(Rich, cut(piece.plain, smaller)):
            if measure(part) <= max_bytes:
                found.append(part)
            else:
                found.extend(map(Rich, chunks(part.plain, max_bytes // 4)))
    return found


def mentions_of(html: str | None) -> tuple[Mention, ...]:
    """The mentions in canonical HTML, in the order of the text."""
    return mentions_in(_tree(html)) if html and "<mention" in html else ()


def with_lead(text: str, html: str | None, lead: str) -> Rich:
    """A stored text with a few words before it, such as "Anna:" where all share one account."""
    plain_form = f"{lead} {text}" if text else lead
    if html is None:
        return Rich(plain_form)
    first, *more = _tree(html).blocks or (Paragraph(()),)
    if isinstance(first, Paragraph):
        led = [Paragraph((Text(f"{lead} "), *first.children)), *more]
    else:
        led = [Paragraph((Text(lead),)), first, *more]
    return rich(normal(Document(tuple(led))))


def with_quote(text: str, html: str | None, author: str, answered: str) -> Rich:
    """A stored text below a short quotation of what it answers, for places without replies."""
    inlines: list[Bold | Text | LineBreak] = [Bold((Text(f"{author}:"),)), Text(" ")]
    for number, line in enumerate(shortened(answered)):
        inlines.extend([LineBreak()] * (number > 0))
        inlines.append(Text(line))
    document = plain.read(text) if html is None else _tree(html)
    quotation = Quote((Paragraph(tuple(inlines)),))
    return rich(normal(Document((quotation, *document.blocks))))
