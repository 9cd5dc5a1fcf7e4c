"""Where one account speaks for every doctor, all that people do crosses as well."""

from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from bridge_runs import Site, running
from PIL import Image

from sandbox import matrix_acts as acts
from sandbox import xmpp_acts
from sandbox.bridge import Bridge, account_network, component_networks
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.matrix_user import MatrixEvent
from sandbox.meeting import Meeting
from sandbox.people import PASSWORD, Colleagues
from sandbox.staff import ALICE, CHIARA, DMITRI, Staff
from sandbox.ward import Ward
from sandbox.xmpp_stanzas import RoomMessage

SPOKESMAN = "Consilium"


@pytest.fixture(scope="module")
async def meeting(site: Site, staff: Staff, wards: Colleagues) -> Meeting:
    groups = {hospital: wards.new_room(hospital) for hospital in (HOSPITAL_A, HOSPITAL_B)}
    return await staff.meet(site.app_service, groups)


@pytest.fixture(scope="module")
async def bridge(site: Site, meeting: Meeting, staff: Staff) -> AsyncIterator[Bridge]:
    """Hospital A has given the bridge an account; at hospital B it is a component."""
    jid = f"relay@{HOSPITAL_A.domain}"
    await site.prosody.add_user(jid, PASSWORD)
    networks = component_networks(site.prosody, [HOSPITAL_B])
    networks[HOSPITAL_A.network] = account_network(
        site.prosody, jid, PASSWORD, HOSPITAL_A.name, SPOKESMAN
    )
    async with running(site.bridge({meeting.room: meeting.links()}, networks)) as bridge:
        await meeting.until_members(["Chiara (Hospital A)", "Dmitri (Hospital B)"], timeout=30)
        await staff.chiara.wait_for_occupant(meeting.places[1], SPOKESMAN, timeout=30)
        await staff.dmitri.wait_for_occupant(meeting.places[2], "Chiara (Hospital A)", timeout=30)
        yield bridge


@pytest.fixture(scope="module")
async def ward(bridge: Bridge, meeting: Meeting) -> Ward:
    return Ward(meeting, ALICE, CHIARA)


async def doctor_says(ward: Ward, text: str) -> tuple[str, RoomMessage]:
    event_id = await ward.doctor.send_text(ward.room, text)
    return event_id, await ward.heard(lambda each: each.body == f"{ALICE}: {text}")


def redacted(event: MatrixEvent) -> list[str]:
    return [event.content.get("redacts", "")] if event.type == "m.room.redaction" else []


async def test_formatting_stands_behind_the_name(ward: Ward) -> None:
    html = "<p>Give <strong>5 mg</strong></p><ul><li>now</li></ul>"
    await ward.doctor.send_event(
        ward.room,
        "m.room.message",
        {"msgtype": "m.text", "body": "Give 5 mg: now", **acts.formatted(html)},
    )
    heard = await ward.heard(lambda each: "*5 mg*" in each.body)
    assert heard.body == f"{ALICE}: Give *5 mg*\n- now"


async def test_an_edit_keeps_the_name_and_a_deletion_takes_all(ward: Ward) -> None:
    event_id, copy = await doctor_says(ward, "5 mgg")
    for text in ("5 mg", "5 mg twice"):
        await acts.edit(ward.doctor, ward.room, event_id, text)
        heard = await ward.heard(lambda each, text=text: each.body == f"{ALICE}: {text}")
        assert heard.replaces == copy.id
    await ward.doctor.redact(ward.room, event_id)
    gone = await ward.heard(lambda each: each.retracts == copy.stanza_id)
    assert gone.nick == SPOKESMAN


async def test_edits_and_deletions_of_a_colleague_cross(ward: Ward) -> None:
    own, copy = await ward.colleague_says("10 mgg")
    ward.colleague.edit(ward.group, own.id, "10 mg")
    seen = await ward.seen(
        lambda each: each.content.get("m.new_content", {}).get("body") == "10 mg"
    )
    assert seen.content["m.relates_to"]["event_id"] == copy.id
    ward.colleague.retract(ward.group, own.stanza_id)
    await ward.seen(lambda each: copy.id in redacted(each))


async def test_the_account_shows_the_reactions_of_all_doctors_together(
    ward: Ward, staff: Staff
) -> None:
    own, copy = await ward.colleague_says("Agreed?")
    thumb = await acts.react(staff.alice, ward.room, copy.id, "👍")
    await ward.heard(lambda each: each.reactions == (own.stanza_id, ("👍",)))
    await acts.react(staff.bram, ward.room, copy.id, "👍")
    heart = await acts.react(staff.bram, ward.room, copy.id, "❤️")
    await ward.heard(lambda each: each.reactions == (own.stanza_id, ("👍", "❤️")))
    after = len(ward.colleague.messages)
    await staff.alice.redact(ward.room, thumb)  # Bram's stays
    await staff.bram.redact(ward.room, heart)
    heard = await ward.heard(lambda each: each.reactions == (own.stanza_id, ("👍",)), after=after)
    assert heard.nick == SPOKESMAN
    sets = [
        each.reactions[1]
        for each in list(ward.colleague.messages)[after:]
        if each.reactions and each.reactions[0] == own.stanza_id
    ]
    assert all("👍" in each for each in sets)


async def test_a_reaction_of_a_colleague_reaches_the_doctor(ward: Ward) -> None:
    event_id, copy = await doctor_says(ward, "Shall we?")
    ward.colleague.react(ward.group, copy.stanza_id, "🎉")
    seen = await ward.seen(
        lambda each: (
            each.type == "m.reaction" and each.content["m.relates_to"]["event_id"] == event_id
        )
    )
    ward.colleague.react(ward.group, copy.stanza_id)
    await ward.seen(lambda each: seen.id in redacted(each))


async def test_answers_and_threads_cross(ward: Ward) -> None:
    own, copy = await ward.colleague_says("Which dose?")
    await acts.reply(ward.doctor, ward.room, copy.id, "5 mg, as always")
    heard = await ward.heard(lambda each: each.words == f"{ALICE}: 5 mg, as always")
    assert heard.answers == own.stanza_id
    event_id, said = await doctor_says(ward, "Which room?")
    ward.colleague.answer(said, "Room 7")
    seen = await ward.seen(lambda each: each.body == "Room 7")
    assert seen.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event_id
    await acts.say_in_thread(ward.doctor, ward.room, event_id, "I would wait")
    inside = await ward.heard(lambda each: each.words == f"{ALICE}: I would wait")
    assert inside.thread


async def test_who_sent_a_file_without_a_word_is_told(ward: Ward) -> None:
    found = BytesIO()
    Image.new("RGB", (64, 48), "red").save(found, "JPEG")
    await acts.send_file(
        ward.doctor, ward.room, found.getvalue(), name="wound.jpg", mime="image/jpeg",
        msgtype="m.image",
    )  # fmt: skip
    line = await ward.heard(lambda each: "wound.jpg" in each.body and "http" not in each.body)
    assert line.body.startswith(f"{ALICE}: [image] wound.jpg")
    file = await ward.heard(lambda each: each.find("jabber:x:oob", "x") is not None)
    assert file.nick == SPOKESMAN
    url = await xmpp_acts.upload(
        ward.colleague, HOSPITAL_A.uploads, b"%PDF-1.7\n", "report.pdf", "application/pdf"
    )
    ward.colleague.share(ward.group, url)
    await ward.seen(lambda each: each.content.get("msgtype") == "m.file")


async def test_mentions_subject_and_comings_cross(
    ward: Ward, meeting: Meeting, wards: Colleagues
) -> None:
    _, copy = await ward.colleague_says("I am here")
    await acts.mention(ward.doctor, ward.room, copy.sender, "Chiara (Hospital A)", "look")
    heard = await ward.heard(lambda each: "look" in each.body and CHIARA in each.body)
    assert heard.body == f"{ALICE}: {CHIARA}: look"
    await ward.doctor.set_topic(ward.room, "Rounds at 9")
    await ward.colleague.subjects.wait_for(lambda each: each.subject == "Rounds at 9", timeout=20)
    ward.colleague.set_subject(ward.group, "Rounds at 10")
    await ward.seen(lambda each: each.content.get("topic") == "Rounds at 10")
    elena = await wards.new(HOSPITAL_A)
    await elena.join(ward.group, "Elena")
    await meeting.until_members(["Elena (Hospital A)"], timeout=20)
    await elena.change_nick(ward.group, "Helena")
    await meeting.until_members(["Helena (Hospital A)"], timeout=20)
    await elena.leave(ward.group)
    await meeting.until_no_member("Helena (Hospital A)", timeout=20)


async def test_typing_and_reading_of_a_colleague_show(ward: Ward) -> None:
    event_id, said = await doctor_says(ward, "Read this")
    _, copy = await ward.colleague_says("I will")
    ward.colleague.be(ward.group, "composing")
    await ward.doctor.passing.wait_for(
        lambda each: each.type == "m.typing" and copy.sender in each.typists, timeout=20
    )
    ward.colleague.mark_read(ward.group, said.stanza_id)
    await ward.doctor.passing.wait_for(
        lambda each: event_id in each.read_by(copy.sender), timeout=20
    )


async def test_colleagues_of_two_hospitals_meet_through_the_account(
    ward: Ward, meeting: Meeting
) -> None:
    there = Ward(meeting, ALICE, DMITRI)
    there.colleague.say(there.group, "from B")
    own = await there.heard(lambda each: each.body == "from B")
    copy = await ward.heard(lambda each: each.body == "Dmitri (Hospital B): from B")
    ward.colleague.answer(copy, "to B")
    answer = await there.heard(lambda each: each.words == "to B")
    assert answer.answers == own.stanza_id
    there.colleague.edit(there.group, own.id, "from B, indeed")
    heard = await ward.heard(lambda each: each.body == "Dmitri (Hospital B): from B, indeed")
    assert heard.replaces == copy.id
    there.colleague.retract(there.group, own.stanza_id)
    await ward.heard(lambda each: each.retracts == copy.stanza_id)


async def test_all_of_it_finds_its_copies_after_the_bridge_was_killed(
    ward: Ward, bridge: Bridge
) -> None:
    event_id, copy = await doctor_says(ward, "before the crash")
    own, seen = await ward.colleague_says("mine, before the crash")
    await bridge.kill()
    await acts.edit(ward.doctor, ward.room, event_id, "edited during the crash")
    ward.colleague.edit(ward.group, own.id, "mine, edited during the crash")
    await bridge.start()
    heard = await ward.heard(lambda each: each.body == f"{ALICE}: edited during the crash")
    assert heard.replaces == copy.id
    await ward.seen(
        lambda each: (
            each.content.get("m.relates_to", {}).get("event_id") == seen.id
            and "mine, edited" in each.body
        )
    )
    # Only now: what was not written down when the bridge was killed has been looked up in the room
    await acts.react(ward.doctor, ward.room, seen.id, "👀")
    await ward.heard(lambda each: each.reactions == (own.stanza_id, ("👀",)))
