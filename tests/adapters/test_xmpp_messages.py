"""Messages cross between a room and the bridge, both ways and in both modes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from xmpp_lab import ANN, BOB, Bridge, doctor

from adapters.xmpp.decline import WORDS
from adapters.xmpp.features import Features
from bridge.contract import Refused
from bridge.model import Joined, Message
from sandbox.xmpp_user import RoomOptions, XmppUser


async def test_a_colleagues_message_is_handed_over(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    cora.say(room, "Lab results <b>are</b> in & fine")
    heard = await either.inlet.text("Lab results <b>are</b> in & fine")
    assert heard.place.id == room
    assert heard.author.name == "Cora"
    assert not heard.emote
    assert abs(heard.time - datetime.now(UTC)) < timedelta(seconds=10)


async def test_an_action_is_handed_over_as_one(either: Bridge, cora: XmppUser, ward: str) -> None:
    await either.enter(ward)
    cora.say(ward, "/me washes her hands")
    assert (await either.inlet.text("washes her hands")).emote


async def test_a_room_with_ids_names_message_and_author(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    cora.say(ward, "named")
    heard = await component.inlet.text("named")
    seen = await cora.wait_for_text(ward, "named")
    assert heard.id == seen.stanza_id
    assert heard.author.id == seen.occupant_id


async def test_a_doctor_speaks_under_their_own_name(
    component: Bridge, cora: XmppUser, room: str
) -> None:
    await component.enter(room)
    outgoing = component.message(room, ANN, "Good & <new> 'news'\nand \"more\"")
    sent = await component.network.send(outgoing)
    seen = await cora.wait_for_text(room, "Good & <new> 'news'\nand \"more\"")
    assert seen.nick == "Dr Ann"
    assert seen.id == seen.origin_id == outgoing.key
    assert sent.id == (seen.stanza_id or outgoing.key)


async def test_the_account_speaks_for_all(account: Bridge, cora: XmppUser, room: str) -> None:
    await account.enter(room, ANN)
    await account.say(room, ANN, "Dr Ann: hello")
    assert (await cora.wait_for_text(room, "Dr Ann: hello")).nick == "Consilium"
    assert "Dr Ann" not in cora.occupants(room)


async def test_an_action_is_sent_as_one(component: Bridge, cora: XmppUser, ward: str) -> None:
    await component.enter(ward)
    await component.say(ward, ANN, "nods", emote=True)
    await cora.wait_for_text(ward, "/me nods")


async def test_own_copies_never_come_back(either: Bridge, cora: XmppUser, room: str) -> None:
    await either.enter(room, ANN)
    await either.say(room, ANN, "from Ann")
    await either.say(room, BOB, "from Bob")
    cora.say(room, "from Cora")
    await either.inlet.text("from Cora")
    assert either.inlet.texts() == ["from Cora"]


async def test_a_thousand_messages_arrive_once_and_in_order(
    component: Bridge, cora: XmppUser, room: str
) -> None:
    await component.enter(room, *[doctor(f"Dr {number}") for number in range(5)])
    expected = [f"message {number}" for number in range(1000)]
    for text in expected:
        cora.say(room, text)
    await component.inlet.text(expected[-1], timeout=30)
    assert component.inlet.texts() == expected
    ids = {event.id for event in component.inlet.of(Message)}
    assert len(ids) == 1000


async def test_two_rooms_and_many_doctors_at_once(
    component: Bridge, cora: XmppUser, room: str, ward: str
) -> None:
    await component.enter(room)
    await component.enter(ward)
    doctors = [doctor(f"Dr {number}") for number in range(10)]
    async with asyncio.TaskGroup() as group:
        for each in doctors:
            group.create_task(component.say(room, each, f"{each.name} in the room"))
            group.create_task(component.say(ward, each, f"{each.name} in the ward"))
    for each in doctors:
        assert (await cora.wait_for_text(room, f"{each.name} in the room")).nick == each.name
        assert (await cora.wait_for_text(ward, f"{each.name} in the ward")).nick == each.name
    assert component.inlet.of(Joined) == []


@pytest.mark.parametrize("text", ["bell \x07 nul \x00 esc \x1b", "\ud800 half", "￾ \uffff", ""])
async def test_what_xml_forbids_does_not_end_the_stream(
    component: Bridge, cora: XmppUser, ward: str, text: str
) -> None:
    await component.enter(ward)
    await component.say(ward, doctor(f"Dr {text}"), f"forbidden: {text}!")
    seen = await cora.wait_for(lambda each: each.body.startswith("forbidden:"))
    assert seen.body.endswith("!")
    assert all(health.up for health in component.inlet.healths)


async def test_a_private_message_is_declined_aloud(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, ANN)
    private = cora.client.make_message(f"{ward}/Dr Ann", "psst", mtype="chat")
    private.send()
    answer = await cora.wait_for(lambda each: each.error == "feature-not-implemented")
    assert answer.stanza["error"]["text"] == WORDS
    assert component.inlet.texts() == []


async def test_a_message_to_a_doctors_own_address_is_declined_aloud(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await cora.configure(ward, RoomOptions(shows_addresses=True))
    await component.enter(ward, ANN)
    cora.client.make_message(cora.occupants(ward)["Dr Ann"].jid, "psst", mtype="chat").send()
    await cora.wait_for(lambda each: each.error == "feature-not-implemented")
    assert component.inlet.texts() == []


async def test_a_room_that_gets_ids_only_later_is_believed_from_then_on(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    room = component.network._rooms[ward]
    room._believe(Features())
    await cora.configure(ward, RoomOptions(title="New name"))
    async with asyncio.timeout(5):
        while not room._saying.features.stanza_ids:
            cora.say(ward, "again")
            await component.inlet.events.wait_for(lambda _: True, after=len(component.inlet.events))


async def test_without_voice_a_doctor_is_told_what_to_do(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, ANN)
    await cora.client.plugin["xep_0045"].set_role(ward, "Dr Ann", "visitor")
    with pytest.raises(Refused, match="voice") as refused:
        await component.say(ward, ANN, "May I?")
    assert "moderator" in refused.value.advice


async def test_a_copy_that_was_made_is_found(either: Bridge, cora: XmppUser, room: str) -> None:
    await either.enter(room)
    sent = either.message(room, ANN, "made")
    made = await either.network.send(sent)
    assert await either.network.find(sent) == made
    assert await either.network.find(either.message(room, ANN, "never made")) is None
