"""What is said to the bot is told from what is said to everyone, whatever an event looks like."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrix_fakes import ROOM, config

from bridge.bot.parse import Grammar
from bridge.bot.ports import Told
from bridge.matrix.convert import Conversion, Converter, Ignored, Why
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.hearing import Hearing
from bridge.model import Edited, Message

ANNA = "@anna:hospital.test"
BOT = "@consilium:hospital.test"
GHOST = "@_consilium_muc_bob:hospital.test"
CHAT = "!chat:hospital.test"

GRAMMAR = Grammar({"help": 1, "status": 0, "retry": 0}, "!", ("Consilium", BOT))
HEARING = Hearing(GRAMMAR, BOT, lambda room: room == ROOM)
CONVERTER = Converter(GhostIds(config()), HEARING)


def convert(content: Any, *, sender: str = ANNA, room: str = ROOM, **more: Any) -> Conversion:
    raw = {
        "type": "m.room.message",
        "event_id": "$1",
        "room_id": room,
        "sender": sender,
        "origin_server_ts": 1767323045678,
        "content": content,
        **more,
    }
    return CONVERTER.convert(raw)


def text(body: str, **more: Any) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": body, **more}


def told(content: dict[str, Any]) -> Told:
    found = convert(content)
    assert isinstance(found, Told)
    return found


def test_a_command_is_told_to_the_bot() -> None:
    found = told(text("!status"))
    assert (found.room_id, found.event_id, found.asker) == (ROOM, "$1", ANNA)
    assert found.spoken is not None
    assert found.spoken.command == "status"


@pytest.mark.parametrize("body", ["!!", "!important", "The potassium is 6.1"])
def test_anything_else_is_for_everyone(body: str) -> None:
    assert isinstance(convert(text(body)), Message)


@pytest.mark.parametrize("msgtype", ["m.notice", "m.emote", "m.image", None, 5])
def test_only_plain_text_is_a_command(msgtype: Any) -> None:
    found = convert({"msgtype": msgtype, "body": "!status"})
    assert isinstance(found, Message)


@pytest.mark.parametrize("sender", [BOT, GHOST])
def test_what_the_bot_or_a_ghost_says_is_no_command(sender: str) -> None:
    assert convert(text("!status"), sender=sender) == Ignored(Why.OWN)
    assert convert(text("!status"), sender=sender, room=CHAT) == Ignored(Why.OWN)


def test_a_deleted_command_is_none() -> None:
    found = convert(text("!status"), unsigned={"redacted_because": {"type": "m.room.redaction"}})
    assert found == Ignored(Why.REDACTED)


def test_an_edit_that_makes_a_command_is_neither_run_nor_carried() -> None:
    relation = {"rel_type": "m.replace", "event_id": "$0"}
    content = text("* !status", **{"m.new_content": text("!status"), "m.relates_to": relation})
    assert convert(content) == Ignored(Why.COMMAND_EDITED)
    content = text("* all well", **{"m.new_content": text("all well"), "m.relates_to": relation})
    assert isinstance(convert(content), Edited)


def test_in_a_room_that_is_no_portal_everything_is_for_the_bot() -> None:
    found = convert(text("good morning"), room=CHAT)
    assert isinstance(found, Told)
    assert (found.text, found.spoken) == ("good morning", None)


@pytest.mark.parametrize(
    ("relation", "reply_to", "thread"),
    [
        ({"m.in_reply_to": {"event_id": "$r"}}, "$r", None),
        ({"rel_type": "m.thread", "event_id": "$t"}, None, "$t"),
        (
            {"rel_type": "m.thread", "event_id": "$t", "m.in_reply_to": {"event_id": "$r"}},
            "$r",
            "$t",
        ),
        (
            {
                "rel_type": "m.thread",
                "event_id": "$t",
                "is_falling_back": True,
                "m.in_reply_to": {"event_id": "$r"},
            },
            None,
            "$t",
        ),
        ({"m.in_reply_to": 5}, None, None),
        ({"rel_type": "m.thread", "event_id": []}, None, None),
        ("nonsense", None, None),
    ],
)
def test_what_a_command_is_about(relation: Any, reply_to: str | None, thread: str | None) -> None:
    found = told(text("!retry", **{"m.relates_to": relation}))
    assert (found.reply_to, found.thread) == (reply_to, thread)


def test_a_quotation_before_a_reply_is_passed_over() -> None:
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": "$r"}}}
    quoted = "> <@bram:hospital.test> The potassium\n> is 6.1\n\n!retry"
    assert told(text(quoted, **reply)).spoken
    assert isinstance(convert(text(quoted)), Message)


@pytest.mark.parametrize(
    "mention",
    [
        {"m.mentions": {"user_ids": [BOT]}},
        {"formatted_body": f'<a href="https://matrix.to/#/{BOT}">Consilium</a> status'},
    ],
)
def test_a_mention_of_the_bot_is_heard(mention: dict[str, Any]) -> None:
    assert told(text("Consilium status", **mention)).spoken
    assert isinstance(convert(text("Consilium status")), Message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["msgtype", "body", "m.relates_to", "m.mentions", "formatted_body", "m.new_content"]
)


@given(st.dictionaries(KEYS, JSON), st.sampled_from([ROOM, CHAT]))
def test_no_content_makes_it_fail(content: dict[str, Any], room: str) -> None:
    convert(text("!status") | content, room=room)
    edit = {"m.relates_to": {"rel_type": "m.replace"}}
    convert(text("!status") | content | edit, room=room)
