"""Whatever comes from outside is made harmless, or refused."""

import unicodedata
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from core_stage import ANNA, START, WARD_A, joined, roster, said
from hypothesis import given
from hypothesis import strategies as st

from bridge.flow.codec import decode, encode
from bridge.flow.hygiene import (
    MAX_ID,
    MAX_NAME,
    MAX_SUBJECT,
    MAX_TEXT,
    clean,
    clean_name,
    clean_text,
    is_sound_id,
)
from bridge.model import Author, Joined, Left, Message, Place, Roster, SubjectChanged

anything = st.text(st.characters())  # lone surrogates as well
nasty = st.text(
    st.sampled_from("\0\x08\x1b\x7f\x85\r\n\ufffe\uffff\ud800\udfff\u202e\u200d a<&]>é😀")
)


def _in_xml(text: str) -> str | None:
    return ET.fromstring(f"<t>{escape(text)}</t>").text


@given(anything | nasty)
def test_any_text_can_stand_in_xml_afterwards(text: str) -> None:
    cleaned = clean_text(text)
    read = _in_xml(cleaned) or ""
    assert read == cleaned
    assert cleaned.encode().decode() == cleaned


@given(anything | nasty)
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned


@pytest.mark.parametrize(
    "text", ["", "Grüße 😀", "a\n\n\tb", "علی‌رضا", "👩‍⚕️", "x\u00a0y", "\U0001f3f4\U000e0067"]
)
def test_an_honest_text_is_not_touched(text: str) -> None:
    assert clean_text(text) == text


def test_line_ends_become_one_kind() -> None:
    assert clean_text("a\r\nb\rc\nd") == "a\nb\nc\nd"


def test_a_text_that_is_too_long_is_cut_visibly() -> None:
    cut = clean_text("x" * (MAX_TEXT + 1))
    assert len(cut) == MAX_TEXT
    assert cut.endswith(" […]")
    assert clean_text("x" * MAX_TEXT) == "x" * MAX_TEXT


@given(anything | nasty)
def test_a_name_is_one_clean_line(name: str) -> None:
    cleaned = clean_name(name)
    assert len(cleaned) <= MAX_NAME
    assert cleaned == " ".join(cleaned.split())
    assert _in_xml(cleaned) == (cleaned or None)
    assert not any(unicodedata.bidirectional(each) in _OVERRIDES for each in cleaned)


_OVERRIDES = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    "hidden",
    ["\u200b", "\u200c", "\u200d", "\u2060", "\u202e", "\u2066", "\ufeff", "\u00ad", "\ufe0f",
     "\u3164", "\u2800", "\u061c", "\u180e", "\U000e0041", "\u034f"],
)  # fmt: skip
@pytest.mark.parametrize("dressed", ["{}Dr. Demir", "Dr. {}Demir", "Dr. Demir{}", "Dr{}{}. Demir"])
def test_hidden_characters_make_no_second_name(hidden: str, dressed: str) -> None:
    assert clean_name(dressed.replace("{}", hidden)) == "Dr. Demir"


@pytest.mark.parametrize("name", ["علی‌رضا", "👩‍⚕", "नक़्क़ाश", "Ünal Öz", "李 医生"])
def test_a_name_in_any_script_is_not_touched(name: str) -> None:
    assert clean_name(name) == name


def test_a_name_of_nothing_but_hidden_characters_is_empty() -> None:
    assert clean_name("\u200b \u202e\u2060") == ""


@given(anything | nasty, anything | nasty)
def test_a_cleaned_message_can_be_kept(text: str, name: str) -> None:
    author = Author("hospital-a", "a", name, name)
    event = clean(Message(WARD_A, "m1", author, START, text))
    assert decode(event.kind, encode(event)) == event


def test_every_text_of_an_event_is_cleaned() -> None:
    author = Author("hospital-a", "a", "An\0na")
    assert clean(said(1, author=author, text="a\0b")).text == "a\ufffdb"  # type: ignore[union-attr]
    assert clean(Left(WARD_A, author, START, "a\0b")) == Left(
        WARD_A, Author("hospital-a", "a", "An\ufffdna"), START, "a\ufffdb"
    )
    subject = clean(SubjectChanged(WARD_A, author, START, "s" * 9000))
    assert isinstance(subject, SubjectChanged)
    assert len(subject.subject) == MAX_SUBJECT


@pytest.mark.parametrize(
    "ident", ["a\0b", "\ud800", "x" * (MAX_ID + 1), "é" * 1001, "\ufffe", "\r"]
)
def test_an_impossible_id_is_refused(ident: str) -> None:
    assert not is_sound_id(ident)
    for event in (
        joined(ANNA, ident=ident),
        joined(Author("hospital-a", ident)),
        joined(ANNA, place=Place("hospital-a", ident)),
        joined(Author("n" * 41, "a")),
    ):
        with pytest.raises(ValueError, match="id"):
            clean(event)


@pytest.mark.parametrize("ident", ["", "$abc:example.org", "room@muc/Anna Ö", "é" * 1000, "a b\tc"])
def test_an_odd_but_possible_id_is_not_touched(ident: str) -> None:
    event = Joined(WARD_A, Author("hospital-a", ident, "A"), START, ident)
    assert clean(event) == event


def test_one_impossible_author_does_not_hide_a_roster() -> None:
    cleaned = clean(roster(ANNA, Author("hospital-a", "b\0"), Author("hospital-a", "c", "C\u202e")))
    assert isinstance(cleaned, Roster)
    assert cleaned.authors == (ANNA, Author("hospital-a", "c", "C"))


def test_an_impossible_avatar_is_left_out() -> None:
    author = Author("hospital-a", "a", "A", "mxc://\0")
    assert clean(joined(author)) == joined(Author("hospital-a", "a", "A"))
