"""The bot's rooms: who is there, who moderates, where it answers, when it comes and goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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

from bridge.bot.answers import Answer
from bridge.bot.parse import Spoken
from bridge.bot.permissions import Permissions, Rank
from bridge.bot.ports import Seen, Told
from bridge.contract import Refused, Unreachable
from bridge.matrix.bot_rooms import BotRooms
from bridge.matrix.client import ActingClient
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.private_chats import PrivateChats
from bridge.matrix.rooms import Rooms

ANNA, ROOT, MAX = "@anna:hospital.test", "@root:hospital.test", "@max:other.test"
BOT = "@consilium:hospital.test"
CHAT = "!chat:hospital.test"
PERMISSIONS = Permissions.of({ROOT: Rank.ADMIN}, "hospital.test")


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedHomeserver]:
    async with ScriptedHomeserver().running() as running:
        yield running


@pytest.fixture
async def client(scripted: ScriptedHomeserver) -> AsyncIterator[ActingClient]:
    async with acting_bot(config(scripted.url)) as bot:
        yield bot


@pytest.fixture
def rooms(client: ActingClient) -> BotRooms:
    return BotRooms(client)


def joined(*users: str) -> Reply:
    return Reply(200, {"joined": {user: {} for user in users}})


# --- asking -------------------------------------------------------------------------------------


async def test_people_are_counted_with_the_bot(
    scripted: ScriptedHomeserver, rooms: BotRooms
) -> None:
    scripted.answer("GET", "/joined_members", joined(BOT, ANNA), FORBIDDEN, Reply(500))
    assert await rooms.people(CHAT) == 2
    assert await rooms.people(CHAT) is None
    with pytest.raises(Unreachable):
        await rooms.people(CHAT)


def levels(**given: Any) -> Reply:
    return Reply(200, given)


@pytest.mark.parametrize(
    ("power", "create", "moderates"),
    [
        (levels(users={ANNA: 50}), {}, True),
        (levels(users={ANNA: 49}), {}, False),
        (levels(users={ANNA: 50}, state_default=60), {}, False),
        (levels(users={}, users_default=10, state_default=0), {}, False),
        (refusal(404, "M_NOT_FOUND"), {"sender": ANNA, "content": {}}, True),
        (levels(users={}), {"sender": ANNA, "content": {"room_version": "12"}}, True),
        (levels(users={}), {"sender": ANNA, "content": {"room_version": "11"}}, False),
        (FORBIDDEN, {}, False),
    ],
)
async def test_who_moderates(
    scripted: ScriptedHomeserver,
    rooms: BotRooms,
    power: Reply,
    create: dict[str, Any],
    moderates: bool,
) -> None:
    scripted.answer("GET", "/state/m.room.power_levels", power)
    scripted.answer("GET", "/state/m.room.create", Reply(200, create))
    assert await rooms.moderates(ROOM, ANNA) is moderates


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        ({"sender": ANNA, "content": {}}, Seen(ANNA)),
        (
            {"sender": ANNA, "content": {"m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}}},
            Seen(ANNA),
        ),
        (
            {"sender": BOT, "content": {"m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}}},
            Seen(BOT, "$0"),
        ),
        (
            {
                "sender": BOT,
                "content": {
                    "m.relates_to": {
                        "rel_type": "m.thread",
                        "event_id": "$t",
                        "m.in_reply_to": {"event_id": "$0"},
                    }
                },
            },
            Seen(BOT, "$t"),
        ),
        ({}, Seen("")),
    ],
)
async def test_a_notice_of_the_bot_leads_to_what_it_is_about(
    scripted: ScriptedHomeserver, rooms: BotRooms, event: dict[str, Any], seen: Seen
) -> None:
    scripted.answer("GET", "/event/", Reply(200, event), refusal(404, "M_NOT_FOUND"))
    assert await rooms.look(ROOM, "$1") == seen
    assert await rooms.look(ROOM, "$1") is None


async def test_an_alias_leads_to_its_room_or_nowhere(
    scripted: ScriptedHomeserver, rooms: BotRooms
) -> None:
    found = Reply(200, {"room_id": ROOM})
    scripted.answer("GET", "/directory/", found, refusal(404, "M_NOT_FOUND"))
    assert await rooms.find("#ward:hospital.test") == ROOM
    assert await rooms.find("#ward:hospital.test") is None
    assert not any("createRoom" in each for each in scripted.log)


# --- answering ----------------------------------------------------------------------------------


def told(**more: Any) -> Told:
    return Told(ROOM, "$1", ANNA, "!help", Spoken("help"), **more)


async def test_an_answer_is_a_silent_notice_in_reply(
    scripted: ScriptedHomeserver, rooms: BotRooms
) -> None:
    await rooms.answer(told(), Answer.of("One", "Two & three @room"))
    await rooms.answer(told(), Answer.of("again"))
    first, again = scripted.asked
    assert first.body == {
        "msgtype": "m.notice",
        "body": "One\nTwo & three @room",
        "format": "org.matrix.custom.html",
        "formatted_body": "<p>One</p><p>Two &amp; three @room</p>",
        "m.mentions": {},
        "m.relates_to": {"m.in_reply_to": {"event_id": "$1"}},
    }
    assert first.path == again.path, "the homeserver knows it as the same answer"


async def test_an_answer_stays_in_the_thread(scripted: ScriptedHomeserver, rooms: BotRooms) -> None:
    await rooms.answer(told(thread="$t"), Answer.of("One"))
    assert scripted.asked[0].body["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$t",
        "is_falling_back": False,
        "m.in_reply_to": {"event_id": "$1"},
    }


async def test_a_bot_without_a_voice_says_so_to_its_log(
    scripted: ScriptedHomeserver, rooms: BotRooms
) -> None:
    scripted.answer("PUT", "/send/", FORBIDDEN)
    with pytest.raises(Refused, match=f"can't answer in the room {ROOM}"):
        await rooms.answer(told(), Answer.of("One"))


# --- coming and going ---------------------------------------------------------------------------


@pytest.fixture
def chats(client: ActingClient, rooms: BotRooms) -> PrivateChats:
    return PrivateChats(client, rooms, PERMISSIONS, lambda room: room == ROOM)


def invitation(inviter: str, **content: Any) -> dict[str, Any]:
    return {
        "type": "m.room.member",
        "state_key": BOT,
        "sender": inviter,
        "room_id": CHAT,
        "content": {"membership": "invite", **content},
    }


@pytest.mark.parametrize(
    ("raw", "follows"),
    [
        (invitation(ANNA, is_direct=True), True),
        (invitation(ANNA), False),
        (invitation(ANNA, is_direct="yes"), False),
        (invitation(MAX, is_direct=True), False),
        (invitation(ROOT), True),
    ],
)
async def test_whose_invitation_is_followed(
    scripted: ScriptedHomeserver,
    client: ActingClient,
    chats: PrivateChats,
    raw: dict[str, Any],
    follows: bool,
) -> None:
    rooms = Rooms(client, GhostIds(config(scripted.url)), chats.welcome)
    assert not await rooms.invited(raw, lambda room: room == ROOM)
    wanted = f"POST join/{CHAT}" if follows else f"POST rooms/{CHAT}/leave"
    assert scripted.log == [wanted]


def departure(room: str, user: str = ANNA, membership: str = "leave") -> dict[str, Any]:
    return {
        "type": "m.room.member",
        "state_key": user,
        "room_id": room,
        "content": {"membership": membership},
    }


@asynccontextmanager
async def at_work(chats: PrivateChats) -> AsyncIterator[None]:
    task = asyncio.create_task(chats.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_asked(scripted: ScriptedHomeserver, wanted: str) -> None:
    async with asyncio.timeout(10):
        while wanted not in scripted.log:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.005)


async def test_the_bot_leaves_when_it_is_alone(
    scripted: ScriptedHomeserver, chats: PrivateChats
) -> None:
    scripted.answer("GET", f"{CHAT}/joined_members", joined(BOT))
    scripted.answer("GET", "!more:hospital.test/joined_members", joined(BOT, ROOT))
    async with at_work(chats):
        chats.observe(departure("!more:hospital.test"))
        chats.observe(departure(CHAT, membership="ban"))
        await until_asked(scripted, f"POST rooms/{CHAT}/leave")
    assert "POST rooms/!more:hospital.test/leave" not in scripted.log


@pytest.mark.parametrize(
    "raw",
    [
        {},
        departure(ROOM),
        departure(CHAT, user=BOT),
        departure(CHAT, membership="join"),
        {**departure(CHAT), "content": None},
        {**departure(CHAT), "room_id": 5},
    ],
)
async def test_what_leaves_nobody_alone_is_not_looked_at(
    scripted: ScriptedHomeserver, chats: PrivateChats, raw: dict[str, Any]
) -> None:
    scripted.answer("GET", "!last:hospital.test/joined_members", joined(BOT))
    async with at_work(chats):
        chats.observe(raw)
        chats.observe(departure("!last:hospital.test"))
        await until_asked(scripted, "POST rooms/!last:hospital.test/leave")
    assert len(scripted.asked) == 2
