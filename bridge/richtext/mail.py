"""The formatted part of a mail: a whole HTML document, with styles where mail programs need them.

It loads nothing and has no scripts. Mails come in as anybody's HTML, or as plain text.
"""

from collections.abc import Iterable
from typing import Final

from bridge.richtext.html_writer import ShownHtmlWriter
from bridge.richtext.tree import Block, CodeBlock, Document, Quote, Row, Spoiler

_QUOTE: Final = "margin:0 0 0 .8ex;border-left:2px solid #ccc;padding-left:1ex"
_CODE: Final = "background:#f4f4f4;padding:.5em;white-space:pre-wrap"
_CELLS: Final = 'border="1" cellpadding="4" style="border-collapse:collapse"'
_HEAD: Final = '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>'
_FOOT: Final = "</body></html>"


class MailHtmlWriter(ShownHtmlWriter):
    """Writes the HTML of a mail. Spoilers are told in words: mail programs hide nothing."""

    def document(self, document: Document) -> str:
        """A whole HTML document."""
        return f"{_HEAD}{''.join([self.block(each) for each in document.blocks])}{_FOOT}"

    def block(self, block: Block) -> str:
        """The HTML of a block."""
        html = super().block(block)
        match block:
            case Quote():
                return html.replace("<blockquote>", f'<blockquote style="{_QUOTE}">', 1)
            case CodeBlock():
                return html.replace("<pre>", f'<pre style="{_CODE}">', 1)
        return html

    def table(self, head: Row, rows: Iterable[Row]) -> str:
        """A table with lines between its cells."""
        return super().table(head, rows).replace("<table>", f"<table {_CELLS}>", 1)

    def spoiler(self, spoiler: Spoiler) -> str:
        """Words that were hidden."""
        why = f"spoiler: {spoiler.reason}" if spoiler.reason else "spoiler"
        return f"({self.text(why)}) {self.inlines(spoiler.children)}"
