"""Edits and deletions cross both ways, and nobody can change what another one wrote."""

import pytest
from xmpp_lab import (
    ANN,
    BOB,
    MUC,
    PLAIN_MUC,
    Bridge,
    copy_of,
    deleted,
    edited,
    message,
    new_room,
)

from bridge.contract import Feature, Level, Refused
from bridge.model import Deleted, Edited, Message
from sandbox.xmpp_user import RoomOptions, XmppUser

OPEN = RoomOptions(shows_addresses=True)


def names(message: Message) -> set[str]:
    return {message.id, *message.aliases}


# --- edits


async def test_every_edit_of_a_colleague_refers_to_the_first_form(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    first = cora.say(room, "80 mg")
    heard = await either.inlet.text("80 mg")
    for text in ("8 mg", "8 mg, twice"):
        cora.edit(room, first, text)
    last = await either.inlet.events.wait_for(
        lambda event: getattr(event, "text", "").endswith("twice")
    )
    changes = either.inlet.of(Edited)
    assert [change.text for change in changes] == ["8 mg", "8 mg, twice"]
    assert {change.target for change in changes} <= names(heard)
    assert last.author == heard.author
    assert len({change.id for change in changes}) == 2
    assert either.inlet.texts() == ["80 mg"]


@pytest.mark.parametrize("muc", [MUC, PLAIN_MUC])
@pytest.mark.parametrize("options", [OPEN, RoomOptions(shows_addresses=False)])
async def test_nobody_can_edit_what_another_one_wrote(
    component: Bridge, cora: XmppUser, carl: XmppUser, muc: str, options: RoomOptions
) -> None:
    room = new_room(muc)
    await cora.create_room(room, "Cora", options)
    await component.enter(room, ANN)
    await carl.join(room, "Carl")
    first = cora.say(room, "Cora's")
    own = await component.send(room, message(ANN, "Ann's"))
    carl.edit(room, first, "forged")
    carl.edit(room, own.outgoing.key, "forged, too")
    carl.say(room, "end")
    await component.inlet.text("end")
    known = [copy for heard in component.inlet.of(Message) for copy in names(heard)]
    targets = {change.target for change in component.inlet.of(Edited)}
    assert targets.isdisjoint({*known, own.sent.id, *own.sent.aliases})


async def test_a_nick_that_changed_hands_edits_nothing(
    component: Bridge, cora: XmppUser, carl: XmppUser
) -> None:
    """Where a room tells nothing but nicks, only who stayed since is known to be the same."""
    room = new_room(PLAIN_MUC)
    await cora.create_room(room, "Owner", RoomOptions(shows_addresses=False))
    await component.enter(room)
    await carl.join(room, "Carl")
    first = carl.say(room, "by Carl")
    await component.inlet.text("by Carl")
    await carl.leave(room)
    await cora.change_nick(room, "Carl")
    cora.edit(room, first, "by an impostor")
    heard = await component.inlet.events.wait_for(
        lambda event: "impostor" in getattr(event, "text", "")
    )
    assert isinstance(heard, Message)  # nothing is dropped: it is told as something new
    assert component.inlet.of(Edited) == []


async def test_who_changed_nick_can_edit_what_they_wrote_before(
    component: Bridge, cora: XmppUser, room: str
) -> None:
    await component.enter(room)
    first = cora.say(room, "bevore")
    heard = await component.inlet.text("bevore")
    await cora.change_nick(room, "Prof Cora")
    cora.edit(room, first, "before")
    change = await component.inlet.first(Edited)
    assert change.target in names(heard)


async def test_a_doctors_edits_are_made_by_the_same_occupant(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    first = await either.send(room, message(ANN, "80 mg"))
    seen = await cora.wait_for_text(room, "80 mg")
    for text in ("8 mg", "8 mg & <twice>"):
        change = await either.send(room, edited(ANN, text), target=first.copy)
        assert await either.network.find(change.outgoing) == change.sent
        shown = await cora.wait_for_text(room, text)
        assert shown.replaces == seen.id == first.outgoing.key
        assert (shown.nick, shown.occupant_id) == (seen.nick, seen.occupant_id)
        assert shown.id == change.outgoing.key
    cora.say(room, "end")
    await either.inlet.text("end")
    assert either.inlet.of(Edited) == []


async def test_a_colleagues_message_can_not_be_edited_for_them(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    cora.say(ward, "mine")
    heard = await component.inlet.text("mine")
    with pytest.raises(Refused, match="only its author"):
        await component.send(ward, edited(ANN, "yours"), target=copy_of(heard))


# --- deletions by the author


async def test_a_colleagues_deletion_is_told_and_its_words_for_others_are_not(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    first = cora.say(room, "wrong patient")
    heard = await either.inlet.text("wrong patient")
    seen = await cora.wait_for_text(room, "wrong patient")
    cora.retract(room, seen.stanza_id or first)
    gone = await either.inlet.first(Deleted)
    assert gone.target in names(heard)
    assert gone.author == heard.author
    assert not gone.moderated
    assert either.inlet.texts() == ["wrong patient"]


async def test_an_older_clients_deletion_is_told_as_well(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    cora.say(ward, "wrong")
    heard = await component.inlet.text("wrong")
    cora.post(
        ward,
        f"<apply-to xmlns='urn:xmpp:fasten:0' id='{heard.id}'>"
        "<retract xmlns='urn:xmpp:message-retract:0'/></apply-to>",
    )
    assert (await component.inlet.first(Deleted)).target == heard.id


async def test_a_doctors_deletion_is_made_by_the_same_occupant(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    first = await either.send(room, message(ANN, "wrong patient"))
    seen = await cora.wait_for_text(room, "wrong patient")
    gone = await either.send(room, deleted(ANN), target=first.copy)
    shown = await cora.wait_for(lambda each: bool(each.retracts))
    assert shown.retracts == (seen.stanza_id or seen.id)
    assert (shown.nick, shown.occupant_id) == (seen.nick, seen.occupant_id)
    assert "deleted" in shown.body
    assert await either.network.find(gone.outgoing) == gone.sent
    cora.say(room, "end")
    await either.inlet.text("end")
    assert either.inlet.of(Deleted) == []


async def test_what_a_doctor_who_has_left_wrote_is_deleted_under_their_name(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, BOB)
    first = await component.send(ward, message(ANN, "wrong"))
    seen = await cora.wait_for_text(ward, "wrong")
    room = component.network._rooms[ward]
    await room._crew.dismiss(component.network._wire, ANN, "")
    await component.send(ward, deleted(BOB), target=first.copy)
    shown = await cora.wait_for(lambda each: bool(each.retracts))
    assert (shown.retracts, shown.occupant_id) == (seen.stanza_id, seen.occupant_id)
    await cora.wait_for_absence(ward, "Dr Ann")


# --- moderation


async def test_a_moderators_deletion_is_told_with_its_reason(
    either: Bridge, cora: XmppUser, carl: XmppUser, ward: str
) -> None:
    await either.enter(ward)
    await carl.join(ward, "Carl")
    carl.say(ward, "a patient's name")
    heard = await either.inlet.text("a patient's name")
    await cora.moderate(ward, heard.id, "privacy & law")
    gone = await either.inlet.first(Deleted)
    assert (gone.target, gone.reason, gone.moderated) == (heard.id, "privacy & law", True)
    assert gone.author.name == "Cora"


NEWER_FORM = (
    "<retract xmlns='urn:xmpp:message-retract:1' id='{id}'>"
    "<moderated xmlns='urn:xmpp:message-moderate:1' by='{room}/Cora'/><reason>spam</reason>"
    "</retract><body>Deleted by a moderator</body>"
)


async def test_the_newer_form_of_moderation_is_understood(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    cora.say(ward, "text")
    heard = await component.inlet.text("text")
    wire = component.network._wire
    assert wire is not None
    contents = NEWER_FORM.format(id=heard.id, room=ward)
    sender = f"from='{ward}' to='{wire.hears_as}'"
    wire.data_received(f"<message type='groupchat' {sender}>{contents}</message>".encode())
    gone = await component.inlet.first(Deleted)
    assert (gone.target, gone.moderated, gone.reason) == (heard.id, True, "spam")
    assert gone.author.name == "Cora"
    assert component.inlet.texts() == ["text"]


async def test_nobody_in_a_room_can_say_that_the_room_has_deleted_something(
    component: Bridge, cora: XmppUser, carl: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    await carl.join(ward, "Carl")
    cora.say(ward, "text")
    heard = await component.inlet.text("text")
    carl.post(ward, NEWER_FORM.format(id=heard.id, room=ward))
    gone = await component.inlet.first(Deleted)
    assert (gone.author.name, gone.moderated) == ("Carl", False)  # who has not written it


async def test_the_bridge_deletes_a_colleagues_message_where_it_is_a_moderator(
    either: Bridge, cora: XmppUser, carl: XmppUser, ward: str
) -> None:
    await either.enter(ward)
    await carl.join(ward, "Carl")
    await cora.set_role(ward, "Consilium", "moderator")
    carl.say(ward, "a patient's name")
    heard = await either.inlet.text("a patient's name")
    assert either.network.capabilities(ward).showing(Feature.MODERATION) is Level.FULL
    await either.send(ward, deleted(ANN, "privacy"), target=copy_of(heard))
    shown = await cora.wait_for(lambda each: each.find("urn:xmpp:fasten:0", "apply-to") is not None)
    assert shown.nick == ""
    assert shown.find("urn:xmpp:fasten:0", "apply-to").attrib["id"] == heard.id
    cora.say(ward, "end")
    await either.inlet.text("end")
    assert either.inlet.of(Deleted) == []


async def test_without_a_moderators_rights_the_deletion_is_refused_with_what_to_do(
    either: Bridge, cora: XmppUser, ward: str
) -> None:
    await either.enter(ward)
    cora.say(ward, "mine")
    heard = await either.inlet.text("mine")
    assert either.network.capabilities(ward).showing(Feature.MODERATION) is Level.REFUSED
    with pytest.raises(Refused, match="Only moderators may delete") as refused:
        await either.send(ward, deleted(ANN), target=copy_of(heard))
    assert "moderator" in refused.value.advice


async def test_where_the_room_has_no_moderation_the_deletion_is_refused(
    component: Bridge, cora: XmppUser
) -> None:
    room = new_room(PLAIN_MUC)
    await cora.create_room(room, "Cora")
    await component.enter(room)
    cora.say(room, "mine")
    heard = await component.inlet.text("mine")
    with pytest.raises(Refused, match="XEP-0425"):
        await component.send(room, deleted(ANN), target=copy_of(heard))
