"""A message over which an adapter breaks is set aside, told to its sender, and holds nobody up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.appservice import AppService
from sandbox.bridge import Bridge, BridgeConfig
from sandbox.matrix_user import MatrixEvent, MatrixUser
from sandbox.people import Doctors
from sandbox.synapse import Synapse
from torture import paper

pytestmark = pytest.mark.e2e

GROUP, OTHER = "sheet", "other-sheet"
ATTEMPTS = 5
PATIENCE = 60.0


@pytest.fixture
def sheets(tmp_path: Path) -> Path:
    directory = tmp_path / "sheets"
    directory.mkdir()
    return directory


@pytest.fixture
async def alice(doctors: Doctors) -> MatrixUser:
    return await doctors.new("Dr. Alice")


@pytest.fixture
def bot(synapse: Synapse, app_service: AppService) -> str:
    return f"@{app_service.bot}:{synapse.server_name}"


@pytest.fixture
async def room(alice: MatrixUser, bot: str) -> str:
    room = await alice.create_room("Case", invite=[bot])
    await alice.set_power(room, bot, 50)
    return room


@pytest.fixture
async def bridge(
    tmp_path: Path, sheets: Path, synapse: Synapse, app_service: AppService, room: str
) -> AsyncIterator[Bridge]:
    """Of two networks on one portal, one adapter breaks over whatever is poison."""
    config = BridgeConfig(
        app_service,
        synapse.url,
        synapse.server_name,
        {
            "paper": paper.network(sheets, poison="poison"),
            "robust": {**paper.network(sheets), "name": "Robust"},
        },
        {room: [("paper", GROUP, "both"), ("robust", OTHER, "both")]},
    )
    with paper.installed():
        async with Bridge(tmp_path / "bridge", config) as running:
            yield running


async def written(sheets: Path, group: str, count: int) -> list[str]:
    """What is written for a group, once it is so many lines."""
    async with asyncio.timeout(PATIENCE):
        while len(lines := paper.written(sheets, group)) < count:  # noqa: ASYNC110 -- files signal nothing
            await asyncio.sleep(0.05)
    return lines


def is_told(event: MatrixEvent, bot: str, about: str) -> bool:
    """Whether the bot says under a message that a network could not take it."""
    relation = event.content.get("m.relates_to", {})
    shown = event.content.get("m.new_content", event.content).get("body", "")
    return event.sender == bot and relation.get("event_id") == about and "Paper" in shown


async def test_a_poison_message_is_set_aside_and_told_and_holds_nobody_up(
    bridge: Bridge,
    alice: MatrixUser,
    room: str,
    sheets: Path,
    bot: str,
) -> None:
    await alice.wait_for(
        lambda event: event.state_key == bot and event.content.get("membership") == "join",
        room=room,
        timeout=PATIENCE,
    )
    await alice.send_text(room, "before")
    assert await written(sheets, GROUP, 1) == ["before"]

    poison = await alice.send_text(room, "poison")
    await alice.send_text(room, "after")

    assert await written(sheets, OTHER, 3) == ["before", "poison", "after"]
    assert paper.written(sheets, GROUP) == ["before"], "it was not tried as often as it should"
    assert await written(sheets, GROUP, 2) == ["before", "after"]
    log = bridge.log.read_text()
    assert log.count("RuntimeError: the pen breaks") == ATTEMPTS
    assert log.count("set_aside") == 1
    await alice.wait_for(lambda event: is_told(event, bot, poison), room=room, timeout=PATIENCE)
