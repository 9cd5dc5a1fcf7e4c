"""What was said while the bridge was down is at every place afterwards: once, in order, and with
the time at which it was said.
"""

import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from bridge_runs import Site, assert_well_behaved

from sandbox.bridge import Bridge, account_network, component_networks
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.meeting import MATRIX_ROOM, Mark, Meeting
from sandbox.people import PASSWORD, Colleagues, Doctors
from sandbox.prosody import Prosody
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI

PATIENCE = 60.0
LISTENER = "Consilium"
READY = "-- ready"
EVERYONE = (ALICE, CHIARA, BRAM, DMITRI)

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def bridge_of_all(site: Site, meeting: Meeting, prosody: Prosody) -> AsyncIterator[Bridge]:
    """At hospital A every doctor is present; at hospital B one account speaks for all."""
    jid = f"relay-of-catch-up@{HOSPITAL_B.domain}"
    await prosody.add_user(jid, PASSWORD)
    networks = {
        HOSPITAL_A.network: component_networks(prosody)[HOSPITAL_A.network],
        HOSPITAL_B.network: account_network(prosody, jid, PASSWORD, HOSPITAL_B.name),
    }
    bridge = site.bridge({meeting.room: meeting.links()}, networks)
    async with bridge:
        yield bridge
    assert_well_behaved(bridge)


@pytest.fixture
async def bridge(bridge_of_all: Bridge, meeting: Meeting) -> Bridge:
    """The running bridge, in every place."""
    if not bridge_of_all.running:
        await bridge_of_all.start()
    group_a, group_b = meeting.places[1:]
    await meeting.until_members(["Chiara (Hospital A)", "Dmitri (Hospital B)"], timeout=PATIENCE)
    for name in (LISTENER, ALICE, BRAM, "Dmitri (Hospital B)"):
        await meeting.observer(group_a).wait_for_occupant(group_a, name, timeout=PATIENCE)
    await meeting.observer(group_b).wait_for_occupant(group_b, LISTENER, timeout=PATIENCE)
    await said_by_all(meeting, f"{READY} {next(_numbers)}")
    return bridge_of_all


async def said_by_all(meeting: Meeting, text: str) -> list[str]:
    """Everyone says it, and then it has reached every place."""
    words = [f"{text}, {speaker}" for speaker in EVERYONE]
    for speaker, word in zip(EVERYONE, words, strict=True):
        await meeting.say(speaker, word)
    await everywhere(meeting, words)
    return words


def _said_at(meeting: Meeting, place: str, before: Mark) -> list[tuple[str, str]]:
    """Who said what at a place. Where one account speaks for all, the text begins with the name."""
    group_b = meeting.colleagues[DMITRI].group
    found: list[tuple[str, str]] = []
    for line in meeting.seen(before)[place]:
        speaker, text = line.speaker, line.text
        if place == group_b and speaker == LISTENER:
            speaker, _, text = text.partition(": ")
        found.append((speaker, text))
    return found


def by_speaker(meeting: Meeting, place: str, before: Mark) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for speaker, text in _said_at(meeting, place, before):
        if not text.startswith(READY):
            found.setdefault(speaker, []).append(text)
    return found


def shown(meeting: Meeting, place: str, texts: dict[str, list[str]]) -> dict[str, list[str]]:
    return {meeting.shown(speaker, place): said for speaker, said in texts.items()}


async def everywhere(meeting: Meeting, words: list[str]) -> None:
    """Return once these last words have reached all places, with or without a name before them."""
    group_b = meeting.colleagues[DMITRI].group
    for word in words:
        await meeting.arrived(
            word, [MATRIX_ROOM, meeting.colleagues[CHIARA].group], timeout=PATIENCE
        )
        await meeting.observer(group_b).wait_for(
            lambda heard, word=word: heard.room == group_b and heard.body.endswith(word),
            timeout=PATIENCE,
        )


async def talk(meeting: Meeting, about: str, rounds: int) -> dict[str, list[str]]:
    """Everyone says something in turn, each heard at home before the next round."""
    texts: dict[str, list[str]] = {name: [] for name in EVERYONE}
    for number in range(rounds):
        for speaker, said in texts.items():
            said.append(f"{about} {number} by {speaker}")
            await meeting.say(speaker, said[-1])
        for speaker in (CHIARA, DMITRI):
            await meeting.arrived(texts[speaker][-1], [meeting.colleagues[speaker].group])
    return texts


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_what_was_said_everywhere_while_the_bridge_was_down_is_everywhere_afterwards(
    bridge: Bridge, meeting: Meeting, practice: Doctors, how: str
) -> None:
    """Some have spoken just before, and one of the doctors is gone when the bridge comes back."""
    before = meeting.mark()
    goes = await practice.new(f"Dr. Goes {how}")
    await meeting.host.invite(meeting.room, goes.user_id)
    await goes.join(meeting.room)
    farewell = [f"{how}: before I go {number}" for number in range(3)]
    for text in farewell:
        await goes.send_text(meeting.room, text)
    spoken = await talk(meeting, f"{how}: just before", 5)
    if how == "stop":
        await everywhere(meeting, [said[-1] for said in spoken.values()])
        assert await bridge.stop() == 0
    else:
        await bridge.kill()  # with some of that under way
    await goes.leave(meeting.room)
    down_at = time.time()
    missed = await talk(meeting, f"{how}: while it was down", 8)
    up_at = time.time()
    await bridge.start()
    await everywhere(meeting, [said[-1] for said in missed.values()])
    last = await said_by_all(meeting, f"{how}: after that")

    texts = {
        speaker: [*spoken[speaker], *missed[speaker], word]
        for speaker, word in zip(EVERYONE, last, strict=True)
    }
    for place in meeting.places:
        expected = shown(meeting, place, texts) | {f"Dr. Goes {how}": farewell}
        assert by_speaker(meeting, place, before) == expected
    stamps = [
        event.timestamp / 1000
        for event in meeting.host.timeline
        if event.room == meeting.room and event.body.startswith(f"{how}: while it was down")
    ]
    assert down_at - 2 <= min(stamps)
    assert max(stamps) <= up_at + 1
    assert "messages_not_fetched" not in bridge.log.read_text()


async def test_what_doctors_said_while_the_bot_was_out_of_the_room_is_fetched_when_it_is_back(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    host, bot = meeting.host, f"@{bridge.config.app_service.bot}:{bridge.config.domain}"
    ghosts = [user for user in meeting.members() if bridge.config.app_service.ghosts in user]
    for user in (*ghosts, bot):
        await host.kick(meeting.room, user)
    said = [f"said among ourselves {number}" for number in range(30)]
    for text in said:
        await meeting.say(ALICE, text)
    await host.invite(meeting.room, bot)
    await everywhere(meeting, [said[-1]])
    (last, *_) = await said_by_all(meeting, "and on we go")  # which brings the colleagues back

    for place in meeting.places[1:]:
        assert by_speaker(meeting, place, before)[ALICE] == [*said, last]
    assert "gap_found" in bridge.log.read_text()


async def test_of_a_group_that_is_linked_for_the_first_time_the_room_alone_is_shown_the_past(
    bridge: Bridge, meeting: Meeting, site: Site, wards: Colleagues, practice: Doctors
) -> None:
    colleague, doctor = await wards.new(HOSPITAL_A), await practice.new("Dr. New")
    group = wards.new_room(HOSPITAL_A)
    await colleague.create_room(group, "Colleague")
    bot = f"@{bridge.config.app_service.bot}:{bridge.config.domain}"
    room = await doctor.create_room("A new portal")
    colleague.say(group, "said before the link")
    await doctor.send_text(room, "said before the link")
    await colleague.wait_for_text(group, "said before the link")

    config = bridge.config
    portals = {**config.portals, room: [(HOSPITAL_A.network, group, "both")]}
    for number in range(2):
        await bridge.stop()
        bridge.config = replace(config, portals=portals)
        await bridge.start()
        if number == 0:
            await doctor.invite(room, bot)
        word = f"said after start {number}"
        await colleague.wait_for_occupant(group, "Dr. New", timeout=PATIENCE)
        colleague.say(group, word)
        await doctor.wait_for_text(room, word, timeout=PATIENCE)
        await doctor.send_text(room, f"{word}, I agree")
        await colleague.wait_for_text(group, f"{word}, I agree", timeout=PATIENCE)
    bodies = [event.body for event in doctor.timeline if event.room == room]
    assert bodies.count("said before the link") == 2  # its own, and once that of the group
    heard = [each.body for each in colleague.messages if each.room == group]
    assert heard.count("said before the link") == 1
    assert [text for text in heard if text.startswith("said after")] == [
        "said after start 0",
        "said after start 0, I agree",
        "said after start 1",
        "said after start 1, I agree",
    ]
