"""A room is replaced by one of the newest version, and the consilium goes on in there."""

from dataclasses import replace

from sandbox import matrix_acts as acts
from sandbox.bridge import Bridge
from sandbox.meeting import Meeting
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI


async def test_the_portal_follows_its_room_with_everyone_and_stays_there_after_a_restart(
    meeting: Meeting, bridge_of_all: Bridge
) -> None:
    await meeting.everyone_is_there()
    colleagues = [meeting.shown(name, "Matrix") for name in (CHIARA, DMITRI)]

    room = await acts.upgrade(meeting.host, meeting.room, "12")
    bot = bridge_of_all.config.app_service.bot
    await meeting.host.invite(room, f"@{bot}:{bridge_of_all.config.domain}")
    await meeting.host.invite(room, meeting.doctors[BRAM].user_id)
    await meeting.doctors[BRAM].join(room)
    moved = replace(meeting, room=room)
    await moved.until_members(colleagues, timeout=30)

    for speaker in (ALICE, BRAM, CHIARA, DMITRI):
        await moved.say(speaker, f"{speaker} is here")
        await moved.arrived(f"{speaker} is here")
    await moved.settle()

    await bridge_of_all.stop()
    await bridge_of_all.start()
    await moved.say(CHIARA, "After the restart")
    await moved.arrived("After the restart")
    await moved.say(ALICE, "Noted")
    await moved.arrived("Noted")
    assert not [line for line in meeting.seen()["Matrix"] if line.text == "After the restart"]
