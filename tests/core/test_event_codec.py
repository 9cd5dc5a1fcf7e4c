"""Events as the inbox keeps them."""

from datetime import UTC

import pytest
from core_stage import ANNA, START, said
from hypothesis import given
from hypothesis import strategies as st

from bridge.flow.codec import decode, encode
from bridge.model import (
    Author,
    Event,
    Joined,
    Kind,
    Left,
    Message,
    Place,
    Renamed,
    Roster,
    SubjectChanged,
)

words = st.text(max_size=30)
idents = st.none() | words
places = st.builds(Place, words, words)
authors = st.builds(Author, words, words, words, idents)
times = st.datetimes(timezones=st.just(UTC))
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Message, places, words, authors, times, words, st.booleans()),
    st.builds(Joined, places, authors, times, idents),
    st.builds(Left, places, authors, times, words, idents),
    st.builds(Renamed, places, authors, times, idents),
    st.builds(SubjectChanged, places, authors, times, words, idents),
    st.builds(Roster, places, st.lists(authors, max_size=5).map(tuple), times),
)


@given(events)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    again = decode(event.kind, encode(event))
    assert again == event
    assert type(again) is type(event)
    assert type(again.place) is Place


def test_every_kind_can_be_kept() -> None:
    assert {
        event.kind for event in (Message, Joined, Left, Renamed, SubjectChanged, Roster)
    } == set(Kind)


def test_what_is_not_said_is_not_kept() -> None:
    assert b"emote" not in encode(said(1))
    assert b"avatar" not in encode(said(1))


def test_a_row_of_an_older_version_without_later_fields_still_loads() -> None:
    row = (
        b'{"place":["hospital-a","w"],"id":"m1","author":{"network":"hospital-a","id":"a"},'
        b'"time":"2026-03-01T08:00:00Z","text":"hello"}'
    )
    author = Author("hospital-a", "a")
    assert decode(Kind.MESSAGE, row) == Message(
        Place("hospital-a", "w"), "m1", author, START, "hello"
    )


@pytest.mark.parametrize("row", [b"", b"\xff\xfe", b"null", b"[]", b'{"place":["a"]}', b"{" * 5000])
def test_what_is_no_event_is_refused(row: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        decode(Kind.MESSAGE, row)


def test_an_event_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="validation error"):
        decode(Kind.ROSTER, encode(Joined(Place("n", "p"), ANNA, START)))
