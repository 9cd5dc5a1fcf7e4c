"""Reactions, answers, threads and mentions cross between a room and the bridge, both ways."""

import pytest
from xmpp_lab import ANN, BOB, NETWORK, Bridge, copy_of, message, new_room, reacted

from bridge.contract import Topic
from bridge.model import Edited, Mention, Message, Reactions
from sandbox.xmpp_user import XmppUser


def names(heard: Message) -> set[str]:
    return {heard.id, *heard.aliases}


# --- reactions


async def test_a_colleagues_reactions_are_told_as_the_whole_set(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    first = cora.say(room, "discharged")
    heard = await either.inlet.text("discharged")
    seen = await cora.wait_for_text(room, "discharged")
    for emojis in (["👍"], ["👍🏽", "❤️", "👍🏽"], []):
        cora.react(room, seen.stanza_id or first, *emojis)
    await either.inlet.events.wait_for(lambda event: getattr(event, "emojis", None) == ())
    sets = either.inlet.of(Reactions)
    assert [each.emojis for each in sets] == [("👍",), ("👍🏽", "❤️"), ()]
    assert {each.target for each in sets} <= names(heard)
    assert sets[0].author == heard.author
    assert either.inlet.texts() == ["discharged"]


async def test_a_doctors_reactions_are_shown_as_the_whole_set(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room, ANN)
    cora.say(room, "discharged")
    heard = await either.inlet.text("discharged")
    seen = await cora.wait_for_text(room, "discharged")
    for standing in (("👍",), ("👍", "❤️"), ()):
        made = await either.send(room, reacted(ANN, "👍"), target=copy_of(heard), standing=standing)
        shown = await cora.wait_for(lambda each, id_=made.outgoing.key: each.id == id_)
        assert shown.reactions == (seen.stanza_id or seen.id, standing)
        assert shown.nick == (
            "Dr Ann" if either.network.capabilities(room).own_names else "Consilium"
        )
        assert await either.network.find(made.outgoing) == made.sent
    cora.say(room, "end")
    await either.inlet.text("end")
    assert either.inlet.of(Reactions) == []


async def test_a_reaction_to_a_doctors_message_refers_to_the_copy(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    made = await either.send(room, message(ANN, "well done"))
    seen = await cora.wait_for_text(room, "well done")
    cora.react(room, seen.stanza_id or seen.id, "🙏")
    reaction = await either.inlet.first(Reactions)
    assert reaction.target in {made.sent.id, *made.sent.aliases}


# --- replies


async def test_a_colleagues_answer_is_told_without_the_quotation(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    asked = await either.send(room, message(ANN, "Which dose?\nAnd when?"))
    question = await cora.wait_for_text(room, "Which dose?\nAnd when?")
    cora.answer(question, "8 mg\n> not 80")
    heard = await either.inlet.text("8 mg\n> not 80")
    assert heard.reply_to in {asked.sent.id, *asked.sent.aliases}
    answer = await cora.wait_for(lambda each: each.answers != "")
    cora.answer(answer, "now")
    again = await either.inlet.text("now")
    assert again.reply_to in names(heard)


async def test_an_answers_quotation_is_cut_from_formatted_text_as_well(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    cora.post(
        ward,
        "<body>&gt; Which dose?\n8 mg</body><reply xmlns='urn:xmpp:reply:0' id='s'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='14'/>"
        "</fallback><html xmlns='http://jabber.org/protocol/xhtml-im'>"
        "<body xmlns='http://www.w3.org/1999/xhtml'><blockquote>Which dose?</blockquote>"
        "<strong>8 mg</strong></body></html>",
    )
    heard = await component.inlet.text("8 mg")
    assert (heard.reply_to, heard.html) == ("s", "<strong>8 mg</strong>")


@pytest.mark.parametrize(
    "where", ["start='-1' end='4'", "start='3' end='2'", "start='0' end='999'", "start='x' end='y'"]
)
async def test_a_range_that_is_none_cuts_nothing(
    component: Bridge, cora: XmppUser, ward: str, where: str
) -> None:
    await component.enter(ward)
    cora.post(
        ward,
        "<body>whole</body><reply xmlns='urn:xmpp:reply:0' id='s'/><fallback "
        f"xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body {where}/></fallback>",
    )
    assert (await component.inlet.text("whole")).reply_to == "s"


async def test_a_doctors_answer_names_the_copy_and_quotes_it_once(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    cora.say(room, "> quoted before\nWhich <dose>?\n2\n3\n4")
    heard = await either.inlet.events.wait_for(lambda event: isinstance(event, Message))
    question = await cora.wait_for(lambda each: "dose" in each.body)
    await either.send(room, message(ANN, "8 mg"), reply_to=copy_of(heard))
    shown = await cora.wait_for(lambda each: each.answers != "")
    assert shown.answers == (question.stanza_id or question.id)
    assert shown.find("urn:xmpp:reply:0", "reply").attrib["to"] == f"{room}/Cora"
    assert shown.words == "8 mg"
    assert shown.body == "> Cora: Which <dose>?\n> 2\n> 3…\n8 mg"


async def test_an_action_that_answers_stays_an_action(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    first = await component.send(ward, message(ANN, "Ready?"))
    await component.send(ward, message(BOB, "nods", emote=True), reply_to=first.copy)
    shown = await cora.wait_for_text(ward, "/me nods")
    assert shown.answers == first.sent.id


# --- threads


async def test_a_thread_is_a_topic_from_when_a_second_person_takes_it_up(
    component: Bridge, cora: XmppUser, carl: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    await carl.join(ward, "Carl")
    says = [(cora, "1"), (cora, "2"), (carl, "3"), (cora, "4")]
    for user, text in says:
        user.post(ward, f"<body>{text}</body><thread>t-1</thread>")
        await component.inlet.text(text)
    first, second, third, fourth = component.inlet.of(Message)
    assert (first.topic, second.topic) == (None, None)
    assert third.topic == fourth.topic
    assert third.topic in first.aliases


async def test_a_thread_of_the_bridge_is_a_topic_at_once(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    root = await component.send(ward, message(ANN, "Bed 4"))
    begun = await component.send(ward, message(ANN, "fever"), topic=Topic(None, root.copy, "Bed 4"))
    shown = await cora.wait_for(lambda each: each.thread != "")
    assert shown.words == "fever"
    assert shown.body == "> Dr Ann: Bed 4\nfever"  # for clients that know no threads
    assert shown.answers == root.sent.id
    cora.post(ward, f"<body>since when?</body><thread>{shown.thread}</thread>")
    heard = await component.inlet.text("since when?")
    assert heard.topic == begun.sent.topic is not None
    more = await component.send(
        ward, message(ANN, "noon"), topic=Topic(begun.sent.topic, root.copy, "Bed 4")
    )
    last = await cora.wait_for(lambda each: each.words == "noon")
    assert last.thread == shown.thread
    assert more.sent.topic == begun.sent.topic
    assert await component.network.find(more.outgoing) == more.sent


# --- mentions


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("Dr Ann: please", "Dr Ann"),
        ("Dr Ann, please", "Dr Ann"),
        ("please, @Dr Ann!", "@Dr Ann"),
        ("@Dr Ann", "@Dr Ann"),
        ("mail ann@Dr Ann", None),
        ("Dr Anna: please", None),
        ("@Dr Annabel", None),
        ("Dr Ann", None),
    ],
)
async def test_a_doctor_is_called_by_the_nick(
    component: Bridge, cora: XmppUser, ward: str, text: str, span: str | None
) -> None:
    await component.enter(ward, ANN)
    cora.say(ward, text)
    heard = await component.inlet.text(text)
    assert heard.mentions == ((Mention("matrix", ANN.id, span),) if span else ())


async def test_a_colleague_is_called_by_the_nick_or_by_a_reference(
    either: Bridge, cora: XmppUser, carl: XmppUser, ward: str
) -> None:
    await carl.join(ward, "Carl")
    await either.enter(ward)
    cora.post(
        ward,
        "<body>🩺 Ask Carl</body><reference xmlns='urn:xmpp:reference:0' type='mention' begin='6' "
        f"end='10' uri='xmpp:{ward}/Carl'/>",
    )
    carl.say(ward, "Cora: yes?")
    asked = await either.inlet.text("🩺 Ask Carl")
    answer = await either.inlet.text("Cora: yes?")
    assert asked.mentions == (Mention(NETWORK, answer.author.id, "Carl"),)
    assert answer.mentions == (Mention(NETWORK, asked.author.id, "Cora"),)


async def test_who_is_mentioned_is_referred_to(either: Bridge, cora: XmppUser, ward: str) -> None:
    await either.enter(ward)
    cora.say(ward, "hello")
    heard = await either.inlet.text("hello")
    called = Mention(NETWORK, heard.author.id, "Cora")
    unknown = Mention(NETWORK, "nobody", "Nobody")
    text = "🩺 dear Cora and Nobody"
    await either.send(ward, message(ANN, text, mentions=(called, unknown)), reply_to=copy_of(heard))
    shown = await cora.wait_for(lambda each: each.words == text)
    (reference,) = shown.stanza.xml.findall("{urn:xmpp:reference:0}reference")
    begin, end = int(reference.attrib["begin"]), int(reference.attrib["end"])
    assert shown.body[begin:end] == "Cora"
    assert reference.attrib["uri"] == f"xmpp:{ward}/Cora"


# --- what else a message can be


async def test_formatted_text_is_told_beside_the_plain_one(
    either: Bridge, cora: XmppUser, ward: str
) -> None:
    await either.enter(ward)
    cora.post(
        ward,
        "<body>bold &lt;link&gt;</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body "
        "xmlns='http://www.w3.org/1999/xhtml'><p><strong>bold</strong> <a href='https://x.test/'>"
        "&lt;link&gt;</a><script>alert()</script><br/></p></body></html>",
    )
    heard = await either.inlet.text("bold <link>")
    assert heard.html == (
        '<p><strong>bold</strong> <a href="https://x.test/">&lt;link&gt;</a><br></p>'
    )


async def test_a_text_that_only_looks_styled_is_told_so_and_marked_so(
    either: Bridge, cora: XmppUser, ward: str
) -> None:
    await either.enter(ward)
    unstyled = "<unstyled xmlns='urn:xmpp:styling:0'/>"
    first = cora.post(ward, f"<body>a *b* c</body>{unstyled}")
    assert (await either.inlet.text("a *b* c")).unformatted
    cora.post(
        ward,
        f"<body>d *e* f</body>{unstyled}<replace xmlns='urn:xmpp:message-correct:0' id='{first}'/>",
    )
    await either.inlet.events.wait_for(lambda each: getattr(each, "text", "") == "d *e* f")
    assert [each.unformatted for each in either.inlet.of(Edited)] == [True]

    made = await either.send(ward, message(ANN, "5 *mg* or 6", unformatted=True))
    other = await either.send(ward, message(ANN, "5 *mg* it is"))
    for outgoing, marked in ((made.outgoing, True), (other.outgoing, False)):
        seen = await cora.wait_for(lambda each, key=outgoing.key: each.id == key)
        assert (seen.find("urn:xmpp:styling:0", "unstyled") is not None) is marked


async def test_formatted_text_that_is_nested_beyond_reason_is_left_out(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    cora.post(
        ward,
        "<body>deep</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body "
        f"xmlns='http://www.w3.org/1999/xhtml'>{'<p>' * 100}{'</p>' * 100}</body></html>",
    )
    assert (await component.inlet.text("deep")).html is None


@pytest.mark.parametrize("body", ["", "<body>geo:52.5,13.4</body>"])
async def test_a_place_is_told_in_words(
    component: Bridge, cora: XmppUser, ward: str, body: str
) -> None:
    await component.enter(ward)
    cora.post(
        ward,
        f"{body}<geoloc xmlns='http://jabber.org/protocol/geoloc'><lat>52.5</lat><lon>13.4</lon>"
        "<description>Ward 3</description></geoloc>",
    )
    await component.inlet.text("📍 Ward 3 geo:52.5,13.4")


async def test_messages_in_a_room_without_ids_are_known_by_what_others_see_of_them(
    component: Bridge, cora: XmppUser
) -> None:
    room = new_room("plain.hospital.test")
    await cora.create_room(room, "Cora")
    await component.enter(room)
    first = cora.say(room, "text")
    heard = await component.inlet.text("text")
    assert f"*/{first}" in heard.aliases
