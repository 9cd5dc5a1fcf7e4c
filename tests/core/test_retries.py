"""Trying again what was set aside, for one message or a whole room."""

import asyncio
from collections.abc import Sequence

from core_stage import (
    ANNA,
    DOCTOR,
    NEVER,
    ROOM,
    WARD_A,
    WARD_B,
    Core,
    MakeCore,
    ScriptedOutlet,
    portal,
    said,
    until,
)

from bridge.contract import Refused, Unreachable
from bridge.delivery.retry import Retries
from bridge.flow.relay import Duty
from bridge.model import Direction, Place
from bridge.store import deliveries, notices


def retries(core: Core) -> Retries:
    return Retries(core.intake, core.portals, core.lanes, core.recorder.flush)


async def refused(core: Core, outlet: ScriptedOutlet, *numbers: int) -> None:
    """Have the outlet refuse the doctor's messages with these numbers."""
    for number in numbers:
        outlet.script.append(Refused("You are banned from this group."))
        before = len(outlet.attempts)
        await core.receive(said(number, ROOM, DOCTOR))
        await until(lambda before=before: len(outlet.attempts) > before)
    await until(lambda: not core.lanes._lanes)
    await core.recorder.flush()


async def test_a_message_set_aside_is_tried_again_at_the_place_that_refused_it(
    core: Core, hospital_a: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    await refused(core, hospital_b, 1)
    assert await retries(core).message(ROOM.id, "m1") == 1
    await until(lambda: hospital_b.texts() == ["text 1"])
    assert hospital_a.texts() == ["text 1"]


async def test_the_notice_about_a_message_stands_for_the_message(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    await refused(core, hospital_b, 1)
    spot = core.portals.index.at(ROOM)
    assert spot is not None
    row = notices.NoticeRow(
        core.delivered[0].message_id, spot.place_id, "m1", notice_text="…", notice_id="$notice"
    )
    await core.database.run(lambda c: notices.save(c, [row]))
    assert await retries(core).message(ROOM.id, "$notice") == 1
    await until(lambda: hospital_b.texts() == ["text 1"])


async def test_a_room_is_tried_again_with_all_its_messages_in_their_order(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    await refused(core, hospital_b, 1, 2, 3)
    assert await retries(core).room(ROOM.id) == 3
    await until(lambda: hospital_b.texts() == ["text 1", "text 2", "text 3"])
    assert await retries(core).room(ROOM.id) == 0


async def test_nothing_is_put_back_for_rooms_and_messages_that_are_not_known(core: Core) -> None:
    assert await retries(core).room("!elsewhere:example.org") == 0
    assert await retries(core).message("!elsewhere:example.org", "m1") == 0
    assert await retries(core).message(ROOM.id, "$unknown") == 0


async def test_what_was_set_aside_for_a_link_that_is_closed_now_stays_there(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    await refused(core, hospital_b, 1)
    await core.portals.configure([portal(a=Direction.BOTH, b=Direction.IN)])
    assert await retries(core).message(ROOM.id, "m1") == 0
    assert len(await core.database.run(deliveries.failed)) == 1


async def test_a_retry_has_what_waits_tried_at_once(
    make_core: MakeCore, hospital_b: ScriptedOutlet
) -> None:
    core = make_core(patience=NEVER)
    await core.start()
    hospital_b.script.append(Unreachable("Hospital B is not reachable."))
    await core.receive(said(1, ROOM, DOCTOR))
    await until(lambda: len(hospital_b.attempts) == 1)
    await core.recorder.flush()
    assert await retries(core).message(ROOM.id, "m1") == 0
    await until(lambda: hospital_b.texts() == ["text 1"])


async def test_those_who_watch_are_told_what_was_put_back(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    told: list[Sequence[Duty]] = []
    service = retries(core)
    service.watch(told.append)
    await refused(core, hospital_b, 1)
    await service.room(ROOM.id)
    assert [duty.place_id for duties in told for duty in duties] == [
        spot.place_id for place in [WARD_B] if (spot := core.portals.index.at(place))
    ]


async def test_retries_and_new_messages_at_the_same_time_lose_nothing(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    numbers = range(1, 21)
    await refused(core, hospital_b, *numbers)
    service = retries(core)
    async with asyncio.TaskGroup() as tasks:
        for number in numbers:
            tasks.create_task(service.message(ROOM.id, f"m{number}"))
            tasks.create_task(core.receive(said(100 + number, WARD_A, ANNA)))
    await until(lambda: len(hospital_b.texts(Place("hospital-b", WARD_B.id))) == 40)
    assert len(set(hospital_b.texts())) == 40
