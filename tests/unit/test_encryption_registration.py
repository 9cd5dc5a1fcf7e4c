"""A registration of before, with which Synapse hands over no keys, is recognised."""

from collections.abc import AsyncIterator

import pytest
from matrix_fakes import BOT, Reply, ScriptedHomeserver, acting_bot, config

from bridge.matrix.client import ActingClient
from bridge.matrix.encryption.establish import bot_is_the_service


@pytest.fixture
async def homeserver() -> AsyncIterator[ScriptedHomeserver]:
    async with ScriptedHomeserver().running() as running:
        yield running


@pytest.fixture
async def bot(homeserver: ScriptedHomeserver) -> AsyncIterator[ActingClient]:
    async with acting_bot(config(homeserver.url)) as acting:
        yield acting


@pytest.mark.parametrize(
    ("who", "old"), [(BOT, True), ("@_consilium_service:hospital.test", False), ("", False)]
)
async def test_the_bot_is_told_from_the_service(
    homeserver: ScriptedHomeserver, bot: ActingClient, who: str, old: bool
) -> None:
    homeserver.always("GET", "/whoami", Reply(200, {"user_id": who}))
    assert await bot_is_the_service(bot) is old
    assert homeserver.asked[0].query == {}
