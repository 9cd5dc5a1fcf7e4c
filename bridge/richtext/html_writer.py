"""From the tree to HTML: the canonical one, Matrix's, and that of mails.

Nothing gets into the output but the tags written here and escaped texts.
"""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Final

from bridge.richtext.links import told
from bridge.richtext.runs import flatten, words
from bridge.richtext.tree import (
    Block,
    Bold,
    Code,
    CodeBlock,
    Document,
    Heading,
    Inline,
    Italic,
    LineBreak,
    Link,
    List,
    Mention,
    Paragraph,
    Quote,
    Row,
    Rule,
    Spoiler,
    Strike,
    Subscript,
    Superscript,
    Table,
    Text,
    Underline,
)

_TAGS: Final[dict[type, tuple[str, str]]] = {
    Bold: ("<strong>", "</strong>"),
    Italic: ("<em>", "</em>"),
    Strike: ("<del>", "</del>"),
    Underline: ("<u>", "</u>"),
    Superscript: ("<sup>", "</sup>"),
    Subscript: ("<sub>", "</sub>"),
}
_MATRIX_SCHEMES: Final = ("https:", "http:", "mailto:")

Pill = Callable[[Mention], str | None]
"""The URL that stands for a mentioned person at a place, None where there is none."""


def no_pill(mention: Mention) -> None:  # noqa: ARG001
    """A place where people are called by name."""
    return


class HtmlWriter:
    """Writes canonical HTML; what others want otherwise they override."""

    def document(self, document: Document) -> str:
        """The HTML of a document; a single paragraph stands without a tag."""
        blocks = document.blocks
        if len(blocks) == 1 and isinstance(blocks[0], Paragraph):
            return self.inlines(blocks[0].children)
        return "".join([self.block(block) for block in blocks])

    def blocks(self, blocks: Sequence[Block]) -> str:
        """Blocks in a quote or an item: a first paragraph needs no tag but before another."""
        if not blocks:
            return ""
        first, *rest = blocks
        bare = isinstance(first, Paragraph) and not (rest and isinstance(rest[0], Paragraph))
        begin = self.inlines(first.children) if bare else self.block(first)  # type: ignore[union-attr]
        return begin + "".join([self.block(block) for block in rest])

    def block(self, block: Block) -> str:  # noqa: PLR0911 - one line for each
        """The HTML of a block."""
        match block:
            case Paragraph(children):
                return f"<p>{self.inlines(children)}</p>"
            case Heading(level, children):
                return f"<h{level}>{self.inlines(children)}</h{level}>"
            case Quote(blocks):
                return f"<blockquote>{self.blocks(blocks)}</blockquote>"
            case CodeBlock(text, language):
                kind = f' class="language-{escape(language)}"' if language else ""
                return f"<pre><code{kind}>{escape(text, quote=False)}</code></pre>"
            case List(items, ordered, start):
                return self._list(items, start if ordered else None)
            case Table(head, rows):
                return self.table(head, rows)
            case Rule():
                return "<hr>"

    def _list(self, items: Iterable[tuple[Block, ...]], start: int | None) -> str:
        body = "".join([f"<li>{self.blocks(item)}</li>" for item in items])
        if start is None:
            return f"<ul>{body}</ul>"
        return f"<ol>{body}</ol>" if start == 1 else f'<ol start="{start}">{body}</ol>'

    def table(self, head: Row, rows: Iterable[Row]) -> str:
        """A table; its first row is one of headings, or it has none."""
        top = f"<thead>{self._row(head, 'th')}</thead>" if head else ""
        body = "".join([self._row(row, "td") for row in rows])
        return f"<table>{top}<tbody>{body}</tbody></table>"

    def _row(self, row: Row, tag: str) -> str:
        return f"<tr>{''.join([f'<{tag}>{self.inlines(cell)}</{tag}>' for cell in row])}</tr>"

    def inlines(self, inlines: Iterable[Inline]) -> str:
        """The HTML of what is on a line."""
        parts: list[str] = []
        for inline in inlines:
            match inline:
                case Text(text):
                    parts.append(self.text(text))
                case LineBreak():
                    parts.append("<br>")
                case Code(text):
                    parts.append(f"<code>{self.text(text)}</code>")
                case Mention():
                    parts.append(self.mention(inline))
                case Link(children, url):
                    parts.append(self.link(children, url))
                case Spoiler():
                    parts.append(self.spoiler(inline))
                case _:
                    begin, end = _TAGS[type(inline)]
                    parts.append(f"{begin}{self.inlines(inline.children)}{end}")
        return "".join(parts)

    def text(self, text: str) -> str:
        """Words of a text."""
        return escape(text, quote=False)

    def mention(self, mention: Mention) -> str:
        """A person who is called."""
        return (
            f'<mention network="{escape(mention.network)}" id="{escape(mention.id)}">'
            f"{escape(mention.name, quote=False)}</mention>"
        )

    def spoiler(self, spoiler: Spoiler) -> str:
        """Words that are hidden at first, as Matrix writes them."""
        why = f'="{escape(spoiler.reason)}"' if spoiler.reason else ""
        return f"<span data-mx-spoiler{why}>{self.inlines(spoiler.children)}</span>"

    def link(self, children: Sequence[Inline], url: str) -> str:
        """A link; the URL is a safe one already."""
        return f'<a href="{escape(url)}">{self.inlines(children)}</a>'


class ShownHtmlWriter(HtmlWriter):
    """HTML for people's programs: spaces that count are kept, mentions are names or links.

    Args:
        name: how a mentioned person is called there.
        pill: the URL that stands for a mentioned person there, None where there is none.
    """

    def __init__(
        self,
        name: Callable[[Mention], str],
        pill: Pill = no_pill,
    ) -> None:
        self._name = name
        self._pill = pill

    def text(self, text: str) -> str:
        """Words of a text, in which no space may be lost."""
        if "  " in text or "\t" in text:
            text = _kept_spaces(text)
        return escape(text, quote=False)

    def mention(self, mention: Mention) -> str:
        """A person who is called: a link where people are known by links."""
        name = escape(self._name(mention), quote=False)
        url = self._pill(mention)
        return f'<a href="{escape(url)}">{name}</a>' if url else name


def _kept_spaces(text: str) -> str:
    return text.replace("\t", "    ").replace("  ", " \u00a0")


class MatrixHtmlWriter(ShownHtmlWriter):
    """The HTML that Matrix clients show.

    https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes lists the tags and the
    schemes of links: others are told in words.
    """

    def link(self, children: Sequence[Inline], url: str) -> str:
        """A link, of one of Matrix's schemes."""
        if url.startswith(_MATRIX_SCHEMES):
            return super().link(children, url)
        text = words(flatten(children))
        extra = told(text, url)[len(text) :]
        return self.inlines(children) + escape(extra, quote=False)
