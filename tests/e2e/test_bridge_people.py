"""Who comes, goes, is put out or takes another name at one place does so at the others."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from bridge_runs import Site, running

from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.matrix_user import MatrixUser
from sandbox.meeting import MATRIX_ROOM, Line, Meeting
from sandbox.people import Colleagues, Doctors
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI, Staff
from sandbox.xmpp_user import XmppUser

LISTENER = "Consilium"


@pytest.fixture(scope="module")
async def meeting(site: Site, staff: Staff, wards: Colleagues) -> AsyncIterator[Meeting]:
    groups = {hospital: wards.new_room(hospital) for hospital in (HOSPITAL_A, HOSPITAL_B)}
    meeting = await staff.meet(site.app_service, groups)
    async with running(site.bridge({meeting.room: meeting.links()})):
        await meeting.everyone_is_there()
        yield meeting


@pytest.fixture
def group_a(meeting: Meeting) -> str:
    return meeting.colleagues[CHIARA].group


@pytest.fixture
def group_b(meeting: Meeting) -> str:
    return meeting.colleagues[DMITRI].group


@pytest.fixture
async def carla(meeting: Meeting, practice: Doctors) -> MatrixUser:
    """A doctor who is not in the room yet, but may come in."""
    carla = await practice.new("Dr. Carla")
    await meeting.host.invite(meeting.room, carla.user_id)
    return carla


@pytest.fixture
async def elena(wards: Colleagues) -> XmppUser:
    """A colleague at hospital A who is in no group yet."""
    return await wards.new(HOSPITAL_A)


async def in_groups(meeting: Meeting, nick: str) -> None:
    for group in meeting.places[1:]:
        await meeting.observer(group).wait_for_occupant(group, nick)


async def in_no_group(meeting: Meeting, nick: str) -> None:
    for group in meeting.places[1:]:
        await meeting.observer(group).wait_for_absence(group, nick)


async def test_a_doctor_who_comes_and_leaves_does_so_in_every_group(
    meeting: Meeting, carla: MatrixUser
) -> None:
    await carla.join(meeting.room)
    await in_groups(meeting, "Dr. Carla")
    await carla.leave(meeting.room)
    await in_no_group(meeting, "Dr. Carla")


async def test_a_doctor_who_is_put_out_leaves_every_group(
    meeting: Meeting, carla: MatrixUser
) -> None:
    await carla.join(meeting.room)
    await in_groups(meeting, "Dr. Carla")
    await meeting.host.kick(meeting.room, carla.user_id, "wrong case")
    await in_no_group(meeting, "Dr. Carla")


async def test_a_doctor_who_takes_another_name_keeps_the_seat_in_every_group(
    meeting: Meeting, carla: MatrixUser
) -> None:
    await carla.join(meeting.room)
    await in_groups(meeting, "Dr. Carla")
    seats = {
        group: meeting.observer(group).occupants(group)["Dr. Carla"].occupant_id
        for group in meeting.places[1:]
    }

    await carla.set_display_name("Dr. Carla-Diaz")
    await in_groups(meeting, "Dr. Carla-Diaz")
    await in_no_group(meeting, "Dr. Carla")

    for group, occupant_id in seats.items():
        now = meeting.observer(group).occupants(group)["Dr. Carla-Diaz"]
        assert now.occupant_id == occupant_id
    await carla.leave(meeting.room)
    await in_no_group(meeting, "Dr. Carla-Diaz")


async def test_a_colleague_who_comes_and_leaves_does_so_everywhere(
    meeting: Meeting, elena: XmppUser, group_a: str, group_b: str
) -> None:
    await elena.join(group_a, "Elena")
    await meeting.until_members(["Elena (Hospital A)"])
    await meeting.observer(group_b).wait_for_occupant(group_b, "Elena (Hospital A)")

    await elena.leave(group_a)
    await meeting.until_no_member("Elena (Hospital A)")
    await meeting.observer(group_b).wait_for_absence(group_b, "Elena (Hospital A)")


async def test_a_colleague_who_is_put_out_leaves_everywhere(
    meeting: Meeting, staff: Staff, elena: XmppUser, group_a: str, group_b: str
) -> None:
    await elena.join(group_a, "Elena")
    await meeting.until_members(["Elena (Hospital A)"])

    await staff.chiara.kick(group_a, "Elena", "wrong case")
    await meeting.until_no_member("Elena (Hospital A)")
    await meeting.observer(group_b).wait_for_absence(group_b, "Elena (Hospital A)")


async def test_a_colleague_who_loses_the_connection_leaves_everywhere(
    meeting: Meeting, wards: Colleagues, group_a: str
) -> None:
    lost = await wards.new(HOSPITAL_A)
    await lost.join(group_a, "Lost")
    await meeting.until_members(["Lost (Hospital A)"])
    await lost.close()
    await meeting.until_no_member("Lost (Hospital A)")


async def test_a_colleague_who_takes_another_nick_stays_the_same_person(
    meeting: Meeting, elena: XmppUser, group_a: str, group_b: str
) -> None:
    await elena.join(group_a, "Elena")
    await meeting.until_members(["Elena (Hospital A)"])
    (ghost,) = [who for who, name in meeting.members().items() if name == "Elena (Hospital A)"]

    await elena.change_nick(group_a, "Helena")
    await meeting.until_members(["Helena (Hospital A)"])
    await meeting.observer(group_b).wait_for_occupant(group_b, "Helena (Hospital A)")

    assert meeting.members()[ghost] == "Helena (Hospital A)"
    assert "Elena (Hospital A)" not in meeting.members().values()
    assert "Elena (Hospital A)" not in meeting.observer(group_b).occupants(group_b)
    await elena.leave(group_a)
    await meeting.until_no_member("Helena (Hospital A)")


async def test_one_who_says_a_word_and_goes_is_heard_first_and_then_gone(
    meeting: Meeting, elena: XmppUser, group_a: str
) -> None:
    before = meeting.mark()
    await elena.join(group_a, "Elena")
    elena.say(group_a, "I have to go")
    await elena.leave(group_a)
    await meeting.arrived("I have to go")
    await meeting.until_no_member("Elena (Hospital A)")
    assert meeting.seen(before)[MATRIX_ROOM] == [Line("Elena (Hospital A)", "I have to go")]


async def test_a_subject_set_in_a_group_is_the_topic_everywhere(
    meeting: Meeting, staff: Staff, group_a: str, group_b: str
) -> None:
    staff.chiara.set_subject(group_a, "A heart <3 & more")
    await meeting.host.wait_for(
        lambda event: event.content.get("topic") == "A heart <3 & more", room=meeting.room
    )
    await staff.dmitri.subjects.wait_for(
        lambda new: (new.room, new.subject) == (group_b, "A heart <3 & more")
    )


async def test_a_topic_set_on_matrix_is_the_subject_of_every_group(
    meeting: Meeting, staff: Staff
) -> None:
    await staff.alice.set_topic(meeting.room, "A liver")
    for group in meeting.places[1:]:
        observer = meeting.observer(group)
        await observer.subjects.wait_for(
            lambda new, group=group: (new.room, new.subject) == (group, "A liver")
        )


async def test_topics_set_again_and_again_settle_on_the_last_everywhere(
    meeting: Meeting, staff: Staff, group_a: str, group_b: str
) -> None:
    for number in range(5):
        await staff.alice.set_topic(meeting.room, f"topic {number}")
    await meeting.settle()

    assert latest_topic(meeting) == "topic 4"
    assert latest_subject(staff.chiara, group_a) == "topic 4"
    assert latest_subject(staff.dmitri, group_b) == "topic 4"


async def test_nobody_is_mirrored_back_to_where_they_are_at_home(
    meeting: Meeting, elena: XmppUser, carla: MatrixUser, group_a: str, group_b: str
) -> None:
    await elena.join(group_a, "Elena")
    await carla.join(meeting.room)
    await meeting.until_members(["Elena (Hospital A)"])
    await in_groups(meeting, "Dr. Carla")
    await meeting.observer(group_b).wait_for_occupant(group_b, "Elena (Hospital A)")
    await meeting.settle()

    away_a, away_b = f"{CHIARA} (Hospital A)", f"{DMITRI} (Hospital B)"
    elena_away = "Elena (Hospital A)"
    matrix = Counter(meeting.members().values())
    doctors = [ALICE, BRAM, "Dr. Carla"]
    assert matrix == Counter([*doctors, away_a, away_b, elena_away, LISTENER])
    in_a = meeting.observer(group_a).occupants(group_a)
    in_b = meeting.observer(group_b).occupants(group_b)
    assert sorted(in_a) == sorted([*doctors, CHIARA, "Elena", away_b, LISTENER])
    assert sorted(in_b) == sorted([*doctors, DMITRI, away_a, elena_away, LISTENER])

    await elena.leave(group_a)
    await carla.leave(meeting.room)
    await meeting.until_no_member(elena_away)
    await in_no_group(meeting, "Dr. Carla")


async def test_membership_settles_and_is_not_told_over_and_over(meeting: Meeting) -> None:
    await meeting.settle()
    # An avatar that was still on its way when its ghost joined may be put on later
    changes = Counter(
        who
        for who, _, _ in {
            (event.state_key, event.content.get("membership"), event.content.get("displayname"))
            for event in meeting.host.timeline
            if event.room == meeting.room and event.type == "m.room.member"
        }
    )
    everything = [
        event.state_key
        for event in meeting.host.timeline
        if event.room == meeting.room and event.type == "m.room.member"
    ]
    ghosts = [who for who, name in meeting.members().items() if name.endswith("(Hospital B)")]
    assert [changes[ghost] for ghost in ghosts] in ([1], [2])  # joined, or invited and joined
    assert all(everything.count(ghost) <= 3 for ghost in ghosts)
    for group in meeting.places[1:]:
        arrivals = [
            seen
            for seen in meeting.observer(group).presences
            if seen.room == group and seen.nick == ALICE and seen.available
        ]
        assert len(arrivals) == 1


def latest_topic(meeting: Meeting) -> str:
    topics = [
        event.content.get("topic", "")
        for event in meeting.host.timeline
        if event.room == meeting.room and event.type == "m.room.topic"
    ]
    return topics[-1]


def latest_subject(user: XmppUser, group: str) -> str:
    return [new.subject for new in user.subjects if new.room == group][-1]
