"""Events as the inbox keeps them."""

from datetime import UTC
from typing import get_args

import pytest
from core_stage import ANNA, START, said
from hypothesis import given
from hypothesis import strategies as st

from bridge.flow.codec import decode, encode
from bridge.model import (
    Attachment,
    Author,
    Deleted,
    Edited,
    Event,
    Joined,
    Kind,
    Left,
    MediaKind,
    Mention,
    Message,
    PictureChanged,
    Place,
    Reacted,
    Reactions,
    Renamed,
    Roster,
    SubjectChanged,
    TitleChanged,
)

words = st.text(max_size=30)
idents = st.none() | words
places = st.builds(Place, words, words)
authors = st.builds(Author, words, words, words, idents)
times = st.datetimes(timezones=st.just(UTC))
mentions = st.lists(st.builds(Mention, words, words, words), max_size=2).map(tuple)
files = st.builds(
    Attachment, st.sampled_from(MediaKind), words, words, words, st.none() | st.just(7)
)
attachments = st.lists(files, max_size=2).map(tuple)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Message,
        places,
        words,
        authors,
        times,
        words,
        emote=st.booleans(),
        html=idents,
        mentions=mentions,
        attachments=attachments,
        reply_to=idents,
        topic=idents,
    ),
    st.builds(Edited, places, authors, times, words, words, idents, mentions, idents),
    st.builds(Deleted, places, authors, times, words, words, st.booleans(), idents),
    st.builds(Reacted, places, authors, times, words, words, st.booleans(), idents),
    st.builds(Reactions, places, authors, times, words, st.lists(words, max_size=3).map(tuple)),
    st.builds(Joined, places, authors, times, idents),
    st.builds(Left, places, authors, times, words, idents),
    st.builds(Renamed, places, authors, times, idents),
    st.builds(SubjectChanged, places, authors, times, words, idents),
    st.builds(TitleChanged, places, authors, times, words, idents),
    st.builds(PictureChanged, places, authors, times, st.none() | files, idents),
    st.builds(Roster, places, st.lists(authors, max_size=5).map(tuple), times),
)


@given(events)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    again = decode(event.kind, encode(event))
    assert again == event
    assert type(again) is type(event)
    assert type(again.place) is Place


def test_every_kind_can_be_kept() -> None:
    assert {event.kind for event in get_args(Event)} == set(Kind)


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
