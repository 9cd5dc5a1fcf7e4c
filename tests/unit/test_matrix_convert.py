"""Raw Matrix events, well-formed, odd or hostile, and what the bridge makes of them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrix_fakes import ROOM, config

from bridge.matrix.convert import Converter, Ignored, Unreadable, Why
from bridge.matrix.ghost_ids import GhostIds
from bridge.model import MATRIX, Author, Joined, Left, Message, Place, Renamed, SubjectChanged

CONVERTER = Converter(GhostIds(config()))
PLACE = Place(MATRIX, ROOM)
ANNA = "@anna:hospital.test"
GHOST = "@_consilium_muc_bob:hospital.test"
BOT = "@consilium:hospital.test"
TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


def event(type_: str = "m.room.message", **more: Any) -> dict[str, Any]:
    return {
        "type": type_,
        "event_id": "$1",
        "room_id": ROOM,
        "sender": ANNA,
        "origin_server_ts": 1767323045678,
        "content": {},
        **more,
    }


def message(**content: Any) -> dict[str, Any]:
    return event(content={"msgtype": "m.text", **content})


def member(membership: str, before: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    content = {"membership": membership, **more.pop("content", {})}
    unsigned = {} if before is None else {"prev_content": before}
    return event("m.room.member", **{"state_key": ANNA, **more}, content=content, unsigned=unsigned)


def said(raw: dict[str, Any]) -> Message:
    found = CONVERTER.convert(raw)
    assert isinstance(found, Message)
    return found


# --- messages -----------------------------------------------------------------------------------


def test_a_text_is_a_message_of_its_sender() -> None:
    assert CONVERTER.convert(message(body="The potassium is 6.1")) == Message(
        PLACE, "$1", Author(MATRIX, ANNA), TIME, "The potassium is 6.1"
    )


def test_an_emote_says_what_the_author_does() -> None:
    found = said(message(msgtype="m.emote", body="nods"))
    assert (found.text, found.emote) == ("nods", True)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"msgtype": "m.notice", "body": "Reminder"}, "Reminder"),
        ({"msgtype": "m.image", "body": "scan.png"}, "[image] scan.png"),
        (
            {"msgtype": "m.image", "body": "Look here", "filename": "scan.png"},
            "[image] scan.png\nLook here",
        ),
        ({"msgtype": "m.file", "body": "labs.pdf", "filename": "labs.pdf"}, "[file] labs.pdf"),
        ({"msgtype": "m.video"}, "[video]"),
        (
            {"msgtype": "m.location", "body": "Ward 3", "geo_uri": "geo:47.1,9.2"},
            "[location] Ward 3 geo:47.1,9.2",
        ),
        ({"msgtype": "org.example.new", "body": "A fallback"}, "A fallback"),
        ({"msgtype": ["m.image"], "body": "odd"}, "odd"),
    ],
)
def test_no_kind_of_message_vanishes(content: dict[str, Any], text: str) -> None:
    assert said(event(content=content)).text == text


def test_a_sticker_is_named() -> None:
    assert said(event("m.sticker", content={"body": "Thumbs up"})).text == "[sticker] Thumbs up"


def test_an_edit_is_told_as_one() -> None:
    raw = message(
        body="* The sodium",
        **{
            "m.new_content": {"msgtype": "m.text", "body": "The sodium"},
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$0"},
        },
    )
    assert said(raw).text == "(edited) The sodium"


def test_an_edit_without_its_new_text_shows_its_fallback() -> None:
    raw = message(body="* The sodium", **{"m.relates_to": {"rel_type": "m.replace"}})
    assert said(raw).text == "* The sodium"


def test_a_deleted_message_is_nothing() -> None:
    raw = event(content={}, unsigned={"redacted_because": {"type": "m.room.redaction"}})
    assert CONVERTER.convert(raw) == Ignored(Why.REDACTED)


@pytest.mark.parametrize("content", [{}, {"body": 1}, {"body": "  "}, [], None, "text"])
def test_a_message_without_text_leaves_a_trace(content: Any) -> None:
    assert CONVERTER.convert(event(content=content)) == Unreadable(ROOM, "$1", "it has no text")


def test_an_encrypted_message_leaves_a_trace() -> None:
    found = CONVERTER.convert(event("m.room.encrypted", content={"ciphertext": "x"}))
    assert isinstance(found, Unreadable)
    assert "encrypted" in found.reason


# --- loops --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", [GHOST, BOT])
@pytest.mark.parametrize(
    "raw",
    [
        message(body="an echo"),
        event("m.room.topic", state_key="", content={"topic": "an echo"}),
        event("m.room.encrypted"),
        event("m.reaction"),
    ],
)
def test_what_the_bridge_did_is_never_carried(sender: str, raw: dict[str, Any]) -> None:
    assert CONVERTER.convert({**raw, "sender": sender}) == Ignored(Why.OWN)


@pytest.mark.parametrize("membership", ["join", "leave", "ban", "invite", "knock"])
@pytest.mark.parametrize("sender", [GHOST, BOT, ANNA])
@pytest.mark.parametrize("whose", [GHOST, BOT])
def test_comings_and_goings_of_ghosts_are_not_carried(
    membership: str, sender: str, whose: str
) -> None:
    raw = member(membership, {"membership": "join"}, sender=sender, state_key=whose)
    assert CONVERTER.convert(raw) == Ignored(Why.OWN)


# --- people -------------------------------------------------------------------------------------


def test_one_who_comes_in_has_a_name_and_an_avatar() -> None:
    raw = member("join", content={"displayname": "Dr. Anna", "avatar_url": "mxc://a/b"})
    author = Author(MATRIX, ANNA, "Dr. Anna", "mxc://a/b")
    assert CONVERTER.convert(raw) == Joined(PLACE, author, TIME, "$1")


@pytest.mark.parametrize("before", ["invite", "leave", "knock", "ban"])
def test_one_who_was_not_in_comes_in(before: str) -> None:
    found = CONVERTER.convert(member("join", {"membership": before}))
    assert found == Joined(PLACE, Author(MATRIX, ANNA), TIME, "$1")


def test_one_who_takes_another_name_is_renamed() -> None:
    raw = member(
        "join", {"membership": "join", "displayname": "Anna"}, content={"displayname": "Dr. Anna"}
    )
    assert CONVERTER.convert(raw) == Renamed(PLACE, Author(MATRIX, ANNA, "Dr. Anna"), TIME, "$1")


def test_a_membership_event_that_changes_nothing_is_nothing() -> None:
    before = {"membership": "join", "displayname": "Anna"}
    raw = member("join", before, content={"displayname": "Anna", "org.example.mood": "good"})
    assert CONVERTER.convert(raw) == Ignored(Why.UNCHANGED)


@pytest.mark.parametrize(
    ("membership", "sender", "given", "reason"),
    [
        ("leave", ANNA, "", ""),
        ("leave", ANNA, "My shift is over", "My shift is over"),
        ("leave", "@chief:hospital.test", "", "removed from the room"),
        ("leave", BOT, "", "removed from the room"),
        ("ban", "@chief:hospital.test", "Spam", "banned from the room: Spam"),
    ],
)
def test_one_who_goes_or_is_put_out_has_left(
    membership: str, sender: str, given: str, reason: str
) -> None:
    before = {"membership": "join", "displayname": "Dr. Anna"}
    raw = member(membership, before, sender=sender, content={"reason": given})
    assert CONVERTER.convert(raw) == Left(
        PLACE, Author(MATRIX, ANNA, "Dr. Anna"), TIME, reason, "$1"
    )


def test_one_who_goes_has_left_also_when_it_is_not_told_what_was_before() -> None:
    assert isinstance(CONVERTER.convert(member("leave")), Left)


@pytest.mark.parametrize(
    ("membership", "before"),
    [("leave", "invite"), ("ban", "leave"), ("leave", "ban"), ("invite", "leave"), ("knock", "")],
)
def test_one_who_was_never_in_does_not_leave(membership: str, before: str) -> None:
    raw = member(membership, {"membership": before})
    assert CONVERTER.convert(raw) == Ignored(Why.UNCHANGED)


# --- topic and the rest -------------------------------------------------------------------------


def test_a_topic_is_the_subject() -> None:
    raw = event("m.room.topic", state_key="", content={"topic": "A heart"})
    assert CONVERTER.convert(raw) == SubjectChanged(
        PLACE, Author(MATRIX, ANNA), TIME, "A heart", "$1"
    )


def test_a_topic_that_is_taken_away_is_an_empty_subject() -> None:
    found = CONVERTER.convert(event("m.room.topic", state_key="", content={}))
    assert isinstance(found, SubjectChanged)
    assert found.subject == ""


@pytest.mark.parametrize(
    "raw",
    [
        event("m.room.topic", state_key="x", content={"topic": "no"}),
        event("m.room.topic", content={"topic": "no"}),
        event("m.reaction"),
        event("m.room.name", state_key=""),
        event("org.example.unknown"),
        event(None),
        event(["m.room.message"]),
    ],
)
def test_other_types_are_not_carried(raw: dict[str, Any]) -> None:
    assert CONVERTER.convert(raw) == Ignored(Why.OTHER_TYPE)


@pytest.mark.parametrize(
    "broken",
    [
        {"room_id": None},
        {"event_id": 3},
        {"event_id": ""},
        {"sender": {}},
        {"origin_server_ts": "1"},
        {"origin_server_ts": True},
        {"origin_server_ts": None},
    ],
)
def test_an_event_without_its_head_leaves_a_trace(broken: dict[str, Any]) -> None:
    assert isinstance(CONVERTER.convert(message(body="x") | broken), Unreadable)


@pytest.mark.parametrize("claimed", [-1, 2**63, 10**30])
def test_an_impossible_time_does_not_lose_the_message(claimed: int) -> None:
    found = said(message(body="x") | {"origin_server_ts": claimed})
    assert found.time.tzinfo is UTC


# --- hostile ------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KEYS = [
    "type", "event_id", "room_id", "sender", "origin_server_ts", "content", "state_key", "unsigned",
]  # fmt: skip
TYPES = st.sampled_from(
    ["m.room.message", "m.room.member", "m.room.topic", "m.sticker", "m.room.encrypted"]
)
CONTENT = st.dictionaries(
    st.sampled_from(
        ["body", "msgtype", "membership", "displayname", "avatar_url", "reason", "topic",
         "m.relates_to", "m.new_content", "filename", "prev_content", "redacted_because"]
    ),
    JSON | st.sampled_from(["join", "leave", "ban", "m.text", "m.image", "m.emote"]),
)  # fmt: skip
HOSTILE = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES | JSON,
        "event_id": st.just("$1") | JSON,
        "room_id": st.just(ROOM) | JSON,
        "sender": st.sampled_from([ANNA, GHOST]) | JSON,
        "origin_server_ts": st.integers() | JSON,
        "content": CONTENT | JSON,
        "state_key": st.sampled_from(["", ANNA, GHOST]) | JSON,
        "unsigned": st.fixed_dictionaries({"prev_content": CONTENT}) | JSON,
    },
)


@given(HOSTILE | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), JSON))
def test_no_json_makes_it_raise_or_speak_for_a_ghost(raw: dict[str, Any]) -> None:
    found = CONVERTER.convert(raw)
    if isinstance(found, Message | SubjectChanged | Joined | Left | Renamed):
        assert not found.author.id.startswith("@_consilium_")
        assert found.place.network == MATRIX
        assert isinstance(found.author.name, str)
    else:
        assert isinstance(found, Ignored | Unreadable)
