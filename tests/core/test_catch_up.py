"""Where each group goes on after a restart, and which words are the bridge's own."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from core_stage import (
    ANNA,
    BOTH_WARDS,
    DOCTOR,
    NAMES,
    ROOM,
    START,
    TALK_ONLY,
    WARD_A,
    WARD_B,
    Core,
    ScriptedOutlet,
    joined,
    portal,
    roster,
    said,
    until,
)
from sqlalchemy import Connection, event, text
from structlog.typing import EventDict

from bridge.attendance.gaps import Gaps
from bridge.attendance.groups import Groups
from bridge.clock import milliseconds, now_ms
from bridge.contract import CatchUp, Feature, Level, Missed, Sent
from bridge.errors import StoreUnavailableError
from bridge.flow.keys import delivery_key
from bridge.flow.relay import Unreadable
from bridge.health import HealthBoard
from bridge.inlet import NetworkInlet
from bridge.model import Author, Direction, Message, Place
from bridge.portals.service import PortalIndex
from bridge.store import messages
from bridge.store.database import Database
from bridge.store.portals import note_heard, note_room_heard, room_heard

MakeCore = Callable[..., Core]


@dataclass
class OpenedNetwork(ScriptedOutlet):
    """A network that remembers how its groups were opened."""

    opened: dict[str, CatchUp] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(TALK_ONLY)

    async def open(self, group: str, present: Sequence[Author], catch_up: CatchUp) -> None:
        self.opened[group] = catch_up

    async def close(self, group: str) -> None:
        del self.opened[group]


async def opened(core: Core, limits: Callable[[Place], CatchUp] = lambda _: CatchUp()) -> CatchUp:
    """How the ward of hospital A is opened."""
    network = OpenedNetwork()
    networks = {"hospital-a": network}
    groups = Groups(core.database, networks, NAMES, limits, retry=0.001)  # type: ignore[arg-type]
    groups.follow(PortalIndex(), core.portals.index)
    running = asyncio.create_task(groups.run())
    try:
        await until(lambda: bool(network.opened))
    finally:
        running.cancel()
    return network.opened[WARD_A.id]


async def test_a_group_that_was_never_listened_to_gets_no_history(core: Core) -> None:
    await core.receive(said(1, ROOM, DOCTOR))
    assert (await opened(core)).since is None


async def test_groups_are_opened_once_the_database_works(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    await core.receive(roster(ANNA))
    works, faults = core.database.run, [StoreUnavailableError("It is away.") for _ in range(3)]

    async def fail_at_first(work: Callable[[Connection], object]) -> object:
        if faults:
            raise faults.pop()
        return await works(work)

    monkeypatch.setattr(core.database, "run", fail_at_first)
    assert await opened(core) == CatchUp(START, begun=START)
    assert not faults


async def test_a_group_goes_on_from_when_it_was_last_entered(core: Core) -> None:
    await core.receive(roster(ANNA), said(1, ROOM, DOCTOR))
    assert await opened(core) == CatchUp(START, begun=START)


async def test_a_group_goes_on_from_its_last_message_if_that_is_later(core: Core) -> None:
    await core.receive(roster(ANNA), said(1), said(2), said(3, WARD_B), said(4, ROOM, DOCTOR))
    await core.receive(joined(ANNA), Unreadable(WARD_A, b"?", "odd"))
    assert await opened(core) == CatchUp(said(2).time, "m2", START)
    await core.receive(replace(roster(ANNA), time=START + timedelta(hours=1)))
    assert await opened(core) == CatchUp(START + timedelta(hours=1), begun=START)


async def test_what_was_fetched_when_the_bridge_crashed_again_is_not_fetched_twice(
    core: Core,
) -> None:
    """A message that was fetched late counts by when it was said."""
    await core.receive(roster(ANNA))
    await core.receive(said(30), said(31))
    assert await opened(core) == CatchUp(said(31).time, "m31", START)


async def test_the_limits_of_each_link_reach_its_network(core: Core) -> None:
    await core.receive(roster(ANNA))
    own = {WARD_A: CatchUp(max_age=timedelta(days=1), max_messages=5)}
    expected = CatchUp(START, None, START, timedelta(days=1), 5)
    assert await opened(core, lambda place: own[place]) == expected


async def test_a_link_that_is_made_anew_begins_anew(make_core: MakeCore) -> None:
    core = make_core()
    await core.start()
    await core.receive(roster(ANNA), said(1))
    await core.portals.configure([portal(b=Direction.BOTH)])
    await core.portals.configure(BOTH_WARDS)
    assert (await opened(core)).since is None


@pytest.mark.parametrize(
    ("before", "after", "goes_on"),
    [
        (Direction.OUT, Direction.BOTH, False),
        (Direction.OUT, Direction.IN, False),
        (Direction.IN, Direction.BOTH, True),
        (Direction.BOTH, Direction.OUT, True),
    ],
)
async def test_what_was_said_before_a_link_carried_inwards_is_not_fetched(
    make_core: MakeCore, before: Direction, after: Direction, *, goes_on: bool
) -> None:
    core = make_core()
    await core.start([portal(a=before)])
    await core.receive(roster(ANNA))
    await core.portals.configure([portal(a=after)])
    assert ((await opened(core)).since is not None) is goes_on


async def test_a_room_is_another_once_its_name_stands_for_another(core: Core) -> None:
    number = core.portals.index.by_place[ROOM].place_id
    await core.database.run(lambda c: note_room_heard(c, number, 5))
    await core.database.run(lambda c: note_room_heard(c, number, 7))
    assert await core.database.run(lambda c: room_heard(c, number)) == (5, 7)
    (found,) = core.portals.index.portals
    await core.portals.settle(found.id, "!other:example.org")
    other = core.portals.index.by_place[Place("matrix", "!other:example.org")].place_id
    assert await core.database.run(lambda c: room_heard(c, other)) is None


async def test_a_repeated_thing_that_can_not_be_read_leaves_one_trace(core: Core) -> None:
    odd = Unreadable(ROOM, b"?", "odd", "$odd")
    await core.receive(odd, odd)
    await core.receive(odd, Unreadable(ROOM, b"?", "odd"))
    traces = await core.database.run(
        lambda c: c.scalar(text("SELECT count(*) FROM inbox WHERE kind = 'unreadable'"))
    )
    assert traces == 2


async def test_a_trace_with_an_impossible_id_is_kept_without_it(core: Core) -> None:
    await core.receive(Unreadable(ROOM, b"?", "odd", "\0" * 5000))
    assert await core.database.run(messages.last_id) == 1


# --- whose words -------------------------------------------------------------------------------


def inlet(core: Core) -> NetworkInlet:
    return NetworkInlet("hospital-a", core.intake, HealthBoard(), core.lanes.in_hand, core.past)


def key(message: Message, target: Place = WARD_A) -> str:
    return delivery_key(message, 0, target)


async def test_what_waits_for_a_group_may_be_there_already(
    make_core: MakeCore, hospital_a: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    never = asyncio.Event()
    hospital_a.script.append(never)
    waits = [said(1, ROOM, DOCTOR), said(2, WARD_B, Author("hospital-b", "bo", "Bo"))]
    await core.receive(*waits)
    keys = [key(message) for message in waits]
    others = [key(waits[0], WARD_B), "a" * 26, "no key", f"{keys[0]}.y"]
    assert await inlet(core).sent(WARD_A.id, [*keys, f"{keys[0]}.1", f"{keys[0]}.x", *others]) == {
        keys[0]: "Dr. Demir",
        f"{keys[0]}.1": "Dr. Demir",
        f"{keys[0]}.x": "Dr. Demir",  # of what stands in for a file
        keys[1]: "Bo (Hospital B)",
    }


async def test_what_was_sent_is_known_by_the_key_that_it_bears_there(
    core: Core, hospital_a: ScriptedOutlet
) -> None:
    message = said(1, ROOM, DOCTOR)
    await core.receive(message)
    await until(lambda: bool(hospital_a.there))
    await core.recorder.flush()
    assert await inlet(core).sent(WARD_A.id, [key(message)]) == {}  # it has another id there
    number = core.portals.index.by_place[WARD_A].place_id
    row = messages.CopyRow(number, key(message), 1)
    forgotten = messages.CopyRow(number, "b" * 26, 77)
    await core.database.run(lambda c: messages.add_new_copies(c, [row, forgotten]))
    assert await inlet(core).sent(WARD_A.id, [key(message), "b" * 26]) == {
        key(message): "Dr. Demir",
        "b" * 26: None,
    }


async def test_a_copy_that_a_crash_kept_from_the_records_is_understood_once_it_is_found(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_a: ScriptedOutlet
) -> None:
    matrix.shows = replace(matrix.shows, shows={Feature.REPLY: Level.FULL})
    hospital_a.script.append(asyncio.Event())  # sent, and never noted
    core = make_core()
    await core.start()
    message = said(1, ROOM, DOCTOR)
    await core.receive(message)
    await inlet(core).sent(WARD_A.id, {key(message): Sent("stanza", ("other",))})
    for number, name in enumerate(("stanza", "other", "unknown")):
        await core.receive(replace(said(2 + number), reply_to=name))
    await until(lambda: len(matrix.there) == 3)
    answered = [each.reply_to and each.reply_to.id for each in matrix.there]
    assert answered == ["m1", "m1", None]


async def test_nothing_was_sent_to_a_group_that_is_not_linked(core: Core) -> None:
    assert await inlet(core).sent("elsewhere@muc.a.example", ["a" * 26]) == {}


async def test_what_is_missing_is_logged_and_told(logged: list[EventDict], core: Core) -> None:
    told: list[tuple[Place, Missed]] = []
    gaps = Gaps()
    gaps.watch(lambda place, missed: told.append((place, missed)))
    missed = Missed(WARD_A.id, "Too old.", 12)
    past = replace(core.past, gaps=gaps)
    NetworkInlet("hospital-a", core.intake, HealthBoard(), core.lanes.in_hand, past).missed(missed)
    assert told == [(WARD_A, missed)]
    (line,) = [entry for entry in logged if entry["event"] == "messages_not_fetched"]
    assert (line["place"], line["about"], line["reason"]) == (str(WARD_A), 12, "Too old.")


# --- queries -----------------------------------------------------------------------------------


async def test_known_before_a_time_is_what_was_received_or_made_before_it(core: Core) -> None:
    await core.receive(said(1, ROOM, DOCTOR), said(2))
    await until(lambda: bool(core.lanes) and not core.broke() and len(core.delivered) == 4)
    number = core.portals.index.by_place[ROOM].place_id
    await core.recorder.flush()

    async def known(received: int, made: int) -> set[str]:
        ids = ["m1", *made_here, "nothing"]
        return await core.database.run(
            lambda c: messages.known_before(c, number, ids, received=received, made=made)
        )

    def copies(connection: Connection) -> list[str]:
        rows = connection.execute(
            text("SELECT remote_id FROM copies WHERE place_id = :p AND remote_id <> 'm1'"),
            {"p": number},
        )
        return [row[0] for row in rows]

    made_here: list[str] = []
    async with asyncio.timeout(10):
        while not made_here:
            await core.recorder.flush()
            made_here = await core.database.run(copies)
    later = now_ms() + 1
    assert await known(later, later) == {"m1", *made_here}
    assert await known(later, 0) == {"m1"}
    assert await known(0, later) == set(made_here)
    assert await known(0, 0) == set()


@pytest.mark.parametrize("name", ["heard", "copied", "known before"])
async def test_what_is_asked_at_start_reads_no_large_table_whole(
    core: Core, server: str, name: str
) -> None:
    queries: dict[str, Callable[[Connection], object]] = {
        "heard": messages.heard,
        "copied": lambda c: messages.copied(c, 1, ["m5", "nothing"]),
        "known before": lambda c: messages.known_before(c, 1, ["m5"], received=9, made=9),
    }
    plans: list[str] = []

    def fill(connection: Connection) -> None:
        places = [spot.place_id for spot in core.portals.index.by_place.values()]
        note_heard(connection, {place_id: milliseconds(START) for place_id in places})
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        connection.execute(text(
            f"{numbers} INSERT INTO inbox (id, place_id, kind, payload, received_at, state)"
            " SELECT i, i % 4, CASE WHEN i % 3 = 0 THEN 'joined' ELSE 'message' END, '', 0, 1"
            " FROM n" if server == "sqlite" else
            "INSERT INTO inbox (id, place_id, kind, payload, received_at, state)"
            " SELECT i, i % 4, CASE WHEN i % 3 = 0 THEN 'joined' ELSE 'message' END, '', 0, 1"
            " FROM generate_series(1, 5000) i"
        ))  # fmt: skip
        messages.add_new_copies(
            connection, [messages.CopyRow(1, f"m{n}", n) for n in range(1, 5001)]
        )
        connection.execute(text(
            "INSERT INTO deliveries (id, message_id, place_id, state, attempts, next_try,"
            " created_at) SELECT id, id, 2, 1, 1, 0, 0 FROM inbox"
        ))  # fmt: skip
        connection.execute(text("ANALYZE"))

    def watch(connection: Connection) -> None:
        def explain(
            _c: object, _cursor: object, statement: str, parameters: object, *_: object
        ) -> None:
            if not statement.startswith(("EXPLAIN", "SET")):
                prefix = "EXPLAIN QUERY PLAN" if server == "sqlite" else "EXPLAIN"
                plan = connection.exec_driver_sql(f"{prefix} {statement}", parameters)
                plans.extend(str(row[-1]) for row in plan)

        event.listen(connection, "before_cursor_execute", explain)
        queries[name](connection)

    await core.database.run(fill)
    await core.database.run(watch)
    assert plans
    whole = [line for line in plans if "SCAN " in line or "Seq Scan" in line]
    assert [line for line in whole if "links" not in line] == []


async def test_where_a_thousand_groups_go_on_is_known_at_once(database: Database) -> None:
    """However many messages each of them has: the last is found through an index."""

    def fill(connection: Connection) -> None:
        connection.execute(text("INSERT INTO portals (id, from_config) VALUES (1, false)"))
        connection.execute(
            text("INSERT INTO places (id, network, ident) VALUES (:n, 'a', :ident)"),
            [{"n": n, "ident": f"g{n}"} for n in range(1, 1001)],
        )
        connection.execute(text(
            "INSERT INTO links (id, portal_id, place_id, direction, from_config,"
            " heard_from, heard_until) SELECT id, 1, id, 'both', false, 1, 1 FROM places"
        ))  # fmt: skip
        for hundred in range(100):
            connection.execute(
                text(
                    "INSERT INTO inbox (id, place_id, kind, payload, received_at, state)"
                    " SELECT id + :more, id, 'message', :payload, 0, 1 FROM places"
                ),
                {"more": hundred * 1000, "payload": f"{hundred}".encode()},
            )

    await database.run(fill)
    began = now_ms()
    heard = await database.run(messages.heard)
    assert now_ms() - began < 2_000
    assert len(heard) == 1000
    assert {row.last_message for row in heard.values()} == {b"99"}
