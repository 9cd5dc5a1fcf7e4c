"""Stanzas are written so that nothing escapes them, and read so that nothing deceives."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.xmpp import outgoing, xml
from adapters.xmpp.composing import Composer
from adapters.xmpp.crew import Crew
from adapters.xmpp.errors import StanzaError, cannot_join, cannot_say, cannot_set_subject
from adapters.xmpp.incoming import (
    is_about_oneself,
    read_archived,
    read_message,
    read_presence,
    read_time,
)
from adapters.xmpp.naming import Naming
from adapters.xmpp.people import People
from adapters.xmpp.scene import Scene
from adapters.xmpp.timing import DEFAULT
from bridge.contract import Outgoing, Refused, Unreachable
from bridge.model import Author, Message, Place

ROOM = "ward@muc.example.org"
anything = st.text(st.characters())


def parsed(stanza: str) -> ET.Element:
    return ET.fromstring(f"<s xmlns='jabber:client'>{stanza}</s>")[0]


def message(text: str, key: str, *, emote: bool = False) -> str:
    place = Place("hospital", ROOM)
    people = People(place)
    crew = Crew(ROOM, None, "a@b/c", DEFAULT, lambda *_: None)
    composer = Composer(Scene(place, crew, people, Naming(people)))
    event = Message(place, "m", Author("matrix", "@a:b", "Ann"), datetime.now(UTC), text, emote)
    contents = composer.message(Outgoing(place, key, event), event)
    return composer.stanza("a@b/c", key, contents)


# --- writing


@given(anything, anything)
def test_a_message_says_exactly_what_it_was_given(body: str, key: str) -> None:
    read = parsed(message(body, key))
    said = read_message(read, ROOM, "Ann")
    assert (said.body or "") == xml.clean(body)
    assert len(read) == 3


@given(anything)
def test_no_name_or_reason_breaks_out_of_its_stanza(text: str) -> None:
    for stanza in (
        outgoing.join(text, text, text),
        outgoing.rename(text, text, text),
        outgoing.leave(text, text, text, text),
        outgoing.set_subject(text, text, text, text),
        outgoing.refuse(text, text, text, text),
    ):
        assert parsed(stanza).tag.startswith("{jabber:client}")


@given(anything)
def test_clean_text_is_what_a_parser_reads_back(text: str) -> None:
    cleaned = xml.clean(text)
    assert xml.clean(cleaned) == cleaned
    assert (ET.fromstring(f"<x>{xml.text(text)}</x>").text or "") == cleaned


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Grüße, \t\n\U0001fa7a שלום <b>&amp;</b>"
    assert xml.clean(text) == text


def test_an_action_begins_with_its_mark() -> None:
    stanza = parsed(message("nods", "k", emote=True))
    assert read_message(stanza, ROOM, "Ann").body == "/me nods"


# --- reading


def test_only_the_rooms_own_marks_count() -> None:
    said = read_message(
        parsed(
            "<message id='m'><body>one</body><body xml:lang='de'>two</body>"
            "<stanza-id xmlns='urn:xmpp:sid:0' by='evil@example.org' id='no'/>"
            "<delay xmlns='urn:xmpp:delay' from='evil@example.org' stamp='2001-01-01T00:00:00Z'/>"
            f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='yes'/></message>"
        ),
        ROOM,
        "Cora",
    )
    assert (said.body, said.stanza_id, said.delay) == ("one", "yes", None)


@pytest.mark.parametrize("extra", ["<body>b</body>", "<thread>t</thread>"])
def test_a_subject_alone_changes_the_subject(extra: str) -> None:
    subject = "<message><subject>s</subject>{}</message>"
    assert read_message(parsed(subject.format("")), ROOM, "").subject == "s"
    assert read_message(parsed(subject.format(extra)), ROOM, "").subject is None


def test_a_presence_tells_who_why_and_what_next() -> None:
    seen = read_presence(
        parsed(
            "<presence type='unavailable'><status>bye</status>"
            "<x xmlns='http://jabber.org/protocol/muc#user'><item nick='New' jid='c@x.org/h'>"
            "<reason>loud</reason></item><status code='307'/><status/></x></presence>"
        ),
        "Cora",
    )
    assert (seen.here, seen.reason, seen.new_nick, seen.real_jid) == (
        *(False, "loud", "New", "c@x.org/h"),
    )
    assert "307" in seen.codes


def test_a_presence_without_codes_is_about_somebody_else() -> None:
    assert not is_about_oneself(parsed("<presence/>"))


@given(st.one_of(st.none(), anything, st.datetimes().map(str)))
def test_any_stamp_gives_a_time_that_has_come(stamp: str | None) -> None:
    time = read_time(stamp)
    assert time.tzinfo is UTC
    assert time <= datetime.now(UTC)


def test_a_good_stamp_is_believed() -> None:
    assert read_time("2024-02-03T04:05:06Z") == datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert read_time("2024-02-03T04:05:06+02:00") == datetime(2024, 2, 3, 2, 5, 6, tzinfo=UTC)
    assert datetime.now(UTC) - read_time("2999-01-01T00:00:00Z") < timedelta(minutes=1)


FORWARDED = "<forwarded xmlns='urn:xmpp:forward:0'>{}</forwarded>"
MESSAGE = "<message xmlns='jabber:client' from='{}/Cora' type='{}'><body>x</body></message>"


@pytest.mark.parametrize(
    "inner",
    [
        "",
        FORWARDED.format(""),
        FORWARDED.format(MESSAGE.format("other@muc.example.org", "groupchat")),
        FORWARDED.format(MESSAGE.format(ROOM, "chat")),
    ],
)
def test_what_is_no_message_of_the_room_is_not_taken_from_its_archive(inner: str) -> None:
    result = parsed(f"<result xmlns='urn:xmpp:mam:2' id='1'>{inner}</result>")
    assert read_archived(result, ROOM) is None


def test_a_message_of_the_room_is_taken_from_its_archive() -> None:
    inner = FORWARDED.format(MESSAGE.format(ROOM, "groupchat"))
    said = read_archived(parsed(f"<result xmlns='urn:xmpp:mam:2' id='1'>{inner}</result>"), ROOM)
    assert said is not None
    assert (said.nick, said.body, said.stanza_id) == ("Cora", "x", "1")


# --- errors


def error(condition: str, kind: str = "cancel", text: str = "") -> StanzaError:
    return StanzaError.of(
        parsed(
            f"<presence type='error'><error type='{kind}'>"
            f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
            f"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{text}</text></error></presence>"
        )
    )


CONDITIONS = [
    *("bad-request", "conflict", "feature-not-implemented"),
    *("forbidden", "gone", "internal-server-error"),
    *("item-not-found", "jid-malformed", "not-acceptable"),
    *("not-allowed", "not-authorized", "policy-violation"),
    *("recipient-unavailable", "redirect", "registration-required"),
    *("remote-server-not-found", "remote-server-timeout", "resource-constraint"),
    *("service-unavailable", "undefined-condition"),
]


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("kind", ["cancel", "wait", "auth"])
def test_every_refusal_is_a_sentence(condition: str, kind: str) -> None:
    refusal = error(condition, kind, "{braces} 100%")
    for told in (
        cannot_join(ROOM, "Dr {x}", refusal),
        cannot_say(ROOM, "Dr {x}", refusal),
        cannot_set_subject(ROOM, refusal),
    ):
        assert isinstance(told, Refused | Unreachable)
        assert ROOM in told.sentence
        assert told.sentence.endswith(".")


def test_a_room_that_asks_to_wait_is_left_alone_for_a_while() -> None:
    for refusal in (error("resource-constraint"), error("policy-violation", "wait")):
        told = cannot_say(ROOM, "Ann", refusal)
        assert isinstance(told, Unreachable)
        assert told.retry_after


@pytest.mark.parametrize("condition", ["forbidden", "policy-violation", "not-allowed"])
def test_what_will_not_pass_is_refused(condition: str) -> None:
    assert isinstance(cannot_say(ROOM, "Ann", error(condition)), Refused)


def test_an_empty_error_is_one_all_the_same() -> None:
    assert StanzaError.of(parsed("<message type='error'/>")).condition == "undefined-condition"
