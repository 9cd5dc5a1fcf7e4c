"""An encrypted room works as a plain one does, with a client that is apart from the bridge."""

from collections.abc import AsyncIterator

import pytest
from bridge_runs import Site, assert_well_behaved
from encrypted_ward import Ward, ward_of

from sandbox.people import Colleagues


@pytest.fixture(scope="module")
async def ward(
    site: Site, wards: Colleagues, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ward]:
    directory = tmp_path_factory.mktemp("clients")
    async with ward_of(site, wards, directory, {"mode": "allow"}) as made:
        yield made
    assert_well_behaved(made.bridge)


async def test_what_a_doctor_says_encrypted_is_heard_in_the_group(ward: Ward) -> None:
    await ward.doctor.send_text(ward.room, "The potassium is 6.1")
    assert await ward.heard("The potassium is 6.1") == "Dr. Nio"


async def test_what_a_colleague_says_reaches_the_doctor_encrypted_by_their_ghost(
    ward: Ward,
) -> None:
    ward.say("Give calcium")
    seen = await ward.doctor.wait_for_text(ward.room, "Give calcium")
    assert seen.encrypted
    assert seen.sender.startswith(f"@{ward.site.app_service.ghosts}")


async def test_after_a_crash_both_ways_go_on_and_nothing_is_doubled(ward: Ward) -> None:
    before = len(ward.doctor.timeline)
    await ward.bridge.kill()
    await ward.doctor.send_text(ward.room, "said to a dead bridge")
    await ward.bridge.start()
    await ward.heard("said to a dead bridge", timeout=60)
    await ward.colleague.wait_for_occupant(ward.group, "Dr. Nio", timeout=30)
    ward.say("said after the crash")
    seen = await ward.doctor.wait_for_text(ward.room, "said after the crash", timeout=60)
    assert seen.encrypted
    await ward.doctor.send_text(ward.room, "and back")
    await ward.heard("and back")

    heard = [each.body for each in ward.colleague.messages if each.room == ward.group]
    assert heard.count("said to a dead bridge") == heard.count("and back") == 1
    said = [seen.body for seen in list(ward.doctor.timeline)[before:]]
    assert said.count("said after the crash") == 1
    assert ward.doctor.locked == []
