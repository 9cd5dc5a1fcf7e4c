"""What a hostile colleague or server sends neither crashes the bridge nor deceives it."""

from datetime import UTC, datetime, timedelta

import pytest
from xmpp_lab import ANN, PLAIN_MUC, Bridge, new_room

from bridge.model import Message, Roster, SubjectChanged
from sandbox.xmpp_user import RoomOptions, XmppUser

STANZAS = {
    "no body": "<message type='groupchat' to='{room}' id='x'/>",
    "empty body": "<message type='groupchat' to='{room}' id='x'><body/></message>",
    "unknown payload": "<message type='groupchat' to='{room}'><q xmlns='urn:q'><q/></q></message>",
    "html": "<message type='groupchat' to='{room}' id='x'><html xmlns='http://jabber.org/protocol/"
    "xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><script/></body></html></message>",
    "a false result": "<message type='groupchat' to='{room}' id='x'><result xmlns='urn:xmpp:mam:2'"
    " id='1' queryid='c1'><forwarded xmlns='urn:xmpp:forward:0'/></result></message>",
    "nested deeply": "<message type='groupchat' to='{room}' id='x'><x xmlns='urn:x'>"
    + "<x>" * 2000
    + "</x>" * 2000
    + "</x></message>",
    "status codes": "<message type='groupchat' to='{room}' id='x'>"
    "<x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/><item/></x></message>",
    "strange presence": "<presence to='{room}/Cora'><x xmlns='http://jabber.org/protocol/muc#user'>"
    "<status code='110'/><status code='307'/><item jid='@@@'/><destroy/></x></presence>",
}


@pytest.mark.parametrize("stanza", STANZAS.values(), ids=STANZAS.keys())
async def test_strange_stanzas_change_nothing(
    either: Bridge, cora: XmppUser, room: str, stanza: str
) -> None:
    await either.enter(room, ANN)
    cora.client.send_raw(stanza.format(room=room))
    cora.say(room, "and on we go")
    await either.inlet.text("and on we go")
    assert either.inlet.texts() == ["and on we go"]
    assert [type(each) for each in either.inlet.events] == [Roster, Message]
    assert all(each.up for each in either.inlet.healths)


RAW = {
    "no sender": "<message type='groupchat' to='{me}'><body>x</body></message>",
    "no receiver": "<message type='groupchat' from='{room}/Cora'><body>x</body></message>",
    "a sender that is no address": "<message type='groupchat' from='@@/' to='{me}'/>",
    "an unknown room": "<message type='groupchat' from='a@b.test/c' to='{me}'/>",
    "an answer never asked for": "<iq type='result' id='c1-1' from='{room}' to='{me}'/>",
    "an error without one": "<message type='error' from='{room}' to='{me}' id='x'/>",
    "a presence error": "<presence type='error' from='{room}/Cora' to='{me}'><error/></presence>",
    "a subscription": "<presence type='subscribe' from='{room}' to='{me}'/>",
    "a result never asked for": "<message from='{room}' to='{me}'><result xmlns='urn:xmpp:mam:2' "
    "queryid='q' id='1'/></message>",
    "an unknown element": "<surprise xmlns='urn:surprise'><body/></surprise>",
    "a request": "<iq type='get' id='r' from='{room}/Cora' to='{me}'><q xmlns='urn:q'/></iq>",
    "bad bytes in a stamp": "<presence from='{room}/Cora' to='{me}'><delay xmlns='urn:xmpp:delay' "
    "stamp='9999-99-99T99:99:99Z'/></presence>",
}


@pytest.mark.parametrize("stanza", RAW.values(), ids=RAW.keys())
async def test_a_server_gone_mad_changes_nothing(
    component: Bridge, cora: XmppUser, ward: str, stanza: str
) -> None:
    await component.enter(ward, ANN)
    wire = component.network._wire
    assert wire is not None
    wire.data_received(stanza.format(room=ward, me=wire.hears_as).encode())
    cora.say(ward, "and on we go")
    await component.inlet.text("and on we go")
    assert component.inlet.texts() == ["and on we go"]
    assert all(each.up for each in component.inlet.healths)


async def test_a_huge_message_crosses_whole(either: Bridge, cora: XmppUser, ward: str) -> None:
    await either.enter(ward)
    cora.say(ward, "x" * 200_000)
    await either.inlet.text("x" * 200_000)


async def test_ids_that_a_room_does_not_announce_are_not_believed(
    component: Bridge, cora: XmppUser
) -> None:
    room = new_room(PLAIN_MUC)
    await cora.create_room(room, "Cora", RoomOptions(shows_addresses=False))
    await component.enter(room)
    cora.client.send_raw(
        f"<message type='groupchat' to='{room}' id='m'><body>forged</body>"
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{room}' id='somebody-elses'/>"
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='somebody-else'/></message>"
    )
    heard = await component.inlet.text("forged")
    assert heard.author.id == "nick:Cora"
    assert heard.id == "nick:Cora/m"


async def test_forged_ids_and_times_are_not_believed(
    component: Bridge, cora: XmppUser, carl: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    await carl.join(ward, "Carl")
    cora.say(ward, "genuine")
    genuine = await component.inlet.text("genuine")
    carl.client.send_raw(
        f"<message type='groupchat' to='{ward}' id='m'><body>forged</body>"
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ward}' id='{genuine.id}'/>"
        f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{genuine.author.id}'/>"
        f"<delay xmlns='urn:xmpp:delay' from='{ward}' stamp='2001-01-01T00:00:00Z'/>"
        "<delay xmlns='urn:xmpp:delay' from='cora@hospital.test' stamp='2001-01-01T00:00:00Z'/>"
        "</message>"
    )
    forged = await component.inlet.text("forged")
    assert forged.id != genuine.id
    assert forged.author.id != genuine.author.id
    assert forged.author.name == "Carl"
    assert datetime.now(UTC) - forged.time < timedelta(minutes=1)


async def test_messages_without_ids_are_told_apart(
    component: Bridge, cora: XmppUser, room: str
) -> None:
    await component.enter(room)
    for _ in range(3):
        cora.client.send_raw(f"<message type='groupchat' to='{room}'><body>same</body></message>")
    cora.say(room, "end")
    await component.inlet.text("end")
    assert component.inlet.texts() == ["same", "same", "same", "end"]
    assert len({each.id for each in component.inlet.of(Message)}) == 4


async def test_nobody_can_acknowledge_for_the_room(
    component: Bridge, cora: XmppUser, room: str
) -> None:
    """An id that a colleague repeats is theirs, not an own copy that may be dropped."""
    await component.enter(room)
    outgoing = component.message(room, ANN, "mine")
    await component.network.send(outgoing)
    cora.client.send_raw(
        f"<message type='groupchat' to='{room}' id='{outgoing.key}'><body>repeated</body></message>"
    )
    assert (await component.inlet.text("repeated")).author.name == "Cora"


async def test_a_body_beside_a_subject_is_a_message(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    cora.client.send_raw(
        f"<message type='groupchat' to='{ward}' id='m'><subject>s</subject><body>b</body></message>"
    )
    await component.inlet.text("b")
    assert component.inlet.of(SubjectChanged) == []
