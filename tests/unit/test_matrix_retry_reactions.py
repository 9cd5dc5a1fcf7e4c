"""A 🔁 at a message has it tried again, when the right person reacts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from matrix_fakes import FORBIDDEN, ROOM, Reply, ScriptedHomeserver, acting_bot, config

from bridge.bot.pace import Pace
from bridge.bot.permissions import Permissions, Rank
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.retry_reactions import RetryReactions

DOCTOR = "@doctor:hospital.test"
CHIEF = "@chief:hospital.test"
BARRED = "@barred:hospital.test"
ADMIN = "@admin:hospital.test"
GUEST = "@guest:clinic.test"
PERMISSIONS = Permissions.of({BARRED: Rank.NONE, ADMIN: Rank.ADMIN}, "hospital.test")


@dataclass
class Tried:
    """`Retrying` that writes down what it is asked for."""

    asked: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)

    async def message(self, room_id: str, event_id: str) -> int:
        self.asked.put_nowait((room_id, event_id))
        return 1


async def author_of(_room_id: str, event_id: str) -> str | None:
    return {"$message": DOCTOR, "$barred": BARRED, "$guest": GUEST}.get(event_id)


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedHomeserver]:
    async with ScriptedHomeserver().running() as running:
        yield running


@pytest.fixture
def tried() -> Tried:
    return Tried()


@pytest.fixture
async def reactions(scripted: ScriptedHomeserver, tried: Tried) -> AsyncIterator[RetryReactions]:
    configured = config(scripted.url)
    async with acting_bot(configured) as bot:
        seen = RetryReactions(
            bot,
            GhostIds(configured),
            tried,
            author_of,
            lambda room_id: room_id == ROOM,
            PERMISSIONS,
            Pace(burst=5, clock=lambda: 0.0),
        )
        task = asyncio.create_task(seen.run())
        yield seen
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def reaction(
    sender: str = DOCTOR, key: str = "🔁", event_id: str = "$message", room_id: str = ROOM
) -> dict[str, Any]:
    relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
    return {
        "type": "m.reaction",
        "sender": sender,
        "room_id": room_id,
        "event_id": "$reaction",
        "content": {"m.relates_to": relation},
    }


async def next_asked(tried: Tried) -> tuple[str, str]:
    async with asyncio.timeout(10):
        return await tried.asked.get()


@pytest.mark.parametrize("key", ["🔁", "🔁\ufe0f", "🔄"])
async def test_the_author_has_a_message_tried_again(
    reactions: RetryReactions, tried: Tried, key: str
) -> None:
    reactions.observe(reaction(key=key))
    assert await next_asked(tried) == (ROOM, "$message")


async def test_a_moderator_has_anyones_message_tried_again_and_others_have_not(
    scripted: ScriptedHomeserver, reactions: RetryReactions, tried: Tried
) -> None:
    levels = Reply(200, {"users": {CHIEF: 50}})
    scripted.always("GET", "/state/m.room.power_levels", levels)
    reactions.observe(reaction("@stranger:hospital.test"))
    reactions.observe(reaction("@stranger:hospital.test", event_id="$somebody-elses"))
    reactions.observe(reaction(CHIEF, event_id="$of-a-ghost"))
    assert await next_asked(tried) == (ROOM, "$of-a-ghost")
    assert tried.asked.empty()


async def test_only_those_who_may_give_commands_have_a_message_tried_again(
    scripted: ScriptedHomeserver, reactions: RetryReactions, tried: Tried
) -> None:
    levels = Reply(200, {"users": {BARRED: 100, GUEST: 50}})
    scripted.always("GET", "/state/m.room.power_levels", levels)
    reactions.observe(reaction(BARRED, event_id="$barred"))
    reactions.observe(reaction("@other:clinic.test", event_id="$message"))
    reactions.observe(reaction(ADMIN, event_id="$anyones"))
    reactions.observe(reaction(GUEST, event_id="$message"))
    assert await next_asked(tried) == (ROOM, "$anyones")
    assert await next_asked(tried) == (ROOM, "$message")
    assert tried.asked.empty()


async def test_too_many_reactions_of_one_user_are_not_followed(
    reactions: RetryReactions, tried: Tried
) -> None:
    for _ in range(20):
        reactions.observe(reaction())
    reactions.observe(reaction(ADMIN, event_id="$last"))
    asked = [await next_asked(tried) for _ in range(6)]
    assert asked == [(ROOM, "$message")] * 5 + [(ROOM, "$last")]


async def test_a_homeserver_that_does_not_tell_who_moderates_ends_nothing(
    scripted: ScriptedHomeserver, reactions: RetryReactions, tried: Tried
) -> None:
    scripted.answer("GET", "/state/m.room.power_levels", FORBIDDEN)
    reactions.observe(reaction(CHIEF))
    reactions.observe(reaction())
    assert await next_asked(tried) == (ROOM, "$message")


@pytest.mark.parametrize(
    "raw",
    [
        reaction(key="👍"),
        reaction(room_id="!elsewhere:hospital.test"),
        reaction("@consilium:hospital.test"),
        reaction("@_consilium_b_anna:hospital.test"),
        reaction(event_id=""),
        {**reaction(), "type": "m.room.message"},
        {**reaction(), "content": "nonsense"},
        {**reaction(), "content": {"m.relates_to": {"key": 7, "rel_type": []}}},
        {},
    ],
)
async def test_other_reactions_are_nothing_to_act_on(
    reactions: RetryReactions, tried: Tried, raw: dict[str, Any]
) -> None:
    reactions.observe(raw)
    reactions.observe(reaction())
    assert await next_asked(tried) == (ROOM, "$message")
    assert tried.asked.empty()
