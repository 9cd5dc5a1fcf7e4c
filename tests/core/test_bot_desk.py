"""Commands as they come in: run once, by those who may, and answered in words."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from core_stage import (
    ANNA,
    DOCTOR,
    NAMES,
    NEVER,
    ROOM,
    TALK_ONLY,
    WARD_A,
    WARD_B,
    Core,
    ScriptedOutlet,
    portal,
    said,
    until,
)
from core_stage import joined as came_in
from sqlalchemy import Connection
from structlog.typing import EventDict

from bridge.bot.answers import Answer
from bridge.bot.desk import Desk
from bridge.bot.pace import Pace
from bridge.bot.parse import Grammar
from bridge.bot.permissions import Permissions, Rank
from bridge.bot.ports import KnownNetwork, Seen, Told
from bridge.bot.registry import MANUALS, Tools, make_commands
from bridge.bot.standing import Standing
from bridge.contract import Health, Refused, Unreachable
from bridge.delivery.retry import Retries
from bridge.errors import StoreUnavailableError
from bridge.model import MATRIX, Author, Direction, Place
from bridge.portals.service import WantedPortal

ROOT, DEMIR, EVA, MAX = (
    "@root:example.org",
    DOCTOR.id,
    "@eva:example.org",
    "@max:other.org",
)
CHAT, CROWD = "!chat:example.org", "!crowd:example.org"
PERMISSIONS = Permissions.of({ROOT: Rank.ADMIN, "@eva:example.org": Rank.NONE}, "example.org")


@dataclass
class Rooms:
    """Rooms that remember what was answered in them."""

    answers: list[tuple[str, str]] = field(default_factory=list)
    there: dict[str, int] = field(default_factory=lambda: {CHAT: 2, CROWD: 3, "!new": 3})
    moderators: set[str] = field(default_factory=set)
    messages: dict[str, Seen] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    asked: int = 0

    async def people(self, room_id: str) -> int | None:
        self.asked += 1
        return self.there.get(room_id)

    async def moderates(self, room_id: str, user_id: str) -> bool:
        return user_id in self.moderators

    async def look(self, room_id: str, event_id: str) -> Seen | None:
        return self.messages.get(event_id)

    async def find(self, alias: str) -> str | None:
        return "!new" if alias == "#new:example.org" else None

    async def answer(self, told: Told, answer: Answer) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.answers.append((told.event_id, answer.text))


def normalise(group: str) -> str:
    if "@" not in group:
        raise ValueError("write name@server.")
    return group.lower()


@dataclass
class Stage:
    """A core with a desk before it."""

    core: Core
    rooms: Rooms = field(default_factory=Rooms)
    standing: Standing = field(default_factory=Standing)
    pace: Pace = field(default_factory=lambda: Pace(burst=10_000))

    def __post_init__(self) -> None:
        self.grammar = Grammar({m.name: m.most for m in MANUALS.values()}, "!", ("Consilium",))
        core = self.core
        tools = Tools(
            core.database,
            core.portals,
            {id_: KnownNetwork(id_, name, normalise) for id_, name in NAMES.items()},
            self.standing,
            Retries(core.intake, core.portals, core.lanes, core.recorder.flush),
            self.rooms,
            core.recorder.flush,
            lambda _: TALK_ONLY,
            "!",
        )
        self.desk = Desk(
            core.database,
            lambda: core.portals.index,
            self.grammar,
            PERMISSIONS,
            make_commands(tools),
            self.rooms,
            "!",
            self.pace,
        )
        self.events = 0

    def told(self, text: str, asker: str = DEMIR, room: str = ROOM.id, **more: str) -> Told:
        self.events += 1
        spoken = self.grammar.in_room(text)
        return Told(room, f"$command{self.events}", asker, text, spoken, **more)

    async def ask(self, text: str, asker: str = DEMIR, room: str = ROOM.id, **more: str) -> str:
        """Give a command and return the answer."""
        told = self.told(text, asker, room, **more)
        return (await self.hear(told))[-1][1]

    async def hear(self, *told: Told) -> Sequence[tuple[str, str]]:
        """Hand things over, and return all answers when they are dealt with."""
        for each in told:
            self.desk.offer(each)
        last = self.told("!help", ROOT)
        self.desk.offer(last)
        await until(lambda: any(event == last.event_id for event, _ in self.rooms.answers))
        self.rooms.answers = [each for each in self.rooms.answers if each[0] != last.event_id]
        return self.rooms.answers


@asynccontextmanager
async def at_work(stage: Stage) -> AsyncIterator[Stage]:
    task = asyncio.create_task(stage.desk.run())
    try:
        yield stage
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def stage(core: Core) -> AsyncIterator[Stage]:
    async with at_work(Stage(core)) as made:
        yield made


# --- once, and for those who may ----------------------------------------------------------------


async def test_a_command_that_is_repeated_runs_once(stage: Stage) -> None:
    told = stage.told("!help")
    assert len(await stage.hear(told, told)) == 1


async def test_a_command_that_is_repeated_after_a_restart_does_not_run_again(
    stage: Stage, core: Core
) -> None:
    told = stage.told("!help")
    assert len(await stage.hear(told)) == 1
    async with at_work(Stage(core, events := Rooms())) as restarted:
        restarted.events = 100
        assert await restarted.hear(told) == []
        assert events.answers == []


@pytest.mark.parametrize("who", [EVA, MAX])
async def test_who_may_not_give_commands_is_told_who_may(stage: Stage, who: str) -> None:
    answer = await stage.ask("!status", who)
    assert answer == f"Only those whom an admin of the bridge lets can give commands: {ROOT}."


async def test_a_moderator_from_elsewhere_may_give_commands_in_their_room(stage: Stage) -> None:
    stage.rooms.moderators = {MAX, EVA}
    assert "Hospital A" in await stage.ask("!links", MAX)
    assert "Only those" in await stage.ask("!links", EVA)


@pytest.mark.parametrize("text", ["!link a b", "!unlink a b", "!direction a b in"])
async def test_links_are_for_admins(stage: Stage, text: str) -> None:
    stage.rooms.moderators = {DEMIR}
    assert await stage.ask(text) == f"Only an admin of the bridge can do that: {ROOT}."


async def test_help_lists_what_the_asker_may_do(stage: Stage) -> None:
    doctors, admins = await stage.ask("!help"), await stage.ask("!help", ROOT)
    assert "!retry" in doctors
    assert "!unlink" not in doctors
    assert all(manual.usage("!") in admins for manual in MANUALS.values())


async def test_help_explains_one_command(stage: Stage) -> None:
    assert (await stage.ask("!help retry")).startswith("!retry: ")
    assert "Write !help retry." in await stage.ask("!help retyr")
    assert "Write !help." in await stage.ask("!help zzz")


async def test_a_slip_is_told_with_what_became_of_the_message(stage: Stage) -> None:
    answer = await stage.ask("!statsu")
    assert answer.startswith("I don't know statsu. Did you mean !status?\n")
    assert "did not pass it on" in answer
    private = await stage.ask("!statsu", room=CHAT)
    assert private == "I don't know statsu. Did you mean !status?"


async def test_too_many_words_are_told_with_what_became_of_the_message(stage: Stage) -> None:
    answer = await stage.ask("!status of the patient is critical")
    assert answer.startswith("Write it as !status.\n")
    assert "did not pass it on" in answer


# --- rooms --------------------------------------------------------------------------------------


async def test_in_a_private_chat_no_sign_is_needed(stage: Stage) -> None:
    assert (await stage.ask("help", room=CHAT)).startswith("You can ask me:")
    assert "What I do know: !help" in await stage.ask("zzz", room=CHAT)
    assert "What you can ask me: !help" in await stage.ask("", room=CHAT)


async def test_talk_in_other_rooms_is_not_answered_nor_asked_about_each_time(
    stage: Stage,
) -> None:
    talk = [stage.told(f"talk {number}", room="!elsewhere") for number in range(5)]
    talk += [stage.told("talk", room=CROWD)]
    assert await stage.hear(*talk) == []
    assert stage.rooms.asked == 2


async def test_with_a_third_person_in_it_a_chat_is_private_no_more(stage: Stage) -> None:
    assert WARD_A.id in await stage.ask("!links", ROOT, CHAT)
    stage.rooms.there[CHAT] = 3
    assert await stage.ask("!links", ROOT, CHAT) == "No group is linked to this room."
    assert await stage.ask("!status", ROOT, CHAT) == "No group is linked to this room."


# --- faults -------------------------------------------------------------------------------------


async def test_an_answer_that_can_not_be_given_now_is_given_later(stage: Stage) -> None:
    stage.rooms.faults = [Unreachable("Not now.", retry_after=0.001)] * 3
    assert (await stage.ask("!help")).startswith("You can ask")


async def test_an_answer_that_can_not_be_given_at_all_holds_up_no_other(
    stage: Stage, logged: list[EventDict]
) -> None:
    stage.rooms.faults = [Refused("No voice.")]
    first, second = stage.told("!help"), stage.told("!help")
    answers = await stage.hear(first, second)
    assert [event for event, _ in answers] == [second.event_id]
    assert any(each["event"] == "command_not_answered" for each in logged)


async def test_a_fault_of_ours_is_told_and_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    async def broken(room_id: str, event_id: str) -> None:
        raise KeyError(event_id)

    monkeypatch.setattr(stage.rooms, "look", broken)
    answer = await stage.ask("!retry", reply_to="$1")
    assert answer == "Something went wrong in me. Tell whoever runs the bridge."
    monkeypatch.setattr(stage.rooms, "people", broken)
    answers = await stage.hear(stage.told("help", room=CHAT), told := stage.told("!help"))
    assert answers[-1][0] == told.event_id


async def test_more_commands_than_can_wait_are_dropped(core: Core) -> None:
    stage = Stage(core)
    for _ in range(300):
        stage.desk.offer(stage.told("!help"))
    async with at_work(stage):
        await until(lambda: len(stage.rooms.answers) >= 100)
        assert len(await stage.hear()) == 100


# --- status -------------------------------------------------------------------------------------


async def test_status_tells_states_directions_and_what_waits(
    make_core: Callable[..., Core], hospital_b: ScriptedOutlet
) -> None:
    core = make_core(patience=NEVER)
    await core.start([portal(a=Direction.IN, b=Direction.BOTH)])
    async with at_work(Stage(core)) as stage:
        stage.standing.note("hospital-a", Health(up=True))
        stage.standing.note("hospital-b", Health(up=False, reason="<Not> reachable."))
        hospital_b.script.append(Unreachable("Hospital B is not reachable."))
        await core.receive(said(1, ROOM, DOCTOR), said(2, ROOM, DOCTOR))
        await until(lambda: bool(hospital_b.attempts) and core.recorder.waiting == 0)
        answer = await stage.ask("!status")
    assert answer.splitlines() == [
        f"✓ Hospital A, {WARD_A.id}",
        "• this room reads the group; nothing leaves this room",
        "• connected",
        f"✗ Hospital B, {WARD_B.id}",
        "• both ways",
        "• away for less than a minute: <Not> reachable.",
        "• 2 messages waiting, the oldest for less than a minute",
        "• last fault: Hospital B is not reachable.",
    ]


async def test_status_in_private_shows_doctors_their_rooms_and_admins_all(
    stage: Stage, core: Core
) -> None:
    other = WantedPortal("!other:example.org", {Place("hospital-a", "o@a"): Direction.BOTH})
    await core.portals.configure([portal(a=Direction.BOTH), other])
    none = await stage.ask("status", room=CHAT)
    assert none == "You are in no room that is linked to another network."
    await core.receive(came_in(DOCTOR, ROOM), came_in(Author(MATRIX, MAX), ROOM))
    answer = await stage.ask("status", room=CHAT)
    assert answer.startswith(f"In {ROOM.id}\n✗ Hospital A, {WARD_A.id}\n")
    assert "o@a" not in answer
    assert "o@a" in await stage.ask("status", ROOT, CHAT)
    stage.standing.note("hospital-a", Health(up=True))
    assert await stage.ask("status", room=CHAT) == "✓ All is well in 1 linked room."
    assert await stage.ask("status", ROOT, CHAT) == "✓ All is well in 2 linked rooms."


# --- retry --------------------------------------------------------------------------------------


@pytest.fixture
async def set_aside(stage: Stage, core: Core, hospital_b: ScriptedOutlet) -> Stage:
    """A message of the doctor's that Hospital B has refused."""
    hospital_b.script.append(Refused("No voice."))
    await core.receive(said(1, ROOM, DOCTOR))
    await until(lambda: len(hospital_b.attempts) == 1)
    stage.rooms.messages["m1"] = Seen(DEMIR)
    stage.rooms.messages["$notice"] = Seen("@bot:example.org", about="m1")
    return stage


async def test_status_tells_what_was_set_aside_and_why(set_aside: Stage) -> None:
    answer = await set_aside.ask("!status")
    assert "• 1 message not delivered: No voice." in answer


@pytest.mark.parametrize(
    "below", [{"reply_to": "m1"}, {"thread": "m1"}, {"reply_to": "$notice", "thread": "m1"}]
)
async def test_an_author_has_a_message_tried_again(
    set_aside: Stage, hospital_b: ScriptedOutlet, below: dict[str, str]
) -> None:
    assert await set_aside.ask("!retry", **below) == "Trying again now: 1 delivery."
    await until(lambda: hospital_b.texts(WARD_B) == ["text 1"])
    assert (await set_aside.ask("!retry", **below)).startswith("Nothing was set aside.")


async def test_others_may_not_unless_they_moderate(
    set_aside: Stage, hospital_b: ScriptedOutlet
) -> None:
    other = "@other:example.org"
    answer = await set_aside.ask("!retry", other, reply_to="m1")
    assert answer.startswith("Only its author or a moderator")
    assert (await set_aside.ask("!retry")).startswith("Only a moderator of this room")
    set_aside.rooms.moderators = {other}
    assert await set_aside.ask("!retry", other) == "Trying again now: 1 delivery."
    await until(lambda: hospital_b.texts(WARD_B) == ["text 1"])


async def test_a_retry_of_nothing_says_what_is_missing(stage: Stage) -> None:
    assert "can't find the message" in await stage.ask("!retry", reply_to="$gone")
    assert "Write it in the room" in await stage.ask("!retry", room=CHAT)
    assert "Write it in the room" in await stage.ask("!retry", ROOT, CROWD)


# --- links --------------------------------------------------------------------------------------


async def test_links_tell_where_they_come_from(stage: Stage) -> None:
    assert "inward-only" in await stage.ask("!link hospital-b More@B", ROOT)
    answer = await stage.ask("!links")
    assert f"• Hospital A, {WARD_A.id}: both ways; from the configuration file" in answer
    assert "• Hospital B, more@b: this room reads" in answer
    assert answer.endswith("nothing leaves this room; made with a command")
    assert "Write it in the room" in await stage.ask("!links", room=CHAT)


async def test_a_link_is_made_opened_and_taken_away(
    stage: Stage, core: Core, hospital_b: ScriptedOutlet
) -> None:
    more = Place("hospital-b", "more@b")
    answer = await stage.ask("!link hospital-b more@b", ROOT)
    assert "To open it: !direction hospital-b more@b both" in answer
    await core.receive(said(1, ROOM, DOCTOR))
    answer = await stage.ask("!direction hospital-b more@b both", ROOT)
    assert answer.startswith("Hospital B, more@b: both.\n")
    assert "goes out" in answer
    await core.receive(said(2, ROOM, DOCTOR))
    await until(lambda: hospital_b.texts(more) == ["text 2"])
    assert "reads what is said" in await stage.ask("!direction hospital-b more@b out", ROOT)
    await core.receive(said(3, more, ANNA))
    assert "No longer linked" in await stage.ask("!unlink hospital-b more@b", ROOT)
    assert core.portals.index.at(more) is None
    assert await stage.ask("!unlink hospital-b more@b", ROOT) == (
        "The group hospital-b:more@b is not linked."
    )


async def test_a_link_of_the_configuration_stays_as_it_is(stage: Stage, core: Core) -> None:
    group = f"{WARD_A.network} {WARD_A.id}"
    before = core.portals.index.at(WARD_A)
    for text in (f"!unlink {group}", f"!direction {group} in"):
        assert "comes from the configuration file." in await stage.ask(text, ROOT)
    assert core.portals.index.at(WARD_A) == before
    assert "is linked already" in await stage.ask(f"!link {group}", ROOT)


async def test_any_room_can_be_linked_by_name(stage: Stage, core: Core) -> None:
    assert "private chat" in await stage.ask("link hospital-b more@b", ROOT, CHAT)
    assert CHAT in await stage.ask("link hospital-b more@b", ROOT, CHAT)
    answer = await stage.ask("link #new:example.org hospital-b more@b out", ROOT, CHAT)
    assert "does not come here" in answer
    spot = core.portals.index.at(Place(MATRIX, "!new"))
    assert spot is not None
    assert [link.direction for link in spot.portal.links] == [Direction.OUT]
    assert "Linked" in await stage.ask("!link hospital-b even@more", ROOT, CROWD)
    assert "no room #old" in await stage.ask("!link #old:example.org a b", ROOT)
    assert "Invite me" in await stage.ask("!link !far:example.org a b", ROOT)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("!link", "Tell me a network and a group."),
        ("!link hospital-b", "Tell me a network and a group."),
        ("!link hospitalb more@b", "I know no network hospitalb. Did you mean hospital-b?"),
        ("!link zzz more@b", "There are: hospital-a and hospital-b."),
        ("!link hospital-b more", "write name@server."),
        ("!link hospital-b more@b bth", "Did you mean both?"),
        ("!link hospital-b more@b both now", "Tell me a network and a group."),
        ("!unlink hospital-b", "Write !unlink <network> <group>."),
        ("!direction hospital-b more@b", "Write !direction <network> <group> <in|out|both>."),
        ("!direction hospital-b more@b in", "The group hospital-b:more@b is not linked."),
    ],
)
async def test_what_is_wrong_with_a_command_is_told_with_what_to_write(
    stage: Stage, core: Core, text: str, answer: str
) -> None:
    before = core.portals.index
    assert answer in await stage.ask(text, ROOT)
    assert core.portals.index.portals == before.portals


async def test_a_link_to_a_network_that_is_gone_can_be_taken_away(stage: Stage, core: Core) -> None:
    gone = Place("hospital-z", "old@z")
    await core.portals.link(ROOM.id, gone)
    assert "no longer in the configuration" in await stage.ask("!status")
    assert "No longer linked" in await stage.ask("!unlink hospital-z old@z", ROOT)
    assert core.portals.index.at(gone) is None


async def test_one_who_gives_too_many_commands_is_told_once_and_keeps_nobody_from_the_bot(
    core: Core, logged: list[EventDict]
) -> None:
    now = 0.0
    stage = Stage(core, pace=Pace(burst=4, seconds=10.0, clock=lambda: now))
    async with at_work(stage):
        too_many = [stage.told("!links") for _ in range(8)]
        answers = await stage.hear(*too_many)
        assert [event for event, _ in answers] == [told.event_id for told in too_many[:5]]
        assert "too many commands" in answers[-1][1]
        assert sum(entry["event"] == "command_dropped" for entry in logged) == 3
        now = 20.0
        assert "too many" not in await stage.ask("!links")
        assert "too many" not in await stage.ask("!links")
        assert "too many" in await stage.ask("!links")


async def test_one_who_gives_a_command_while_the_database_is_away_is_told_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    works, faults = stage.core.database.run, [StoreUnavailableError("It is away.")]

    async def fail_at_first(work: Callable[[Connection], object]) -> object:
        if faults:
            raise faults.pop()
        return await works(work)

    monkeypatch.setattr(stage.core.database, "run", fail_at_first)
    assert "database has a fault" in await stage.ask("!links")
    assert "database" not in await stage.ask("!links")


async def test_capabilities_tell_what_arrives_and_what_does_not(stage: Stage) -> None:
    answer = await stage.ask("!capabilities")
    assert "Is shown in another way: formatting" in answer
    assert "Does not cross: deletions" in answer
