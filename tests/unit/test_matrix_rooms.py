"""Rooms: found, made, entered, declined, and who is in them; the real ones are in e2e."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from matrix_fakes import (
    FORBIDDEN,
    ROOM,
    Reply,
    ScriptedHomeserver,
    acting_bot,
    config,
    refusal,
)

from bridge.errors import HomeserverError
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.rooms import Rooms
from bridge.model import MATRIX, Author

BOT = "@consilium:hospital.test"
ALIAS = "#ward:hospital.test"
NOT_FOUND = refusal(404, "M_NOT_FOUND")


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedHomeserver]:
    async with ScriptedHomeserver().running() as running:
        yield running


@pytest.fixture
async def rooms(scripted: ScriptedHomeserver) -> AsyncIterator[Rooms]:
    configured = config(scripted.url)
    async with acting_bot(configured) as bot:
        yield Rooms(bot, GhostIds(configured))


def invitation(**more: Any) -> dict[str, Any]:
    return {
        "type": "m.room.member",
        "state_key": BOT,
        "sender": "@anna:hospital.test",
        "room_id": ROOM,
        "content": {"membership": "invite"},
        **more,
    }


async def test_an_id_is_taken_as_it_is(scripted: ScriptedHomeserver, rooms: Rooms) -> None:
    assert await rooms.resolve("!v12") == "!v12"
    assert scripted.asked == []


async def test_an_alias_leads_to_its_room(scripted: ScriptedHomeserver, rooms: Rooms) -> None:
    scripted.answer("GET", "/directory/room/#ward:other.test", Reply(200, {"room_id": ROOM}))
    assert await rooms.resolve("#ward:other.test") == ROOM


async def test_a_new_room_is_neither_listed_nor_federated(
    scripted: ScriptedHomeserver, rooms: Rooms
) -> None:
    scripted.answer("GET", "/directory/", NOT_FOUND)
    scripted.answer("POST", "/createRoom", Reply(200, {"room_id": ROOM}))
    assert await rooms.resolve(ALIAS) == ROOM
    wanted = scripted.asked[-1].body
    assert wanted["room_alias_name"] == wanted["name"] == "ward"
    assert wanted["visibility"] == "private"
    assert wanted["creation_content"] == {"m.federate": False}


async def test_an_alias_that_somebody_took_meanwhile_is_looked_up_again(
    scripted: ScriptedHomeserver, rooms: Rooms
) -> None:
    scripted.answer("GET", "/directory/", NOT_FOUND, Reply(200, {"room_id": ROOM}))
    scripted.answer("POST", "/createRoom", refusal(400, "M_ROOM_IN_USE"))
    assert await rooms.resolve(ALIAS) == ROOM


async def test_a_room_that_can_not_be_made_is_told_with_its_remedy(
    scripted: ScriptedHomeserver, rooms: Rooms
) -> None:
    scripted.answer("GET", "/directory/", NOT_FOUND)
    scripted.answer("POST", "/createRoom", FORBIDDEN)
    with pytest.raises(HomeserverError, match=rf"{ALIAS} can't be made.*invite {BOT}"):
        await rooms.resolve(ALIAS)


async def test_no_room_is_made_on_another_homeserver(
    scripted: ScriptedHomeserver, rooms: Rooms
) -> None:
    scripted.answer("GET", "/directory/", NOT_FOUND)
    with pytest.raises(HomeserverError, match=r"no room #ward:other\.test"):
        await rooms.resolve("#ward:other.test")
    assert len(scripted.asked) == 1


async def test_a_room_that_is_closed_is_told_with_its_remedy(
    scripted: ScriptedHomeserver, rooms: Rooms
) -> None:
    scripted.answer("POST", "/join/", FORBIDDEN)
    with pytest.raises(HomeserverError, match=f"can't enter the room {ROOM}.*Invite {BOT}"):
        await rooms.enter(ROOM)


async def test_members_are_people_only(scripted: ScriptedHomeserver, rooms: Rooms) -> None:
    joined = {
        "@anna:hospital.test": {"display_name": "Dr. Anna", "avatar_url": "mxc://a/b"},
        "@max:other.test": {"display_name": None},
        "@odd:other.test": None,
        BOT: {"display_name": "Consilium"},
        "@_consilium_muc_bob:hospital.test": {"display_name": "Bob"},
    }
    scripted.answer("GET", "/joined_members", Reply(200, {"joined": joined}))
    assert await rooms.members(ROOM) == (
        Author(MATRIX, "@anna:hospital.test", "Dr. Anna", "mxc://a/b"),
        Author(MATRIX, "@max:other.test"),
        Author(MATRIX, "@odd:other.test"),
    )


async def test_an_invitation_to_a_portals_room_is_followed(
    scripted: ScriptedHomeserver, rooms: Rooms
) -> None:
    assert await rooms.invited(invitation(), lambda room: room == ROOM)
    assert scripted.log == [f"POST join/{ROOM}"]


async def test_any_other_invitation_is_declined_with_the_reason(
    scripted: ScriptedHomeserver, rooms: Rooms
) -> None:
    assert not await rooms.invited(invitation(), lambda _room: False)
    (asked,) = scripted.asked
    assert str(asked) == f"POST rooms/{ROOM}/leave"
    assert "not connected to anything" in asked.body["reason"]


async def test_an_invitation_that_was_withdrawn_is_no_fault(
    scripted: ScriptedHomeserver, rooms: Rooms
) -> None:
    scripted.answer("POST", "/leave", FORBIDDEN)
    assert not await rooms.invited(invitation(), lambda _room: False)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        invitation(type="m.room.message"),
        invitation(state_key="@anna:hospital.test"),
        invitation(state_key=None),
        invitation(content={"membership": "join"}),
        invitation(content=None),
        invitation(room_id=5),
    ],
)
async def test_what_is_no_invitation_of_the_bot_does_nothing(
    scripted: ScriptedHomeserver, rooms: Rooms, raw: dict[str, Any]
) -> None:
    assert not await rooms.invited(raw, lambda _room: True)
    assert scripted.asked == []
