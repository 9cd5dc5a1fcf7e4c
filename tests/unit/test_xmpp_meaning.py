"""Whatever a message holds, it means something or nothing, and never breaks anything."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.xmpp import fallback, mentions, replies, vcards, xml
from adapters.xmpp.crew import Crew
from adapters.xmpp.incoming import read_message
from adapters.xmpp.meaning import Meaning
from adapters.xmpp.naming import Naming
from adapters.xmpp.people import People
from adapters.xmpp.scene import Scene
from adapters.xmpp.threads import Threads, element, name_of
from adapters.xmpp.timing import DEFAULT
from adapters.xmpp.xml import attribute, text
from bridge.contract import Copy, Topic
from bridge.model import Author, Mention, Message, Place

ROOM = "ward@muc.example.org"
PLACE = Place("hospital", ROOM)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
anything = st.text(st.characters(), max_size=30)
values = st.one_of(
    anything,
    st.integers(-5, 60).map(str),
    st.sampled_from(["", "https://x.test/a.png", "https://[", "mention", "data", "٣", "1" * 400]),
)

PIECES = (
    "<replace xmlns='urn:xmpp:message-correct:0' id='{}'/>",
    "<retract xmlns='urn:xmpp:message-retract:1' id='{}'><reason>{}</reason></retract>",
    (
        "<apply-to xmlns='urn:xmpp:fasten:0' id='{}'><retract xmlns='urn:xmpp:message-retract:0'/>"
        "</apply-to>"
    ),
    "<reactions xmlns='urn:xmpp:reactions:0' id='{}'><reaction>{}</reaction></reactions>",
    "<reply xmlns='urn:xmpp:reply:0' id='{}'/>",
    (
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='{}' end='{}'/>"
        "</fallback>"
    ),
    "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'/>",
    "<thread>{}</thread>",
    "<reference xmlns='urn:xmpp:reference:0' type='{}' begin='{}' end='{}' uri='{}'/>",
    (
        "<reference xmlns='urn:xmpp:reference:0' type='mention' begin='{}' end='{}' "
        f"uri='xmpp:{ROOM}/{{}}'/>"
    ),
    "<x xmlns='jabber:x:oob'><url>{}</url></x>",
    "<x xmlns='jabber:x:oob'/>",
    (
        "<file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'>"
        "<name>{}</name>"
        "<media-type>{}</media-type><size>{}</size><width>{}</width><dimensions>{}</dimensions></file>"
        "<sources><url-data xmlns='http://jabber.org/protocol/url-data' target='{}'/></sources>"
        "</file-sharing>"
    ),
    "<geoloc xmlns='http://jabber.org/protocol/geoloc'><lat>{}</lat><lon>{}</lon></geoloc>",
    (
        "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>"
        "{}<b title='{}'>{}</b>{}</body></html>"
    ),
    "<sticker xmlns='urn:xmpp:stickers:0' pack='{}'/>",
)
pieces = st.tuples(st.sampled_from(PIECES), st.lists(values, min_size=6, max_size=6)).map(
    lambda piece: piece[0].format(*(attribute(value) for value in piece[1]))
)


def scene() -> Scene:
    people = People(PLACE)
    crew = Crew(ROOM, "c.example.org", "l@c.example.org/l", DEFAULT, lambda *_: None)
    return Scene(PLACE, crew, people, Naming(people))


def parsed(contents: str, nick: str = "Cora") -> ET.Element:
    return ET.fromstring(
        f"<message xmlns='jabber:client' from='{ROOM}/{attribute(nick)}' id='m'>{contents}"
        "</message>"
    )


@given(st.one_of(st.none(), values), st.lists(pieces, max_size=5), st.sampled_from(["", "Cora"]))
def test_any_message_is_understood_or_means_nothing(
    body: str | None, contents: list[str], nick: str
) -> None:
    words = "" if body is None else f"<body>{text(body)}</body>"
    said = read_message(parsed(words + "".join(contents), nick), ROOM, nick)
    for trusts in (True, False):
        room = scene()
        room.naming.trusts_stanza_ids = trusts
        event = Meaning(room).of(said, "name", NOW)
        if isinstance(event, Message):
            assert event.text or event.attachments or event.emote
            assert all(mention.span in event.text for mention in event.mentions)
            assert event.id not in event.aliases


@given(anything, anything, anything)
def test_what_is_quoted_before_an_answer_is_cut_off_again(
    asked: str, nick: str, answer: str
) -> None:
    answer = xml.clean(answer)
    body, elements = replies.with_quotation(
        replies.Answer("s", f"{ROOM}/{nick}", nick, asked), answer
    )
    said = read_message(parsed(f"<body>{text(body)}</body>{elements}"), ROOM, "Cora")
    words, was_cut = fallback.cut(said, {xml.REPLY})
    assert was_cut
    assert words == answer.lstrip("\n")
    assert replies.answered(said) == "s"


@given(anything)
def test_a_quotation_is_short_and_quotes_no_quotation(asked: str) -> None:
    quotation = replies.Answer("s", "r/n", "Cora", f"> before\n{asked}\n" * 9).quotation()
    lines = quotation.splitlines()
    assert len(quotation) < 300
    assert not any(line.startswith("> >") for line in lines[1:])


def test_who_is_called_is_pointed_at_exactly() -> None:
    called = Mention("matrix", "@a:b", "@Dr Ann")
    said = read_message(
        parsed(
            "<body>🩺 yes, @Dr Ann</body>"
            + mentions.elements("yes, @Dr Ann", [called], ROOM, lambda _: "Dr Ann", 2)
        ),
        ROOM,
        "Cora",
    )
    ann = Author("matrix", "@a:b", "Dr Ann")
    who = {"Dr Ann": ann}.get
    assert mentions.read(said, ROOM, "🩺 yes, @Dr Ann", who, ()) == (called,)


@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=30))
def test_a_picture_of_anyone_can_be_found_by_its_reference(nick: str) -> None:
    found = vcards.resolve(vcards.reference_of(ROOM, nick, "a" * 40))
    assert found == vcards.Reference(ROOM, nick, "a" * 40)


@pytest.mark.parametrize(
    "reference", ["", "vcard:", "vcard:xx:room", "https://x.test/", "vcard:a/b"]
)
def test_what_is_no_reference_is_not_resolved(reference: str) -> None:
    assert vcards.resolve(reference) is None


def test_a_topic_keeps_its_name_at_every_attempt() -> None:
    root = Copy("s1", Author("matrix", "@a:b"), NOW, "Bed 4", "key-of-root")
    name = name_of(Topic(None, root), "key")
    assert name == name_of(Topic(None, root), "another key")
    assert name != name_of(Topic(None, None), "key")
    thread = ET.fromstring(element(name)).text
    assert Threads().heard(thread, "cora") == (name, None)


def test_only_so_many_threads_are_remembered() -> None:
    threads = Threads()
    for number in range(2000):
        assert threads.heard(f"t{number}", "cora")[0] is None
    assert threads.heard("t1999", "carl")[0] == "thread:t1999"
    assert threads.heard("t0", "carl")[0] is None
    assert threads.heard("x" * 10_000, "carl") == (None, None)
