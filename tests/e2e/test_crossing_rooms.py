"""What is done to a room and to those in it, at one place of a portal, shows at the others:
deletions by moderators, kicks and bans with their reasons, the room's name and picture.
"""

from io import BytesIO

import pytest
from PIL import Image

from sandbox import matrix_acts as acts
from sandbox.bridge import Bridge
from sandbox.hospital import HOSPITAL_A
from sandbox.matrix_user import MatrixEvent
from sandbox.meeting import Meeting
from sandbox.people import Colleagues, Doctors
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI, Staff
from sandbox.ward import Ward
from sandbox.xmpp_user import RoomOptions

LISTENER = "Consilium"


@pytest.fixture(scope="module")
async def ward(bridge_of_all: Bridge, meeting: Meeting, staff: Staff) -> Ward:
    """The bridge owns the group at hospital A; at hospital B it is a guest."""
    await meeting.everyone_is_there()
    ward = Ward(meeting, ALICE, CHIARA)
    listener = staff.chiara.occupants(ward.group)[LISTENER].jid.partition("/")[0]
    await staff.chiara.set_affiliation(ward.group, listener, "owner")
    await staff.chiara.presences.wait_for(
        lambda each: (each.room, each.nick, each.affiliation) == (ward.group, LISTENER, "owner")
    )
    return ward


def picture(colour: str) -> bytes:
    found = BytesIO()
    Image.new("RGB", (32, 32), colour).save(found, "PNG")
    return found.getvalue()


# --- deletions by moderators


async def test_a_moderator_on_matrix_deletes_what_a_colleague_wrote(ward: Ward) -> None:
    own, copy = await ward.colleague_says("a name that Chiara should not have written")
    await ward.doctor.redact(ward.room, copy.id, "privacy & law")
    gone = await ward.heard(
        lambda each: (
            (found := each.find("urn:xmpp:fasten:0", "apply-to")) is not None
            and found.get("id") == own.stanza_id
        )
    )
    assert gone.nick == ""  # the room itself tells
    assert "privacy & law" in "".join(gone.stanza.xml.itertext())


async def test_a_moderator_in_a_group_deletes_what_a_doctor_wrote(ward: Ward) -> None:
    event_id, copy = await ward.doctor_says("a name that Alice should not have written")
    await ward.colleague.moderate(ward.group, copy.stanza_id, "privacy & law")
    await ward.seen(lambda each: event_id in redacted(each))
    event = await ward.doctor.event(ward.room, event_id)
    assert event.content == {}
    assert event.unsigned["redacted_because"]["content"]["reason"] == (
        "by Chiara (Hospital A): privacy & law"
    )


async def test_a_moderator_in_a_group_deletes_what_a_colleague_wrote_in_another(
    ward: Ward, meeting: Meeting, staff: Staff
) -> None:
    await meeting.say(DMITRI, "said at hospital B")
    here = await ward.heard(lambda each: each.body == "said at hospital B")
    seen = await ward.seen(lambda each: each.body == "said at hospital B")
    await staff.chiara.moderate(ward.group, here.stanza_id, "")
    await ward.seen(lambda each: seen.id in redacted(each))


async def test_a_guest_is_told_that_nothing_of_others_can_be_deleted(
    ward: Ward, meeting: Meeting
) -> None:
    elsewhere = Ward(meeting, ALICE, DMITRI)
    _, copy = await elsewhere.colleague_says("what stays at hospital B")
    await ward.doctor.redact(ward.room, copy.id)
    told = await ward.seen(
        lambda each: each.content.get("msgtype") == "m.notice" and "Hospital B" in each.body
    )
    assert "delete" in told.body


def redacted(event: MatrixEvent) -> list[str]:
    return [event.content.get("redacts", "")] if event.type == "m.room.redaction" else []


# --- those in it


async def test_a_kick_and_a_ban_of_a_colleague_are_told_with_their_reason(
    ward: Ward, meeting: Meeting, wards: Colleagues, staff: Staff
) -> None:
    elena = await wards.new(HOSPITAL_A)
    for reason in ("wrong case", "wrong hospital"):
        after = len(ward.doctor.timeline)
        await elena.join(ward.group, "Elena")
        await meeting.until_members(["Elena (Hospital A)"], timeout=20)
        if reason == "wrong case":
            await staff.chiara.kick(ward.group, "Elena", reason)
        else:
            await staff.chiara.set_affiliation(ward.group, elena.jid, "outcast", reason)
        gone = await ward.doctor.wait_for(
            lambda each: each.type == "m.room.member" and each.content["membership"] == "leave",
            room=ward.room,
            after=after,
            timeout=20,
        )
        assert str(gone.content.get("reason")).endswith(reason)


async def test_a_kick_and_a_ban_of_a_doctor_are_told_with_their_reason(
    ward: Ward, practice: Doctors
) -> None:
    carla = await practice.new("Dr. Carla")
    for reason in ("wrong case", "wrong house"):
        after = len(ward.colleague.presences)
        await ward.doctor.invite(ward.room, carla.user_id)
        await carla.join(ward.room)
        await ward.colleague.wait_for_occupant(ward.group, "Dr. Carla", timeout=20)
        if reason == "wrong case":
            await ward.doctor.kick(ward.room, carla.user_id, reason)
        else:
            path = f"/rooms/{ward.room}/ban"
            await ward.doctor.request("POST", path, {"user_id": carla.user_id, "reason": reason})
        gone = await ward.colleague.presences.wait_for(
            lambda each: each.nick == "Dr. Carla" and not each.available, after=after, timeout=20
        )
        assert gone.status.endswith(reason)


async def test_a_doctors_new_name_is_that_of_the_occupant_and_of_what_follows(
    ward: Ward, staff: Staff
) -> None:
    await staff.bram.set_display_name("Prof. Bram")
    await ward.colleague.wait_for_occupant(ward.group, "Prof. Bram", timeout=20)
    await staff.bram.send_text(ward.room, "under my new name")
    assert (await ward.heard(lambda each: each.body == "under my new name")).nick == "Prof. Bram"
    await staff.bram.set_display_name(BRAM)
    await ward.colleague.wait_for_occupant(ward.group, BRAM, timeout=20)


# --- the room itself


async def test_a_new_name_of_the_room_is_that_of_the_group_which_the_bridge_owns(
    ward: Ward,
) -> None:
    after = len(ward.colleague.messages)
    await acts.name_room(ward.doctor, ward.room, "Ward & <2>")
    await ward.colleague.wait_for(
        lambda each: each.room == ward.group and is_changed(each.stanza.xml),
        after=after,
        timeout=20,
    )
    answer = await ward.colleague.ask(
        "get", ward.group, "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    )
    identity = answer.find("{*}query/{*}identity")
    assert identity is not None
    assert identity.get("name") == "Ward & <2>"


async def test_a_new_name_of_a_group_is_that_of_the_room(ward: Ward) -> None:
    await ward.colleague.configure(ward.group, RoomOptions(title="Ward <3>"))
    await ward.seen(lambda each: each.content.get("name") == "Ward <3>")


async def test_a_new_picture_of_the_room_is_that_of_the_group(ward: Ward) -> None:
    after = len(ward.colleague.messages)
    uri = await ward.doctor.upload(picture("green"), "image/png", "green.png")
    await acts.picture_room(ward.doctor, ward.room, uri)
    await ward.colleague.wait_for(
        lambda each: each.room == ward.group and is_changed(each.stanza.xml),
        after=after,
        timeout=20,
    )
    assert await ward.colleague.vcard_photo(ward.group) == picture("green")


async def test_a_new_picture_of_a_group_is_that_of_the_room(ward: Ward) -> None:
    await ward.colleague.set_vcard_photo(picture("blue"), of=ward.group)
    seen = await ward.seen(
        lambda each: each.type == "m.room.avatar" and each.sender != ward.doctor.user_id
    )
    assert await ward.doctor.download(seen.content["url"]) == picture("blue")


def is_changed(stanza: object) -> bool:
    """Whether the room tells that its configuration is another (status 104)."""
    found = stanza.iter("{http://jabber.org/protocol/muc#user}status")  # type: ignore[attr-defined]
    return any(each.get("code") == "104" for each in found)
