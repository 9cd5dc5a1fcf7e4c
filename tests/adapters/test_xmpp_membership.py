"""Who comes, goes and is renamed crosses both ways; nobody is taken for somebody else."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cable import Cable
from xmpp_lab import (
    ANN,
    BOB,
    COMPONENT,
    DOMAIN,
    PLAIN_MUC,
    Bridge,
    component_settings,
    doctor,
    new_room,
    running,
)

from bridge.contract import Outgoing, Refused, Sent
from bridge.model import (
    Author,
    Joined,
    Left,
    Place,
    Renamed,
    Roster,
    SubjectChanged,
)
from sandbox.prosody import Prosody
from sandbox.xmpp_user import RoomOptions, XmppUser

MODERATORS_ONLY = RoomOptions(shows_addresses=False, anyone_sets_subject=False)


def joined(author: Author) -> Callable[[Place], Joined]:
    return lambda place: Joined(place, author, datetime.now(UTC))


def left(author: Author, reason: str = "") -> Callable[[Place], Left]:
    return lambda place: Left(place, author, datetime.now(UTC), reason)


def renamed(author: Author) -> Callable[[Place], Renamed]:
    return lambda place: Renamed(place, author, datetime.now(UTC))


def subject(author: Author, text: str) -> Callable[[Place], SubjectChanged]:
    return lambda place: SubjectChanged(place, author, datetime.now(UTC), text)


async def send(bridge: Bridge, room: str, make: Callable) -> Sent:
    outgoing: Outgoing = bridge.outgoing(room, make)
    return await bridge.network.send(outgoing)


# --- colleagues


async def test_a_roster_tells_who_is_there_but_not_the_bridges_own(
    either: Bridge, cora: XmppUser, carl: XmppUser, room: str
) -> None:
    await carl.join(room, "Carl")
    await either.enter(room, ANN, BOB)
    roster = await either.inlet.first(Roster)
    assert {author.name for author in roster.authors} == {"Cora", "Carl"}
    assert len(either.inlet.of(Roster)) == 1


async def test_a_colleague_comes_is_renamed_and_goes(
    either: Bridge, cora: XmppUser, carl: XmppUser, room: str
) -> None:
    await either.enter(room, ANN)
    await carl.join(room, "Carl")
    came = await either.inlet.first(Joined)
    await carl.change_nick(room, "Carlo")
    changed = await either.inlet.first(Renamed)
    await carl.leave(room)
    went = await either.inlet.first(Left)
    assert (came.author.name, changed.author.name, went.author.name) == ("Carl", "Carlo", "Carlo")
    assert came.author.id == changed.author.id == went.author.id
    kinds = [type(event) for event in either.inlet.events]
    assert kinds == [Roster, Joined, Renamed, Left]


async def test_messages_and_presence_agree_on_who_it_is(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    cora.say(room, "it is me")
    heard = await either.inlet.text("it is me")
    roster = await either.inlet.first(Roster)
    assert heard.author == roster.authors[0]


async def test_addresses_that_are_shown_serve_as_ids_where_there_are_no_others(
    component: Bridge, cora: XmppUser
) -> None:
    room = new_room(PLAIN_MUC)
    await cora.create_room(room, "Cora", RoomOptions(shows_addresses=True))
    await component.enter(room)
    assert (await component.inlet.first(Roster)).authors[0].id == f"cora@{DOMAIN}"


async def test_a_kick_and_a_ban_are_told_with_their_reason(
    component: Bridge, cora: XmppUser, carl: XmppUser, room: str
) -> None:
    await component.enter(room)
    await carl.join(room, "Carl")
    await cora.kick(room, "Carl", "quiet hours")
    assert (await component.inlet.first(Left)).reason == "kicked: quiet hours"
    mark = len(component.inlet.events)
    await carl.join(room, "Carl")
    await cora.set_affiliation(room, f"carl@{DOMAIN}", "outcast")
    assert (await component.inlet.first(Left, after=mark)).reason == "banned"


async def test_only_real_changes_of_the_subject_are_told(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    cora.set_subject(room, "before")
    await cora.subjects.wait_for(lambda each: each.subject == "before")
    await either.enter(room)
    cora.set_subject(room, "after")
    changed = await either.inlet.first(SubjectChanged)
    assert (changed.subject, changed.author.name) == ("after", "Cora")
    assert len(either.inlet.of(SubjectChanged)) == 1


# --- doctors


async def test_doctors_come_are_renamed_and_go(
    component: Bridge, cora: XmppUser, room: str
) -> None:
    await component.enter(room, BOB)
    await cora.wait_for_occupant(room, "Dr Bob")
    await send(component, room, joined(ANN))
    assert "Dr Ann" in cora.occupants(room)
    await send(component, room, renamed(Author(ANN.network, ANN.id, "Prof Ann")))
    assert "Prof Ann" in cora.occupants(room)
    assert "Dr Ann" not in cora.occupants(room)
    await send(component, room, left(ANN, "off duty"))
    await cora.wait_for_absence(room, "Prof Ann")
    gone = await cora.presences.wait_for(lambda each: each.status == "off duty")
    assert gone.nick == "Prof Ann"
    assert [type(event) for event in component.inlet.events] == [Roster]


async def test_a_new_name_is_taken_up_with_the_next_message(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, ANN)
    await component.say(ward, Author(ANN.network, ANN.id, "Prof Ann"), "promoted")
    assert (await cora.wait_for_text(ward, "promoted")).nick == "Prof Ann"


async def test_a_taken_nick_gets_a_number(
    component: Bridge, cora: XmppUser, carl: XmppUser, room: str
) -> None:
    await carl.join(room, "Dr Ann")
    await component.enter(room)
    await component.say(room, ANN, "the real one")
    await component.say(room, Author("matrix", "@ann2:other.example", "Dr Ann"), "the other one")
    assert (await cora.wait_for_text(room, "the real one")).nick == "Dr Ann (2)"
    assert (await cora.wait_for_text(room, "the other one")).nick == "Dr Ann (3)"
    carl.say(room, "I was here first")
    assert (await component.inlet.text("I was here first")).author.name == "Dr Ann"
    assert len(component.inlet.of(Left)) == 0


async def test_the_bridges_own_nick_may_be_taken(
    either: Bridge, cora: XmppUser, carl: XmppUser, ward: str
) -> None:
    await carl.join(ward, "Consilium")
    await either.enter(ward)
    assert "Consilium (2)" in cora.occupants(ward)


@pytest.mark.parametrize(
    "name",
    [
        *("", "   ", "\x00\x07", "x" * 3000, "Dr Ann \U0001fa7a", "Dr שלום"),
        *("a/b@c <d>", "'\"&", "\uff21nn\u3000W"),
    ],
)
async def test_any_name_makes_some_nick(
    component: Bridge, cora: XmppUser, ward: str, name: str
) -> None:
    await component.enter(ward)
    await component.say(ward, Author("matrix", "@x:hospital.example", name), "who am I?")
    seen = await cora.wait_for_text(ward, "who am I?")
    assert seen.nick.strip()
    assert component.inlet.texts() == []


async def test_each_doctor_has_an_address_of_their_own(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await cora.configure(ward, RoomOptions(shows_addresses=True))
    await component.enter(ward, ANN)
    address = cora.occupants(ward)["Dr Ann"].jid
    assert address == f"matrix+\\40dr.ann\\3ahospital.example@{COMPONENT}/consilium"


async def test_a_kicked_doctor_comes_back_with_the_next_message(
    component: Bridge, cora: XmppUser, room: str
) -> None:
    await component.enter(room, ANN)
    await cora.kick(room, "Dr Ann", "too loud")
    await cora.wait_for_absence(room, "Dr Ann")
    await component.say(room, BOB, "not Ann")
    assert "Dr Ann" not in cora.occupants(room)
    await component.say(room, ANN, "back again")
    assert (await cora.wait_for_text(room, "back again")).nick == "Dr Ann"


async def test_a_banned_doctors_message_is_refused_with_the_reason(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, ANN)
    address = f"matrix+\\40dr.ann\\3ahospital.example@{COMPONENT}"
    await cora.set_affiliation(ward, address, "outcast")
    await cora.wait_for_absence(ward, "Dr Ann")
    with pytest.raises(Refused, match=f"Dr Ann is banned from the room {ward}"):
        await component.say(ward, ANN, "hello?")
    await component.say(ward, BOB, "others may speak")


async def test_the_account_shows_no_membership(account: Bridge, ward: str) -> None:
    await account.enter(ward, ANN)
    with pytest.raises(Refused):
        await send(account, ward, joined(ANN))


async def test_a_subject_crosses_under_the_doctors_name(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, ANN)
    await cora.client.plugin["xep_0045"].set_role(ward, "Dr Ann", "moderator")
    await send(component, ward, subject(ANN, "Bed 4 <ICU>"))
    seen = await cora.subjects.wait_for(lambda each: each.subject == "Bed 4 <ICU>")
    assert seen.nick == "Dr Ann"
    await send(component, ward, subject(ANN, "Bed 4 <ICU>"))
    assert component.inlet.of(SubjectChanged) == []


async def test_a_subject_crosses_under_the_bridges_name_where_only_that_may(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await cora.configure(ward, MODERATORS_ONLY)
    await component.enter(ward, ANN)
    await cora.client.plugin["xep_0045"].set_role(ward, "Consilium", "moderator")
    await send(component, ward, subject(ANN, "Bed 5"))
    assert (await cora.subjects.wait_for(lambda each: each.subject == "Bed 5")).nick == "Consilium"


async def test_a_subject_that_only_moderators_may_set_is_refused(
    either: Bridge, cora: XmppUser, ward: str
) -> None:
    await cora.configure(ward, MODERATORS_ONLY)
    await either.enter(ward)
    with pytest.raises(Refused, match="Only moderators") as refused:
        await send(either, ward, subject(ANN, "Bed 6"))
    assert "moderator" in refused.value.advice


async def test_what_an_earlier_run_left_in_a_room_is_cleared_away(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with (
        Cable(xmpp_server.component_port) as cable,
        running(component_settings(xmpp_server, port=cable.port)) as first,
    ):
        await first.enter(ward, ANN, doctor("Dr Old"))
        await cable.cut()  # as a crash would: nobody has left the room
        await first.inlet.down(None)
    assert "Dr Old" in cora.occupants(ward)
    async with running(component_settings(xmpp_server)) as second:
        await second.enter(ward, ANN)
        await cora.wait_for_absence(ward, "Dr Old")
        roster = await second.inlet.first(Roster)
        assert [author.name for author in roster.authors] == ["Cora"]
        assert second.inlet.of(Left) == []


async def test_all_leave_when_the_group_is_closed(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, ANN)
    await component.network.close(ward)
    await cora.wait_for_absence(ward, "Dr Ann")
    await cora.wait_for_absence(ward, "Consilium")


async def test_all_leave_when_the_bridge_stops(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with running(component_settings(xmpp_server)) as bridge:
        await bridge.enter(ward, ANN)
    await cora.wait_for_absence(ward, "Dr Ann")
    await cora.wait_for_absence(ward, "Consilium")


async def test_who_is_back_in_a_moment_has_not_left(
    component: Bridge, cora: XmppUser, carl: XmppUser, ward: str
) -> None:
    await carl.join(ward, "Carl")
    await component.enter(ward)
    await carl.leave(ward)
    await carl.join(ward, "Carl")
    await carl.leave(ward)
    await carl.join(ward, "Carlo")
    await component.inlet.first(Renamed)
    assert [type(event) for event in component.inlet.events] == [Roster, Renamed]


async def test_a_doctor_whom_the_room_loses_through_a_fault_comes_back(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, ANN)
    assert component.network._wire is not None
    jid = f"matrix+\\40dr.ann\\3ahospital.example@{COMPONENT}/consilium"
    mark = len(cora.presences)
    component.network._wire.post(f"<presence from='{jid}' to='{ward}/Dr Ann' type='error'/>")
    await cora.presences.wait_for(
        lambda each: each.nick == "Dr Ann" and not each.available, after=mark
    )
    await cora.wait_for_occupant(ward, "Dr Ann")
