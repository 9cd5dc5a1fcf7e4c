"""A portal follows its room into the one that takes its place, if that is rightful."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from core_stage import WARD_A, WARD_B
from matrix_fakes import FORBIDDEN, GhostsInMemory, Reply, ScriptedHomeserver, acting_bot, config

from bridge.attendance import upgrades as upgrades_module
from bridge.attendance.upgrades import RoomUpgrades
from bridge.health import HealthBoard
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.successors import Successors
from bridge.model import MATRIX, Author, Direction, Place
from bridge.portals.service import Portals, WantedPortal
from bridge.store import portals as portal_rows
from bridge.store.database import Database

OLD = "!old:hospital.test"
NEW = "!new-without-a-domain"
CHIEF = "@chief:hospital.test"
MALLORY = "@mallory:elsewhere.test"
BOB = "@_consilium_muc_bob:hospital.test"
AUTHOR = Author("muc", "bob", "Bob")
TIME = 1767323045678


class Scene:
    def __init__(
        self, homeserver: ScriptedHomeserver, portals: Portals, ghosts: Ghosts, board: HealthBoard
    ) -> None:
        self.homeserver = homeserver
        self.portals = portals
        self.ghosts = ghosts
        self.board = board
        self.upgrades: RoomUpgrades

    def replaced(
        self, by: str = CHIEF, successor: str = NEW, predecessor: str | None = OLD
    ) -> None:
        """Say what the homeserver has of the two rooms."""
        tombstone = {"content": {"replacement_room": successor}, "sender": by}
        answers: dict[str, Any] = {
            f"{OLD}/state/m.room.tombstone": tombstone | {"origin_server_ts": TIME},
            f"{OLD}/state/m.room.power_levels": {"users": {CHIEF: 100}},
            f"{NEW}/state/m.room.create": {"predecessor": {"room_id": predecessor}},
            f"{OLD}/joined_members": {
                "joined": {BOB: {}, CHIEF: {}, "@consilium:hospital.test": {}}
            },
        }
        for path, body in answers.items():
            self.homeserver.always("GET", path, Reply(200, body))

    @property
    def rooms(self) -> list[str | None]:
        return [each.room.id if each.room else None for each in self.portals.index.portals]

    async def settled(self) -> None:
        """Let everything that was noted be done."""
        done = asyncio.Event()
        follow = self.upgrades._follow

        async def and_tell(room_id: str) -> None:
            try:
                await follow(room_id)
            finally:
                done.set()

        self.upgrades._follow = and_tell  # type: ignore[method-assign]
        task = asyncio.create_task(self.upgrades.run())
        async with asyncio.timeout(5):
            await done.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def scene(database: Database) -> AsyncIterator[Scene]:
    portals = Portals(database)
    links = {WARD_A: Direction.BOTH, WARD_B: Direction.IN}
    await portals.configure([WantedPortal(OLD, links)])
    async with ScriptedHomeserver().running() as homeserver:
        configured = config(homeserver.url)
        async with acting_bot(configured) as bot:
            ids, board = GhostIds(configured), HealthBoard()
            ghosts = Ghosts(bot, ids, GhostsInMemory())
            await ghosts.ensure(AUTHOR, OLD)
            homeserver.asked.clear()
            found = Scene(homeserver, portals, ghosts, board)
            found.upgrades = RoomUpgrades(Successors(bot, ids), portals, ghosts, board)
            yield found


def tombstone(room_id: str = OLD, successor: Any = NEW, **more: Any) -> dict[str, Any]:
    content = {"replacement_room": successor}
    return {
        "type": "m.room.tombstone", "room_id": room_id, "state_key": "", "content": content, **more
    }  # fmt: skip


def invitation(predecessor: Any, room_id: str = NEW) -> dict[str, Any]:
    create = {"type": "m.room.create", "content": {"predecessor": predecessor}}
    return {"room_id": room_id, "unsigned": {"invite_room_state": [None, {"type": "x"}, create]}}


async def test_the_portal_moves_with_its_links_and_the_ghosts(
    scene: Scene, database: Database
) -> None:
    scene.replaced()
    scene.upgrades.observe(tombstone())
    await scene.settled()
    assert scene.rooms == [NEW]
    portal = scene.portals.index.portals[0]
    assert {link.place: link.direction for link in portal.links} == {
        WARD_A: Direction.BOTH,
        WARD_B: Direction.IN,
    }
    assert scene.homeserver.log[-1] == f"POST join/{NEW} as {BOB}"
    (joined,) = [each for each in scene.homeserver.asked if str(each) == f"POST join/{NEW}"]
    assert joined.query["via"] == "hospital.test"
    spot = scene.portals.index.at(Place(MATRIX, NEW))
    assert spot is not None
    heard = await database.run(lambda c: portal_rows.room_heard(c, spot.place_id))
    assert heard == (TIME, TIME)


async def test_a_configured_room_stays_replaced_when_the_bridge_starts_again(
    scene: Scene, database: Database
) -> None:
    scene.replaced()
    scene.upgrades.observe(tombstone())
    await scene.settled()
    again = Portals(database)
    await again.configure([WantedPortal(OLD, {WARD_A: Direction.BOTH})])
    assert [each.room.id for each in again.index.portals if each.room] == [NEW]


async def test_one_who_may_not_replace_a_room_leads_no_portal_away(scene: Scene) -> None:
    scene.replaced(by=MALLORY)
    scene.upgrades.observe(tombstone())
    await scene.settled()
    assert scene.rooms == [OLD]
    assert not any("join" in line for line in scene.homeserver.log)


@pytest.mark.parametrize("predecessor", [None, "!another:hospital.test"])
async def test_a_room_that_does_not_say_so_takes_no_portals_place(
    scene: Scene, predecessor: str | None
) -> None:
    scene.replaced(predecessor=predecessor)
    scene.upgrades.observe(tombstone())
    await scene.settled()
    assert scene.rooms == [OLD]
    assert scene.homeserver.log[-1] == f"POST rooms/{NEW}/leave"


async def test_a_room_that_the_bot_cannot_enter_is_told_and_followed_when_it_is_invited(
    scene: Scene,
) -> None:
    scene.homeserver.answer("POST", f"/join/{NEW}", FORBIDDEN)
    scene.replaced()
    scene.upgrades.observe(tombstone())
    reports: list[str] = []
    scene.board.watch(lambda _network, health: reports.append(health.reason))
    await scene.settled()
    assert scene.rooms == [OLD]
    assert "which the bot can't enter" in reports[-1]
    assert "Invite @consilium:hospital.test there." in reports[-1]
    assert await scene.upgrades.invited(invitation({"room_id": OLD}))
    await scene.settled()
    assert scene.rooms == [NEW]


@pytest.mark.parametrize(
    "raw",
    [
        invitation(None),
        invitation({"room_id": "!stranger:hospital.test"}),
        invitation({"room_id": OLD}, "!impostor:hospital.test"),
        {"room_id": NEW, "unsigned": "odd"},
        {"room_id": NEW},
    ],
)
async def test_other_invitations_are_none_of_its_business(
    scene: Scene, raw: dict[str, Any]
) -> None:
    scene.replaced()
    assert not await scene.upgrades.invited(raw)


@pytest.mark.parametrize(
    "raw",
    [
        tombstone("!no-portal:hospital.test"),
        tombstone(successor=None),
        tombstone(state_key="x"),
        tombstone(type="m.room.message"),
    ],
)
async def test_other_events_are_passed_over(scene: Scene, raw: dict[str, Any]) -> None:
    scene.replaced()
    scene.upgrades.observe(raw)
    scene.upgrades.observe(tombstone())
    await scene.settled()
    assert sum("m.room.tombstone" in line for line in scene.homeserver.log) == 1


async def test_what_cannot_be_told_now_is_asked_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrades_module, "_RETRY_SECONDS", 0.01)
    scene.homeserver.answer("GET", "/m.room.tombstone", Reply(502, ""))
    scene.replaced()
    scene.upgrades.observe(tombstone())
    await scene.settled()
    await scene.settled()
    assert scene.rooms == [NEW]


async def test_a_room_is_later_than_those_before_it(scene: Scene) -> None:
    for room, before in ((NEW, "!b:x.test"), ("!b:x.test", OLD), (OLD, None)):
        create = {"predecessor": {"room_id": before}} if before else {}
        scene.homeserver.always("GET", f"{room}/state/m.room.create", Reply(200, create))
    assert await scene.upgrades.is_later(NEW, than=OLD)
    assert not await scene.upgrades.is_later(OLD, than=NEW)
    assert not await scene.upgrades.is_later(NEW, than="!other:x.test")
