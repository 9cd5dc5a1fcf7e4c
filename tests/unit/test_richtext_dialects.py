"""The doors: what is stored of a text, and what every place is sent of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from richtext_trees import ANY, anything

from bridge.contract import Dialect
from bridge.model import Mention as Called
from bridge.richtext import (
    Mention,
    Rich,
    Written,
    mentions_of,
    quote,
    read,
    rich,
    strip_reply_fallback,
    with_lead,
    with_quote,
    write,
)

ANNA = Mention("matrix", "@anna:e.org", "Anna")
every_dialect = pytest.mark.parametrize("dialect", list(Dialect))


def formatted(html: str) -> Rich:
    return read(Dialect.HTML, "", html)


# --- plain text ---------------------------------------------------------------------------------


@every_dialect
def test_a_plain_text_is_stored_and_written_as_it_is(dialect):
    text = "  Fever since Monday,\n\n\n38.5, what do you think? 👩🏽‍⚕️ שלום "
    assert read(Dialect.PLAIN, text) == Rich(text)
    if dialect is not Dialect.MARKDOWN:
        assert write(dialect, text, None) == Written(text)


@given(anything)
def test_plain_text_is_never_read_for_marks(text):
    assert read(Dialect.PLAIN, text).html is None
    assert read(Dialect.PLAIN, text).plain.split() == text.translate(CLEAN).split()


FORBIDDEN = [*range(32), *range(127, 160), *range(0xFDD0, 0xFDF0), 0xFFFE, 0xFFFF]
CLEAN = dict.fromkeys(FORBIDDEN, "\ufffd") | {9: "\t", 10: "\n", 13: "\n", 0x85: "\x85"}


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("<p>a</p><p>b<br>c</p>", "a\n\nb\nc"),
        ("<h1>T</h1><p>x</p>", "T\nx"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<ol start=9><li>a<li>b</ol>", "9. a\n10. b"),
        ("<ol><li>a<ul><li>b<br>c</ul></ol>", "1. a\n   - b\n     c"),
        ("<ul><li><blockquote>q</blockquote></ul>", "- > q"),
        ("<blockquote>a<p>b</p></blockquote>c", "> a\n>\n> b\nc"),
        ('<a href="https://e.org/x">this</a>', "this (https://e.org/x)"),
        ('<a href="https://e.org/x">https://e.org/x</a>', "https://e.org/x"),
        ('<a href="https://e.org/[x]">[a](b)</a>', "[a](b) (https://e.org/[x])"),
        ("<pre><code>x\n  y</code></pre>", "x\n  y"),
        ("take <s>10 mg</s> 5 mg", "take ~~10 mg~~ 5 mg"),
        ("10<sup>9</sup>, m<sup>2</sup>, H<sub>2</sub>O", "10⁹, m², H₂O"),
        ("x<sup>a</sup> x<sub>a b</sub>", "x^a x_(a b)"),
        ("<table><tr><td>漢<td>b<tr><td>cc<td>d</table>", "漢 | b\ncc | d"),
        ("a<hr>b", "a\n\n---\n\nb"),
        ("<b>a</b> <img alt=':smile:' src='mxc://e.org/x'>", "a :smile:"),
        ("<span data-mx-spoiler='who'>x</span>", "(spoiler: who) x"),
        ("<details><summary>More</summary>text</details>", "More\n\ntext"),
        ("<b>שלום</b> <i>עולם</i>", "שלום עולם"),
    ],
)
def test_a_formatted_text_has_a_readable_plain_form(html, plain):
    assert formatted(html).plain == plain


# --- HTML ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "canonical"),
    [
        ("<p>just text</p>", None),
        ("<p>two</p><p>paragraphs<br>of text</p>", None),
        # XHTML-IM (XEP-0071)
        ("<body xmlns='http://www.w3.org/1999/xhtml'><p style='font-weight:bold'>a</p></body>",
         "<strong>a</strong>"),
        ("<span style='font-style:italic;text-decoration:underline'>a</span>", "<em><u>a</u></em>"),
        ("<span style='text-decoration: line-through; font-weight: 700'>a</span>",
         "<strong><del>a</del></strong>"),
        ("a<br/>b <em>c</em>", "a<br>b <em>c</em>"),
        ("<b style='font-weight:normal'>a</b> <i>b</i>", "a <em>b</em>"),
        # mails
        ("<div>a</div><div><br></div><div><b>b</b></div>", "<p>a</p><p><strong>b</strong></p>"),
        ("<div>a</div><div><b>b</b></div>", "a<br><strong>b</strong>"),
        ("<table><tr><td><table><tr><td><b>a</b></td></tr></table></td></tr></table>",
         "<strong>a</strong>"),
        ("<table><tr><td>only<td><i>layout</i></table>", "<p>only</p><p><em>layout</em></p>"),
        ("<table><tr><td>a<td>b<tr><td>c<td>d</table>",
         "<table><tbody><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></tbody></table>"),
        ("<!DOCTYPE html><html><head><style>p{}</style><body>\n <p>a\n  <u>b</u> </p>\n</html>",
         "a <u>b</u>"),
        ("<ul><ul><li>a</ul></ul>", "<ul><li><ul><li>a</li></ul></li></ul>"),
        ("<li>a<li>b", "<ul><li>a</li><li>b</li></ul>"),
        # wrong nesting
        ("<b>a<i>b</b>c</i>", "<strong>a<em>b</em></strong><em>c</em>"),
        ("<b><p>a</p><p>b</b>c</p>", "<p><strong>a</strong></p><p><strong>b</strong>c</p>"),
        ("<ul><li><b>a<li>b</ul>c", "<ul><li><strong>a</strong></li><li>b</li></ul><p>c</p>"),
        ("<a href='https://e.org'>a<a href='https://f.org'>b</a>",
         '<a href="https://e.org">ab</a>'),
        ("<pre>a<br>b</pre>", "<pre><code>a\nb</code></pre>"),
        ("<code>a <b>b</b></code>", "<code>a b</code>"),
        ("<q>a</q> <kbd>b</kbd>", "“a” <code>b</code>"),
        ("<input type=checkbox checked> <b>a</b>", "[x] <strong>a</strong>"),
    ],
)  # fmt: skip
def test_anybodys_html_is_read_for_what_it_means(html, canonical):
    assert formatted(html).html == canonical


def test_matrix_html_has_pills_and_only_matrix_schemes():
    stored = formatted('<a href="xmpp:a@e.org">chat</a> <a href="https://e.org">web</a>')
    assert write(Dialect.HTML, *pair(stored)).html == (
        'chat (xmpp:a@e.org) <a href="https://e.org">web</a>'
    )


def pair(stored: Rich) -> tuple[str, str | None]:
    return stored.plain, stored.html


def test_spaces_that_count_are_kept_in_html():
    stored = read(Dialect.XMPP, "*Lab:*\nNa    140\nK       4")
    assert write(Dialect.HTML, *pair(stored)).html == (
        "<strong>Lab:</strong><br>Na \u00a0 \u00a0140<br>K \u00a0 \u00a0 \u00a0 4"
    )


def test_a_mail_is_a_whole_document_and_loads_nothing():
    stored = formatted("<blockquote>a</blockquote><pre>b</pre><span data-mx-spoiler>c</span>")
    written = write(Dialect.MAIL, *pair(stored))
    assert written.text == "> a\n\nb\n\n(spoiler) c"
    html = written.html or ""
    assert html.startswith("<!DOCTYPE html><html><head><meta charset=")
    assert html.endswith("<p>(spoiler) c</p></body></html>")
    assert not re.search(r"src|url\(|<img|<script", html)


# --- mentions -----------------------------------------------------------------------------------


def test_names_in_a_text_become_mentions_where_they_stand_for_themselves():
    people = [Called("matrix", "@anna:e.org", "Anna"), Called("xmpp", "o", "Ann")]
    found = read(Dialect.PLAIN, "Anna, Ann: Annual `Anna`? Johanna!", None, people)
    assert found.plain == "Anna, Ann: Annual `Anna`? Johanna!"
    assert [each.id for each in mentions_of(found.html)] == ["@anna:e.org", "o", "@anna:e.org"]


@pytest.mark.parametrize(
    ("dialect", "text", "html"),
    [
        (Dialect.XMPP, "`Anna` *Anna*", None),
        (Dialect.XMPP, "```\nAnna\n```\n*Anna*", None),
        (Dialect.MARKDOWN, "`Anna` **Anna**", None),
        (Dialect.MARKDOWN, "    Anna\n\nAnna", None),
        (Dialect.HTML, "", "<code>Anna</code> Anna"),
        (Dialect.HTML, "", "<pre>Anna</pre> <a href='https://e.org'>Anna</a> Anna"),
    ],
)
def test_names_in_code_and_links_stay_words(dialect, text, html):
    found = read(dialect, text, html, [Called("matrix", "@anna:e.org", "Anna")])
    assert mentions_of(found.html) == (ANNA,)


def test_a_text_that_calls_nobody_has_no_html():
    assert read(Dialect.PLAIN, "hello", None, [Called("xmpp", "a", "Anna")]) == Rich("hello")
    assert read(Dialect.PLAIN, "hello", None, [Called("xmpp", "a", " ")]) == Rich("hello")
    assert mentions_of(None) == mentions_of("<b>x</b>") == ()


CALLED = read(
    Dialect.PLAIN, "Hello Anna, see Anna", None, [Called("matrix", "@anna:e.org", "Anna")]
)


@every_dialect
def test_a_mention_is_written_with_the_name_that_the_place_knows_and_can_be_found(dialect):
    written = write(dialect, *pair(CALLED), name=lambda mention: f"{mention.name} B.")
    assert written.text == "Hello Anna B., see Anna B."
    assert [written.text[begin:end] for begin, end, _ in written.spans] == ["Anna B.", "Anna B."]
    assert [span.mention for span in written.spans] == [ANNA, ANNA]


@pytest.mark.parametrize("dialect", [Dialect.HTML, Dialect.MAIL])
def test_a_mention_is_a_pill_where_there_are_pills(dialect):
    written = write(
        dialect, *pair(CALLED), pill=lambda mention: f"https://matrix.to/#/{mention.id}"
    )
    link = '<a href="https://matrix.to/#/@anna:e.org">Anna</a>'
    assert f"Hello {link}, see {link}" in (written.html or "")
    assert "matrix.to" not in written.text


@every_dialect
@given(ANY)
def test_spans_tell_where_the_names_are(dialect, document):
    stored = rich(document)
    written = write(dialect, *pair(stored), name=lambda _: "Dr B")
    if stored.html is not None:
        assert [span.mention for span in written.spans] == list(mentions_of(stored.html))
    assert all(written.text[begin:end] == "Dr B" for begin, end, _ in written.spans)


@pytest.mark.parametrize(
    "name", ["*x*", "> x", "```", "[x](javascript:x)", "<b>x</b>", "1. x", "\ufdd0"]
)
def test_a_hostile_name_is_only_a_name(name):
    for dialect in (Dialect.XMPP, Dialect.MARKDOWN):
        written = write(dialect, *pair(CALLED), name=lambda _: name)
        assert read(dialect, written.text).html is None
    html = write(Dialect.HTML, *pair(CALLED), name=lambda _: name).html or ""
    assert "<b>" not in html


# --- additions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "led"),
    [
        ("<b>a</b> b", "Anna: <strong>a</strong> b"),
        ("<p><b>a</b></p><p>b</p>", "<p>Anna: <strong>a</strong></p><p>b</p>"),
        ("<ul><li>a</ul>", "<p>Anna:</p><ul><li>a</li></ul>"),
    ],
)
def test_a_text_is_led_by_a_name(html, led):
    assert with_lead(*pair(formatted(html)), "Anna:").html == led


def test_a_plain_text_led_by_a_name_stays_plain():
    assert with_lead("a\nb", None, "Anna:") == Rich("Anna: a\nb")
    assert with_lead("", None, "Anna:") == Rich("Anna:")


def test_an_answer_stands_below_what_it_answers():
    found = with_quote("yes", None, "Anna", "Fever?\nSince when?\nAnd how much?")
    assert found.plain == "> Anna: Fever?\n> Since when? …\nyes"
    assert found.html == (
        "<blockquote><strong>Anna:</strong> Fever?<br>Since when? …</blockquote><p>yes</p>"
    )


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("Fever?", "> Anna: Fever?"),
        ("> what Bob said\nFever?", "> Anna: Fever?"),
        ("> only a quotation", "> Anna: only a quotation"),
        ("", "> Anna:"),
        ("word " * 50, "> Anna: " + "word " * 32 + "…"),
        ("x" * 200, "> Anna: " + "x" * 160 + "…"),
    ],
)
def test_a_quotation_is_short_and_quotes_no_quotations(text, quoted):
    assert quote("Anna", text) == quoted


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ("> <@a:e.org> Fever?\n> Since when?\n\nSince Monday", "Since Monday"),
        ("> * <@a:e.org> waves\n\n> own quotation", "> own quotation"),
        ("> own quotation\n\nyes", "> own quotation\n\nyes"),
        ("yes", "yes"),
        ("> <@a:e.org> x", ""),
    ],
)
def test_the_fallback_of_old_replies_is_taken_away(body, own):
    assert strip_reply_fallback(body) == own


@given(st.text(), st.text())
def test_additions_take_any_text(text, other):
    quote(other, text)
    strip_reply_fallback("> <@a:e.org>" + text)
    with_lead(text, text, other)
    with_quote(text, text, other, text)
