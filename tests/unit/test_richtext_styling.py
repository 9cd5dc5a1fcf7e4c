"""Message styling (XEP-0393) in and out: no word is lost, and nothing is styled by accident."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from richtext_trees import ANY, UNLINKED, anything, texts

from bridge.contract import Dialect
from bridge.richtext import read, write
from bridge.richtext.normal import is_formatted, normal
from bridge.richtext.plain import PlainLayout
from bridge.richtext.plain import read as read_plain
from bridge.richtext.runs import flatten, words
from bridge.richtext.spans import without_marks
from bridge.richtext.styling_reader import read as read_styling
from bridge.richtext.styling_writer import StylingLayout
from bridge.richtext.tree import Bold, Document, Heading, Italic, List, Paragraph, Quote, Strike

JOINER = "\u2060"


def styled(document: Document) -> str:
    return without_marks(StylingLayout().document(document))


def plain(document: Document) -> str:
    return without_marks(PlainLayout().document(document))


def letters(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if each.isalnum())


def says(text: str, what: str) -> bool:
    """Whether all letters of `what` are in a text, in their order."""
    rest = iter(letters(text))
    return all(each in rest for each in letters(what))


@given(ANY)
def test_no_word_is_lost_on_the_way_out_nor_on_the_way_back(document):
    text = styled(document)
    assert says(text, plain(document))
    assert says(plain(read_styling(text)), plain(document))


def marked(blocks, mark) -> str:
    """The words that a mark is on; headings are bold."""
    found = ""
    for block in blocks:
        match block:
            case Paragraph(children):
                found += words(run for run in flatten(children) if mark in run.marks)
            case Heading(_, children):
                runs = flatten(children)
                found += words(run for run in runs if mark is Bold or mark in run.marks)
            case Quote(inner):
                found += marked(inner, mark)
            case List(items):
                found += "".join(marked(item, mark) for item in items)
    return found


@given(UNLINKED)
@pytest.mark.parametrize("mark", [Bold, Italic, Strike])
def test_no_word_gets_a_mark_that_it_had_not(mark, document):
    back = read_styling(styled(document))
    assert says(marked(document.blocks, mark), marked(back.blocks, mark))


@given(st.lists(texts, min_size=1, max_size=4).map("\n".join))
def test_what_only_looks_styled_is_not_styled(text):
    document = read_plain(text)
    assert not is_formatted(read_styling(styled(document)))
    assert styled(document).replace(JOINER, "") == plain(document)


@given(anything)
def test_a_plain_text_is_sent_as_it_is_with_a_hint_where_it_looks_styled(text):
    written = write(Dialect.XMPP, text, None)
    assert written.text == text
    assert written.unstyled == is_formatted(read_styling(text))


@given(anything)
def test_any_text_is_read_and_every_word_of_it_kept(text):
    assert says(plain(read_styling(text)), text)
    assert normal(read_styling(text)) == read_styling(text)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold*", "<strong>bold</strong>"),
        ("_it_ and ~not~", "<em>it</em> and <del>not</del>"),
        ("use `a*b*c`", "use <code>a*b*c</code>"),
        ("*both _of_ them*", "<strong>both <em>of</em> them</strong>"),
        ("*_both_*", "<strong><em>both</em></strong>"),
        ("*first* *second*", "<strong>first</strong> <strong>second</strong>"),
        ("*lazy* match*", "<strong>lazy</strong> match*"),
        ("2*3*4 a_b_c ~5 mg", None),
        ("* not bold* *nor this *", None),
        ("**", None),
        ("*line\nbreak*", None),
        ("> said\n> so\nyes", "<blockquote>said<br>so</blockquote><p>yes</p>"),
        ("> > deep\n> flat", "<blockquote><blockquote>deep</blockquote><p>flat</p></blockquote>"),
        (">5 mmol/l", None),
        ("> 38.5 since Monday", None),
        (">=120/80", None),
        ("> BP?\n> 120/80", "<blockquote>BP?<br>120/80</blockquote>"),
        ("```\na *b*\n  c\n```\nd", "<pre><code>a *b*\n  c</code></pre><p>d</p>"),
        ("```python\nx\n```", '<pre><code class="language-python">x</code></pre>'),
        ("```not a language\nx", "<pre><code>not a language\nx</code></pre>"),
        ("```x = 1```", "<pre><code>x = 1</code></pre>"),
        ("> ```\n> x\n> ```\n> y", "<blockquote><pre><code>x</code></pre><p>y</p></blockquote>"),
        ("*שלום*", "<strong>שלום</strong>"),
        ("*👩🏽‍⚕️* `🇩🇪`", "<strong>👩🏽‍⚕️</strong> <code>🇩🇪</code>"),
    ],
)
def test_styled_text_is_read_as_the_xep_says(text, html):
    found = read(Dialect.XMPP, text)
    assert found.html == html
    if html is None:
        assert found.plain == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<b>a</b> <i>b</i> <s>c</s> <code>d</code>", "*a* _b_ ~c~ `d`"),
        ("<b>a <i>b</i></b>", "*a _b_*"),
        ("a<b>b</b>c", "abc"),
        ("(<b>b</b>)", "(b)"),
        ("<b>2*3</b>", "2*3"),
        ("a<s>10 mg</s>", "a(struck out: 10 mg)"),
        ("<code>a`b</code>", "a`b"),
        ("<b>a</b> *b*", f"*a* {JOINER}*b*"),
        ("<b>a</b><br>&gt; b", f"*a*\n{JOINER}> b"),
        ("<b>a</b><br>```", f"*a*\n{JOINER}```"),
        ("<u>under</u>", "under"),
        ("<b>a<br>b</b>", "*a*\n*b*"),
        ("<h1>Plan <b>B</b></h1><p>x</p>", "*Plan B*\nx"),
        ("10<sup>9</sup> CO<sub>2</sub> x<sup>ab c</sup>", "10⁹ CO₂ x^(ab c)"),
        ('<a href="https://e.org/x">this</a>', "this (https://e.org/x)"),
        ('<a href="https://e.org/_x_">https://e.org/_x_</a>', "https://e.org/_x_"),
        ('<a href="https://e.org/">e.org</a>', "e.org"),
        ('<a href="mailto:a@e.org">a@e.org</a>', "a@e.org"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n>\n> > b\nc"),
        ("<pre><code>a\n```\nb</code></pre>", "```\na\n ```\nb\n```"),
        ("<ul><li>a<ol><li>b<li>c</ol><li>d</ul>", "- a\n  1. b\n  2. c\n- d"),
        ("<ol start=9><li>a<br>b<li>c</ol>", "9. a\n   b\n10. c"),
        ("<ul><li>a<pre>x</pre></ul>", "- a\n```\nx\n```"),
        ("a<hr>b", "a\n\n---\n\nb"),
        (
            "<table><tr><th>drug<th>mg<tr><td>ASS<td>100</table>",
            "```\ndrug | mg\n-----+----\nASS  | 100\n```",
        ),
        ("<span data-mx-spoiler=diagnosis>x</span>", "(spoiler: diagnosis) x"),
    ],
)
def test_formatted_text_is_styled_as_far_as_that_goes(html, text):
    stored = read(Dialect.HTML, "", html)
    assert write(Dialect.XMPP, stored.plain, stored.html).text == text
