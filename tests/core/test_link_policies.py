"""What a link asks for: what crosses it, when, how much of it, and under which by-line."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core_stage import (
    ANNA,
    DOCTOR,
    EVERYTHING,
    NAMES,
    ROOM,
    TALK_ONLY,
    WARD_A,
    WARD_B,
    Core,
    MakeCore,
    ScriptedOutlet,
    said,
    until,
)
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract import Health, Unreachable
from bridge.delivery.restraint import QuietHours, Restraint
from bridge.delivery.signals import Signals
from bridge.model import Deleted, Edited, Reacted, Signal, Typing
from bridge.portals.policy import Carried, Policy

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


def wake(core: Core) -> None:
    """Have lanes look at the clock."""
    core.lanes.wake(WARD_A.network, Health(up=True))


# --- what crosses


async def test_only_what_is_to_be_carried_crosses_a_link(
    make_core: MakeCore, hospital_a: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    words = Policy(frozenset({Carried.MESSAGES}))
    core = make_core(policies={WARD_B: words})
    await core.start()
    await core.receive(said(1, ROOM, DOCTOR))
    await until(lambda: len(hospital_a.there) == len(hospital_b.there) == 1)
    await core.receive(Reacted(ROOM, DOCTOR, NOON, "m1", "👍", id="r1"), said(2, ROOM, DOCTOR))
    await until(lambda: len(hospital_a.there) == 3)
    await until(lambda: len(hospital_b.there) == 2)
    assert hospital_b.texts() == ["text 1", "text 2"]


async def test_what_is_not_to_be_carried_does_not_come_in_either(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_a: ScriptedOutlet
) -> None:
    core = make_core(policies={WARD_B: Policy(frozenset({Carried.PEOPLE}))})
    await core.start()
    await core.receive(said(1, WARD_B, ANNA), said(2, WARD_A))
    await until(lambda: len(matrix.there) == 1)
    assert matrix.texts() == ["text 2"]


async def test_a_byline_is_written_as_the_link_says(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.shows = replace(TALK_ONLY, own_names=False)
    core = make_core(policies={WARD_A: Policy(byline="[{name}]")})
    await core.start()
    await core.receive(said(1, ROOM, DOCTOR))
    await until(lambda: len(hospital_a.there) == 1)
    assert hospital_a.texts() == ["[Dr. Demir] text 1"]


# --- when, and how much


async def test_what_is_said_in_quiet_hours_comes_afterwards_in_one_message(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_a: ScriptedOutlet
) -> None:
    clock = Clock()
    night = Restraint(QuietHours(time(11), time(13)), None, now=clock)
    core = make_core(restraints={WARD_A: night})
    await core.start()
    await core.receive(*(said(n, ROOM, DOCTOR) for n in range(1, 4)))
    await core.receive(said(4, WARD_B, ANNA))
    await until(lambda: len(matrix.there) == 1)  # nobody else waits
    assert hospital_a.there == []
    clock.time = NOON + timedelta(hours=2)
    wake(core)
    await until(lambda: len(hospital_a.there) == 1)
    assert hospital_a.texts()[0].splitlines() == [
        "4 messages meanwhile:",
        "08:00 Dr. Demir: text 1",
        "08:00 Dr. Demir: text 2",
        "08:00 Dr. Demir: text 3",
        "08:00 Anna (Hospital A): text 4",
    ]
    await core.receive(said(5, ROOM, DOCTOR))
    await until(lambda: len(hospital_a.there) == 2)
    assert hospital_a.texts()[1] == "text 5"


async def test_a_digest_leaves_out_what_was_deleted_and_says_what_was_edited(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    clock = Clock()
    hospital_a.shows = EVERYTHING
    night = Restraint(QuietHours(time(11), time(13)), None, now=clock)
    core = make_core(restraints={WARD_A: night})
    await core.start()
    await core.receive(*(said(n, ROOM, DOCTOR) for n in range(1, 6)))
    await core.receive(Deleted(ROOM, DOCTOR, NOON, "m1", moderated=True, id="d1"))
    await core.receive(Edited(ROOM, DOCTOR, NOON, "m3", "5 mg, not 50", id="e3"))
    clock.time = NOON + timedelta(hours=2)
    wake(core)
    await until(lambda: len(hospital_a.there) == 1)
    assert hospital_a.texts()[0].splitlines() == [
        "4 messages meanwhile:",
        "08:00 Dr. Demir: text 2",
        "08:00 Dr. Demir: 5 mg, not 50",
        "08:00 Dr. Demir: text 4",
        "08:00 Dr. Demir: text 5",
    ]
    # What is deleted later does not take the digest, and with it the words of others, away
    await core.receive(Deleted(ROOM, DOCTOR, NOON, "m2", moderated=True, id="d2"))
    await core.receive(said(6, ROOM, DOCTOR))
    await until(lambda: len(hospital_a.there) == 2)
    assert hospital_a.texts()[1] == "text 6"


async def test_a_digest_that_fails_is_tried_again_as_one(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    clock = Clock()
    night = Restraint(QuietHours(time(11), time(13)), None, now=clock)
    hospital_a.script.append(Unreachable("It may have arrived.", doubtful=True, retry_after=600))
    first = make_core(restraints={WARD_A: night})
    await first.start()
    await first.receive(*(said(n, ROOM, DOCTOR) for n in range(1, 5)))
    clock.time = NOON + timedelta(hours=2)
    wake(first)
    await until(lambda: len(hospital_a.attempts) == 1)
    await first.stop()
    second = make_core(restraints={WARD_A: night})
    await second.start()
    await until(lambda: len(hospital_a.there) == 1)
    assert hospital_a.there[0].key == hospital_a.attempts[0].key
    await second.receive(said(5, ROOM, DOCTOR))
    await until(lambda: len(hospital_a.there) == 2)
    assert hospital_a.texts()[1] == "text 5"


async def test_of_more_than_an_hour_takes_the_rest_comes_as_a_digest(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    clock = Clock()
    core = make_core(restraints={WARD_A: Restraint(None, 2, now=clock)})
    await core.start()
    await core.receive(*(said(n, ROOM, DOCTOR) for n in range(1, 7)))
    await until(lambda: len(hospital_a.there) == 2)
    clock.time += timedelta(hours=1)
    wake(core)
    await until(lambda: len(hospital_a.there) == 3)
    assert hospital_a.texts()[2].startswith("4 messages meanwhile:\n08:00 Dr. Demir: text 3\n")


async def test_a_digest_that_a_crash_kept_from_the_disk_is_not_sent_twice(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    clock = Clock()
    first = make_core(restraints={WARD_A: Restraint(None, 1, now=clock)})
    await first.start()
    await first.receive(said(1, ROOM, DOCTOR))
    await until(lambda: len(hospital_a.there) == 1)
    await first.stop()
    clock.time += timedelta(hours=2)
    night = Restraint(QuietHours(time(13), time(15)), None, now=clock)
    second = make_core(restraints={WARD_A: night})
    second.recorder._linger = 3600.0
    await second.start()
    await second.receive(*(said(n, ROOM, DOCTOR) for n in range(2, 6)))
    clock.time += timedelta(hours=2)
    wake(second)
    await until(lambda: len(hospital_a.there) == 2)
    await second.crash()
    third = make_core(restraints={WARD_A: night}, crashed=True)
    await third.start()
    await until(lambda: bool(hospital_a.looked_up))
    await third.receive(said(9, ROOM, DOCTOR))
    await until(lambda: len(hospital_a.there) == 3)
    assert hospital_a.texts()[2] == "text 9"


# --- quiet hours


@given(st.times(), st.times(), st.datetimes(timezones=st.just(UTC)))
def test_quiet_hours_end_when_they_say(begin: time, end: time, now: datetime) -> None:
    begin, end = begin.replace(microsecond=0), end.replace(microsecond=0)
    hours = QuietHours(begin, end)
    left = hours.left(now)
    assert timedelta() <= left <= timedelta(days=1)
    if left and now < datetime(9999, 12, 30, tzinfo=UTC):
        assert (now + left).time() == end
        assert not hours.left(now + left) or begin == end


def test_quiet_hours_are_those_of_the_clock_on_the_wall() -> None:
    hours = QuietHours(time(22), time(7), ZoneInfo("Europe/Amsterdam"))
    assert hours.left(datetime(2026, 7, 1, 20, 30, tzinfo=UTC)) == timedelta(hours=8, minutes=30)
    assert not hours.left(datetime(2026, 7, 1, 5, 0, tzinfo=UTC))


class Showing(ScriptedOutlet):
    """A network that shows passing things."""

    def __init__(self) -> None:
        super().__init__(EVERYTHING)
        self.passing: list[Signal] = []

    async def signal(self, place_id: str, signal: Signal) -> None:
        self.passing.append(signal)


async def test_who_types_crosses_only_links_that_carry_people(make_core: MakeCore) -> None:
    core = make_core()
    await core.start()
    a, b = Showing(), Showing()
    outlets = {WARD_A.network: a, WARD_B.network: b}
    words = Policy(frozenset({Carried.MESSAGES}))
    signals = Signals(
        core.database,
        core.recorder,
        lambda: core.portals.index,
        outlets.get,
        NAMES,
        policies=lambda place: words if place == WARD_B else Policy(),
    )
    task = asyncio.create_task(signals.run())
    signals.take(Typing(WARD_B, ANNA, typing=True))
    signals.take(Typing(ROOM, DOCTOR, typing=True))
    await until(lambda: len(a.passing) == 1)
    task.cancel()
    assert [signal.author.name for signal in a.passing] == ["Dr. Demir"]
    assert b.passing == []
