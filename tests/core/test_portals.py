"""Portals and links: from the configuration and from commands, never both for one thing."""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from core_stage import ANNA, BOTH_WARDS, ROOM, WARD_A, WARD_B, portal, said
from sqlalchemy import Connection

from bridge.errors import ConfigError
from bridge.flow.codec import encode
from bridge.model import MATRIX, Direction, Place
from bridge.portals.service import PortalIndex, Portals, WantedPortal
from bridge.store import deliveries, members, messages
from bridge.store.database import Database
from bridge.store.deliveries import NewDelivery
from bridge.store.messages import InboxRow

ALIAS = "#ward:example.org"
OTHER = Place(MATRIX, "!other:example.org")


@pytest.fixture
def portals(database: Database) -> Portals:
    return Portals(database)


def picture(index: PortalIndex) -> dict[str | None, dict[Place, Direction]]:
    """The links of each room."""
    return {
        portal.room.id if portal.room else portal.room_name: {
            link.place: link.direction for link in portal.links
        }
        for portal in index.portals
    }


async def wait_for(database: Database, portals: Portals, *places: Place) -> None:
    """Let one delivery wait for each of these places."""

    def fill(connection: Connection) -> None:
        first = messages.last_id(connection) + 1
        for number, place in enumerate(places, first):
            spot = portals.index.at(place)
            assert spot
            row = InboxRow(number, spot.place_id, said(1).kind, encode(said(1)), 0)
            messages.add_inbox(connection, [row])
            deliveries.add(connection, [NewDelivery(number, number, spot.place_id, 0)])

    await database.run(fill)


async def waiting(database: Database) -> int:
    return sum((await database.run(deliveries.counts)).values())


# --- from the configuration ---


async def test_the_configuration_makes_portals_and_links(portals: Portals) -> None:
    await portals.configure([portal(a=Direction.BOTH, b=Direction.IN), portal(OTHER.id)])
    assert picture(portals.index) == {
        ROOM.id: {WARD_A: Direction.BOTH, WARD_B: Direction.IN},
        OTHER.id: {},
    }
    spot = portals.index.at(WARD_B)
    assert spot
    assert spot.link
    assert spot.portal.room == ROOM
    assert portals.index.at(ROOM)
    assert portals.index.at(Place("hospital-a", "elsewhere")) is None
    assert [link.place for _, link in portals.index.links("hospital-b")] == [WARD_B]


async def test_another_process_reads_the_same(database: Database, portals: Portals) -> None:
    await portals.configure(BOTH_WARDS)
    again = Portals(database)
    await again.load()
    assert again.index == portals.index


async def test_configuring_again_changes_nothing(portals: Portals) -> None:
    wanted = [*BOTH_WARDS, WantedPortal(ALIAS, {Place("hospital-a", "x"): Direction.IN})]
    await portals.configure(wanted)
    before = portals.index
    await portals.configure(wanted)
    assert portals.index == before


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (portal(a=Direction.IN), portal(a=Direction.IN, b=Direction.OUT)),
        (portal(a=Direction.IN, b=Direction.OUT), portal(b=Direction.OUT)),
        (portal(a=Direction.IN), portal(a=Direction.BOTH)),
        (portal(a=Direction.IN), portal(OTHER.id, a=Direction.IN)),
        (portal(a=Direction.IN), portal(b=Direction.IN)),
    ],
)
async def test_a_changed_configuration_is_followed_exactly(
    portals: Portals, first: WantedPortal, then: WantedPortal
) -> None:
    await portals.configure([first])
    await portals.configure([then])
    assert picture(portals.index) == {then.room_name: dict(then.links)}


async def test_two_portals_can_swap_their_groups(portals: Portals) -> None:
    await portals.configure([portal(a=Direction.IN), portal(OTHER.id, b=Direction.OUT)])
    await portals.configure([portal(b=Direction.IN), portal(OTHER.id, a=Direction.OUT)])
    assert picture(portals.index) == {
        ROOM.id: {WARD_B: Direction.IN},
        OTHER.id: {WARD_A: Direction.OUT},
    }


async def test_an_emptied_configuration_leaves_no_portal(portals: Portals) -> None:
    await portals.configure(BOTH_WARDS)
    await portals.configure([])
    assert portals.index == PortalIndex()


# --- aliases ---


async def test_an_alias_is_settled_later_and_stays_so(database: Database, portals: Portals) -> None:
    wanted = [portal(ALIAS, a=Direction.BOTH)]
    await portals.configure(wanted)
    [found] = portals.index.portals
    assert (found.room, found.room_place_id, found.room_name) == (None, None, ALIAS)
    await portals.settle(found.id, ROOM.id)
    assert portals.index.portals[0].room == ROOM
    again = Portals(database)
    await again.configure(wanted)
    assert again.index == portals.index
    assert again.index.at(ROOM)


async def test_an_alias_can_move_to_another_room(portals: Portals) -> None:
    await portals.configure([portal(ALIAS, a=Direction.BOTH)])
    [found] = portals.index.portals
    await portals.settle(found.id, ROOM.id)
    await portals.settle(found.id, OTHER.id)
    assert portals.index.at(ROOM) is None
    assert portals.index.at(OTHER)


async def test_an_alias_in_the_file_can_become_the_id_of_its_room_and_back(
    portals: Portals,
) -> None:
    await portals.configure([portal(ALIAS, a=Direction.BOTH)])
    await portals.settle(portals.index.portals[0].id, ROOM.id)
    await portals.configure([portal(a=Direction.BOTH)])
    assert picture(portals.index) == {ROOM.id: {WARD_A: Direction.BOTH}}
    await portals.configure([portal(ALIAS, a=Direction.BOTH)])
    assert picture(portals.index) == {ALIAS: {WARD_A: Direction.BOTH}}


async def test_two_portals_that_turn_out_to_be_one_room_are_refused(portals: Portals) -> None:
    await portals.configure([portal(ALIAS, a=Direction.BOTH), portal(b=Direction.BOTH)])
    alias = next(each for each in portals.index.portals if each.room_name == ALIAS)
    before = portals.index
    with pytest.raises(ConfigError, match=r"Two portals stand for the room !ward") as refusal:
        await portals.settle(alias.id, ROOM.id)
    assert refusal.value.advice
    assert portals.index is before


async def test_a_room_given_by_its_alias_and_its_id_is_refused(portals: Portals) -> None:
    await portals.configure([portal(ALIAS, a=Direction.BOTH)])
    await portals.settle(portals.index.portals[0].id, ROOM.id)
    with pytest.raises(ConfigError, match=f"Two portals stand for one room: {ROOM.id} and {ALIAS}"):
        await portals.configure([portal(ALIAS, a=Direction.BOTH), portal(b=Direction.BOTH)])


# --- by command ---


async def test_a_group_is_linked_and_unlinked_by_command(portals: Portals) -> None:
    await portals.link(ROOM.id, WARD_A)
    await portals.link(ROOM.id, WARD_B, Direction.BOTH)
    assert picture(portals.index) == {ROOM.id: {WARD_A: Direction.IN, WARD_B: Direction.BOTH}}
    await portals.unlink(WARD_B)
    assert picture(portals.index) == {ROOM.id: {WARD_A: Direction.IN}}
    await portals.unlink(WARD_A)
    assert portals.index.at(WARD_A) is portals.index.at(ROOM) is None


async def test_links_by_command_outlive_the_configuration(portals: Portals) -> None:
    await portals.link(OTHER.id, WARD_B, Direction.BOTH)
    await portals.configure([portal(a=Direction.IN)])
    await portals.configure([])
    assert picture(portals.index) == {OTHER.id: {WARD_B: Direction.BOTH}}


async def test_a_link_by_command_on_a_configured_portal_outlives_it(portals: Portals) -> None:
    await portals.configure([portal(a=Direction.IN)])
    await portals.link(ROOM.id, WARD_B, Direction.BOTH)
    await portals.configure([portal(a=Direction.BOTH)])
    assert picture(portals.index) == {ROOM.id: {WARD_A: Direction.BOTH, WARD_B: Direction.BOTH}}
    await portals.configure([])
    assert picture(portals.index) == {ROOM.id: {WARD_B: Direction.BOTH}}
    await portals.unlink(WARD_B)
    await portals.configure(BOTH_WARDS)


@pytest.mark.parametrize("linked", [WARD_A, Place("hospital-a", "more")])
async def test_a_portal_made_by_command_is_not_taken_over(portals: Portals, linked: Place) -> None:
    await portals.link(ROOM.id, linked)
    before = portals.index
    with pytest.raises(ConfigError, match="made with a command") as refusal:
        await portals.configure(BOTH_WARDS)
    assert refusal.value.advice
    assert portals.index is before
    await portals.unlink(linked)
    await portals.configure(BOTH_WARDS)


async def test_a_group_linked_by_command_is_not_taken_over(portals: Portals) -> None:
    await portals.link(OTHER.id, WARD_A)
    with pytest.raises(ConfigError, match=r"hospital-a:ward@muc\.a\.example is already linked"):
        await portals.configure(BOTH_WARDS)


async def test_what_the_configuration_links_no_command_unlinks(portals: Portals) -> None:
    await portals.configure(BOTH_WARDS)
    with pytest.raises(ConfigError, match="comes from the configuration file"):
        await portals.unlink(WARD_A)


async def test_a_group_is_linked_once_and_unlinked_once(portals: Portals) -> None:
    await portals.link(ROOM.id, WARD_A)
    with pytest.raises(ConfigError, match="is linked already"):
        await portals.link(OTHER.id, WARD_A)
    await portals.unlink(WARD_A)
    for place in (WARD_A, Place("hospital-a", "never seen")):
        with pytest.raises(ConfigError, match="is not linked"):
            await portals.unlink(place)


# --- those who are told ---


async def test_watchers_are_told_what_was_and_what_is(portals: Portals) -> None:
    told: list[tuple[PortalIndex, PortalIndex]] = []
    portals.watch(lambda before, after: told.append((before, after)))
    await portals.configure(BOTH_WARDS)
    with pytest.raises(ConfigError):
        await portals.unlink(WARD_A)
    await portals.configure([])
    assert [picture(after) for _, after in told] == [
        {ROOM.id: {WARD_A: Direction.BOTH, WARD_B: Direction.BOTH}},
        {},
    ]
    assert told[1][0] is told[0][1]


async def test_changes_at_once_are_told_one_after_the_other(portals: Portals) -> None:
    told: list[tuple[PortalIndex, PortalIndex]] = []
    portals.watch(lambda before, after: told.append((before, after)))
    groups = [Place("hospital-a", f"g{n}") for n in range(20)]
    await asyncio.gather(*(portals.link(f"!r{n}:x", group) for n, group in enumerate(groups)))
    assert [len(after.portals) for _, after in told] == list(range(1, 21))
    assert all(before is last for (_, last), (before, _) in pairwise(told))
    assert portals.index is told[-1][1]


# --- what waits ---


@pytest.mark.parametrize(
    ("then", "left"),
    [
        (BOTH_WARDS, 3),
        ([portal(a=Direction.BOTH, b=Direction.OUT)], 3),
        ([portal(a=Direction.BOTH)], 2),
        ([portal(a=Direction.BOTH, b=Direction.IN)], 2),
        ([portal(OTHER.id, a=Direction.BOTH, b=Direction.BOTH)], 2),
        ([], 0),
    ],
)
async def test_what_waits_for_a_place_that_is_no_target_any_more_is_given_up(
    database: Database, portals: Portals, then: Sequence[WantedPortal], left: int
) -> None:
    await portals.configure(BOTH_WARDS)
    await wait_for(database, portals, ROOM, WARD_A, WARD_B)
    await Portals(database).configure(then)
    assert await waiting(database) == left


async def test_unlinking_gives_up_what_waits(database: Database, portals: Portals) -> None:
    await portals.link(ROOM.id, WARD_A, Direction.BOTH)
    await portals.link(ROOM.id, WARD_B, Direction.BOTH)
    await wait_for(database, portals, WARD_A, WARD_A, WARD_B)
    await portals.unlink(WARD_A)
    assert await waiting(database) == 1


async def test_a_refused_change_gives_nothing_up(database: Database, portals: Portals) -> None:
    await portals.link(OTHER.id, WARD_A, Direction.BOTH)
    await wait_for(database, portals, WARD_A)
    with pytest.raises(ConfigError):
        await portals.configure(BOTH_WARDS)
    assert await waiting(database) == 1


@pytest.mark.parametrize("then", [[portal(OTHER.id, a=Direction.BOTH)], []])
async def test_members_are_kept_with_a_link_and_forgotten_with_the_next(
    database: Database, portals: Portals, then: Sequence[WantedPortal]
) -> None:
    await portals.configure(BOTH_WARDS)
    spot = portals.index.at(WARD_A)
    assert spot
    await database.run(lambda c: members.write(c, spot.place_id, here=[ANNA], gone=[]))
    await portals.configure([portal(a=Direction.IN)])
    assert len(await database.run(members.load_all)) == 1
    await portals.configure(then)
    await portals.configure(BOTH_WARDS)
    assert await database.run(members.load_all) == {}


# --- many ---


async def test_a_thousand_portals_are_configured_and_configured_again(
    portals: Portals, server: str
) -> None:
    wanted = [
        WantedPortal(
            f"!room{n}:example.org",
            {
                Place("hospital-a", f"g{n}"): Direction.BOTH,
                Place("hospital-b", f"g{n}"): Direction.IN,
            },
        )
        for n in range(1000)
    ]
    for turn in ("first", "again"):
        start = time.perf_counter()
        await portals.configure(wanted)
        print(f"\n{server}: 1,000 portals, {turn}: {time.perf_counter() - start:.2f} s")  # noqa: T201
    assert len(portals.index.by_place) == 3000
    await portals.configure(wanted[:10])
    assert len(portals.index.portals) == 10
