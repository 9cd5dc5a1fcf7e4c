"""Any part stops, dies, is put out or comes late: afterwards the conversation goes on.

This module has servers of its own, because it stops them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from bridge_runs import Site

from sandbox.appservice import AppService
from sandbox.bridge import Bridge
from sandbox.hospital import HOSPITAL_A, HOSPITALS
from sandbox.meeting import MATRIX_ROOM, Line, Mark, Meeting
from sandbox.people import Colleagues, Doctors
from sandbox.prosody import Prosody
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI
from sandbox.synapse import Synapse

LISTENER = "Consilium"
PATIENCE = 60.0

_WITHOUT_TOMBSTONES = "muc_tombstones = false -- or no room could be made again for a month"


@pytest.fixture(scope="module")
def app_service() -> AppService:
    return AppService(id="restarted", bot="restarted", ghosts="_restarted_")


@pytest.fixture(scope="module")
async def synapse(
    tmp_path_factory: pytest.TempPathFactory, app_service: AppService
) -> AsyncIterator[Synapse]:
    directory = tmp_path_factory.mktemp("synapse")
    async with Synapse(directory, app_services=[app_service.registration]) as server:
        yield server


@pytest.fixture(scope="module")
async def prosody(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prosody]:
    directory = tmp_path_factory.mktemp("prosody")
    async with Prosody.of(HOSPITALS, directory, more_config=_WITHOUT_TOMBSTONES) as server:
        yield server


@pytest.fixture
async def bridge(bridge_of_all: Bridge, site: Site, meeting: Meeting) -> Bridge:
    """The running bridge; what an earlier test has left stopped is started first."""
    for process in (site.synapse, site.prosody, bridge_of_all):
        if not process.running:
            await process.start()
    await come_back(meeting)
    await meeting.everyone_is_there(timeout=PATIENCE)
    return bridge_of_all


async def come_back(meeting: Meeting) -> None:
    """Let the colleagues log in and enter their groups again, where they are not in."""
    for name, colleague in meeting.colleagues.items():
        if not colleague.user.connected:
            await colleague.user.connect()
        if colleague.group not in colleague.user.nicks:
            await colleague.user.join(colleague.group, name, history=50)


async def start(bridge: Bridge, meeting: Meeting) -> None:
    """Start the bridge, and return when it has come into every group anew.

    That somebody of its names is in does not tell: after a crash, those of the last run still are.
    """
    marks = {group: len(meeting.observer(group).presences) for group in meeting.places[1:]}
    await bridge.start()
    for group, mark in marks.items():
        await meeting.observer(group).presences.wait_for(
            lambda seen, group=group: (
                (seen.room, seen.nick, seen.available) == (group, LISTENER, True)
            ),
            after=mark,
            timeout=PATIENCE,
        )
    await meeting.everyone_is_there(timeout=PATIENCE)


def texts(meeting: Meeting, place: str, speaker: str, before: Mark) -> list[str]:
    """What a place shows of one speaker."""
    name = meeting.shown(speaker, place)
    return [line.text for line in meeting.seen(before)[place] if line.speaker == name]


async def test_what_doctors_say_while_the_bridge_is_stopped_arrives_after_its_start(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    assert await bridge.stop() == 0
    said = [f"said to a stopped bridge {number}" for number in range(10)]
    for text in said:
        await meeting.say(ALICE, text)
    await meeting.say(BRAM, "waits", emote=True)
    await start(bridge, meeting)
    await meeting.settle(timeout=PATIENCE)

    for lines in meeting.seen(before).values():
        assert lines == [*(Line(ALICE, text) for text in said), Line(BRAM, "waits", emote=True)]


async def test_who_came_and_went_while_the_bridge_was_stopped_is_known_after_its_start(
    bridge: Bridge, meeting: Meeting, practice: Doctors, wards: Colleagues
) -> None:
    group_a, group_b = meeting.places[1:]
    goes, comes = await wards.new(HOSPITAL_A), await wards.new(HOSPITAL_A)
    doctor_goes, doctor_comes = await practice.new("Dr. Goes"), await practice.new("Dr. Comes")
    await goes.join(group_a, "Goes")
    for doctor in (doctor_goes, doctor_comes):
        await meeting.host.invite(meeting.room, doctor.user_id)
    await doctor_goes.join(meeting.room)
    await meeting.until_members(["Goes (Hospital A)", "Dr. Goes"])
    for group in (group_a, group_b):
        await meeting.observer(group).wait_for_occupant(group, "Dr. Goes")

    await bridge.stop()
    await goes.leave(group_a)
    await comes.join(group_a, "Comes")
    await doctor_goes.leave(meeting.room)
    await doctor_comes.join(meeting.room)
    await bridge.start()

    await meeting.until_members(["Comes (Hospital A)"], timeout=PATIENCE)
    await meeting.until_no_member("Goes (Hospital A)", timeout=PATIENCE)
    for group in (group_a, group_b):
        await meeting.observer(group).wait_for_occupant(group, "Dr. Comes", timeout=PATIENCE)
        await meeting.observer(group).wait_for_absence(group, "Dr. Goes", timeout=PATIENCE)
    in_b = meeting.observer(group_b)
    await in_b.wait_for_occupant(group_b, "Comes (Hospital A)", timeout=PATIENCE)
    await in_b.wait_for_absence(group_b, "Goes (Hospital A)", timeout=PATIENCE)
    await comes.leave(group_a)
    await doctor_comes.leave(meeting.room)


async def test_a_bridge_killed_again_and_again_in_a_stream_loses_and_doubles_nothing(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    said = {
        speaker: [f"{speaker} streams {number}" for number in range(90)]
        for speaker in (ALICE, CHIARA)
    }
    group_a, group_b = meeting.places[1:]

    async def stream() -> None:
        for doctors, colleagues in zip(said[ALICE], said[CHIARA], strict=True):
            await meeting.say(ALICE, doctors)
            await meeting.say(CHIARA, colleagues)

    streaming = asyncio.create_task(stream())
    heard: set[str] = set()
    for reached in (10, 30, 50):
        await meeting.arrived(said[ALICE][reached], [group_b], timeout=PATIENCE)
        await bridge.kill()
        heard.update(texts(meeting, group_b, CHIARA, before))
        heard.update(texts(meeting, MATRIX_ROOM, CHIARA, before))
        await start(bridge, meeting)
    await streaming
    await meeting.settle(timeout=PATIENCE)

    assert texts(meeting, group_a, ALICE, before) == said[ALICE]
    assert texts(meeting, group_b, ALICE, before) == said[ALICE]
    at_b = texts(meeting, group_b, CHIARA, before)
    on_matrix = texts(meeting, MATRIX_ROOM, CHIARA, before)
    # What a group says while nobody listens is its own; what was heard is heard everywhere, once
    assert at_b == on_matrix == [text for text in said[CHIARA] if text in set(at_b)]
    assert heard <= set(at_b)
    assert len(heard) > 10


async def test_while_the_homeserver_is_away_the_groups_talk_on_and_it_hears_all_afterwards(
    bridge: Bridge, meeting: Meeting, site: Site
) -> None:
    before = meeting.mark()
    group_b = meeting.colleagues[DMITRI].group
    await site.synapse.stop()
    said_at = []
    for number in range(5):
        said_at.append(time.time())
        await meeting.say(CHIARA, f"without the homeserver {number}")
        await meeting.arrived(f"without the homeserver {number}", [group_b])
    await site.synapse.start()
    back_at = time.time()
    await meeting.settle(timeout=PATIENCE)

    said = [f"without the homeserver {number}" for number in range(5)]
    assert texts(meeting, MATRIX_ROOM, CHIARA, before) == said
    assert texts(meeting, group_b, CHIARA, before) == said
    first = await meeting.host.wait_for_text(meeting.room, said[0])
    assert abs(first.timestamp / 1000 - said_at[0]) < back_at - said_at[0]


async def test_while_prosody_is_away_doctors_talk_on_and_the_groups_hear_all_afterwards(
    bridge: Bridge, meeting: Meeting, site: Site
) -> None:
    await site.prosody.stop()
    said = [f"without the groups {number}" for number in range(5)]
    for text in said:
        await meeting.say(ALICE, text)
    await site.prosody.start()
    await come_back(meeting)
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)

    for group in meeting.places[1:]:
        heard = [each.body for each in meeting.messages(group) if each.body in said]
        assert heard == said


async def test_a_group_that_is_taken_down_and_made_again_is_found_again(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    chiara = meeting.colleagues[CHIARA]
    await chiara.user.destroy(chiara.group)
    await chiara.user.presences.wait_until(lambda: chiara.group not in chiara.user.nicks)
    await meeting.say(ALICE, "said to nobody there")
    await chiara.user.create_room(chiara.group, CHIARA)
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)

    assert texts(meeting, chiara.group, ALICE, before) == ["said to nobody there"]


async def test_a_bridge_that_is_kicked_out_of_a_group_comes_back(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    chiara = meeting.colleagues[CHIARA]
    mark = len(chiara.user.presences)
    await chiara.user.kick(chiara.group, LISTENER, "no robots")
    await chiara.user.presences.wait_for(
        lambda seen: seen.nick == LISTENER and not seen.available, after=mark
    )
    await meeting.say(ALICE, "said after the kick")
    await chiara.user.wait_for_occupant(chiara.group, LISTENER, timeout=PATIENCE)
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)

    assert texts(meeting, chiara.group, ALICE, before) == ["said after the kick"]


async def test_a_doctor_who_is_kicked_out_of_a_group_comes_back_with_the_next_word(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    chiara = meeting.colleagues[CHIARA]
    await chiara.user.kick(chiara.group, ALICE, "too loud")
    await chiara.user.wait_for_absence(chiara.group, ALICE)

    await meeting.say(ALICE, "I am back")
    await meeting.settle(timeout=PATIENCE)
    assert texts(meeting, chiara.group, ALICE, before) == ["I am back"]
    assert ALICE in chiara.user.occupants(chiara.group)


async def test_a_bridge_that_is_started_before_all_others_waits_for_them(
    bridge: Bridge, meeting: Meeting, site: Site
) -> None:
    await meeting.say(ALICE, "before the night")
    await meeting.arrived("before the night")
    before = meeting.mark()
    await bridge.stop()
    await site.synapse.stop()
    await site.prosody.stop()

    await bridge.launch()
    await bridge.until_it_listens()
    assert (await bridge.ask("GET", "/ready")).status == 503
    await site.synapse.start()
    await site.prosody.start()
    await bridge.until_ready()
    await come_back(meeting)
    await meeting.everyone_is_there(timeout=PATIENCE)
    await meeting.settle(timeout=PATIENCE)

    assert not meeting.seen(before)[MATRIX_ROOM]
    for group in meeting.places[1:]:
        live = [each for each in meeting.messages(group) if each.delayed_since is None]
        assert [each.body for each in live].count("before the night") == 1


async def test_the_database_knows_everyone_after_all_that(bridge: Bridge, meeting: Meeting) -> None:
    await meeting.settle(timeout=PATIENCE)
    names = Counter(meeting.members().values())
    people = [ALICE, BRAM, LISTENER, "Chiara (Hospital A)", "Dmitri (Hospital B)"]
    assert names == Counter(people)
    for group in meeting.places[1:]:
        home = CHIARA if group == meeting.colleagues[CHIARA].group else DMITRI
        away = "Dmitri (Hospital B)" if home == CHIARA else "Chiara (Hospital A)"
        nicks = sorted(meeting.observer(group).occupants(group))
        assert nicks == sorted([ALICE, BRAM, LISTENER, home, away])
