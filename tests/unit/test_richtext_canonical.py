"""Canonical HTML says exactly what the tree says, and only trees in normal form come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from richtext_trees import ANY

from bridge.richtext.html_reader import read_canonical, read_hostile
from bridge.richtext.html_writer import HtmlWriter
from bridge.richtext.normal import normal
from bridge.richtext.tree import (
    MAX_DEPTH,
    Bold,
    Code,
    CodeBlock,
    Document,
    Heading,
    Italic,
    LineBreak,
    Link,
    List,
    Mention,
    Paragraph,
    Quote,
    Table,
    Text,
)


def canonical(document: Document) -> str:
    return HtmlWriter().document(document)


@given(ANY)
def test_a_tree_comes_back_from_canonical_html_as_it_was(document):
    assert read_canonical(canonical(document)) == document


@given(ANY)
def test_the_normal_form_of_a_normal_tree_is_itself(document):
    assert normal(document) == document


@given(st.text() | st.text(alphabet="<>/=\"' abipul&#;-!"))
def test_any_html_is_read_into_normal_form_and_canonical_html_of_it_says_the_same(html):
    document = read_hostile(html)
    assert normal(document) == document
    assert read_canonical(canonical(document)) == document


TAGS = [
    "b",
    "i",
    "p",
    "div",
    "ul",
    "ol",
    "li",
    "table",
    "tr",
    "td",
    "th",
    "blockquote",
    "pre",
    "code",
]
TAGS += ["h1", "q", "sup", "mx-reply", "script", "svg"]
PIECES = [*(f"<{tag}>" for tag in TAGS), *(f"</{tag}>" for tag in TAGS), "<br>", "<hr>", "a", "b"]
PIECES += ["<a href='https://e.org'>", "</a>", "<span style='font-weight:bold'>", "</span>", "<!--"]
PIECES += ["-->", "&amp;", "&nbsp;", "&#1;", "<img alt=x>", " ", "\n"]


@given(st.lists(st.sampled_from(PIECES)))
def test_tags_in_any_order_are_read_into_normal_form(parts):
    document = read_hostile("".join(parts))
    assert normal(document) == document
    assert read_canonical(canonical(document)) == document


@pytest.mark.parametrize(
    ("children", "tidy"),
    [
        ((Text("a"), Text("b")), (Text("ab"),)),
        ((Bold((Text("a "),)), Text("b")), (Bold((Text("a"),)), Text(" b"))),
        ((Bold((Bold((Text("a"),)),)),), (Bold((Text("a"),)),)),
        ((Bold((Text("a"),)), Bold((Text("b"),))), (Bold((Text("ab"),)),)),
        ((Text("a\nb"),), (Text("a"), LineBreak(), Text("b"))),
        ((Text("a"), LineBreak()), (Text("a"),)),
        ((Link((Text("x"),), "javascript:alert(1)"),), (Text("x"),)),
        ((Code("a\nb"),), (Code("a b"),)),
    ],
)
def test_inlines_are_tidied(children, tidy):
    assert normal(Document((Paragraph(children),))) == Document((Paragraph(tidy),))


def test_two_line_breaks_part_paragraphs_even_within_a_mark():
    bold = Bold((Text("a"), LineBreak(), LineBreak(), Text("b")))
    assert normal(Document((Paragraph((bold,)),))) == Document(
        (Paragraph((Bold((Text("a"),)),)), Paragraph((Bold((Text("b"),)),)))
    )


def test_what_is_nested_too_deep_is_lifted_and_not_lost():
    document = Document((Paragraph((Text("deep"),)),))
    for _ in range(3 * MAX_DEPTH):
        document = Document((Quote(document.blocks),))
    html = canonical(normal(document))
    assert html == "<blockquote>" * MAX_DEPTH + "deep" + "</blockquote>" * MAX_DEPTH


def test_a_table_of_very_uneven_rows_is_not_filled_up():
    cell = (Text("x"),)
    wide = Table((), ((cell,) * 1000, *[(cell,)] * 1000))
    found = normal(Document((wide,)))
    assert all(isinstance(block, Paragraph) for block in found.blocks)
    assert len(found.blocks) == 1001


def test_each_kind_of_block_has_its_canonical_html():
    person = Mention("xmpp", 'a"b', "A & B")
    document = Document(
        (
            Heading(2, (Text("H"),)),
            Paragraph((Italic((Text("<"),)), person)),
            List(((Paragraph((Text("x"),)),), ()), ordered=True, start=3),
            CodeBlock("a < b", "python"),
            Table(((Text("k"),),), (((Code("v"),),),)),
        )
    )
    assert canonical(document) == (
        "<h2>H</h2><p><em>&lt;</em>"
        '<mention network="xmpp" id="a&quot;b">A &amp; B</mention></p>'
        '<ol start="3"><li>x</li><li></li></ol>'
        '<pre><code class="language-python">a &lt; b</code></pre>'
        "<table><thead><tr><th>k</th></tr></thead><tbody><tr><td><code>v</code></td></tr></tbody></table>"
    )
    assert read_canonical(canonical(document)) == document
