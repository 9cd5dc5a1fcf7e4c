"""`check` sees with the bot's eyes whether it can take part in the portals' rooms."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.config.load import LoadedConfig, load
from bridge.contract import Finding, Unreachable
from bridge.matrix.connection import Connection
from bridge.probes.rooms import rooms
from sandbox.appservice import AppService
from sandbox.bridge import BridgeConfig
from sandbox.matrix_user import MatrixUser
from sandbox.people import Doctors
from sandbox.synapse import Synapse

Configure = Callable[..., LoadedConfig]


@pytest.fixture
def configured(tmp_path: Path, synapse: Synapse, app_service: AppService) -> Configure:
    """A configuration with a portal for each of these rooms."""

    def write(*names: str) -> LoadedConfig:
        network = {"type": "xmpp", "mode": "component", "jid": "c.example", "secret": "known"}
        config = BridgeConfig(
            app_service, synapse.url, synapse.server_name, {"hospital": network},
            {room: [("hospital", f"g{n}@muc.example", "in")] for n, room in enumerate(names)},
        )  # fmt: skip
        return load(config.write(tmp_path / "config.yaml"))

    return write


@pytest.fixture
async def doctor(doctors: Doctors) -> MatrixUser:
    return await doctors.new("Alice")


def told(findings: Sequence[Finding]) -> list[tuple[bool, str]]:
    return [(finding.ok, finding.sentence) for finding in findings]


@pytest.fixture
async def bot(synapse: Synapse, app_service: AppService) -> str:
    async with Connection(synapse.url, app_service.as_token) as homeserver:
        await homeserver.exchange(
            "POST", "/_matrix/client/v3/register",
            {"type": "m.login.application_service", "username": app_service.bot,
             "inhibit_login": True},
        )  # fmt: skip
    return f"@{app_service.bot}:{synapse.server_name}"


async def test_the_bot_can_take_part_where_it_is_invited_or_all_may_come(
    configured: Configure, doctor: MatrixUser, bot: str
) -> None:
    invited = await doctor.create_room("Board", invite=[bot])
    public = await doctor.create_room("Open", preset="public_chat")

    assert told(await rooms(configured(invited, public))) == [
        (True, "The bot can take part in 2 rooms.")
    ]


async def test_a_room_that_the_bot_cannot_enter_is_told_with_its_remedy(
    configured: Configure, doctor: MatrixUser, bot: str
) -> None:
    private = await doctor.create_room("Board")

    closed, missing = await rooms(configured(private, "#nowhere:hospital.test"))

    assert (closed.ok, closed.sentence) == (False, f"The bot can't enter {private}.")
    assert closed.advice == f"Check its name, and invite {bot} there."
    assert missing.sentence == "The bot can't enter #nowhere:hospital.test."


async def test_without_a_homeserver_it_says_so(configured: Configure, bot: str) -> None:
    loaded = configured("!any:example.org")
    nowhere = loaded.config.homeserver.model_copy(update={"url": "http://127.0.0.1:1"})
    away = replace(loaded, config=loaded.config.model_copy(update={"homeserver": nowhere}))

    with pytest.raises(Unreachable, match="not reachable"):
        await rooms(away)
