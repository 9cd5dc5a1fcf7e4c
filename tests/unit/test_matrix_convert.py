"""Raw Matrix events, well-formed, odd or hostile, and what the bridge makes of them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrix_fakes import ROOM, config

from bridge.bot.ports import Told
from bridge.flow.hygiene import clean
from bridge.matrix.convert import Converter, Ignored, Unreadable, Why
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.reading import acts
from bridge.model import (
    MATRIX,
    Attachment,
    Author,
    Deleted,
    Edited,
    Joined,
    Left,
    MediaKind,
    Mention,
    Message,
    PictureChanged,
    Place,
    Reacted,
    Renamed,
    SubjectChanged,
    TitleChanged,
)

CONVERTER = Converter(GhostIds(config()))
PLACE = Place(MATRIX, ROOM)
ANNA = "@anna:hospital.test"
GHOST = "@_consilium_muc_bob:hospital.test"
BOT = "@consilium:hospital.test"
TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


def event(type_: Any = "m.room.message", **more: Any) -> dict[str, Any]:
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


def test_a_notice_was_said_by_a_machine() -> None:
    found = said(message(msgtype="m.notice", body="Reminder"))
    assert (found.text, found.notice) == ("Reminder", True)


@pytest.mark.parametrize("msgtype", ["org.example.new", ["m.image"], None, "m.server_notice"])
def test_a_message_of_an_unknown_type_says_its_fallback(msgtype: Any) -> None:
    assert said(message(msgtype=msgtype, body="A fallback")).text == "A fallback"


def test_a_formatted_text_comes_as_it_was_sent() -> None:
    raw = message(body="**6.1**", format="org.matrix.custom.html", formatted_body="<b>6.1</b>")
    assert (said(raw).text, said(raw).html) == ("**6.1**", "<b>6.1</b>")


@pytest.mark.parametrize(
    "formatted",
    [{"format": "org.example.tex", "formatted_body": "x"}, {"formatted_body": "<b>x</b>"},
     {"format": "org.matrix.custom.html", "formatted_body": " "},
     {"format": "org.matrix.custom.html", "formatted_body": 5}],
)  # fmt: skip
def test_a_form_that_nobody_knows_is_left_out(formatted: dict[str, Any]) -> None:
    assert said(message(body="x", **formatted)).html is None


# --- edits --------------------------------------------------------------------------------------


def edit(fresh: dict[str, Any] | None, body: str = "* x", target: Any = "$0") -> dict[str, Any]:
    relation = {"rel_type": "m.replace", "event_id": target}
    more = {} if fresh is None else {"m.new_content": fresh}
    return message(body=body, **more, **{"m.relates_to": relation})


def edited(raw: dict[str, Any]) -> Edited:
    found = CONVERTER.convert(raw)
    assert isinstance(found, Edited)
    return found


def test_an_edit_changes_the_message_that_it_names() -> None:
    fresh = {"msgtype": "m.text", "body": "The sodium", "format": "org.matrix.custom.html",
             "formatted_body": "The <i>sodium</i>"}  # fmt: skip
    assert edited(edit(fresh, "* The sodium")) == Edited(
        PLACE, Author(MATRIX, ANNA), TIME, "$0", "The sodium", "The <i>sodium</i>", id="$1"
    )


def test_an_edit_without_its_new_text_takes_its_fallback() -> None:
    assert edited(edit(None, "* The sodium")).text == "The sodium"


def test_an_edit_of_nothing_is_a_message() -> None:
    assert said(edit({"body": "x"}, "* x", target=None)).text == "* x"


def test_an_edit_of_a_file_changes_its_caption() -> None:
    fresh = {
        "msgtype": "m.image",
        "body": "Left arm",
        "filename": "arm.png",
        "url": "mxc://h.test/1",
    }
    assert edited(edit(fresh)).text == "Left arm"
    assert edited(edit(fresh | {"body": "arm.png"})).text == ""


def test_a_deleted_edit_is_nothing() -> None:
    raw = edit({"body": "x"}) | {"unsigned": {"redacted_because": {}}, "content": {}}
    raw["unsigned"] = {"redacted_because": {"type": "m.room.redaction"}}
    assert CONVERTER.convert(raw) == Ignored(Why.REDACTED)


# --- replies and threads ------------------------------------------------------------------------

REPLY = {"m.in_reply_to": {"event_id": "$0"}}


def test_a_reply_names_what_it_answers() -> None:
    found = said(message(body="Yes", **{"m.relates_to": REPLY}))
    assert (found.text, found.reply_to, found.topic) == ("Yes", "$0", None)


@pytest.mark.parametrize(
    "body", ["> <@bob:b.test> 6.1\n> and 6.2\n\nYes", "> * <@bob:b.test> nods\n\nYes"]
)
def test_the_quotation_of_old_clients_is_taken_out_of_a_reply(body: str) -> None:
    found = said(
        message(
            body=body,
            format="org.matrix.custom.html",
            formatted_body="<mx-reply><blockquote>6.1</blockquote></mx-reply><b>Yes</b>",
            **{"m.relates_to": REPLY},
        )
    )
    assert (found.text, found.html) == ("Yes", "<b>Yes</b>")


@pytest.mark.parametrize(
    ("body", "relation"),
    [("> 6.1 is too high\nYes", REPLY), ("> <@bob:b.test> wrote\nYes", {})],
)
def test_a_quotation_that_its_author_wrote_stays(body: str, relation: dict[str, Any]) -> None:
    assert said(message(body=body, **{"m.relates_to": relation})).text == body


@pytest.mark.parametrize(
    ("more", "reply_to"), [({}, "$5"), ({"is_falling_back": False}, "$5"),
                           ({"is_falling_back": True}, None)],
)  # fmt: skip
def test_a_word_in_a_thread_answers_only_what_it_means_to(
    more: dict[str, Any], reply_to: str | None
) -> None:
    relation = {
        "rel_type": "m.thread",
        "event_id": "$root",
        "m.in_reply_to": {"event_id": "$5"},
        **more,
    }
    found = said(message(body="Yes", **{"m.relates_to": relation}))
    assert (found.topic, found.reply_to) == ("$root", reply_to)


# --- mentions -----------------------------------------------------------------------------------


def pill(user_id: str, name: str, base: str = "https://matrix.to/#/") -> str:
    return f'<a href="{base}{user_id}">{name}</a>'


def mentions(body: str, html: str, users: Any = None) -> tuple[Mention, ...]:
    more = {} if users is None else {"m.mentions": {"user_ids": users}}
    raw = message(body=body, format="org.matrix.custom.html", formatted_body=html, **more)
    return said(raw).mentions


@pytest.mark.parametrize(
    "link",
    [pill(GHOST, "Bob"), pill(GHOST + "?via=hospital.test", "Bob"),
     pill(GHOST.replace("@", "%40").replace(":", "%3A"), "Bob"),
     pill(GHOST.removeprefix("@"), "Bob", "matrix:u/"), pill(GHOST, "Bob").replace('"', "'")],
)  # fmt: skip
def test_a_pill_of_a_ghost_mentions_its_author(link: str) -> None:
    assert mentions("Bob: look", f"{link}: look") == (Mention("muc", "bob", "Bob"),)


@pytest.mark.parametrize("slash", ["/", "%2F"])
def test_a_pill_of_a_ghost_with_a_slash_in_its_id_mentions_its_author(slash: str) -> None:
    ghost = GhostIds(config()).of("muc", "ward@muc.test/Bob")
    link = pill(ghost.replace("/", slash), "Bob")
    assert mentions("Bob", link) == (Mention("muc", "ward@muc.test/Bob", "Bob"),)


def test_a_pill_of_a_doctor_mentions_the_doctor() -> None:
    html = pill("@carl:hospital.test", "Dr. Carl &amp; Co.")
    assert mentions("x", html) == (Mention(MATRIX, "@carl:hospital.test", "Dr. Carl & Co."),)


@pytest.mark.parametrize(
    "html",
    [pill(BOT, "Consilium"), pill("#ward:hospital.test", "ward"), pill("!r:h.test/$e", "this"),
     "@room look", pill("@x:h.test", "X", "https://evil.test/"), pill("@:", "X"), "<a href='"],
)  # fmt: skip
def test_other_links_mention_nobody(html: str) -> None:
    assert mentions("x", html) == ()


def test_a_user_id_in_the_text_mentions_where_that_is_meant() -> None:
    body = f"{GHOST} and @eve:h.test"
    assert mentions(body, "x", [GHOST, "@zoe:h.test", 5]) == (Mention("muc", "bob", GHOST),)
    assert mentions(body, "x", "all") == ()


def test_a_ghost_with_an_id_too_long_to_read_is_asked_for() -> None:
    ids = GhostIds(config())
    author = Author("muc", "x" * 500)
    converter = Converter(ids, known={ids.of("muc", author.id): author}.get)
    link = pill(ids.of("muc", author.id), "X")
    raw = message(body="X", format="org.matrix.custom.html", formatted_body=link)
    found = converter.convert(raw)
    assert isinstance(found, Message)
    assert found.mentions == (Mention("muc", author.id, "X"),)
    assert CONVERTER.convert(raw) == said(raw)
    assert said(raw).mentions == ()


# --- files --------------------------------------------------------------------------------------


def files(raw: dict[str, Any]) -> tuple[Attachment, ...]:
    return said(raw).attachments


INFO = {"mimetype": "image/png", "size": 1200, "w": 40, "h": 30.0, "duration": 12.5}


@pytest.mark.parametrize(
    ("msgtype", "more", "kind"),
    [
        ("m.image", {}, MediaKind.IMAGE),
        ("m.video", {}, MediaKind.VIDEO),
        ("m.file", {}, MediaKind.FILE),
        ("m.audio", {}, MediaKind.AUDIO),
        ("m.audio", {"org.matrix.msc3245.voice": {}}, MediaKind.VOICE),
    ],
)
def test_a_file_is_described_as_its_sender_does(
    msgtype: str, more: dict[str, Any], kind: MediaKind
) -> None:
    raw = message(msgtype=msgtype, body="scan.png", url="mxc://h.test/abc", info=INFO, **more)
    assert files(raw) == (
        Attachment(kind, "mxc://h.test/abc", "scan.png", "image/png", 1200, 40, 30, 12),
    )
    assert said(raw).text == ""


def test_a_caption_is_the_text_of_a_file() -> None:
    raw = message(
        msgtype="m.image", body="Look *here*", filename="scan.png", url="mxc://h.test/abc",
        format="org.matrix.custom.html", formatted_body="Look <i>here</i>",
    )  # fmt: skip
    found = said(raw)
    assert (found.text, found.html) == ("Look *here*", "Look <i>here</i>")
    assert found.attachments[0].name == "scan.png"


def test_an_encrypted_file_comes_with_its_key() -> None:
    file = {"url": "mxc://h.test/abc", "v": "v2", "key": {"k": "secret"}}
    (found,) = files(message(msgtype="m.file", body="labs.pdf", file=file))
    assert found.source == "mxc://h.test/abc"
    assert found.key is not None
    assert json.loads(found.key) == file


def test_the_length_of_a_voice_message_is_known() -> None:
    raw = message(
        msgtype="m.audio", body="Voice message", url="mxc://h.test/abc",
        **{"org.matrix.msc1767.audio": {"duration": 4300}, "org.matrix.msc3245.voice": {}},
    )  # fmt: skip
    assert files(raw)[0].duration_ms == 4300


def test_a_sticker_is_a_picture_with_a_name() -> None:
    raw = event("m.sticker", content={"body": "Thumbs up", "url": "mxc://h.test/abc", "info": {}})
    assert files(raw) == (Attachment(MediaKind.STICKER, "mxc://h.test/abc", "Thumbs up"),)


def test_a_gallery_is_several_files() -> None:
    items = [
        {"itemtype": "m.image", "body": "1.png", "url": "mxc://h.test/1"},
        {"itemtype": "m.file", "body": "2.pdf", "url": "mxc://h.test/2"},
        {"itemtype": "m.odd"},
        None,
    ]
    raw = message(msgtype="dm.filament.gallery", body="Two", itemtypes=items)
    assert [each.name for each in files(raw)] == ["1.png", "2.pdf"]
    assert said(raw).text == "Two"


@pytest.mark.parametrize(
    "url", [None, 5, "", "http://evil.test/x", "mxc://h.test/../x", "mxc:///x"]
)
def test_a_file_that_is_nowhere_is_named(url: Any) -> None:
    raw = message(msgtype="m.image", body="Look", filename="scan.png", url=url)
    assert said(raw).text == "[image] scan.png\nLook"
    assert files(raw) == ()


# --- places, polls and what else people do ------------------------------------------------------

MAP = "https://www.openstreetmap.org/?mlat=47.1&mlon=9.2#map=17/47.1/9.2"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"body": "Ward 3", "geo_uri": "geo:47.1,9.2"}, f"📍 Ward 3\n{MAP}"),
        ({"body": "Location geo:47.1,9.2 as of now", "geo_uri": "geo:47.1,9.2;u=5"},
         f"📍 Location\n{MAP}"),
        ({"org.matrix.msc3488.location": {"uri": "geo:47.1,9.2,3", "description": "Lab"}},
         f"📍 Lab\n{MAP}"),
        ({"body": "Ward 3", "geo_uri": "geo:470,9"}, "📍 Ward 3\ngeo:470,9"),
        ({"body": "Ward 3", "geo_uri": 5}, "📍 Ward 3"),
    ],
)  # fmt: skip
def test_a_location_is_a_name_and_a_map(content: dict[str, Any], text: str) -> None:
    assert said(message(msgtype="m.location", **content)).text == text


def poll_start(kind: str = "m.disclosed") -> dict[str, Any]:
    answers = [
        {"m.id": "a", "m.text": [{"body": "Operate"}]},
        {"m.id": "b", "m.text": [{"mimetype": "text/html", "body": "<b>"}, {"body": "Wait"}]},
        "odd",
    ]
    poll = {"question": {"m.text": [{"body": "What now?"}]}, "kind": kind, "answers": answers}
    return event("m.poll.start", event_id="$poll", content={"m.poll": poll})


def vote(*selections: str) -> dict[str, Any]:
    relation = {"rel_type": "m.reference", "event_id": "$poll"}
    content = {"m.relates_to": relation, "m.selections": list(selections)}
    return event("m.poll.response", content=content)


def test_a_poll_is_its_question_and_answers() -> None:
    assert said(poll_start()).text == "📊 What now?\n1. Operate\n2. Wait"


def test_a_poll_as_clients_still_send_it_is_told_likewise() -> None:
    poll = {
        "question": {"org.matrix.msc1767.text": "What now?", "body": "?"},
        "answers": [{"id": "1", "org.matrix.msc1767.text": "Wait"}],
    }
    raw = event("org.matrix.msc3381.poll.start", content={"org.matrix.msc3381.poll.start": poll})
    assert said(raw).text == "📊 What now?\n1. Wait"


@pytest.mark.parametrize(
    ("kind", "chosen", "told"),
    [
        ("m.disclosed", ["b"], "votes in the poll: Wait"),
        ("m.disclosed", [], "takes back the vote"),
        ("m.disclosed", ["zzz"], "takes back the vote"),
        ("m.undisclosed", ["b"], "votes in the poll"),
    ],
)
def test_a_vote_is_told_as_openly_as_the_poll_wants_it(
    kind: str, chosen: list[str], told: str
) -> None:
    converter = Converter(GhostIds(config()))
    converter.convert(poll_start(kind))
    found = converter.convert(vote(*chosen))
    assert isinstance(found, Message)
    assert (found.text, found.emote, found.reply_to) == (told, True, "$poll")


def test_a_vote_as_clients_still_send_it_is_understood() -> None:
    converter = Converter(GhostIds(config()))
    converter.convert(poll_start())
    content = {
        "m.relates_to": {"rel_type": "m.reference", "event_id": "$poll"},
        "org.matrix.msc3381.poll.response": {"answers": ["a"]},
    }
    found = converter.convert(event("org.matrix.msc3381.poll.response", content=content))
    assert isinstance(found, Message)
    assert found.text == "votes in the poll: Operate"


def test_a_vote_in_a_poll_of_long_ago_is_told_without_the_answer() -> None:
    found = Converter(GhostIds(config())).convert(vote("a"))
    assert isinstance(found, Message)
    assert found.text == "votes in the poll"


def test_the_end_of_a_poll_is_told_below_it() -> None:
    content = {
        "m.relates_to": {"rel_type": "m.reference", "event_id": "$poll"},
        "m.text": [{"body": "The poll has ended. Top answer: Wait"}],
    }
    found = said(event("m.poll.end", content=content))
    assert found.text == "📊 The poll has ended. Top answer: Wait"
    assert found.reply_to == "$poll"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (event("m.call.invite", content={"call_id": "1"}), "starts a call"),
        (event("org.matrix.msc4075.rtc.notification"), "starts a call"),
        (event("m.beacon_info", state_key=ANNA, content={"live": True}), "shares a live location"),
        (event("im.vector.modular.widgets", state_key="w", content={"type": "jitsi"}),
         "starts a video conference"),
    ],
)  # fmt: skip
def test_what_text_cannot_carry_is_told_in_a_line(raw: dict[str, Any], told: str) -> None:
    found = said(raw)
    assert found.text.startswith(told)
    assert found.emote


@pytest.mark.parametrize(
    "raw",
    [
        event("m.beacon_info", state_key=ANNA, content={"live": False}),
        event("im.vector.modular.widgets"),
    ],
)
def test_the_end_of_such_things_is_not_told(raw: dict[str, Any]) -> None:
    assert CONVERTER.convert(raw) == Ignored(Why.OTHER_TYPE)


@pytest.mark.parametrize("kind", sorted(acts.BETWEEN_CLIENTS))
def test_what_clients_say_to_each_other_is_known_as_such(kind: str) -> None:
    assert CONVERTER.convert(event(kind)) == Ignored(Why.BETWEEN_CLIENTS)


# --- deletions and reactions --------------------------------------------------------------------


@pytest.mark.parametrize(
    "where", [{"redacts": "$0"}, {"content": {"redacts": "$0", "reason": "Wrong patient"}}]
)
def test_a_redaction_deletes_what_it_names(where: dict[str, Any]) -> None:
    reason = where.get("content", {}).get("reason", "")
    assert CONVERTER.convert(event("m.room.redaction", **where)) == Deleted(
        PLACE, Author(MATRIX, ANNA), TIME, "$0", reason, moderated=True, id="$1"
    )


def reaction(key: Any, **more: Any) -> dict[str, Any]:
    relation = {"rel_type": "m.annotation", "event_id": "$0", "key": key}
    return event("m.reaction", content={"m.relates_to": relation, **more})


@pytest.mark.parametrize(
    ("raw", "emoji"),
    [
        (reaction("👍️"), "👍️"),
        (reaction("agreed"), "agreed"),
        (reaction("mxc://h.test/1", shortcode=":heart:"), ":heart:"),
        (reaction("mxc://h.test/1", **{"com.beeper.reaction.shortcode": ":ok:"}), ":ok:"),
        (reaction("mxc://h.test/1"), "[picture]"),
    ],
)
def test_a_reaction_is_put_on_a_message(raw: dict[str, Any], emoji: str) -> None:
    assert CONVERTER.convert(raw) == Reacted(
        PLACE, Author(MATRIX, ANNA), TIME, "$0", emoji, id="$1"
    )


def test_a_reaction_that_asks_for_a_retry_is_for_the_bridge_alone() -> None:
    assert CONVERTER.convert(reaction("🔁")) == Ignored(Why.RETRY)


@pytest.mark.parametrize(
    "raw", [reaction(""), reaction(None), event("m.reaction"), event("m.room.redaction")]
)
def test_a_change_of_nothing_leaves_a_trace(raw: dict[str, Any]) -> None:
    assert isinstance(CONVERTER.convert(raw), Unreadable)


# --- deleted and without text -------------------------------------------------------------------


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


def test_a_name_of_the_room_is_its_title() -> None:
    raw = event("m.room.name", state_key="", content={"name": "Case 7"})
    assert CONVERTER.convert(raw) == TitleChanged(PLACE, Author(MATRIX, ANNA), TIME, "Case 7", "$1")


@pytest.mark.parametrize(
    ("content", "picture"),
    [
        ({"url": "mxc://h.test/1", "info": {"mimetype": "image/png"}},
         Attachment(MediaKind.IMAGE, "mxc://h.test/1", "", "image/png")),
        ({}, None),
        ({"url": ""}, None),
    ],
)  # fmt: skip
def test_a_picture_of_the_room_is_put_up_or_taken_down(
    content: dict[str, Any], picture: Attachment | None
) -> None:
    before = {"prev_content": {"url": "mxc://h.test/0"}}
    raw = event("m.room.avatar", state_key="", content=content, unsigned=before)
    assert CONVERTER.convert(raw) == PictureChanged(
        PLACE, Author(MATRIX, ANNA), TIME, picture, "$1"
    )


@pytest.mark.parametrize(
    ("kind", "content"),
    [("m.room.name", {"name": "Case 7"}), ("m.room.avatar", {"url": "mxc://h.test/1"})],
)
def test_a_name_or_picture_that_was_there_before_is_nothing(
    kind: str, content: dict[str, Any]
) -> None:
    raw = event(kind, state_key="", content=content, unsigned={"prev_content": content})
    assert CONVERTER.convert(raw) == Ignored(Why.UNCHANGED)


@pytest.mark.parametrize(
    ("kind", "content"),
    [("m.room.name", {"name": 5}), ("m.room.avatar", {"url": "http://evil.test/x"})],
)
def test_a_name_or_picture_that_can_be_none_leaves_a_trace(
    kind: str, content: dict[str, Any]
) -> None:
    assert isinstance(CONVERTER.convert(event(kind, state_key="", content=content)), Unreadable)


@pytest.mark.parametrize(
    "raw",
    [
        event("m.room.topic", state_key="x", content={"topic": "no"}),
        event("m.room.topic", content={"topic": "no"}),
        event("m.room.name", state_key="x"),
        event("m.room.power_levels", state_key=""),
        event("m.room.tombstone", state_key=""),
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
    ["m.room.message", "m.room.member", "m.room.topic", "m.sticker", "m.room.encrypted",
     "m.room.name", "m.room.avatar", "m.reaction", "m.room.redaction", "m.poll.start",
     "m.poll.response", "m.poll.end", "m.beacon_info", "im.vector.modular.widgets"]
)  # fmt: skip
RELATION = st.dictionaries(
    st.sampled_from(["rel_type", "event_id", "key", "m.in_reply_to", "is_falling_back"]),
    JSON | st.sampled_from(["m.replace", "m.thread", "m.annotation", "m.reference", "$0"]),
)
INNER = st.dictionaries(
    st.sampled_from(
        ["url", "body", "msgtype", "itemtype", "mimetype", "size", "w", "duration", "question",
         "answers", "m.text", "m.id", "kind", "uri", "description", "user_ids", "displayname"]
    ),
    JSON | st.sampled_from(["mxc://h.test/1", "m.image", "m.disclosed"]),
)  # fmt: skip
CONTENT = st.dictionaries(
    st.sampled_from(
        ["body", "msgtype", "membership", "displayname", "avatar_url", "reason", "topic",
         "m.relates_to", "m.new_content", "filename", "prev_content", "redacted_because",
         "format", "formatted_body", "m.mentions", "url", "file", "info", "itemtypes", "geo_uri",
         "m.location", "m.poll", "m.selections", "m.text", "name", "live", "type", "redacts",
         "org.matrix.msc1767.audio", "org.matrix.msc3381.poll.response"]
    ),
    JSON | RELATION | INNER | st.lists(INNER, max_size=2) | st.sampled_from(
        ["join", "leave", "ban", "m.text", "m.image", "m.emote", "m.location", "m.audio",
         "dm.filament.gallery", "org.matrix.custom.html", "mxc://h.test/1",
         "> <@a:b> x\n\ny", "<mx-reply>x", pill(ANNA, "Anna"), "geo:1,2"]
    ),
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
    if not isinstance(found, Ignored | Unreadable):
        assert not isinstance(found, Told)
        assert not found.author.id.startswith("@_consilium_")
        assert found.place.network == MATRIX
        assert isinstance(found.author.name, str)
        assert isinstance(found.id, str)
        clean(found)
