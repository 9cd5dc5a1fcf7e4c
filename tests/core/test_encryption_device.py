"""How the bot's device is made and signed, and what happens where a homeserver won't have that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from matrix_fakes import AS_TOKEN, BOT, FORBIDDEN, ROOM, Reply, ScriptedHomeserver, config, refusal
from matrix_fakes import acting_bot as acting
from structlog.typing import EventDict

from bridge.config.encryption import Encryption as Settings
from bridge.errors import HomeserverError, leaves
from bridge.matrix.encryption.service import Encryption
from bridge.matrix.raw import JsonObject
from bridge.store.database import Database

GHOST = "@_consilium_muc_bob:hospital.test"
BY_PASSWORD = Reply(401, {"flows": [{"stages": ["m.login.password"]}], "session": "s"})
NO_WAY = [FORBIDDEN, BY_PASSWORD]
SIGNING = "/keys/device_signing/upload"


class KeyServer(ScriptedHomeserver):
    """Keeps the keys of devices, and the identities and signatures of users."""

    def __init__(self) -> None:
        super().__init__()
        self.devices: dict[str, JsonObject] = {}
        self.masters: dict[str, JsonObject] = {}

    def _reply(self, method: str, path: str) -> Reply:
        if method == "GET" and "/state/m.room.encryption/" in path:
            return Reply(200, {"algorithm": "m.megolm.v1.aes-sha2"})
        reply = super()._reply(method, path)
        if reply.status != 200:
            return reply
        asked = self.asked[-1]
        user_id, body = asked.query.get("user_id", BOT), asked.body
        if path.endswith("/keys/upload") and "device_keys" in body:
            self.devices[user_id] = body["device_keys"]
            return Reply(200, {"one_time_key_counts": {"signed_curve25519": 50}})
        if path.endswith(SIGNING):
            self.masters[user_id] = body["master_key"]
        if path.endswith("/keys/signatures/upload"):
            (self.devices[user_id],) = body[user_id].values()
        if path.endswith("/keys/query"):
            return Reply(200, self._known(body["device_keys"]))
        if path.endswith("/sync"):
            return Reply(200, {"next_batch": "s1"})
        return reply

    def _known(self, user_ids: dict[str, Any]) -> JsonObject:
        devices = {who: self.devices[who] for who in user_ids if who in self.devices}
        return {
            "device_keys": {who: {keys["device_id"]: keys} for who, keys in devices.items()},
            "master_keys": {who: self.masters[who] for who in user_ids if who in self.masters},
        }


@pytest.fixture
async def homeserver() -> AsyncIterator[KeyServer]:
    server = KeyServer()
    async with server.running():
        yield server


@asynccontextmanager
async def encryption(
    homeserver: KeyServer, database: Database, directory: Path, mode: str
) -> AsyncIterator[Encryption]:
    async with acting(config(homeserver.url)) as bot:
        settings = Settings.model_validate({"mode": mode})
        yield await Encryption.make(
            settings, directory, bot, lambda who: who in {BOT, GHOST}, database
        )


async def at_once() -> None:
    """The homeserver is ready."""


async def ghost_speaks(made: Encryption) -> str:
    """Have the ghost speak in an encrypted room; the device by which it did."""
    made.sealing.open()
    kind, content = await made.sealing.seal(GHOST, ROOM, "m.room.message", {"body": "x"})
    assert kind == "m.room.encrypted"
    return str(content["device_id"])


@pytest.mark.parametrize(
    "answer",
    [
        refusal(404, "M_NOT_FOUND"),
        refusal(404, "M_UNRECOGNIZED"),
        refusal(405, "M_UNRECOGNIZED"),
    ],
)
async def test_where_devices_can_not_be_put_one_is_made_by_a_login(
    homeserver: KeyServer, database: Database, tmp_path: Path, answer: Reply
) -> None:
    homeserver.always("PUT", "/devices/", answer)
    async with encryption(homeserver, database, tmp_path, "allow") as made:
        standing = await made.establishing.establish()
        assert (standing.known, standing.signed) == (True, True)
        device_id = made.foundation.account.bot.device_id
    (login,) = [each for each in homeserver.asked if each.path.endswith("/login")]
    assert login.body["type"] == "m.login.application_service"
    assert login.body["identifier"] == {"type": "m.id.user", "user": "consilium"}
    assert login.body["device_id"] == device_id
    assert login.headers["Authorization"] == f"Bearer {AS_TOKEN}"


async def test_a_device_of_a_ghost_is_made_by_a_login_of_the_ghost(
    homeserver: KeyServer, database: Database, tmp_path: Path
) -> None:
    homeserver.always("PUT", "/devices/", refusal(404, "M_NOT_FOUND"))
    async with encryption(homeserver, database, tmp_path, "allow") as made:
        device_id = await ghost_speaks(made)
    (login,) = [each for each in homeserver.asked if each.path.endswith("/login")]
    assert login.body["identifier"]["user"] == "_consilium_muc_bob"
    assert login.body["device_id"] == device_id
    assert homeserver.devices[GHOST]["device_id"] == device_id


@pytest.mark.parametrize("answer", NO_WAY)
async def test_where_signing_is_required_the_bridge_ends_if_the_homeserver_won_t_have_it(
    homeserver: KeyServer, database: Database, tmp_path: Path, answer: Reply
) -> None:
    homeserver.always("POST", SIGNING, answer)
    async with encryption(homeserver, database, tmp_path, "require") as made, asyncio.timeout(10):
        with pytest.raises(ExceptionGroup) as ended:
            await made.run(at_once)
        assert not made.sealing.is_open
    (error,) = leaves(ended.value)
    assert isinstance(error, HomeserverError)
    assert "not signed" in str(error)
    assert "consilium registration" in error.advice


async def test_where_signing_is_required_the_bridge_ends_if_it_may_have_no_device(
    homeserver: KeyServer, database: Database, tmp_path: Path
) -> None:
    homeserver.always("PUT", "/devices/", FORBIDDEN)
    async with encryption(homeserver, database, tmp_path, "require") as made, asyncio.timeout(10):
        with pytest.raises(ExceptionGroup) as ended:
            await made.run(at_once)
    (error,) = leaves(ended.value)
    assert isinstance(error, HomeserverError)
    assert "won't let the bot have a device" in str(error)


@pytest.mark.parametrize("answer", NO_WAY)
async def test_else_it_goes_on_unsigned_ghosts_included_and_says_so(
    homeserver: KeyServer,
    database: Database,
    tmp_path: Path,
    answer: Reply,
    logged: list[EventDict],
) -> None:
    homeserver.always("POST", SIGNING, answer)
    async with encryption(homeserver, database, tmp_path, "allow") as made:
        standing = await made.establishing.establish()
        assert (standing.known, standing.signed) == (True, False)
        device_id = await ghost_speaks(made)
    assert homeserver.devices[GHOST]["device_id"] == device_id
    unsigned = [each["device"] for each in logged if each["event"] == "device_not_signed"]
    assert unsigned == [homeserver.devices[BOT]["device_id"], device_id]


async def test_a_ghost_that_could_not_be_signed_is_signed_at_the_next_start(
    homeserver: KeyServer, database: Database, tmp_path: Path
) -> None:
    homeserver.answer("POST", SIGNING, FORBIDDEN)
    async with encryption(homeserver, database, tmp_path, "allow") as made:
        await ghost_speaks(made)
        assert GHOST not in homeserver.masters
    async with encryption(homeserver, database, tmp_path, "allow") as made:
        await ghost_speaks(made)
        assert GHOST in homeserver.masters
