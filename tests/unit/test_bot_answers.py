"""Answers in their two forms, and the page about commands."""

from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bridge.bot.answers import Answer, code, room_link, strong, words
from bridge.bot.page import page
from bridge.bot.registry import MANUALS

ROOT = Path(__file__).parents[2]


def test_an_answer_reads_the_same_in_both_forms() -> None:
    answer = Answer.of("You can ask:", [words(code("!help"), ": what you can"), words("b")], "")
    assert answer.text == "You can ask:\n• !help: what you can\n• b"
    assert answer.html == (
        "<p>You can ask:</p><ul><li><code>!help</code>: what you can</li><li>b</li></ul>"
    )


def test_a_room_is_a_link_to_it() -> None:
    link = room_link("!a:example.org", "#ward:example.org")
    assert link.text == "#ward:example.org"
    assert link.html == '<a href="https://matrix.to/#/%21a%3Aexample.org">#ward:example.org</a>'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)


@given(st.text(), st.text())
def test_what_comes_from_outside_makes_no_markup(one: str, other: str) -> None:
    answer = Answer.of(
        words("x", one), [words("y", code(one), strong(other)), room_link(one, other)]
    )
    tags = Tags()
    tags.feed(answer.html)
    assert tags.seen <= {"p", "ul", "li", "code", "strong", "a"}
    assert answer.text.count("\n") == 2


def test_the_page_about_commands_says_what_is_so() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    assert text == page(MANUALS), "write it anew: python -m bridge.bot.page > docs/commands.md"
    for manual in MANUALS.values():
        assert f"## {manual.name}\n" in text
