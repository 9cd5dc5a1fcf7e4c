"""What people see at a message that has not reached every network."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from core_stage import (
    ANNA,
    DOCTOR,
    ROOM,
    START,
    WARD_A,
    WARD_B,
    MakeCore,
    ScriptedOutlet,
    portal,
    said,
    until,
)
from sqlalchemy import text
from status_stage import Clock, Stage, TalkingRoom

from bridge.contract import Capabilities, Feature, Health, Level, Refused, Unreachable
from bridge.model import Author, Deleted, Direction, SubjectChanged
from bridge.status.notifier import Verdict
from bridge.status.picture import Telling
from bridge.store import notices
from bridge.store.database import Database

AWAY = Unreachable("xmpp.b.example does not answer.")
BANNED = Refused("Dr. Demir is banned from the ward.", "Ask an owner to lift the ban.")

MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
def room() -> TalkingRoom:
    return TalkingRoom()


@pytest.fixture
def make_stage(make_core: MakeCore, database: Database, room: TalkingRoom) -> MakeStage:
    async def make(telling: Telling = Telling.OFF, clock: Clock | None = None) -> Stage:
        stage = Stage(make_core, database, room, clock or Clock(), telling)
        await stage.start()
        return stage

    return make


@pytest.fixture
async def stage(make_stage: MakeStage) -> Stage:
    return await make_stage()


async def stuck(stage: Stage, outlet: ScriptedOutlet, number: int = 1) -> None:
    """Have a doctor say something that gets stuck on its way to the outlet."""
    outlet.script.append(AWAY)
    before = len(outlet.attempts)
    await stage.doctor_says(number)
    await until(lambda: len(outlet.attempts) > before)


async def refused(stage: Stage, outlet: ScriptedOutlet, number: int = 1) -> None:
    outlet.script.append(BANNED)
    await stage.doctor_says(number)
    await all_settled(stage)


async def all_settled(stage: Stage) -> None:
    await until(lambda: not stage.core.lanes._lanes)
    await stage.core.recorder.flush()


# --- late ---------------------------------------------------------------------------------------


async def test_a_message_that_arrives_in_time_costs_no_request_and_no_query(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    for number in range(1, 30):
        await stage.doctor_says(number)
    await all_settled(stage)
    assert not stage.status.messages.changed.is_set()
    await stage.later()
    assert room.requests == []
    assert await stage.core.database.run(notices.open_ids) == []


async def test_after_ten_seconds_it_shows_which_network_is_missing_and_why(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await stuck(stage, hospital_b)
    await stage.later(4)
    assert room.marks == {}
    await stage.later(7)
    assert room.marked() == {
        "m1": "⏳ 1 of 2 delivered; Hospital B: xmpp.b.example does not answer, retrying"
    }


async def test_a_network_that_is_known_to_be_away_is_called_not_reachable(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    stage.status.outages.note("hospital-b", Health(up=False, reason="no route to 10.0.0.3"))
    await stuck(stage, hospital_b)
    await stage.later()
    assert room.marked() == {"m1": "⏳ 1 of 2 delivered; Hospital B: not reachable, retrying"}


async def test_what_is_queued_behind_and_was_never_tried_shows_it_too(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await stuck(stage, hospital_b)
    await stage.doctor_says(2)
    await stage.later()
    assert set(room.marked()) == {"m1", "m2"}
    assert len(hospital_b.attempts) == 1


async def test_a_send_that_hangs_is_late_as_well(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    released = asyncio.Event()
    hospital_b.script.append(released)
    await stage.doctor_says(1)
    await until(lambda: len(hospital_b.attempts) == 1)
    await stage.later()
    assert room.marked() == {"m1": "⏳ 1 of 2 delivered; Hospital B: waiting"}
    released.set()
    await all_settled(stage)
    await stage.look()
    assert room.marks == {}


async def test_it_goes_away_when_the_message_has_arrived_and_leaves_nothing(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await stuck(stage, hospital_b)
    await stage.later()
    stage.back("hospital-b")
    await all_settled(stage)
    await stage.look()
    assert room.marks == {}
    assert room.notices == {}
    assert room.requests == ["mark", "unmark"]
    assert await stage.core.database.run(lambda c: notices.load(c, range(100))) == {}


async def test_it_stays_as_it_is_while_attempts_fail_in_ever_new_words(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await stuck(stage, hospital_b)
    await stage.later()
    for words in ("It is slow.", "It is busy.", "It asks to wait."):
        hospital_b.script.append(Unreachable(words))
        attempts = len(hospital_b.attempts)
        stage.core.lanes.wake("hospital-b", Health(up=True))
        await until(lambda before=attempts: len(hospital_b.attempts) > before)  # type: ignore[misc]
        await stage.later()
    assert room.requests == ["mark"]


async def test_it_is_replaced_when_one_more_network_has_it(
    stage: Stage, room: TalkingRoom, hospital_a: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    hospital_a.script.append(AWAY)
    await stuck(stage, hospital_b)
    await until(lambda: len(hospital_a.attempts) == 1)
    await stage.later()
    text = (
        "⏳ 0 of 2 delivered; Hospital A and Hospital B: xmpp.b.example does not answer, retrying"
    )
    assert room.marked() == {"m1": text}
    stage.core.lanes.wake("hospital-a", Health(up=True))
    await until(lambda: hospital_a.texts() == ["text 1"])
    await stage.later(1)
    assert room.requests == ["mark", "unmark", "mark"]
    assert room.marked()["m1"].startswith("⏳ 1 of 2 delivered; Hospital B:")


async def test_messages_from_networks_are_no_business_of_the_room(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.script.append(AWAY)
    await stage.core.receive(said(1, WARD_A, ANNA))
    await until(lambda: len(hospital_b.attempts) == 1)
    await stage.later()
    hospital_b.script.append(BANNED)
    stage.back("hospital-b")
    await all_settled(stage)
    await stage.look()
    assert room.requests == []


async def test_with_one_link_there_is_nothing_to_count(
    make_core: MakeCore, database: Database, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    stage = Stage(make_core, database, room, Clock())
    await stage.start([portal(b=Direction.BOTH)])
    stage.status.outages.note("hospital-b", Health(up=False))
    await stuck(stage, hospital_b)
    await stage.later()
    assert room.marked() == {"m1": "⏳ Hospital B: not reachable, retrying"}


async def test_a_link_that_is_removed_meanwhile_turns_the_mark_into_a_note(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await stuck(stage, hospital_b)
    await stage.doctor_says(2)
    await stage.later()
    await stage.core.portals.configure([portal(a=Direction.BOTH)])
    await stage.look()
    assert room.marks == {}
    assert room.noted() == ["Not delivered to Hospital B: The link was removed."] * 2


# --- a storm ------------------------------------------------------------------------------------


async def test_in_a_storm_the_newest_messages_come_first_and_a_few_at_a_time(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await stuck(stage, hospital_b)
    await stage.core.receive(*(said(number, ROOM, DOCTOR) for number in range(2, 501)))
    stage.clock.pass_by(11)
    await stage.status.messages.step()
    stage.clock.pass_by(2.1)
    await stage.status.messages.step()
    assert list(room.marked()) == [f"m{number}" for number in range(500, 492, -1)]
    stage.back("hospital-b")
    await all_settled(stage)
    await stage.look()
    assert room.marks == {}
    assert len(room.requests) == 16  # the others arrived before their turn


async def test_a_room_that_was_told_of_all_500_is_cleared_of_them(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await stuck(stage, hospital_b)
    await stage.core.receive(*(said(number, ROOM, DOCTOR) for number in range(2, 501)))
    await stage.later()
    assert len(room.marks) == 500
    stage.back("hospital-b")
    await all_settled(stage)
    await stage.look()
    assert room.marks == {}
    assert len(room.requests) == 1000


# --- given up -----------------------------------------------------------------------------------


async def test_what_is_given_up_is_told_at_once_under_the_message_with_what_to_do(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await refused(stage, hospital_b)
    await stage.look()
    text = (
        "Not delivered to Hospital B: Dr. Demir is banned from the ward."
        " Ask an owner to lift the ban.\n"
        "To try again, react with 🔁 to this message or write !retry."
    )
    assert list(room.notices.values()) == [("m1", text)]
    assert room.requests == ["say"]


async def test_the_note_tells_of_the_retry_and_of_its_success(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await refused(stage, hospital_b)
    await stage.look()
    held = asyncio.Event()
    hospital_b.script.append(held)
    assert await stage.retries.message(ROOM.id, next(iter(room.notices))) == 1
    await stage.look()
    assert room.noted() == ["Trying again: Hospital B."]
    held.set()
    await all_settled(stage)
    await stage.look()
    assert room.noted() == ["✓ Delivered everywhere now."]
    assert room.requests == ["say", "change", "change"]
    assert await stage.core.database.run(notices.open_ids) == []


async def test_a_retry_that_is_refused_again_says_so_in_the_same_note(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await refused(stage, hospital_b)
    await stage.look()
    hospital_b.script.append(Refused("The ward was closed."))
    await stage.retries.message(ROOM.id, "m1")
    await all_settled(stage)
    await stage.look()
    assert len(room.notices) == 1
    assert room.noted()[0].startswith("Not delivered to Hospital B: The ward was closed.\n")


async def test_a_message_late_for_one_network_and_given_up_for_another_shows_both(
    stage: Stage, room: TalkingRoom, hospital_a: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    hospital_a.script.append(BANNED)
    await stuck(stage, hospital_b)
    await stage.later()
    assert room.marked()["m1"].startswith("⏳ 0 of 2 delivered; Hospital B:")
    assert room.noted()[0].startswith("Not delivered to Hospital A:")


async def test_a_topic_that_a_network_refuses_is_told_in_the_room(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = Capabilities(
        own_names=True, max_text=1000, shows={Feature.SUBJECT: Level.FULL}
    )
    hospital_b.script.append(Refused("Only moderators may change the subject."))
    await stage.core.receive(SubjectChanged(ROOM, DOCTOR, START, "Ward 3", "$topic"))
    await all_settled(stage)
    await stage.look()
    (under, text), *more = room.notices.values()
    assert under is None
    assert text.startswith("The new topic is not shown in Hospital B: Only moderators")
    assert more == []


# --- faults and restarts ------------------------------------------------------------------------


async def test_while_the_homeserver_is_away_nothing_is_forgotten(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await stuck(stage, hospital_b)
    room.silent = True
    stage.clock.pass_by(11)
    await stage.status.messages.step()
    stage.clock.pass_by(2.1)
    with pytest.raises(Unreachable):
        await stage.status.messages.step()
    room.silent = False
    await stage.look()
    assert set(room.marked()) == {"m1"}


async def test_a_room_that_does_not_let_the_bot_speak_is_not_asked_again(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    room.faults = [Refused("You may not react here.")]
    await stuck(stage, hospital_b)
    await stage.later()
    await stage.later()
    stage.back("hospital-b")
    await all_settled(stage)
    await stage.look()
    assert room.requests == []


async def test_after_a_restart_the_same_mark_and_note_are_changed(
    make_stage: MakeStage, room: TalkingRoom, hospital_a: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    first = await make_stage()
    hospital_a.script.append(BANNED)
    await stuck(first, hospital_b)
    await first.later()
    await first.core.stop()
    second = await make_stage(clock=first.clock)
    await until(lambda: hospital_b.texts() == ["text 1"])
    await second.core.recorder.flush()
    await second.look()
    assert room.marks == {}
    await second.retries.room(ROOM.id)
    await all_settled(second)
    await second.look()
    assert room.noted() == ["✓ Delivered everywhere now."]


async def test_a_crash_between_saying_and_noting_it_says_nothing_twice(
    make_stage: MakeStage,
    room: TalkingRoom,
    hospital_a: ScriptedOutlet,
    hospital_b: ScriptedOutlet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = await make_stage()
    hospital_a.script.append(BANNED)
    await stuck(first, hospital_b)
    first.clock.pass_by(11)
    await first.core.recorder.flush()

    async def lose(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(first.status.messages, "_keep", lose)
    with pytest.raises(asyncio.CancelledError):
        await first.look()
    await first.crash()
    hospital_b.script.append(AWAY)
    second = await make_stage(clock=first.clock)
    await until(lambda: len(hospital_b.attempts) == 2)
    await second.later()
    assert len(room.marks) == len(room.notices) == 1
    second.back("hospital-b")
    await all_settled(second)
    await second.look()
    assert room.marks == {}


async def test_what_was_told_is_forgotten_with_the_message(
    stage: Stage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    await refused(stage, hospital_b, 1)
    await refused(stage, hospital_b, 2)
    await stage.look()
    first, second = sorted(await stage.core.database.run(lambda c: notices.load(c, range(100))))
    delete = text("DELETE FROM inbox WHERE id = :id").bindparams(id=first)
    await stage.core.database.run(lambda c: c.execute(delete))
    await stage.core.database.run(notices.drop_forgotten)
    assert list(await stage.core.database.run(lambda c: notices.load(c, range(100)))) == [second]


# --- for machines -------------------------------------------------------------------------------


async def test_what_arrived_elsewhere_and_is_not_on_disk_yet_is_not_taken_for_late(
    make_stage: MakeStage,
    room: TalkingRoom,
    hospital_b: ScriptedOutlet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = await make_stage(Telling.FAULTS)
    slow = asyncio.Event()
    flush = stage.core.recorder.flush

    async def wait_and_flush() -> None:
        await slow.wait()
        await flush()

    monkeypatch.setattr(stage.core.recorder, "flush", wait_and_flush)
    hospital_b.script.append(BANNED)
    await stage.doctor_says(1)
    await until(lambda: not stage.core.lanes._lanes)
    await stage.tell()
    assert len(room.notices) == 1
    assert room.reports == []  # as far as the disk tells, it is still on its way to the other
    slow.set()
    await flush()
    stage.clock.pass_by(2.1)
    await stage.tell()
    assert [report.verdict for _, report in room.reports] == [Verdict.FAIL_PERMANENT]
    assert await stage.core.database.run(notices.open_ids) == []


async def verdicts(stage: Stage) -> list[str]:
    await stage.look()
    return [report.verdict.value for _, report in stage.room.reports]


async def test_machines_are_told_pending_and_the_success_that_follows(
    make_stage: MakeStage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    stage = await make_stage(Telling.FAULTS)
    await stuck(stage, hospital_b)
    await stage.later()
    assert await verdicts(stage) == ["PENDING"]
    assert room.reports[0][1].networks == ("hospital-b",)
    stage.back("hospital-b")
    await all_settled(stage)
    assert await verdicts(stage) == ["PENDING", "SUCCESS"]
    await stage.doctor_says(2)
    await all_settled(stage)
    assert await verdicts(stage) == ["PENDING", "SUCCESS"]


async def test_machines_may_send_anew_only_what_nobody_has(
    make_stage: MakeStage, hospital_a: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    stage = await make_stage(Telling.FAULTS)
    await refused(stage, hospital_b, 1)
    assert await verdicts(stage) == [Verdict.FAIL_PERMANENT]
    hospital_a.script.append(BANNED)
    await refused(stage, hospital_b, 2)
    assert await verdicts(stage) == [Verdict.FAIL_PERMANENT, Verdict.FAIL_RETRIABLE]


async def test_machines_are_told_every_success_when_that_is_wanted(
    make_stage: MakeStage, room: TalkingRoom, hospital_b: ScriptedOutlet
) -> None:
    stage = await make_stage(Telling.ALL)
    await stage.doctor_says(1)
    await stage.core.receive(said(2, WARD_B, ANNA))
    await all_settled(stage)
    assert await verdicts(stage) == ["SUCCESS"]
    assert room.reports[0][0] == "m1"
    assert await stage.core.database.run(lambda c: notices.load(c, range(100))) == {}


# --- deletions and edits


@pytest.mark.parametrize("author", [DOCTOR, ANNA], ids=["own", "another's"])
async def test_who_deletes_is_told_where_it_is_still_to_be_read(
    stage: Stage, room: TalkingRoom, matrix: ScriptedOutlet, author: Author
) -> None:
    matrix.shows = replace(matrix.shows, shows={Feature.DELETE: Level.FULL})
    place = ROOM if author is DOCTOR else WARD_A
    await stage.core.receive(said(1, place, author))
    await all_settled(stage)
    target = "m1" if author is DOCTOR else f"copy-{matrix.there[0].key}"
    await stage.core.receive(Deleted(ROOM, DOCTOR, START, target, moderated=True, id="d1"))
    await all_settled(stage)
    await stage.look()
    [told] = room.noted()
    assert "Hospital B" in told
    assert "still to be read" in told


async def test_who_deletes_at_once_is_told_as_well(
    stage: Stage, room: TalkingRoom, matrix: ScriptedOutlet
) -> None:
    matrix.shows = replace(matrix.shows, shows={Feature.DELETE: Level.FULL})
    async with stage.core.recorder._writing:  # the copy in the room is not on disk yet
        await stage.core.receive(said(1))
        await until(lambda: not stage.core.lanes._lanes)
        target = f"copy-{matrix.there[0].key}"
        await stage.core.receive(Deleted(ROOM, DOCTOR, START, target, moderated=True, id="d1"))
        await until(lambda: not stage.core.lanes._lanes)
        await stage.tell()
        assert room.noted() == []
    await stage.core.recorder.flush()
    await stage.look()
    [told] = room.noted()
    assert "still to be read" in told
