"""What is a command and what is for everyone."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.bot.parse import Grammar, Spoken
from bridge.bot.registry import MANUALS

COMMANDS = {manual.name: manual.most for manual in MANUALS.values()}
NAMES = ("Consilium", "consilium", "@consilium:example.org")
GRAMMAR = Grammar(COMMANDS, "!", NAMES)


def command(text: str, *, mentioned: bool = False) -> str | None:
    found = GRAMMAR.in_room(text, mentioned=mentioned)
    return None if found is None else found.command


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("!help", "help", ()),
        ("  !help  ", "help", ()),
        ("!STATUS", "status", ()),
        ("!help?", "help", ()),
        ("!help retry", "help", ("retry",)),
        ("!link b board@b.example both", "link", ("b", "board@b.example", "both")),
        ("!consilium status", "status", ()),
        ("!Consilium: status", "status", ()),
        ("Consilium: status", "status", ()),
        ("consilium, status", "status", ()),
        ("CONSILIUM: !status", "status", ()),
        ("@consilium:example.org: retry", "retry", ()),
    ],
)
def test_this_is_a_command(text: str, name: str, arguments: tuple[str, ...]) -> None:
    found = GRAMMAR.in_room(text)
    assert found is not None
    assert (found.command, found.arguments) == (name, arguments)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        "!!",
        "!!!",
        "! status",
        "!important",
        "!important: potassium 6.1",
        "!hello",
        "status",
        "help",
        "What does !status say?",
        "!status\nThe patient is stable",
        "!statsu of the patient is critical",
        "Consilium: what do you think of this?",
        "Consilium: help is needed in ward 3",
        "Consilium status",
        "Consilium",
        "Consilium:",
        "Consiliums: status",
        "> !status",
    ],
)
def test_this_is_for_everyone(text: str) -> None:
    assert GRAMMAR.in_room(text) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("!statsu", "status"),
        ("!stauts", "status"),
        ("!hlep", "help"),
        ("!rety", "retry"),
        ("!lnks", "links"),
        ("!unlik hospital-b board", "unlink"),
        ("Consilium: statsu", "status"),
    ],
)
def test_a_slip_of_the_pen_names_what_was_meant(text: str, meant: str) -> None:
    found = GRAMMAR.in_room(text)
    assert found is not None
    assert (found.command, found.meant) == ("", meant)


def test_a_mention_needs_no_colon() -> None:
    assert command("Consilium status") is None
    assert command("Consilium status", mentioned=True) == "status"
    assert command("Consilium", mentioned=True) == ""
    assert command("Dr. Bram, ask Consilium for the status", mentioned=True) is None
    assert command("Consilium what do you think", mentioned=True) is None


def test_what_follows_prefix_and_name_is_always_for_the_bot() -> None:
    assert GRAMMAR.in_room("!consilium") == Spoken("")
    found = GRAMMAR.in_room("!consilium sing")
    assert found is not None
    assert (found.command, found.written) == ("", "sing")


@pytest.mark.parametrize("text", ["status", "!status", "Consilium status", "consilium: !status"])
def test_in_private_the_prefix_may_be_left_out(text: str) -> None:
    assert GRAMMAR.in_private(text).command == "status"


def test_in_private_everything_is_for_the_bot() -> None:
    assert GRAMMAR.in_private("good morning").written == "good"
    assert GRAMMAR.in_private("").written == ""
    assert GRAMMAR.in_private("!statsu").meant == "status"


def test_the_prefix_can_be_another() -> None:
    grammar = Grammar(COMMANDS, "c!", NAMES)
    assert grammar.in_room("!status") is None
    assert grammar.in_room("c!status") == Spoken("status", (), "status")


BLANK = st.sampled_from(["", " ", "\t", "\n", "\x85", "\u2028", "\x1c"])
WORDS = st.one_of(st.text(), st.sampled_from([*COMMANDS, *NAMES, "!", ":", "statsu", "İ", "ß"]))
TEXTS = st.one_of(
    st.text(), st.lists(st.one_of(WORDS, BLANK)).map("".join), st.text("!: \nhelp", max_size=40)
)


@given(TEXTS, st.booleans())
@example("!" + "status" * 10_000, False)
@example("!\ud800", False)
def test_no_text_makes_it_fail(text: str, mentioned: bool) -> None:
    for found in (GRAMMAR.in_room(text, mentioned=mentioned), GRAMMAR.in_private(text)):
        if found is not None:
            assert found.command in {"", *COMMANDS}
            assert found.meant in {None, *COMMANDS}
            assert len(found.written) <= 30


@given(TEXTS, st.booleans())
def test_nothing_is_passed_over_without_a_closer_look(text: str, mentioned: bool) -> None:
    if GRAMMAR.in_room(text, mentioned=mentioned) is not None:
        assert GRAMMAR.may_concern(text)


@given(TEXTS)
def test_a_text_without_sign_and_name_is_for_everyone(text: str) -> None:
    begins = text.strip().casefold()
    if not begins.startswith(("!", "consilium", "@consilium")):
        assert GRAMMAR.in_room(text, mentioned=True) is None


@given(st.sampled_from(["\n", "\r\n", "\u2028"]), st.text(min_size=1))
def test_a_text_of_several_lines_is_for_everyone(end: str, text: str) -> None:
    if text.strip():
        assert GRAMMAR.in_room(f"!status{end}{text}") is None
