"""What a room is told about networks that are away, and about what can't be passed on."""

from collections.abc import Awaitable, Callable

import pytest
from core_stage import DOCTOR, ROOM, WARD_A, WARD_B, MakeCore, ScriptedOutlet, joined, portal, until
from status_stage import Clock, Stage, TalkingRoom

from bridge.contract import Health, Missed, Refused, Unreachable
from bridge.flow.relay import Unreadable
from bridge.model import MATRIX, Direction, Place
from bridge.portals.service import WantedPortal
from bridge.store import room_notices
from bridge.store.database import Database

AWAY = Unreachable("xmpp.b.example does not answer.")
DOWN = Health(up=False, reason="xmpp.b.example does not answer.")
UP = Health(up=True)

MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
def room() -> TalkingRoom:
    return TalkingRoom()


@pytest.fixture
def make_stage(make_core: MakeCore, database: Database, room: TalkingRoom) -> MakeStage:
    async def make(*wanted: WantedPortal, clock: Clock | None = None, empty: bool = False) -> Stage:
        stage = Stage(make_core, database, room, clock or Clock())
        await stage.start(wanted or None)
        if not empty:
            await stage.core.receive(joined(DOCTOR, ROOM))
        return stage

    return make


@pytest.fixture
async def stage(make_stage: MakeStage) -> Stage:
    return await make_stage()


def note(stage: Stage, health: Health, network: str = "hospital-b") -> None:
    stage.status.outages.note(network, health)


def clock_time(stage: Stage, minutes: float = 0) -> str:
    """Hours and minutes, so many minutes ago."""
    return stage.status.outages._clock.time(
        stage.clock.now() - round(minutes * 60_000), stage.clock.now()
    )


# --- networks -----------------------------------------------------------------------------------


async def test_a_network_away_for_three_minutes_is_told_once(
    stage: Stage, room: TalkingRoom
) -> None:
    note(stage, DOWN)
    await stage.later(150)
    assert room.notices == {}
    since = clock_time(stage, 154.2 / 60)
    await stage.later(40)
    await stage.later(600)
    text = (
        f"Hospital B has not been reachable since {since}."
        " What you write is kept for up to 3 days and sent when it is back."
    )
    assert room.noted() == [text]
    assert room.requests == ["say"]


async def test_a_short_outage_is_not_worth_a_word(stage: Stage, room: TalkingRoom) -> None:
    note(stage, DOWN)
    await stage.later(100)
    note(stage, UP)
    await stage.later(1000)
    assert room.requests == []


async def test_the_same_notice_tells_that_it_is_back_and_then_that_all_is_sent(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    note(stage, DOWN)
    await stage.later(200)
    hospital_b.script.append(AWAY)
    await stage.doctor_says(1)
    await until(lambda: len(hospital_b.attempts) == 1)
    await stage.core.recorder.flush()
    stage.clock.pass_by(520)
    note(stage, UP)  # but the group is not entered yet
    await stage.later(6)
    assert room.noted()[0].startswith("Hospital B is back. It was away for 12 minutes (")
    assert room.noted()[0].endswith("What was kept is being sent.")
    stage.back("hospital-b")
    await until(lambda: hospital_b.texts() == ["text 1"])
    await stage.later(6)
    assert len(room.notices) == 1
    assert room.noted()[0].startswith("Hospital B was away for 12 minutes (")
    assert room.noted()[0].endswith("Everything kept was sent.")


async def test_what_was_given_up_meanwhile_is_not_said_to_be_sent(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    note(stage, DOWN)
    await stage.later(200)
    hospital_b.script += [AWAY, Refused("It is too old.")]
    await stage.doctor_says(1)
    await until(lambda: len(hospital_b.attempts) == 1)
    await stage.core.recorder.flush()
    stage.back("hospital-b")
    await until(lambda: not stage.core.lanes._lanes)
    await stage.later(6)
    assert "1 message could not be sent; write !retry to try again." in room.noted()[0]


async def test_a_link_that_only_reads_says_what_is_missing(
    make_stage: MakeStage, room: TalkingRoom
) -> None:
    stage = await make_stage(portal(b=Direction.IN))
    note(stage, DOWN)
    await stage.later(200)
    assert room.noted()[0].endswith("Until then nothing from there arrives here.")
    note(stage, UP)
    await stage.later(60)
    assert room.noted()[0].endswith(" UTC).")
    assert "Everything" not in room.noted()[0]


async def test_a_network_that_comes_and_goes_is_told_in_one_notice(
    stage: Stage, room: TalkingRoom
) -> None:
    for _ in range(4):
        note(stage, DOWN)
        await stage.later(200)
        note(stage, UP)
        await stage.later(200)
    assert room.requests.count("say") == 1
    await stage.later(700)
    note(stage, DOWN)
    await stage.later(200)
    assert room.requests.count("say") == 2


async def test_rooms_without_people_and_rooms_without_the_network_are_told_nothing(
    make_stage: MakeStage, room: TalkingRoom
) -> None:
    stage = await make_stage(
        portal(b=Direction.BOTH), portal("!other:example.org", a=Direction.BOTH), empty=True
    )
    await stage.core.receive(joined(DOCTOR, Place(MATRIX, "!other:example.org")))
    note(stage, DOWN)
    await stage.later(200)
    assert room.requests == []
    await stage.core.receive(joined(DOCTOR, ROOM))
    await stage.later(10)
    assert room.rooms == {ROOM.id}


async def test_the_homeserver_itself_is_no_topic_in_its_rooms(
    stage: Stage, room: TalkingRoom
) -> None:
    note(stage, DOWN, MATRIX)
    await stage.later(1000)
    assert room.requests == []


async def test_after_a_restart_the_same_notice_is_changed(
    make_stage: MakeStage, room: TalkingRoom
) -> None:
    first = await make_stage()
    note(first, DOWN)
    await first.later(200)
    await first.core.stop()
    second = await make_stage(clock=first.clock)
    await second.later(60)
    assert room.requests == ["say"]  # nothing is known yet of how the network is
    note(second, DOWN)
    await second.later(400)
    assert room.requests == ["say"]
    note(second, UP)
    await second.later(20)
    assert len(room.notices) == 1
    assert room.noted()[0].startswith("Hospital B was away for 11 minutes")


async def test_while_the_homeserver_is_away_a_notice_waits(stage: Stage, room: TalkingRoom) -> None:
    note(stage, DOWN)
    room.silent = True
    stage.clock.pass_by(200)
    with pytest.raises(Unreachable):
        await stage.status.outages.step()
    room.silent = False
    await stage.later(10)
    assert len(room.notices) == 1


async def test_a_notice_about_a_link_that_is_removed_comes_to_an_end(
    stage: Stage, room: TalkingRoom
) -> None:
    note(stage, DOWN)
    await stage.later(200)
    await stage.core.portals.configure([portal(a=Direction.BOTH)])
    await stage.later(10)
    assert room.noted() == [
        "The group that could not be reached is not linked to this room any more."
    ]
    assert await stage.core.database.run(room_notices.load) == {}


# --- groups -------------------------------------------------------------------------------------


async def test_a_group_that_the_bridge_is_banned_from_is_told_at_once_with_who_can_help(
    stage: Stage, room: TalkingRoom
) -> None:
    note(stage, UP)
    reason = "The bridge is banned from the ward. Ask an owner of it to lift the ban."
    note(stage, Health(up=False, reason=reason, group=WARD_B.id, lasting=True))
    await stage.look()
    assert room.noted() == [
        f"Hospital B: {reason} What you write is kept for up to 3 days and sent when that is done."
    ]
    note(stage, Health(up=True, group=WARD_B.id))
    await stage.later(60)
    assert room.noted()[0].startswith("Hospital B was away for 1 minute (")


async def test_a_group_is_not_told_separately_while_its_whole_network_is_away(
    stage: Stage, room: TalkingRoom
) -> None:
    note(stage, Health(up=False, reason="The connection was lost.", group=WARD_B.id))
    note(stage, DOWN)
    await stage.later(400)
    assert len(room.notices) == 1


async def test_one_of_two_groups_of_a_network_is_told_by_its_name(
    make_stage: MakeStage, room: TalkingRoom
) -> None:
    theatre = Place("hospital-b", "theatre@muc.b.example")
    both = WantedPortal(ROOM.id, {WARD_B: Direction.BOTH, theatre: Direction.BOTH})
    stage = await make_stage(both)
    note(stage, UP)
    note(stage, Health(up=False, reason="It is closed.", group=theatre.id))
    await stage.later(200)
    assert room.noted()[0].startswith("Hospital B (theatre@muc.b.example) has not been reachable")


# --- what can't be passed on --------------------------------------------------------------------


def encrypted(place: Place = ROOM) -> Unreadable:
    return Unreadable(place, b"{}", "it is encrypted, and the bridge can't read encrypted rooms")


async def test_what_cant_be_passed_on_is_told_once_for_each_cause_and_hour(
    stage: Stage, room: TalkingRoom
) -> None:
    await stage.core.receive(encrypted(), encrypted())
    await stage.look()
    await stage.core.receive(encrypted(), Unreadable(ROOM, b"{}", "it has no text"))
    await stage.look()
    assert room.noted() == [
        "A message was not passed on: it is encrypted, and the bridge can't read encrypted rooms.",
        "A message was not passed on: it has no text.",
    ]
    stage.clock.pass_by(3601)
    await stage.core.receive(encrypted())
    await stage.look()
    assert len(room.notices) == 3


async def test_what_could_not_be_fetched_afterwards_is_told_too(
    stage: Stage, room: TalkingRoom
) -> None:
    reason = "The group has no archive."
    for _ in range(2):
        stage.status.unreadable.missed(WARD_A, Missed(WARD_A.id, reason, 40))
    stage.status.unreadable.missed(ROOM, Missed(ROOM.id, "It was too long ago."))
    await stage.look()
    assert room.noted() == [
        f"About 40 messages from Hospital A can't be shown here. {reason}",
        "Some messages of this room could not be passed on. It was too long ago.",
    ]


async def test_a_restart_does_not_tell_it_anew(make_stage: MakeStage, room: TalkingRoom) -> None:
    first = await make_stage()
    await first.core.receive(encrypted())
    await first.look()
    await first.core.stop()
    second = await make_stage(clock=first.clock)
    await second.core.receive(encrypted())
    await second.look()
    assert len(room.notices) == 1


async def test_ever_new_nonsense_does_not_fill_the_room(stage: Stage, room: TalkingRoom) -> None:
    for number in range(50):
        await stage.core.receive(Unreadable(ROOM, b"{}", f"it is nonsense number {number}"))
        await stage.look()
    assert len(room.notices) == 3


async def test_what_a_network_says_and_cant_be_shown_is_told_in_plain_words(
    stage: Stage, room: TalkingRoom
) -> None:
    await stage.core.receive(Unreadable(WARD_A, b"", "not relayed: ValueError"))
    await stage.core.receive(encrypted(Place(MATRIX, "!no-portal:example.org")))
    await stage.look()
    assert room.noted() == [
        "Something from Hospital A can't be shown here. The bridge's log says more."
    ]
    assert room.rooms == {ROOM.id}
