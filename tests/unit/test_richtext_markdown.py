"""Markdown out and in: what is written is read as it was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from richtext_trees import ANY, MARKDOWN, anything, texts

from bridge.contract import Dialect
from bridge.richtext import read, write
from bridge.richtext.html_reader import read_hostile
from bridge.richtext.html_writer import HtmlWriter
from bridge.richtext.markdown_reader import MAX_MARKDOWN
from bridge.richtext.markdown_reader import read as read_markdown
from bridge.richtext.markdown_writer import MarkdownLayout
from bridge.richtext.normal import normal
from bridge.richtext.tree import Document


def one_spaced(document: Document) -> Document:
    """The document with single spaces: Markdown knows no others."""
    return read_hostile(HtmlWriter().document(document))


@given(MARKDOWN)
def test_a_tree_comes_back_from_markdown_as_it_was(document):
    document = one_spaced(document)
    assert read_markdown(MarkdownLayout().document(document)) == document


@given(ANY)
def test_any_tree_is_written_as_something_that_markdown_reads(document):
    found = read_markdown(MarkdownLayout().document(document))
    assert normal(found) == found


@given(st.lists(texts | st.sampled_from(["1.", "#", "-", "===", "    x", "|--|"])).map("\n".join))
def test_a_plain_text_is_escaped_so_that_it_stays_plain(text):
    back = read(Dialect.MARKDOWN, write(Dialect.MARKDOWN, text, None).text)
    assert back.html is None
    assert back.plain.split() == text.split()


@given(anything)
def test_any_text_is_read(text):
    read(Dialect.MARKDOWN, text)


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<b>a</b> <i>b</i> <s>c</s> <code>d</code>", "**a** _b_ ~~c~~ `d`"),
        ("<b>a <i>b</i> c</b>", "**a _b_ c**"),
        ("<b><i>a</i></b>", "**_a_**"),
        ("in<b>side</b>s", "in**side**s"),
        ("in<i>side</i>s", "in<em>side</em>s"),
        ("a<b>(b)</b>c", "a<strong>(b)</strong>c"),
        ("<b>a</b><i>b</i>", "**a**_b_"),
        ("<u>a</u> 10<sup>9</sup> H<sub>2</sub>O", "<u>a</u> 10<sup>9</sup> H<sub>2</sub>O"),
        ("<code>a`b</code> <code>``</code>", "``a`b`` ``` `` ```"),
        ("<pre><code>```</code></pre>", "````\n```\n````"),
        ('<a href="https://e.org/">a [b]</a>', "[a \\[b\\]](https://e.org/)"),
        ('<a href="https://e.org/(x">y</a>', "[y](<https://e.org/(x>)"),
        ('<a href="https://e.org/">https://e.org/</a>', "<https://e.org/>"),
        ('<b>see!</b>!<a href="https://e.org/">y</a>', "**see!**\\![y](https://e.org/)"),
        ("a<br>b", "a  \nb"),
        ("<b>a</b><br>- b<br>1. c<br># d<br>---", "**a**  \n\\- b  \n1\\. c  \n\\# d  \n\\---"),
        ("<h2>C#</h2>x", "## C\\#\n\nx"),
        ("<ul><li>a<li>b</ul><ul><li>c</ul>", "- a\n- b\n\n* c"),
        ("<ol start=4><li>a<p>b</p></ol>", "4. a\n\n   b"),
        ("<blockquote><ul><li>a</ul></blockquote>", "> - a"),
        (
            "<table><tr><th>a|b<th>c<tr><td>1<br>2<td><code>|</code></table>",
            "| a\\|b | c |\n| --- | --- |\n| 1<br>2 | `\\|` |",
        ),
        ("<b>AT&amp;T &amp;amp; &lt;5 mg &lt;b&gt;</b>", "**AT&T \\&amp; <5 mg \\<b>**"),
    ],
)
def test_formatted_text_is_written_as_people_would_write_it(html, markdown):
    stored = read(Dialect.HTML, "", html)
    assert write(Dialect.MARKDOWN, stored.plain, stored.html).text == markdown
    assert read(Dialect.MARKDOWN, markdown) == stored


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("a *b*\nc", "a <em>b</em><br>c"),
        ("a <b>b</b> <script>x</script>", "a <strong>b</strong> "),
        ("<div>\n\n**a**\n\n</div>", "<strong>a</strong>"),
        ("![alt *x*](https://evil.example/p.gif) **b**", "alt x <strong>b</strong>"),
        ("[x](javascript:alert(1)) **b**", "[x](javascript:alert(1)) <strong>b</strong>"),
        ("[x](ftp://e.org) **b**", "x <strong>b</strong>"),
        ("|a|\n|-|", "<table><thead><tr><th>a</th></tr></thead><tbody></tbody></table>"),
        ("- [x] done", "<ul><li>[x] done</li></ul>"),
    ],
)  # fmt: skip
def test_markdown_is_read_and_what_is_hostile_in_it_dropped(markdown, html):
    assert read(Dialect.MARKDOWN, markdown).html == html.rstrip()


@pytest.mark.parametrize("text", ["Hello, how are you?", "a\nb\n\nc", "38.5 since Monday (a.m.)"])
def test_a_text_without_marks_is_as_it_is(text):
    assert read(Dialect.MARKDOWN, text).plain == text
    assert read(Dialect.MARKDOWN, text).html is None


def test_a_text_longer_than_any_post_is_read_as_plain():
    text = "*a* " * (MAX_MARKDOWN // 3)
    assert read(Dialect.MARKDOWN, text).html is None
