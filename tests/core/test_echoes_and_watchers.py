"""Echoes that come before the send has returned, those who watch deliveries, and second tries."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from core_stage import BOTH_WARDS, DOCTOR, ROOM, WARD_A, WARD_B, Core, ScriptedOutlet, said, until

from bridge.contract import Outgoing, Refused, Unreachable
from bridge.delivery.watch import Watchers
from bridge.flow.relay import Duty
from bridge.health import HealthBoard
from bridge.inlet import NetworkInlet
from bridge.model import MATRIX, Message, Place
from bridge.store import deliveries
from bridge.store.tables import DeliveryState

MakeCore = Callable[..., Core]


@dataclass
class Notes:
    """A watcher that writes everything down."""

    stuck_at: list[tuple[Place, str]] = field(default_factory=list)
    moved: list[Place] = field(default_factory=list)
    settled_at: list[tuple[Place, DeliveryState, str | None]] = field(default_factory=list)

    def stuck(self, place: Place, duty: Duty, reason: str) -> None:
        self.stuck_at.append((place, reason))

    def moving(self, place: Place) -> None:
        self.moved.append(place)

    def settled(self, place: Place, duty: Duty, state: DeliveryState, reason: str | None) -> None:
        self.settled_at.append((place, state, reason))


def from_room(number: int) -> Message:
    return said(number, ROOM, DOCTOR)


async def test_an_echo_that_is_faster_than_the_answer_to_its_send_is_not_relayed(
    core: Core, outlets: dict[str, ScriptedOutlet]
) -> None:
    inlet = NetworkInlet("hospital-a", core.intake, HealthBoard(), core.lanes.in_hand, core.past)
    answer = asyncio.Event()
    outlets["hospital-a"].script.append(answer)
    await core.receive(from_room(1))
    await until(lambda: len(outlets["hospital-a"].attempts) == 1)
    copy = f"copy-{outlets['hospital-a'].attempts[0].key}"
    echo = Message(WARD_A, copy, said(1).author, said(1).time, "text 1")

    hearing = asyncio.create_task(inlet.receive([echo]))
    await until(lambda: len(outlets["hospital-b"].there) == 1)
    assert not hearing.done()
    answer.set()
    await hearing

    assert outlets["hospital-b"].texts() == ["text 1"]
    assert outlets[MATRIX].texts() == []


async def test_what_others_say_during_a_send_is_relayed_once_the_send_is_over(
    core: Core, outlets: dict[str, ScriptedOutlet]
) -> None:
    inlet = NetworkInlet("hospital-a", core.intake, HealthBoard(), core.lanes.in_hand, core.past)
    answer = asyncio.Event()
    outlets["hospital-a"].script.append(answer)
    await core.receive(from_room(1))
    await until(lambda: len(outlets["hospital-a"].attempts) == 1)

    hearing = asyncio.create_task(inlet.receive([said(2)]))
    answer.set()
    await hearing

    await until(lambda: outlets[MATRIX].texts() == ["text 2"])


async def test_watchers_are_told_when_a_lane_is_stuck_and_when_it_moves_again(
    make_core: MakeCore, outlets: dict[str, ScriptedOutlet]
) -> None:
    notes = Notes()
    core = make_core(watcher=Watchers((notes,)))
    await core.start(BOTH_WARDS)
    outlets["hospital-a"].script.append(Unreachable("Hospital A is not reachable."))

    await core.receive(from_room(1))
    await until(lambda: len(notes.settled_at) == 2)

    assert notes.stuck_at == [(WARD_A, "Hospital A is not reachable.")]
    assert notes.moved == [WARD_A]
    assert sorted(notes.settled_at) == [
        (WARD_A, DeliveryState.DONE, None),
        (WARD_B, DeliveryState.DONE, None),
    ]


async def test_watchers_are_told_why_a_delivery_was_set_aside(
    make_core: MakeCore, outlets: dict[str, ScriptedOutlet]
) -> None:
    notes = Notes()
    core = make_core(watcher=Watchers((notes,)))
    await core.start(BOTH_WARDS)
    outlets["hospital-a"].script.append(Refused("You may not write there."))

    await core.receive(from_room(1))
    await until(lambda: len(notes.settled_at) == 2)

    assert (WARD_A, DeliveryState.FAILED, "You may not write there.") in notes.settled_at


async def test_what_was_set_aside_is_sent_when_it_is_tried_again(
    core: Core, outlets: dict[str, ScriptedOutlet]
) -> None:
    outlets["hospital-a"].script.append(Refused("You may not write there."))
    await core.receive(from_room(1))
    await until(lambda: bool(outlets["hospital-a"].attempts))
    await core.recorder.flush()
    number = core.portals.index.by_place[WARD_A].place_id

    failed = await core.database.run(lambda c: deliveries.failed(c, place_ids=[number]))
    duties = await core.database.run(lambda c: core.relay.revive(c, failed))
    core.lanes.take(duties)

    await until(lambda: outlets["hospital-a"].texts() == ["text 1"])
    await core.recorder.flush()
    assert await core.database.run(lambda c: deliveries.failed(c, place_ids=[number])) == []
    assert outlets["hospital-b"].texts() == ["text 1"]


async def test_a_second_try_of_something_that_did_arrive_makes_no_second_copy(
    core: Core, outlets: dict[str, ScriptedOutlet]
) -> None:
    def arrive_and_be_refused(outgoing: Outgoing) -> None:
        outlets["hospital-a"].on_send = lambda _: None
        raise Refused("The answer was lost.")

    outlets["hospital-a"].on_send = arrive_and_be_refused
    await core.receive(from_room(1))
    await until(lambda: bool(outlets["hospital-a"].attempts))
    await core.recorder.flush()

    failed = await core.database.run(
        lambda c: deliveries.failed(c, message_id=core.delivered[0].message_id)
    )
    core.lanes.take(await core.database.run(lambda c: core.relay.revive(c, failed)))
    await until(lambda: bool(outlets["hospital-a"].looked_up))

    assert outlets["hospital-a"].texts() == ["text 1"]
