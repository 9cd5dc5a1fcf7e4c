"""Who writes and who has read what is told at the moment, both ways, and never kept."""

import pytest
from xmpp_lab import ANN, BOB, NETWORK, PLAIN_MUC, Bridge, message, new_room

from bridge.contract import Refused, Signalling
from bridge.model import Message, Place, Read, Roster, Typing
from sandbox.xmpp_user import XmppUser

STATES = "http://jabber.org/protocol/chatstates"
MARKERS = "urn:xmpp:chat-markers:0"


async def test_a_colleague_who_writes_is_told_and_stops(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    for state in ("composing", "paused", "composing", "inactive", "gone", "active"):
        cora.be(room, state)
    cora.say(room, "end")
    heard = await either.inlet.text("end")
    told = [signal for signal in either.inlet.signals if isinstance(signal, Typing)]
    assert [signal.typing for signal in told] == [True, False, True, False, False, False]
    assert {signal.author for signal in told} == {heard.author}
    assert [type(event) for event in either.inlet.events] == [Roster, Message]


async def test_how_far_a_colleague_has_read_is_told(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room, ANN)
    made = await either.send(room, message(ANN, "please confirm"))
    seen = await cora.wait_for_text(room, "please confirm")
    assert seen.find(MARKERS, "markable") is not None
    cora.mark_read(room, seen.stanza_id or seen.id)
    read = await either.inlet.signals.wait_for(lambda signal: isinstance(signal, Read))
    assert read.target in {made.sent.id, *made.sent.aliases}
    assert read.author.name == "Cora"


async def test_what_is_of_the_moment_is_not_told_of_the_past(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    cora.say(ward, "before")
    seen = await cora.wait_for_text(ward, "before")
    cora.mark_read(ward, seen.stanza_id)
    cora.be(ward, "composing")
    await component.enter(ward)
    cora.say(ward, "end")
    await component.inlet.text("end")
    assert list(component.inlet.signals) == []


async def test_a_doctor_who_writes_is_shown_and_the_bridge_does_not_hear_it(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    assert isinstance(component.network, Signalling)
    await component.enter(ward, ANN)
    place = Place(NETWORK, ward)
    for typing, state in ((True, "composing"), (False, "paused")):
        await component.network.signal(ward, Typing(place, ANN, typing))
        shown = await cora.wait_for(lambda each, state=state: each.find(STATES, state) is not None)
        assert shown.nick == "Dr Ann"
        assert shown.find("urn:xmpp:hints", "no-store") is not None
    cora.say(ward, "end")
    await component.inlet.text("end")
    assert list(component.inlet.signals) == []


@pytest.mark.parametrize("muc", ["ward", PLAIN_MUC])
async def test_how_far_a_doctor_has_read_is_shown(
    component: Bridge, cora: XmppUser, ward: str, muc: str
) -> None:
    room = ward
    if muc != "ward":
        room = new_room(muc)
        await cora.create_room(room, "Cora")
    await component.enter(room, ANN)
    cora.say(room, "please confirm")
    heard = await component.inlet.text("please confirm")
    seen = await cora.wait_for_text(room, "please confirm")
    await component.network.signal(room, Read(heard.place, ANN, heard.id))
    shown = await cora.wait_for(lambda each: each.find(MARKERS, "displayed") is not None)
    assert shown.find(MARKERS, "displayed").attrib["id"] == (seen.stanza_id or seen.id)
    assert shown.nick == "Dr Ann"


async def test_nobody_comes_in_only_to_show_that_they_write(
    component: Bridge, account: Bridge, cora: XmppUser, ward: str
) -> None:
    for bridge in (component, account):
        await bridge.enter(ward, ANN)
        with pytest.raises(Refused):
            await bridge.network.signal(ward, Typing(Place(NETWORK, ward), BOB, typing=True))
    assert "Dr Bob" not in cora.occupants(ward)
