"""Long texts in pieces: each fits, none is cut where it hurts, and nothing is lost."""

import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from richtext_trees import ANY, WORDS

from bridge.contract import Dialect
from bridge.richtext import Rich, fragments, read, rich, write
from bridge.richtext.characters import graphemes
from bridge.richtext.runs import flatten, words
from bridge.richtext.tree import CodeBlock, Heading, List, Paragraph, Quote, Table

every_dialect = pytest.mark.parametrize("dialect", list(Dialect))


def length(dialect: Dialect, piece: Rich) -> int:
    written = write(dialect, piece.plain, piece.html)
    return len(written.text.encode()) + len((written.html or "").encode())


def letters(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if each.isalnum())


def says(text: str, what: str) -> bool:
    rest = iter(letters(text))
    return all(each in rest for each in letters(what))


@every_dialect
@given(ANY, st.integers(8, 500))
def test_every_piece_of_a_tree_fits_and_no_word_is_lost(dialect, document, limit):
    whole = rich(document)
    pieces = fragments(dialect, whole.plain, whole.html, limit)
    assert all(length(dialect, piece) <= limit for piece in pieces)
    said = "\n".join(piece.plain for piece in pieces)
    assert Counter(letters(bare_words(document.blocks))) <= Counter(letters(said))


def bare_words(blocks) -> str:
    """The words alone: no numbers of items, URLs or reasons of spoilers."""
    found = ""
    for block in blocks:
        match block:
            case Paragraph(children) | Heading(_, children):
                found += words(flatten(children))
            case CodeBlock(text):
                found += text
            case Quote(inner):
                found += bare_words(inner)
            case List(items):
                found += "".join(map(bare_words, items))
            case Table(head, rows):
                found += "".join(words(flatten(cell)) for row in (head, *rows) for cell in row)
    return found


@every_dialect
@given(
    st.lists(st.sampled_from([*WORDS, " ", " ", "\n", "\n\n", "*", "x" * 30])), st.integers(8, 80)
)
def test_every_piece_of_a_plain_text_fits_and_is_part_of_it(dialect, parts, limit):
    text = "".join(parts)
    pieces = fragments(dialect, text, None, limit)
    assert all(length(dialect, piece) <= limit and piece.html is None for piece in pieces)
    assert "".join("".join(piece.plain for piece in pieces).split()) == "".join(text.split())


@every_dialect
@pytest.mark.parametrize("wrap", ["{}", "<b>{}</b>", "<pre>{}</pre>", "<ul><li>{}</ul>"])
def test_no_character_is_cut_in_two(dialect, wrap):
    text = "👩🏽‍⚕️👨‍👩‍👧‍👦🇩🇪e\u0301한" * 40
    stored = read(Dialect.HTML, "", wrap.format(text)) if wrap != "{}" else Rich(text)
    whole = set(graphemes(text))
    pieces = fragments(dialect, stored.plain, stored.html, 700)
    assert len(pieces) > 1
    for piece in pieces:
        assert set(graphemes(piece.plain.replace("- ", ""))) <= whole


def test_a_text_that_fits_is_one_piece_as_it_is():
    assert fragments(Dialect.XMPP, " a\n\n\n b ", None, 100) == [Rich(" a\n\n\n b ")]


def pieces_of(html: str, limit: int, dialect: Dialect = Dialect.MARKDOWN) -> list[str]:
    stored = read(Dialect.HTML, "", html)
    found = fragments(dialect, stored.plain, stored.html, limit)
    return [write(dialect, each.plain, each.html).text for each in found]


def test_a_cut_is_at_the_end_of_a_paragraph_if_it_can_be():
    html = "<p><b>one</b> two three</p><p>four five six</p>"
    assert pieces_of(html, 26) == ["**one** two three", "four five six"]


def test_a_cut_is_else_at_the_end_of_a_line_and_else_between_words():
    html = "<b>one</b> two three<br>four five six seven eight nine ten"
    assert pieces_of(html, 30) == ["**one** two three", "four five six seven eight nine", "ten"]


def test_marks_are_closed_and_opened_again():
    assert pieces_of("<b>one two three</b>", 12) == ["**one two**", "**three**"]


def test_a_block_of_code_is_closed_and_opened_again_with_its_language():
    html = '<pre><code class="language-python">a = 1\nb = 2\nc = 3</code></pre>'
    assert pieces_of(html, 29) == ["```python\na = 1\nb = 2\n```", "```python\nc = 3\n```"]
    assert pieces_of(html, 29, Dialect.XMPP) == [
        "```python\na = 1\nb = 2\n```",
        "```python\nc = 3\n```",
    ]


def test_a_list_goes_on_with_its_numbers():
    html = "<ol start=9><li>nine<li>ten<li>eleven<li>twelve</ol>"
    assert pieces_of(html, 24) == ["9. nine\n10. ten", "11. eleven\n12. twelve"]


def test_a_quotation_goes_on_as_one():
    html = "<blockquote><p>first words</p><p>second words</p></blockquote>"
    assert pieces_of(html, 20) == ["> first words", "> second words"]


def test_a_table_goes_on_with_its_head():
    html = "<table><tr><th>k<th>v<tr><td>1<td>2<tr><td>3<td>4<tr><td>5<td>6</table>"
    head = "| k | v |\n| --- | --- |\n"
    assert pieces_of(html, 50) == [
        head + "| 1 | 2 |\n| 3 | 4 |",
        head + "| 5 | 6 |",
    ]


def test_a_link_longer_than_a_piece_is_told_in_pieces():
    url = "https://e.org/" + "x" * 300
    said = "".join(pieces_of(f'<b>see</b> <a href="{url}">this</a>', 100, Dialect.PLAIN))
    assert says(said, f"see this {url}")


def test_sixty_four_kilobytes_make_some_seventy_pieces():
    html = "".join(f"<p>Line <b>{n}</b> of *many* &amp; more</p>" for n in range(1500))
    pieces = pieces_of(html, 1000, Dialect.XMPP)
    assert 40 < len(pieces) < 80
    assert says("".join(pieces), "".join(f"Line {n} of many more" for n in range(1500)))
