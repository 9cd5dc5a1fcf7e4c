"""What is not as it should be in an encrypted room: it is told, waits, and comes right."""

from collections.abc import AsyncIterator

import pytest
from bridge_runs import Site, assert_well_behaved
from encrypted_ward import Ward, doctor_of, ward_of

from sandbox.people import Colleagues


@pytest.fixture(scope="module")
async def ward(
    site: Site, wards: Colleagues, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ward]:
    directory = tmp_path_factory.mktemp("clients")
    async with ward_of(site, wards, directory, {"mode": "allow"}, confirmed=False) as made:
        yield made
    assert_well_behaved(made.bridge)


async def test_nothing_leaves_the_encrypted_room_before_an_admin_confirms_it(ward: Ward) -> None:
    await ward.doctor.send_text(ward.room, "between these walls")
    mark = await ward.doctor.timeline.wait_for(
        lambda seen: seen.type == "m.reaction" and "!confirm" in str(seen.content), timeout=40
    )
    assert "encrypted" in str(mark.content)
    assert "between these walls" not in ward.heard_so_far()

    await ward.doctor.send_text(ward.room, "!confirm")
    assert await ward.heard("between these walls", timeout=40) == "Dr. Nio"


async def test_a_message_whose_key_comes_late_is_told_and_then_passed_on(ward: Ward) -> None:
    doctor = ward.doctor
    await doctor.send_without_key(ward.room, "the key was late")
    notice = await doctor.timeline.wait_for(
        lambda seen: "can't be passed on" in seen.body, timeout=40
    )
    assert doctor.user_id in notice.body
    assert "the key was late" not in ward.heard_so_far()

    await doctor.give_key(ward.room)
    await ward.heard("the key was late", timeout=40)
    edit = await doctor.timeline.wait_for(
        lambda seen: "have been passed on since" in seen.body, timeout=40
    )
    assert edit.content["m.relates_to"]["event_id"] == notice.id


async def test_a_device_that_is_added_later_reads_what_is_said_from_then_on(ward: Ward) -> None:
    ward.say("before the tablet")
    await ward.doctor.wait_for_text(ward.room, "before the tablet")
    tablet = await ward.device(ward.doctor.user_id, "TABLET")
    ward.say("after the tablet")
    seen = await tablet.wait_for_text(ward.room, "after the tablet", timeout=40)
    assert seen.encrypted


async def test_who_has_left_cannot_read_on_and_who_comes_can(ward: Ward) -> None:
    user_id = await doctor_of(ward.site, "Dr. Visit")
    visitor = await ward.device(user_id, "PHONE")
    await ward.doctor.invite(ward.room, user_id)
    await visitor.join(ward.room)
    ward.say("to the visitor, too")
    before = await visitor.wait_for_text(ward.room, "to the visitor, too", timeout=40)
    await visitor.leave(ward.room)
    await ward.doctor.until(lambda: user_id not in ward.doctor.members(ward.room))
    ward.say("without the visitor")
    after = await ward.doctor.wait_for_text(ward.room, "without the visitor", timeout=40)
    first = await ward.doctor.wait_for_text(ward.room, "to the visitor, too")
    assert before.encrypted
    assert after.session != first.session
