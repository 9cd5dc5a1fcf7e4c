"""What doctors do while a network is away shows there when it is back: edits find their copies, and
what was deleted meanwhile is never shown.
"""

import pytest

from sandbox import matrix_acts as acts
from sandbox.bridge import Bridge
from sandbox.meeting import Meeting
from sandbox.prosody import Prosody
from sandbox.staff import ALICE, CHIARA
from sandbox.ward import Ward

FENCE = "back again?"


@pytest.fixture(scope="module")
async def ward(bridge_of_all: Bridge, meeting: Meeting) -> Ward:
    await meeting.everyone_is_there()
    return Ward(meeting, ALICE, CHIARA)


async def test_what_happens_while_a_network_is_away_is_caught_up_with_and_no_more(
    ward: Ward, prosody: Prosody
) -> None:
    room, doctor, colleague = ward.room, ward.doctor, ward.colleague
    edited, copy = await ward.doctor_says("5 mgg")
    gone, gone_copy = await ward.doctor_says("a name that goes")
    changed, _ = await ward.doctor_says("a dose that is deleted")
    own, seen = await ward.colleague_says("Agreed?")
    await prosody.stop()
    try:
        await acts.edit(doctor, room, edited, "5 mg")
        await doctor.redact(room, gone)
        await acts.edit(doctor, room, changed, "another name that nobody may see")
        await doctor.redact(room, changed)
        secret = await doctor.send_text(room, "a name that nobody may see")
        await doctor.redact(room, secret)
        thumb = await acts.react(doctor, room, seen.id, "👍")
        await acts.react(doctor, room, seen.id, "🎉")
        await doctor.redact(room, thumb)
        await doctor.send_text(room, FENCE)
    finally:
        await prosody.start()
    await colleague.connect()
    await colleague.join(ward.group, CHIARA, history=50)
    await ward.heard(lambda each: each.body == FENCE)
    heard = await ward.heard(lambda each: each.body == "5 mg")
    assert heard.replaces == copy.id
    await ward.heard(lambda each: each.retracts == gone_copy.stanza_id)
    assert not [each for each in colleague.messages if "nobody may see" in each.body]
    sets = [
        each.reactions[1]
        for each in colleague.messages
        if each.reactions and each.reactions[0] == own.stanza_id
    ]
    assert sets[-1] == ("🎉",)
