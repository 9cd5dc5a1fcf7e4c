"""Where the bridge has but one account, that speaks for every doctor."""

from collections.abc import AsyncIterator

import pytest
from bridge_runs import Site, running

from sandbox.bridge import account_network, component_networks
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.meeting import MATRIX_ROOM, Line, Meeting
from sandbox.people import PASSWORD, Colleagues
from sandbox.staff import ALICE, CHIARA, DMITRI, Staff

SPOKESMAN = "Consilium"


@pytest.fixture(scope="module")
async def meeting(site: Site, staff: Staff, wards: Colleagues) -> AsyncIterator[Meeting]:
    """Hospital A has given the bridge an account; at hospital B it is a component."""
    groups = {hospital: wards.new_room(hospital) for hospital in (HOSPITAL_A, HOSPITAL_B)}
    meeting = await staff.meet(site.app_service, groups)
    jid = f"spokesman@{HOSPITAL_A.domain}"
    await site.prosody.add_user(jid, PASSWORD)
    networks = component_networks(site.prosody, [HOSPITAL_B])
    networks[HOSPITAL_A.network] = account_network(
        site.prosody, jid, PASSWORD, HOSPITAL_A.name, SPOKESMAN
    )
    async with running(site.bridge({meeting.room: meeting.links()}, networks)):
        group_a, group_b = meeting.places[1:]
        await meeting.until_members(["Chiara (Hospital A)", "Dmitri (Hospital B)"], timeout=30)
        await staff.chiara.wait_for_occupant(group_a, SPOKESMAN, timeout=30)
        await staff.dmitri.wait_for_occupant(group_b, "Chiara (Hospital A)", timeout=30)
        yield meeting


async def test_the_account_puts_the_speakers_name_before_the_text(meeting: Meeting) -> None:
    group_a = meeting.places[1]
    before = meeting.mark()
    await meeting.say(ALICE, "The potassium is 6.1")
    await meeting.say(ALICE, "nods", emote=True)
    await meeting.arrived("* Dr. Alice nods", [group_a])
    await meeting.say(DMITRI, "from B")
    await meeting.arrived("Dmitri (Hospital B): from B", [group_a])
    await meeting.arrived("from B", [MATRIX_ROOM])

    assert meeting.seen(before)[group_a] == [
        Line(SPOKESMAN, "Dr. Alice: The potassium is 6.1"),
        Line(SPOKESMAN, "* Dr. Alice nods"),
        Line(SPOKESMAN, "Dmitri (Hospital B): from B"),
    ]


async def test_a_colleague_there_is_known_by_the_nick(meeting: Meeting, staff: Staff) -> None:
    group_b = meeting.places[2]
    before = meeting.mark()
    await meeting.say(CHIARA, "by nick")
    await meeting.say(CHIARA, "waves", emote=True)
    await meeting.arrived("waves")

    expected = [
        Line("Chiara (Hospital A)", "by nick"),
        Line("Chiara (Hospital A)", "waves", emote=True),
    ]
    assert meeting.seen(before)[MATRIX_ROOM] == expected
    assert meeting.seen(before)[group_b] == expected


async def test_what_the_account_said_does_not_come_back(meeting: Meeting) -> None:
    group_a, group_b = meeting.places[1:]
    before = meeting.mark()
    await meeting.say(ALICE, "once")
    await meeting.arrived("Dr. Alice: once", [group_a])
    await meeting.say(CHIARA, "after it")
    await meeting.arrived("after it")
    await meeting.say(ALICE, "at last")
    await meeting.arrived("Dr. Alice: at last", [group_a])
    await meeting.arrived("at last", [MATRIX_ROOM, group_b])

    chiara = Line("Chiara (Hospital A)", "after it")
    alices = [Line(ALICE, "once"), chiara, Line(ALICE, "at last")]
    assert meeting.seen(before)[MATRIX_ROOM] == alices
    assert meeting.seen(before)[group_b] == alices


async def test_only_the_account_itself_is_seen_in_the_room(meeting: Meeting, staff: Staff) -> None:
    group_a = meeting.places[1]
    assert sorted(staff.chiara.occupants(group_a)) == sorted([CHIARA, SPOKESMAN])
