"""Under which name, with which by-line and in how many pieces a thing is shown."""

from dataclasses import replace
from datetime import timedelta

import pytest
from core_stage import ANNA, DOCTOR, NAMES, ROOM, START, WARD_A, WARD_B, joined, left, said
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract import Capabilities, Feature, Level, Outgoing
from bridge.flow.keys import delivery_key
from bridge.flow.naming import shown_name
from bridge.flow.presentation import Stage, present
from bridge.flow.splitting import split
from bridge.model import MATRIX, Author, Deliverable, Message, Place, SubjectChanged

EMOTES = {Feature.EMOTE: Level.FULL}
WIDE = Capabilities(own_names=True, max_text=60_000, shows=EMOTES)
NO_NAMES = Capabilities(own_names=False, max_text=60_000, shows=EMOTES)


def shown(event: Deliverable, capabilities: Capabilities = WIDE) -> list[Outgoing]:
    return list(present(event, key="k", stage=Stage(WARD_B, capabilities, NAMES)))


def texts(event: Deliverable, capabilities: Capabilities = WIDE) -> list[str]:
    return [out.event.text for out in shown(event, capabilities) if isinstance(out.event, Message)]


# --- names ---


def test_a_colleague_carries_the_name_of_their_network() -> None:
    assert shown_name(ANNA, NAMES) == "Anna (Hospital A)"


def test_a_doctor_of_this_homeserver_carries_none() -> None:
    assert shown_name(DOCTOR, NAMES) == "Dr. Demir"


def test_a_network_without_a_name_is_called_by_its_id() -> None:
    assert shown_name(Author("forum", "x", "Xenia"), NAMES) == "Xenia (forum)"


def test_who_has_no_name_is_called_by_their_id() -> None:
    assert shown_name(Author("hospital-a", "anna@a"), NAMES) == "anna@a (Hospital A)"
    assert shown_name(Author(MATRIX, "@x:example.org"), NAMES) == "@x:example.org"


@pytest.mark.parametrize(
    "claim",
    [
        "Dr. Demir (Hospital B)",
        "Dr. Demir (hospital-b)",
        "Dr. Demir (HOSPITAL B)",
        "Dr. Demir(Hospital B)",
        "Dr. Demir (Hospital B) (Hospital A) (Hospital B)",
        "Dr. Demir ( Hospital  B )",
        "Dr. Demir \uff08Hospital B\uff09",
        "Dr. Demir (\uff28ospital \uff22)",
        "Dr. Demir (Hospital\u00a0B)",
    ],
)
@pytest.mark.parametrize(("network", "ending"), [("hospital-a", " (Hospital A)"), (MATRIX, "")])
def test_a_claim_to_another_network_is_taken_away(claim: str, network: str, ending: str) -> None:
    assert shown_name(Author(network, "x", claim), NAMES) == f"Dr. Demir{ending}"


def test_a_suffix_that_changes_its_length_with_its_case_is_taken_away_whole() -> None:
    names = {"s": "Klinik Große Straße"}
    assert shown_name(Author(MATRIX, "x", "Eva (KLINIK GROSSE STRASSE)"), names) == "Eva"


@pytest.mark.parametrize("name", ["(Hospital B)", "(Hospital B)(Hospital B)", "", " "])
def test_who_is_named_by_a_claim_alone_is_called_by_their_id(name: str) -> None:
    assert shown_name(Author("hospital-a", "x@y", name.strip()), NAMES) == "x@y (Hospital A)"


def test_an_id_can_not_claim_anything_either() -> None:
    author = Author(MATRIX, "ward@muc/Dr. Demir\u202e (Hospital B)")
    assert shown_name(author, NAMES) == "ward@muc/Dr. Demir"


def test_other_words_in_brackets_stay() -> None:
    assert shown_name(Author(MATRIX, "x", "Anna (on call)"), NAMES) == "Anna (on call)"
    assert shown_name(Author(MATRIX, "x", "Anna (Hospital B) Berg"), NAMES) == (
        "Anna (Hospital B) Berg"
    )


def test_a_network_with_an_empty_name_takes_no_brackets_away() -> None:
    assert shown_name(Author(MATRIX, "x", "Anna ()"), {"hospital-a": ""}) == "Anna ()"


@given(st.text(), st.sampled_from(["hospital-a", MATRIX]))
def test_any_name_ends_with_the_networks_own_suffix_and_no_other(name: str, network: str) -> None:
    result = shown_name(Author(network, "x", name.strip()), NAMES)
    suffix = "" if network == MATRIX else " (Hospital A)"
    assert result.endswith(suffix)
    assert not result.removesuffix(suffix).endswith(("(Hospital A)", "(Hospital B)"))
    assert result.removesuffix(suffix)


# --- by-lines and emotes ---


def test_the_name_stands_before_a_text_where_authors_have_none() -> None:
    assert texts(said(1), NO_NAMES) == ["Anna (Hospital A): text 1"]
    assert texts(said(1, author=DOCTOR), NO_NAMES) == ["Dr. Demir: text 1"]
    assert texts(said(1)) == ["text 1"]


def test_what_somebody_does_is_shown_as_such_or_marked() -> None:
    waves = replace(said(1, text="waves"), emote=True)
    no_emotes = replace(WIDE, shows={})
    for capabilities, text, emote in (
        (WIDE, "waves", True),
        (no_emotes, "* waves", False),
        (NO_NAMES, "* Anna (Hospital A) waves", False),
        (replace(no_emotes, own_names=False), "* Anna (Hospital A) waves", False),
    ):
        [outgoing] = shown(waves, capabilities)
        assert isinstance(outgoing.event, Message)
        assert (outgoing.event.text, outgoing.event.emote) == (text, emote)


def test_every_piece_of_a_long_text_carries_its_author() -> None:
    capabilities = Capabilities(own_names=False, max_text=60)
    pieces = texts(said(1, text="word " * 100), capabilities)
    assert len(pieces) > 5
    for piece in pieces:
        assert piece.startswith("Anna (Hospital A): word")
        assert len(piece.encode()) <= 60


def test_a_by_line_leaves_room_for_the_text() -> None:
    author = Author("hospital-a", "x", "Ä" * 80)
    pieces = texts(said(1, author=author, text="word " * 20), replace(NO_NAMES, max_text=100))
    assert all(len(piece.encode()) <= 100 for piece in pieces)
    assert sum(piece.count("word") for piece in pieces) == 20


def test_the_author_shown_keeps_id_and_network() -> None:
    [outgoing] = shown(joined(ANNA))
    assert outgoing.event.author == replace(ANNA, name="Anna (Hospital A)")
    assert outgoing.event.place == WARD_A
    assert outgoing.place == WARD_B


def test_a_subject_is_shown_in_one_piece_that_fits() -> None:
    event = SubjectChanged(WARD_A, ANNA, START, "subject " * 50)
    [outgoing] = shown(event, Capabilities(own_names=True, max_text=100))
    assert isinstance(outgoing.event, SubjectChanged)
    assert 50 < len(outgoing.event.subject) <= 100
    [outgoing] = shown(replace(event, subject=""))
    assert isinstance(outgoing.event, SubjectChanged)
    assert outgoing.event.subject == ""


# --- pieces ---

long_texts = st.text(st.sampled_from("ab äß€😀\n\t"), max_size=400)


@given(long_texts, st.integers(4, 60))
def test_pieces_hold_the_same_characters_and_fit(text: str, limit: int) -> None:
    pieces = list(split(text, limit))
    assert "".join("".join(pieces).split()) == "".join(text.split())
    for piece in pieces:
        assert 0 < len(piece.encode()) <= limit
        assert not piece.isspace()


@given(st.lists(st.text("abcäß€", min_size=1, max_size=5), max_size=60), st.integers(20, 60))
def test_pieces_hold_the_same_words(words: list[str], limit: int) -> None:
    pieces = list(split(" ".join(words), limit))
    assert " ".join(pieces).split() == words


@given(long_texts)
def test_a_text_that_fits_is_one_piece(text: str) -> None:
    expected = [] if not text.strip() else [text]
    assert list(split(text, max(4, len(text.encode())))) == expected


def test_a_text_is_cut_at_a_paragraph_before_a_line_before_a_word() -> None:
    assert list(split("aaaa bb\n\nbb bb\nbb bb", 14)) == ["aaaa bb", "bb bb\nbb bb"]
    assert list(split("aaaa bb bbb\nbb bb", 14)) == ["aaaa bb bbb", "bb bb"]
    assert list(split("aaaa bb bbb bb", 12)) == ["aaaa bb bbb", "bb"]
    assert list(split("a" * 10, 4)) == ["aaaa", "aaaa", "aa"]


def test_a_million_characters_are_cut_in_no_time() -> None:
    text = "wörd " * 200_000
    assert sum(len(piece.split()) for piece in split(text, 400)) == 200_000


def test_no_limit_below_one_character_is_accepted() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        list(split("some text", 3))


# --- keys ---


def test_keys_of_pieces_are_stable_and_distinct() -> None:
    event = said(1, text="word " * 100)
    keys = [out.key for out in shown(event, replace(WIDE, max_text=50))]
    assert keys[:3] == ["k", "k.1", "k.2"]
    assert len(set(keys)) == len(keys)
    assert keys == [out.key for out in shown(event, replace(WIDE, max_text=50))]


def test_a_key_is_short_and_of_harmless_characters() -> None:
    key = delivery_key(said(1), 1, WARD_B)
    assert len(key) == 26
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_a_key_depends_on_what_is_shown_and_where_and_on_nothing_else() -> None:
    key = delivery_key(said(1), 1, WARD_B)
    assert key == delivery_key(replace(said(1), text="other", author=DOCTOR), 99, WARD_B)
    others = {
        key,
        delivery_key(said(1), 1, ROOM),
        delivery_key(said(2), 1, WARD_B),
        delivery_key(said(1, place=Place("hospital-a", "other")), 1, WARD_B),
        delivery_key(joined(ANNA, ident="m1"), 1, WARD_B),
    }
    assert len(others) == 5


def test_events_without_an_id_at_the_same_time_have_different_keys() -> None:
    events = [joined(ANNA), joined(ANNA), left(ANNA), replace(joined(ANNA), id="")]
    keys = {delivery_key(event, number, WARD_B) for number, event in enumerate(events)}
    assert len(keys) == 4
    later = replace(joined(ANNA), time=START + timedelta(microseconds=1))
    assert delivery_key(later, 0, WARD_B) != delivery_key(joined(ANNA), 0, WARD_B)
