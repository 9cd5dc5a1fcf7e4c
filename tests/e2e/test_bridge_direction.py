"""What a link does not carry stays where it is: words, people and subjects."""

from collections.abc import AsyncIterator

import pytest
from bridge_runs import Site, running

from sandbox.hospital import HOSPITAL_A, HOSPITAL_B, Hospital
from sandbox.meeting import MATRIX_ROOM, Line, Meeting
from sandbox.people import Colleagues
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI, Staff

LISTENER = "Consilium"
LEFT_OUT, INWARD, OUTWARD, BOTH = "", "in", "out", "both"


@pytest.fixture(scope="module")
async def meetings(
    site: Site, staff: Staff, wards: Colleagues
) -> AsyncIterator[dict[str, Meeting]]:
    """A portal for each direction with one group, and one with a group of either kind."""

    async def meet(*hospitals: Hospital) -> Meeting:
        groups = {hospital: wards.new_room(hospital) for hospital in hospitals}
        return await staff.meet(site.app_service, groups)

    meetings = {direction: await meet(HOSPITAL_A) for direction in (LEFT_OUT, INWARD, OUTWARD)}
    mixed = await meet(HOSPITAL_A, HOSPITAL_B)
    (network_a, group_a, _), (network_b, group_b, _) = mixed.links()
    portals = {meeting.room: meeting.links(direction) for direction, meeting in meetings.items()}
    portals[mixed.room] = [(network_a, group_a, INWARD), (network_b, group_b, BOTH)]
    async with running(site.bridge(portals)):
        for direction in (LEFT_OUT, INWARD):
            await meetings[direction].until_members([f"{CHIARA} (Hospital A)"], timeout=30)
        outward = meetings[OUTWARD].places[1]
        await staff.chiara.wait_for_occupant(outward, ALICE, timeout=30)
        await mixed.until_members([f"{CHIARA} (Hospital A)", f"{DMITRI} (Hospital B)"], timeout=30)
        await staff.dmitri.wait_for_occupant(group_b, f"{CHIARA} (Hospital A)", timeout=30)
        yield {**meetings, "mixed": mixed}


@pytest.mark.parametrize("direction", [LEFT_OUT, INWARD])
async def test_an_inward_link_carries_in_and_nothing_out(
    meetings: dict[str, Meeting], staff: Staff, direction: str
) -> None:
    meeting = meetings[direction]
    group = meeting.colleagues[CHIARA].group
    before, subjects = meeting.mark(), len(staff.chiara.subjects)

    await staff.alice.set_topic(meeting.room, "private")
    await meeting.say(ALICE, "not to leave the house")
    await meeting.say(BRAM, "nor this", emote=True)
    await staff.bram.set_display_name("Dr. Bram-Bos")
    await staff.bram.set_display_name(BRAM)
    await meeting.say(CHIARA, "from outside")
    staff.chiara.set_subject(group, "from outside")
    await meeting.host.wait_for(
        lambda event: event.content.get("topic") == "from outside", room=meeting.room
    )
    await meeting.say(CHIARA, "the last word")
    await meeting.arrived("the last word")

    seen = meeting.seen(before)
    assert seen[group] == [Line(CHIARA, "from outside"), Line(CHIARA, "the last word")]
    assert Line("Chiara (Hospital A)", "from outside") in seen[MATRIX_ROOM]
    assert sorted(staff.chiara.occupants(group)) == [CHIARA, LISTENER]
    new = [s.subject for s in list(staff.chiara.subjects)[subjects:] if s.room == group]
    assert new == ["from outside"]


async def test_an_outward_link_carries_out_and_nothing_in(
    meetings: dict[str, Meeting], staff: Staff
) -> None:
    meeting = meetings[OUTWARD]
    group = meeting.colleagues[CHIARA].group
    before = meeting.mark()

    await meeting.say(CHIARA, "unheard")
    staff.chiara.set_subject(group, "unheard")
    await meeting.say(ALICE, "to all")
    await meeting.arrived("to all")
    await staff.alice.set_topic(meeting.room, "to all")
    await staff.chiara.subjects.wait_for(lambda new: (new.room, new.subject) == (group, "to all"))
    await meeting.say(BRAM, "the last word")
    await meeting.arrived("the last word")

    assert meeting.seen(before)[MATRIX_ROOM] == [Line(ALICE, "to all"), Line(BRAM, "the last word")]
    assert sorted(meeting.members().values()) == sorted([ALICE, BRAM, LISTENER])
    topics = [
        event.content["topic"]
        for event in meeting.host.timeline
        if event.room == meeting.room and event.type == "m.room.topic"
    ]
    assert topics == ["to all"]
    assert {ALICE, BRAM} <= set(staff.chiara.occupants(group))


async def test_a_group_behind_an_inward_link_hears_neither_doctors_nor_other_groups(
    meetings: dict[str, Meeting], staff: Staff
) -> None:
    meeting = meetings["mixed"]
    group_a, group_b = meeting.places[1:]
    before = meeting.mark()

    await meeting.say(ALICE, "for B alone")
    await meeting.say(DMITRI, "not for A")
    staff.dmitri.set_subject(group_b, "not for A")
    await meeting.arrived("for B alone", [group_b])
    await meeting.arrived("not for A", [MATRIX_ROOM])
    await meeting.say(CHIARA, "for all")
    await meeting.arrived("for all")

    seen = meeting.seen(before)
    assert seen[group_a] == [Line(CHIARA, "for all")]
    assert Line("Chiara (Hospital A)", "for all") in seen[group_b]
    assert sorted(staff.chiara.occupants(group_a)) == [CHIARA, LISTENER]
    assert all(new.subject != "not for A" for new in staff.chiara.subjects)
