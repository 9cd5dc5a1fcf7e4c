"""One incoming event becomes deliveries for every other place of its portal."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from core_stage import (
    ANNA,
    BERT,
    BOTH_WARDS,
    DOCTOR,
    EVERYTHING,
    ROOM,
    START,
    TALK_ONLY,
    WARD_A,
    WARD_B,
    joined,
    kinds,
    left,
    portal,
    renamed,
    roster,
    said,
)
from sqlalchemy import Connection, func, select

from bridge.contract import Capabilities
from bridge.flow.relay import Arrival, Duty, Relay, Unreadable
from bridge.model import Author, Direction, Message, Place, SubjectChanged
from bridge.portals.service import Portals, WantedPortal
from bridge.store import deliveries, members, messages, tables
from bridge.store.database import Database
from bridge.store.messages import CopyRow


class Desk:
    """A relay at work on a database, as it is after a start."""

    def __init__(self, database: Database, capabilities: Capabilities = EVERYTHING) -> None:
        self.database = database
        self.portals = Portals(database)
        self.made: dict[messages.CopyKey, int] = {}
        self.relay = Relay(lambda: self.portals.index, lambda _: capabilities, self)

    def message_of(self, copy: messages.CopyKey) -> int | None:
        return self.made.get(copy)

    def root_of(self, topic: messages.CopyKey) -> int | None:
        return self.made.get(topic)

    async def open(self, wanted: Sequence[WantedPortal] = BOTH_WARDS) -> "Desk":
        await self.portals.configure(wanted)
        await self.database.run(self.relay.resume)
        return self

    async def accept(self, *arrivals: Arrival) -> list[Duty]:
        return await self.database.run(lambda c: self.relay.accept(c, arrivals))

    def place(self, duty: Duty) -> Place:
        found = self.portals.index.by_place.items()
        return next(place for place, spot in found if spot.place_id == duty.place_id)

    def places(self, duties: Sequence[Duty]) -> list[Place]:
        return [self.place(duty) for duty in duties]

    async def present(self, place: Place = WARD_A) -> set[Author]:
        spot = self.portals.index.at(place)
        assert spot
        held = await self.database.run(lambda c: members.load(c, spot.place_id))
        return set(held.values())

    def at(self, place: Place) -> int:
        spot = self.portals.index.at(place)
        assert spot
        return spot.place_id


@pytest.fixture
async def desk(database: Database) -> Desk:
    return await Desk(database).open()


async def rows(database: Database, table: str) -> int:
    query = select(func.count()).select_from(tables.metadata.tables[table])
    return await database.run(lambda c: c.scalar(query) or 0)


# --- where it goes ---


async def test_the_room_is_heard_in_every_group(desk: Desk) -> None:
    duties = await desk.accept(said(1, ROOM, DOCTOR))
    assert desk.places(duties) == [WARD_A, WARD_B]
    assert {duty.message_id for duty in duties} == {1}
    assert duties[0].event == said(1, ROOM, DOCTOR)


async def test_a_group_is_heard_in_the_room_and_in_the_other_group(desk: Desk) -> None:
    assert desk.places(await desk.accept(said(1, WARD_A))) == [ROOM, WARD_B]
    assert desk.places(await desk.accept(said(1, WARD_B))) == [ROOM, WARD_A]


@pytest.mark.parametrize(
    ("a", "b", "from_room", "from_a"),
    [
        (Direction.IN, Direction.IN, [], [ROOM]),
        (Direction.OUT, Direction.IN, [WARD_A], []),
        (Direction.IN, Direction.OUT, [WARD_B], [ROOM, WARD_B]),
        (Direction.BOTH, Direction.IN, [WARD_A], [ROOM]),
        (Direction.OUT, Direction.BOTH, [WARD_A, WARD_B], []),
    ],
)
async def test_a_link_carries_its_way_only(
    database: Database, a: Direction, b: Direction, from_room: list[Place], from_a: list[Place]
) -> None:
    desk = await Desk(database).open([portal(a=a, b=b)])
    assert desk.places(await desk.accept(said(1, ROOM, DOCTOR))) == from_room
    assert desk.places(await desk.accept(said(2, WARD_A))) == from_a


async def test_places_outside_of_every_portal_leave_nothing_behind(desk: Desk) -> None:
    elsewhere = Place("hospital-a", "canteen@muc.a.example")
    assert await desk.accept(said(1, elsewhere), Unreadable(elsewhere, b"?", "odd")) == []
    assert await rows(desk.database, "inbox") == 0


async def test_portals_do_not_mix(database: Database) -> None:
    other = Place("matrix", "!other:example.org")
    desk = await Desk(database).open([portal(a=Direction.BOTH), portal(other.id, b=Direction.BOTH)])
    assert desk.places(await desk.accept(said(1, ROOM))) == [WARD_A]
    assert desk.places(await desk.accept(said(1, WARD_B))) == [other]


async def test_a_room_that_is_not_known_yet_gets_nothing(database: Database) -> None:
    desk = await Desk(database).open([portal("#ward:example.org", a=Direction.BOTH)])
    assert await desk.accept(said(1, WARD_A)) == []
    assert await rows(desk.database, "inbox") == 1


async def test_duties_come_in_the_order_of_what_was_said(desk: Desk) -> None:
    duties = await desk.accept(*(said(n, ROOM) for n in range(50)))
    assert [duty.id for duty in duties] == list(range(1, 101))
    for place_id in (desk.at(WARD_A), desk.at(WARD_B)):
        assert [duty.event.id for duty in duties if duty.event and duty.place_id == place_id] == [
            f"m{n}" for n in range(50)
        ]


async def test_what_a_place_can_not_show_is_not_delivered_there(database: Database) -> None:
    desk = await Desk(database, TALK_ONLY).open()
    subject = SubjectChanged(WARD_A, ANNA, START, "beds", "s1")
    assert await desk.accept(joined(ANNA), subject, left(ANNA), roster(BERT)) == []
    assert await rows(desk.database, "inbox") == 0
    assert kinds(await desk.accept(said(1))) == ["message", "message"]


async def test_what_can_not_be_understood_leaves_a_trace(desk: Desk) -> None:
    assert await desk.accept(Unreadable(WARD_A, b"\0\xff?", "not an event"), said(1)) != []
    query = select(tables.inbox.c.payload, tables.inbox.c.error, tables.inbox.c.state)
    found = await desk.database.run(lambda c: c.execute(query.order_by(tables.inbox.c.id)).first())
    assert found is not None
    assert tuple(found) == (b"\0\xff?", "not an event", tables.InboxState.UNREADABLE)


async def test_everything_is_on_disk_with_its_duties(desk: Desk) -> None:
    [to_room, to_b] = await desk.accept(said(1))
    found = await desk.database.run(lambda c: deliveries.page(c, to_b.place_id, after=0, limit=10))
    [row] = found
    assert (row.id, row.message_id, row.kind) == (to_b.id, to_room.message_id, "message")
    assert await desk.database.run(deliveries.counts) == {desk.at(ROOM): 1, desk.at(WARD_B): 1}


# --- what is known already ---


async def test_what_comes_twice_in_one_batch_is_relayed_once(desk: Desk) -> None:
    assert len(await desk.accept(said(1), said(1), said(2), said(1))) == 4


async def test_what_comes_again_later_or_after_a_restart_is_dropped(desk: Desk) -> None:
    await desk.accept(said(1))
    assert await desk.accept(said(1)) == []
    assert await (await Desk(desk.database).open()).accept(said(1), said(2)) != []
    assert await rows(desk.database, "inbox") == 2


async def test_the_same_id_at_another_place_is_another_thing(desk: Desk) -> None:
    assert len(await desk.accept(said(1, WARD_A), said(1, WARD_B), said(1, ROOM))) == 6


async def test_an_own_copy_that_comes_back_is_dropped(desk: Desk) -> None:
    [_, to_b] = await desk.accept(said(1))
    copy = CopyRow(to_b.place_id, "copy-1", to_b.message_id)
    await desk.database.run(lambda c: messages.add_copies(c, [copy]))
    assert await desk.accept(replace(said(1, WARD_B), id="copy-1")) == []


async def test_an_own_copy_that_comes_back_before_it_is_on_disk_is_dropped(desk: Desk) -> None:
    desk.made[desk.at(WARD_B), "copy-1"] = 1
    assert await desk.accept(replace(said(1, WARD_B), id="copy-1")) == []
    assert len(await desk.accept(replace(said(1, WARD_A), id="copy-1"))) == 2


async def test_an_empty_id_is_no_id(desk: Desk) -> None:
    unnamed = replace(said(1), id="")
    assert len(await desk.accept(unnamed, unnamed)) == 4
    assert len(await desk.accept(unnamed)) == 2


async def test_a_thousand_at_once_are_told_apart_from_known_ones(desk: Desk) -> None:
    await desk.accept(*(said(n) for n in range(0, 2000, 2)))
    assert len(await desk.accept(*(said(n) for n in range(2000)))) == 2000


# --- who is present ---


async def test_an_arrival_is_news_once(desk: Desk) -> None:
    assert kinds(await desk.accept(joined(ANNA), joined(ANNA))) == ["joined", "joined"]
    assert await desk.accept(joined(ANNA)) == []
    assert await desk.present() == {ANNA}


async def test_a_new_name_is_a_renaming_however_it_was_reported(desk: Desk) -> None:
    await desk.accept(joined(ANNA))
    duties = await desk.accept(joined(replace(ANNA, name="Anna B")))
    assert kinds(duties) == ["renamed", "renamed"]
    assert kinds(await desk.accept(renamed(BERT))) == ["joined", "joined"]
    assert await desk.accept(renamed(BERT)) == []


async def test_who_leaves_is_named_as_they_were_known(desk: Desk) -> None:
    await desk.accept(joined(ANNA))
    [duty, _] = await desk.accept(left(Author(ANNA.network, ANNA.id)))
    assert duty.event is not None
    assert duty.event.author == ANNA
    assert await desk.accept(left(ANNA)) == []
    assert await desk.present() == set()


async def test_a_message_without_a_name_gets_the_known_one(desk: Desk) -> None:
    await desk.accept(joined(ANNA))
    nameless = replace(said(1), author=Author(ANNA.network, ANNA.id))
    [duty, _] = await desk.accept(nameless)
    assert duty.event is not None
    assert duty.event.author == ANNA


@pytest.mark.parametrize("restart", [False, True])
async def test_a_roster_tells_what_changed_since_it_was_known(desk: Desk, *, restart: bool) -> None:
    await desk.accept(roster(ANNA, BERT))
    if restart:
        desk = await Desk(desk.database).open()
    assert await desk.accept(roster(BERT, ANNA)) == []
    carl = Author("hospital-a", "carl", "Carl")
    duties = await desk.accept(roster(replace(ANNA, name="Anna B"), carl))
    assert [
        (duty.event.kind.value, duty.event.author.name)
        for duty in duties
        if duty.event and desk.place(duty) == ROOM
    ] == [("left", "Bert"), ("renamed", "Anna B"), ("joined", "Carl")]
    assert await desk.present() == {replace(ANNA, name="Anna B"), carl}


async def test_who_has_spoken_and_is_not_there_leaves_with_the_next_roster(desk: Desk) -> None:
    await desk.accept(roster(BERT), said(1), said(2, author=BERT))
    duties = await desk.accept(roster(BERT))
    assert [
        (duty.event.kind.value, duty.event.author.name)
        for duty in duties
        if duty.event and desk.place(duty) == ROOM
    ] == [("left", "Anna")]
    assert await desk.accept(roster(BERT)) == []


async def test_where_nobody_knows_who_is_there_who_speaks_stays(desk: Desk) -> None:
    await desk.accept(said(1))
    assert await desk.accept(roster()) == []


async def test_leaving_and_coming_back_in_one_batch_are_both_told(desk: Desk) -> None:
    await desk.accept(joined(ANNA))
    assert kinds(await desk.accept(left(ANNA), joined(ANNA))) == ["left"] * 2 + ["joined"] * 2
    assert await desk.present() == {ANNA}
    assert kinds(await desk.accept(joined(BERT), left(BERT))) == ["joined"] * 2 + ["left"] * 2
    assert await desk.present() == {ANNA}
    assert await (await Desk(desk.database).open()).accept(roster(ANNA)) == []


async def test_a_batch_repeated_whole_does_not_bring_back_who_left(desk: Desk) -> None:
    await desk.accept(roster(ANNA))
    batch = [joined(ANNA, ident="j1"), left(ANNA, ident="l1")]
    await desk.accept(*batch)
    assert await desk.accept(*batch) == []
    assert await desk.present() == set()


async def test_a_crowd_comes_and_goes(desk: Desk) -> None:
    crowd = [Author("hospital-a", f"p{n}", f"P{n}") for n in range(1500)]
    assert len(await desk.accept(roster(*crowd))) == 3000
    assert len(await desk.accept(roster(*crowd[:700]))) == 1600
    assert len(await desk.present()) == 700


async def test_a_link_moved_to_another_portal_starts_with_nobody_present(desk: Desk) -> None:
    await desk.accept(roster(ANNA))
    other = "!other:example.org"
    await desk.portals.configure([portal(b=Direction.BOTH), portal(other, a=Direction.BOTH)])
    duties = await desk.accept(roster(ANNA))
    assert kinds(duties) == ["joined"]
    assert desk.places(duties) == [Place("matrix", other)]


async def test_a_group_linked_again_forgets_who_was_there_but_not_what_was_said(
    desk: Desk,
) -> None:
    await desk.accept(roster(ANNA), said(1))
    await desk.portals.configure([portal(b=Direction.BOTH)])
    assert await desk.accept(said(2), joined(BERT)) == []
    await desk.portals.configure(BOTH_WARDS)
    assert kinds(await desk.accept(roster(ANNA), said(1))) == ["joined", "joined"]


# --- numbers, and what is undone ---


async def test_no_number_is_given_twice_even_after_a_restart(database: Database) -> None:
    desk = await Desk(database, TALK_ONLY).open()
    await desk.accept(said(1), joined(ANNA, ident="j1"), joined(ANNA, ident="j2"))
    again = await Desk(database, TALK_ONLY).open()
    duties = await again.accept(said(2))
    query = select(tables.copies.c.message_id)
    numbers = await database.run(lambda c: list(c.scalars(query)))
    assert len(numbers) == len(set(numbers)) == 4
    assert {duty.message_id for duty in duties} == {max(numbers)}
    assert [duty.id for duty in duties] == [3, 4]


async def test_what_is_undone_leaves_nothing_known(desk: Desk) -> None:
    await desk.accept(joined(ANNA))

    def interrupted(connection: Connection) -> None:
        arrivals = [left(ANNA), joined(BERT), said(1)]
        assert len(desk.relay.accept(connection, arrivals)) == 6
        raise LookupError

    with pytest.raises(LookupError):
        await desk.database.run(interrupted)
    desk.relay.forget()
    assert await desk.present() == {ANNA}
    duties = await desk.accept(left(ANNA), joined(BERT), said(1))
    assert kinds(duties) == ["left"] * 2 + ["joined"] * 2 + ["message"] * 2
    assert await desk.present() == {BERT}
    assert await rows(desk.database, "deliveries") == 8


async def test_an_event_keeps_its_finest_details(desk: Desk) -> None:
    event = Message(
        WARD_A, "m1", ANNA, START.replace(microsecond=123456), "é\n😀 \ufffd", emote=True
    )
    [duty, _] = await desk.accept(event)
    found = await desk.database.run(
        lambda c: c.scalar(select(tables.inbox.c.payload).where(tables.inbox.c.id == 1))
    )
    assert duty.event == event
    assert "123456" in found.decode()
