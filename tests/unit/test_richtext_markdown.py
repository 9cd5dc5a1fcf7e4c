"""Markdown out and in: what is written is read as it was meant."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from richtext_trees import MARKDOWN, built

from bridge.contract import Dialect
from bridge.richtext import read, write
from bridge.richtext.html_writer import HtmlWriter
from bridge.richtext.markdown_reader import MAX_MARKDOWN
from bridge.richtext.markdown_reader import read as read_markdown
from bridge.richtext.markdown_writer import MarkdownLayout
from bridge.richtext.normal import normal
from bridge.richtext.tree import Bold, Document, Italic, Paragraph, Strike, Text


def one_spaced(document: Document) -> Document:
    """Markdown knows no two spaces in a row."""
    html = HtmlWriter().document(document)
    from bridge.richtext.html_reader import read_hostile

    return read_hostile(html)


@given(MARKDOWN)
def test_a_tree_comes_back_from_markdown_as_it_was(document):
    document = one_spaced(document)
    assert read_markdown(MarkdownLayout().document(document)) == document
