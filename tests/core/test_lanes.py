"""Lanes: in order, each for itself, retried, and sent once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from core_stage import (
    BOTH_WARDS,
    DOCTOR,
    NEVER,
    QUICK,
    ROOM,
    TALK_ONLY,
    WARD_A,
    Core,
    ScriptedOutlet,
    portal,
    said,
    until,
)
from sqlalchemy import Connection, select, update

from bridge.clock import now_ms
from bridge.contract import Health, Refused, Sent, Unreachable
from bridge.delivery.lane import HELD_MAX
from bridge.flow.codec import encode
from bridge.model import MATRIX, Direction, Message, Place
from bridge.portals.service import WantedPortal
from bridge.store import deliveries, messages, tables
from bridge.store.database import Database
from bridge.store.deliveries import NewDelivery
from bridge.store.messages import InboxRow
from bridge.store.tables import DeliveryState

Outlets = dict[str, ScriptedOutlet]
MakeCore = Callable[..., Core]

OTHER = Place(MATRIX, "!other:example.org")
OTHER_PORTAL = WantedPortal(OTHER.id, {Place("hospital-a", "other@muc.a.example"): Direction.BOTH})
"""Another case, with a group at the same hospital."""


def from_room(number: int, text: str = "") -> Message:
    return said(number, ROOM, DOCTOR, text)


def numbered(count: int, first: int = 0) -> list[str]:
    return [f"text {n}" for n in range(first, first + count)]


async def row(core: Core, delivery_id: int) -> dict[str, object]:
    await core.recorder.flush()
    query = select(tables.deliveries).where(tables.deliveries.c.id == delivery_id)
    return dict(await core.database.run(lambda c: c.execute(query).mappings().one()))


async def waiting(core: Core, place: Place) -> int:
    await core.recorder.flush()
    spot = core.portals.index.at(place)
    assert spot
    return (await core.database.run(deliveries.counts)).get(spot.place_id, 0)


async def backlog(database: Database, core: Core, numbers: Sequence[int]) -> None:
    """What an earlier run received and did not send to ward A."""
    await core.portals.configure(BOTH_WARDS)
    room, ward = core.portals.index.at(ROOM), core.portals.index.at(WARD_A)
    assert room
    assert ward
    now = now_ms()

    def fill(connection: Connection) -> None:
        inbox = [
            InboxRow(n + 1, room.place_id, from_room(n).kind, encode(from_room(n)), now)
            for n in numbers
        ]
        messages.add_inbox(connection, inbox)
        rows = [NewDelivery(n + 1, n + 1, ward.place_id, now) for n in numbers]
        deliveries.add(connection, rows)

    await database.run(fill)


# --- order ---


async def test_each_place_gets_everything_in_order(core: Core, outlets: Outlets) -> None:
    async with asyncio.TaskGroup() as tasks:
        for n in range(300):
            tasks.create_task(core.receive(from_room(n)))
    await until(lambda: all(len(outlets[n].there) == 300 for n in ("hospital-a", "hospital-b")))
    assert outlets["hospital-a"].texts() == outlets["hospital-b"].texts() == numbered(300)


async def test_what_was_sent_is_recorded_with_its_copies(
    core: Core, hospital_a: ScriptedOutlet
) -> None:
    await core.receive(from_room(1))
    await until(lambda: len(hospital_a.there) == 1)
    found = await row(core, 1)
    assert found["state"] == DeliveryState.DONE
    assert found["attempts"] == 1
    assert found["finished_at"]
    copy = f"copy-{hospital_a.there[0].key}"
    await core.receive(replace(said(5, WARD_A), id=copy))
    assert len(core.delivered) == 2


async def test_a_dead_place_holds_nobody_else(core: Core, outlets: Outlets) -> None:
    never = asyncio.Event()
    outlets["hospital-a"].script.append(never)
    await core.receive(*(from_room(n) for n in range(50)))
    await until(lambda: len(outlets["hospital-b"].there) == 50)
    assert outlets["hospital-a"].there == []
    never.set()
    await until(lambda: outlets["hospital-a"].texts() == numbered(50))


async def test_a_dead_group_holds_no_other_group_of_its_network(
    make_core: MakeCore,
    hospital_a: ScriptedOutlet,
) -> None:
    dead, well = Place("hospital-a", "dead"), Place("hospital-a", "well")
    wanted = replace(BOTH_WARDS[0], links={dead: Direction.BOTH, well: Direction.BOTH})
    core = make_core()
    await core.start([wanted])
    hospital_a.script.append(asyncio.Event())
    await core.receive(*(from_room(n) for n in range(20)))
    await until(lambda: hospital_a.texts(well) == numbered(20))


# --- faults ---


async def test_a_temporary_fault_is_tried_again_and_holds_the_order(
    core: Core, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.script.extend([Unreachable("Away.")] * 7)
    await core.receive(from_room(0), from_room(1))
    await until(lambda: hospital_a.texts() == numbered(2))
    assert len(hospital_a.attempts) == 9
    assert len({each.key for each in hospital_a.attempts}) == 2
    assert (await row(core, 1))["attempts"] == 8
    assert hospital_a.looked_up == []


async def test_a_waiting_delivery_shows_its_state_and_what_is_wrong(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    core = make_core(patience=NEVER)
    await core.start()
    hospital_a.script.append(Unreachable("Hospital A is\0 away."))
    before = now_ms()
    await core.receive(from_room(1))
    await until(lambda: len(hospital_a.attempts) == 1)
    found = await row(core, 1)
    assert (found["state"], found["attempts"]) == (DeliveryState.PENDING, 1)
    assert found["last_error"] == "Hospital A is\ufffd away."
    next_try = found["next_try"]
    assert isinstance(next_try, int)
    assert 1_800_000 <= next_try - before <= 3_601_000


async def test_a_wake_ends_the_wait_of_the_places_it_is_about(
    make_core: MakeCore, outlets: Outlets
) -> None:
    core = make_core(patience=NEVER)
    await core.start()
    for name in ("hospital-a", "hospital-b"):
        outlets[name].script.append(Unreachable("Away."))
    await core.receive(from_room(0))
    await until(lambda: all(outlets[n].attempts for n in ("hospital-a", "hospital-b")))
    core.lanes.wake("hospital-a", Health(up=False))
    core.lanes.wake("hospital-a", Health(up=True, group="another@muc.a.example"))
    core.lanes.wake("hospital-a", Health(up=True, group=WARD_A.id))
    await until(lambda: outlets["hospital-a"].texts() == numbered(1))
    assert len(outlets["hospital-b"].attempts) == 1
    core.lanes.wake("hospital-b", Health(up=True))
    await until(lambda: outlets["hospital-b"].texts() == numbered(1))


async def test_a_place_that_recovers_has_the_others_of_its_network_tried_at_once(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    core = make_core(patience=NEVER)
    await core.start([portal(a=Direction.BOTH), OTHER_PORTAL])
    hospital_a.script.extend([Unreachable("Away."), Unreachable("Away.")])
    await core.receive(from_room(0), said(0, OTHER, DOCTOR))
    await until(lambda: len(hospital_a.attempts) == 2)
    core.lanes.wake("hospital-a", Health(up=True, group=WARD_A.id))
    await until(lambda: len(hospital_a.there) == 2)


async def test_a_network_that_asked_to_wait_is_not_hurried(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    core = make_core(patience=NEVER)
    await core.start([portal(a=Direction.BOTH), OTHER_PORTAL])
    hospital_a.script.extend([Unreachable("Wait.", retry_after=3_600), Unreachable("Away.")])
    await core.receive(said(0, OTHER, DOCTOR))
    await until(lambda: len(hospital_a.attempts) == 1)
    await core.receive(from_room(0))
    await until(lambda: len(hospital_a.attempts) == 2)
    core.lanes.wake("hospital-a", Health(up=True, group=WARD_A.id))
    await until(lambda: len(hospital_a.there) == 1)
    await core.receive(from_room(1))
    await until(lambda: len(hospital_a.there) == 2)
    assert len(hospital_a.attempts) == 4


async def test_a_wake_during_an_attempt_is_not_lost(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    core = make_core(patience=NEVER)
    await core.start()
    hospital_a.on_send = lambda _: None
    gate = asyncio.Event()
    real_send = hospital_a.send

    async def send_slowly_and_fail(outgoing: object) -> Sent:
        hospital_a.send = real_send  # type: ignore[method-assign]
        await gate.wait()
        raise Unreachable("Away.")

    hospital_a.send = send_slowly_and_fail  # type: ignore[method-assign]
    await core.receive(from_room(0))
    await until(lambda: hospital_a.send == real_send)
    core.lanes.wake("hospital-a", Health(up=True))
    gate.set()
    await until(lambda: hospital_a.texts() == numbered(1))


@pytest.mark.parametrize("asked", [0.03, 0.0, -5.0, float("nan")])
async def test_the_wait_a_network_asks_for_is_kept_but_is_never_none(
    make_core: MakeCore, hospital_a: ScriptedOutlet, asked: float
) -> None:
    patience = replace(QUICK, first_delay=0.02, longest_delay=0.02)
    core = make_core(patience=patience)
    await core.start()
    hospital_a.script.append(Unreachable("Slow down.", retry_after=asked))
    clock = asyncio.get_running_loop().time
    await core.receive(from_room(0))
    await until(lambda: len(hospital_a.attempts) == 1)
    first = clock()
    await until(lambda: len(hospital_a.attempts) == 2)
    assert clock() - first >= (0.025 if asked > 0 else 0.008)


async def test_a_refused_one_is_set_aside_and_the_next_goes_on(
    core: Core, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.script.append(Refused("Too long for Hospital A."))
    await core.receive(from_room(0), from_room(1))
    await until(lambda: hospital_a.texts() == numbered(1, 1))
    assert len(hospital_a.attempts) == 2
    found = await row(core, 1)
    assert (found["state"], found["last_error"]) == (2, "Too long for Hospital A.")


async def test_a_poison_message_is_set_aside_after_its_attempts(
    core: Core, outlets: Outlets, hospital_a: ScriptedOutlet, logged: list[dict[str, object]]
) -> None:
    hospital_a.script.extend([Unreachable("Away.")] * 9 + [ZeroDivisionError("a bug")] * 5)
    await core.receive(from_room(0), from_room(1))
    await until(lambda: hospital_a.texts() == numbered(1, 1))
    assert len(hospital_a.attempts) == 15
    found = await row(core, 1)
    assert (found["state"], found["last_error"]) == (2, "Hospital A could not take this message.")
    assert len([entry for entry in logged if entry["event"] == "adapter_fault"]) == 5
    assert outlets["hospital-b"].texts() == numbered(2)


async def test_a_bug_that_passes_by_itself_sets_nothing_aside(
    core: Core, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.script.extend([Unreachable("Away.")] * 20 + [ZeroDivisionError("a bug")] * 4)
    await core.receive(from_room(0))
    await until(lambda: hospital_a.texts() == numbered(1))


async def test_a_network_that_says_nothing_is_not_waited_for_for_ever(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    core = make_core(seconds=0.02)
    await core.start()
    hospital_a.script.append(asyncio.Event())
    await core.receive(from_room(0))
    await until(lambda: hospital_a.texts() == numbered(1))
    assert len(hospital_a.looked_up) == 1


async def test_an_unconfigured_network_is_waited_for(
    make_core: MakeCore, outlets: Outlets, hospital_a: ScriptedOutlet
) -> None:
    del outlets["hospital-a"]
    core = make_core()
    await core.start()
    await core.receive(from_room(0))
    await until(lambda: bool(outlets["hospital-b"].there))
    outlets["hospital-a"] = hospital_a
    await until(lambda: hospital_a.texts() == numbered(1))


@pytest.mark.parametrize("retry_after", [None, 10**9, float("inf")])
async def test_what_waited_too_long_is_given_up(
    make_core: MakeCore, hospital_a: ScriptedOutlet, retry_after: float | None
) -> None:
    core = make_core(give_up_after_ms=-1 if retry_after is None else 60_000)
    await core.start()
    hospital_a.script.append(Unreachable("Away for good.", retry_after=retry_after))
    await core.receive(from_room(0), from_room(1))
    await until(lambda: hospital_a.texts() == numbered(1, 1))
    found = await row(core, 1)
    assert (found["state"], found["last_error"]) == (DeliveryState.FAILED, "Away for good.")


async def test_an_old_one_is_tried_before_it_is_given_up(
    make_core: MakeCore, database: Database, hospital_a: ScriptedOutlet
) -> None:
    core = make_core()
    await backlog(database, core, range(3))
    old = update(tables.deliveries).values(created_at=1)
    await database.run(lambda c: c.execute(old))
    hospital_a.script.extend([Unreachable("Away.")])
    await core.start()
    await until(lambda: hospital_a.texts() == numbered(2, 1))


# --- doubt ---


async def test_a_doubtful_one_is_looked_up_and_not_sent_twice(
    core: Core, hospital_a: ScriptedOutlet
) -> None:
    arrived = asyncio.Event()
    real_send = hospital_a.send

    async def send_but_fail(outgoing: object) -> Sent:
        hospital_a.send = real_send  # type: ignore[method-assign]
        await real_send(outgoing)  # type: ignore[arg-type]
        arrived.set()
        raise Unreachable("No answer.", doubtful=True)

    hospital_a.send = send_but_fail  # type: ignore[method-assign]
    await core.receive(from_room(0), from_room(1))
    await arrived.wait()
    await until(lambda: len(hospital_a.there) == 2)
    assert hospital_a.texts() == numbered(2)
    assert (await row(core, 1))["state"] == DeliveryState.DONE


async def test_doubt_lasts_until_the_look_up_was_answered(
    core: Core, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.script.append(Unreachable("No answer.", doubtful=True))
    hospital_a.find_faults.extend([Unreachable("Away."), ZeroDivisionError(), Unreachable("Away.")])
    await core.receive(from_room(0))
    await until(lambda: hospital_a.texts() == numbered(1))
    assert len(hospital_a.looked_up) == 4
    assert len(hospital_a.attempts) == 2


async def test_after_a_crash_what_had_arrived_is_not_sent_again(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    first = make_core()
    first.recorder._linger = 3600.0
    await first.start()
    await first.receive(*(from_room(n) for n in range(20)))
    await until(lambda: len(hospital_a.there) == 20)
    await first.crash()
    second = make_core(crashed=True)
    await second.start()
    await second.receive(from_room(20))
    await until(lambda: len(hospital_a.there) == 21)
    assert hospital_a.texts() == numbered(21)
    assert await waiting(second, WARD_A) == 0


async def test_after_a_crash_in_the_middle_of_a_send_it_is_looked_up(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    first = make_core()
    await first.start()
    hospital_a.script.append(asyncio.Event())
    await first.receive(from_room(0))
    await until(lambda: len(hospital_a.attempts) == 1)
    await first.crash()
    second = make_core(crashed=True)
    await second.start()
    await until(lambda: hospital_a.texts() == numbered(1))
    assert len(hospital_a.looked_up) == 1


async def test_after_a_clean_stop_nothing_is_looked_up(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    first = make_core(patience=NEVER)
    await first.start()
    await first.receive(from_room(0))
    await until(lambda: len(hospital_a.there) == 1)
    gate = asyncio.Event()
    hospital_a.script.append(gate)
    await first.receive(*(from_room(n) for n in range(1, 10)))
    await until(lambda: len(hospital_a.attempts) == 2)
    stopping = asyncio.create_task(first.stop())
    await asyncio.sleep(0)
    gate.set()
    assert await stopping
    assert hospital_a.texts() == numbered(2)
    second = make_core()
    await second.start()
    await until(lambda: hospital_a.texts() == numbered(10))
    assert hospital_a.looked_up == []


async def test_a_doubt_outlives_a_clean_stop(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    first = make_core(patience=NEVER)
    await first.start()
    hospital_a.script.append(Unreachable("No answer.", doubtful=True))
    await first.receive(from_room(0))
    await until(lambda: len(hospital_a.attempts) == 1)
    hospital_a.there += hospital_a.attempts
    assert await first.stop()
    second = make_core()
    await second.start()
    await until(lambda: bool(hospital_a.looked_up))
    assert await second.stop()
    assert len(hospital_a.attempts) == 1
    assert await waiting(second, WARD_A) == 0


# --- long texts ---


async def test_a_long_text_goes_on_at_the_part_that_failed(
    core: Core, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.shows = replace(TALK_ONLY, max_text=10)
    hospital_a.script.extend([None, None, Unreachable("Away.")])
    await core.receive(from_room(0, "aaaa bbbb cccc dddd eeee ffff gggg"))
    await until(lambda: len(hospital_a.there) == 4)
    assert hospital_a.texts() == ["aaaa bbbb", "cccc dddd", "eeee ffff", "gggg"]
    keys = [each.key for each in hospital_a.there]
    assert keys == [keys[0], *(f"{keys[0]}.{part}" for part in (1, 2, 3))]
    await core.recorder.flush()
    query = select(tables.copies.c.remote_id, tables.copies.c.part).where(
        tables.copies.c.message_id == 1, tables.copies.c.remote_id.startswith("copy")
    )
    found = await core.database.run(lambda c: sorted(map(tuple, c.execute(query))))
    spots = [(f"copy-{key}", part) for part, key in enumerate(keys)]
    assert [pair for pair in found if pair in spots] == sorted(spots)


async def test_after_a_crash_a_long_text_goes_on_at_the_right_part(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.shows = replace(TALK_ONLY, max_text=10)
    first = make_core()
    await first.start()
    hospital_a.script.extend([None, None, asyncio.Event()])
    await first.receive(from_room(0, "aaaa bbbb cccc dddd eeee ffff gggg"))
    await until(lambda: len(hospital_a.attempts) == 3)
    await first.crash()
    second = make_core(crashed=True)
    await second.start()
    await until(lambda: len(hospital_a.there) == 4)
    assert hospital_a.texts() == ["aaaa bbbb", "cccc dddd", "eeee ffff", "gggg"]
    assert len(hospital_a.looked_up) == 3


# --- many ---


async def test_a_long_backlog_drains_in_order_with_little_in_memory(
    make_core: MakeCore, database: Database, hospital_a: ScriptedOutlet
) -> None:
    core = make_core()
    await backlog(database, core, range(20_000))
    most = 0

    def look(_: object) -> None:
        nonlocal most
        most = max(most, *(len(lane._duties) for lane in core.lanes._lanes.values()))

    hospital_a.on_send = look
    await core.start()
    await until(lambda: len(hospital_a.there) >= 5_000)
    await core.receive(*(from_room(n) for n in range(20_000, 20_400)))
    await until(lambda: len(hospital_a.there) >= 20_400)
    assert hospital_a.texts() == numbered(20_400)
    assert 0 < most <= HELD_MAX
    assert await waiting(core, WARD_A) == 0


async def test_what_comes_while_pages_are_read_is_neither_lost_nor_doubled(
    core: Core, hospital_a: ScriptedOutlet
) -> None:
    """The lane falls behind, catches up and falls behind again while more and more comes."""
    total = 1700

    async def one_by_one(numbers: range) -> None:
        for n in numbers:
            await core.receive(from_room(n))

    gate = asyncio.Event()
    hospital_a.script.append(gate)
    await core.receive(*(from_room(n) for n in range(600)))
    gate.set()
    await one_by_one(range(600, 750))
    await core.receive(*(from_room(n) for n in range(750, 1550)))
    await one_by_one(range(1550, total))
    await until(lambda: len(hospital_a.there) >= total)
    assert hospital_a.texts() == numbered(total)


async def test_what_a_page_brought_before_it_was_handed_over_is_sent_once(
    make_core: MakeCore, database: Database, hospital_a: ScriptedOutlet
) -> None:
    """On PostgreSQL a lane may read a row before the relay's commit is known to the intake."""
    core = make_core()
    await backlog(database, core, range(5))
    await core.start([portal(a=Direction.BOTH)])
    held: list[object] = []
    real_take = core.lanes.take
    core.lanes.take = held.extend  # type: ignore[method-assign,assignment]
    gate = asyncio.Event()
    hospital_a.script.append(gate)
    await until(lambda: bool(hospital_a.attempts))
    await core.receive(from_room(5))
    [lane] = core.lanes._lanes.values()
    lane._behind = True
    gate.set()
    await until(lambda: len(hospital_a.there) == 6)
    real_take(held)  # type: ignore[arg-type]
    await core.receive(from_room(6))
    real_take(held[1:])  # type: ignore[arg-type]
    await until(lambda: len(hospital_a.there) >= 7)
    assert hospital_a.texts() == numbered(7)


async def test_a_row_that_can_not_be_read_any_more_is_set_aside(
    make_core: MakeCore, database: Database, hospital_a: ScriptedOutlet
) -> None:
    core = make_core()
    await backlog(database, core, range(6))
    spoilt = [
        {"payload": b"not json"}, {"kind": "roster"}, {"kind": "hologram"}, {"payload": b"\0"},
    ]  # fmt: skip

    def spoil(connection: Connection) -> None:
        for number, values in enumerate(spoilt, 1):
            connection.execute(
                update(tables.inbox).where(tables.inbox.c.id == number).values(values)
            )

    await database.run(spoil)
    await core.start()
    await until(lambda: hospital_a.texts() == numbered(2, 4))
    for number in range(1, 5):
        found = await row(core, number)
        assert (found["state"], found["last_error"]) == (2, "It can't be read any more.")


# --- the end ---


async def test_a_stop_ends_a_wait_at_once_and_keeps_what_waits(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    core = make_core(patience=NEVER)
    await core.start()
    hospital_a.script.append(Unreachable("Away."))
    await core.receive(from_room(0), from_room(1))
    await until(lambda: len(hospital_a.attempts) == 1)
    assert await core.stop()
    assert await waiting(core, WARD_A) == 2


async def test_what_is_taken_after_a_stop_stays_on_disk(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    assert await core.lanes.stop()
    await core.receive(from_room(0))
    assert await core.stop()
    assert hospital_a.attempts == []
    again = make_core()
    await again.start()
    await until(lambda: hospital_a.texts() == numbered(1))


async def test_a_send_that_does_not_end_is_told_at_the_stop(
    make_core: MakeCore,
    hospital_a: ScriptedOutlet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.delivery.lanes._GRACE_SECONDS", 0.01)
    core = make_core()
    await core.start()
    hospital_a.script.append(asyncio.Event())
    await core.receive(from_room(0))
    await until(lambda: len(hospital_a.attempts) == 1)
    assert not await core.stop()


# --- links that go ---


async def test_a_removed_link_gives_up_what_waits_on_disk_and_in_memory(
    make_core: MakeCore, database: Database, hospital_a: ScriptedOutlet
) -> None:
    core = make_core(patience=NEVER)
    await core.start()
    hospital_a.script.append(Unreachable("Away."))
    await core.receive(*(from_room(n) for n in range(400)))
    await until(lambda: len(hospital_a.attempts) == 1)
    await core.portals.configure([portal(b=Direction.BOTH)])
    await until(lambda: len(core.lanes._lanes) == 0)
    await core.recorder.flush()
    assert await database.run(deliveries.counts) == {}
    found = await row(core, 1)
    assert (found["state"], found["last_error"]) == (2, "The link was removed.")
    await core.portals.configure(BOTH_WARDS)
    await core.receive(from_room(400))
    await until(lambda: hospital_a.texts() == numbered(1, 400))


async def test_a_link_that_carries_inwards_only_from_now_on_lets_nothing_out(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    gate = asyncio.Event()
    hospital_a.script.append(gate)
    await core.receive(*(from_room(n) for n in range(10)))
    await until(lambda: len(hospital_a.attempts) == 1)
    await core.portals.configure([portal(a=Direction.IN, b=Direction.BOTH)])
    gate.set()
    await until(lambda: len(core.lanes._lanes) == 0)
    assert hospital_a.texts() == numbered(1)
    assert (await row(core, 1))["state"] == DeliveryState.DONE
    assert await waiting(core, WARD_A) == 0


async def test_a_page_read_while_its_link_goes_is_not_sent(
    make_core: MakeCore, database: Database, hospital_a: ScriptedOutlet
) -> None:
    core = make_core()
    await backlog(database, core, range(500))
    sent_then = 0

    def unlink_at_300(_: object) -> None:
        nonlocal sent_then
        if len(hospital_a.there) == 300:
            change.append(asyncio.create_task(core.portals.configure([portal(b=Direction.BOTH)])))

    change: list[asyncio.Task[None]] = []
    hospital_a.on_send = unlink_at_300
    await core.start()
    await until(lambda: bool(change))
    await change[0]
    sent_then = len(hospital_a.there)
    await until(lambda: len(core.lanes._lanes) == 0)
    assert hospital_a.texts() == numbered(sent_then)
    await core.recorder.flush()
    assert await database.run(deliveries.counts) == {}


async def test_a_failing_store_is_waited_for(
    make_core: MakeCore, database: Database, hospital_a: ScriptedOutlet
) -> None:
    from test_recorder import Moody  # noqa: PLC0415

    core = make_core()
    await backlog(database, core, range(300))
    moody = Moody(database)
    core.lanes._context = replace(core.lanes._context, database=moody)
    core.recorder._database = moody

    def break_at_100(_: object) -> None:
        moody.broken = len(hospital_a.there) == 100 or moody.broken

    hospital_a.on_send = break_at_100
    await core.start()
    await until(lambda: moody.broken and moody.runs > 20)
    assert 100 <= len(hospital_a.there) <= 100 + HELD_MAX
    hospital_a.on_send = lambda _: None
    moody.broken = False
    await until(lambda: len(hospital_a.there) == 300)
    assert hospital_a.texts() == numbered(300)
    assert await waiting(core, WARD_A) == 0


async def test_a_stop_does_not_wait_for_a_store_that_fails(
    make_core: MakeCore,
    database: Database,
) -> None:
    from test_recorder import Moody  # noqa: PLC0415

    core = make_core(patience=NEVER)
    await backlog(database, core, range(3))
    moody = Moody(database)
    core.lanes._context = replace(
        core.lanes._context, database=moody, patience=replace(NEVER, store=3600.0)
    )
    await core.portals.configure(BOTH_WARDS)
    await core.lanes.resume()
    moody.broken = True
    running = asyncio.create_task(core.lanes.run())
    await until(lambda: moody.runs >= 3)
    async with asyncio.timeout(5):
        assert await core.lanes.stop()
        await running
