"""What the configuration chooses: pushed keys, signed devices only, encrypted rooms only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from bridge_runs import Site, assert_well_behaved
from command_line import consilium
from encrypted_ward import ward_of
from yarl import URL

from sandbox.appservice import AppService
from sandbox.people import Colleagues
from sandbox.ports import LOOPBACK
from sandbox.synapse import Synapse

PUSHING = {
    "msc3202_transaction_extensions": True,
    "msc2409_to_device_messages_enabled": True,
}


@pytest.fixture(scope="module")
def app_service() -> AppService:
    return AppService(id="pushed", bot="pushed", ghosts="_pushed_")


@pytest.fixture(scope="module")
async def synapse(
    tmp_path_factory: pytest.TempPathFactory, app_service: AppService
) -> AsyncIterator[Synapse]:
    """A homeserver that pushes keys."""
    directory = tmp_path_factory.mktemp("synapse")
    async with Synapse(
        directory, app_services=[app_service.registration], experimental_features=PUSHING
    ) as server:
        yield server


def alone(site: Site, directory: Path) -> Site:
    """Where another bridge runs, with a key and so a database of its own."""
    return replace(site, directory=directory, database_url="sqlite:///consilium.db")


async def test_keys_may_be_pushed_and_the_bridge_killed_in_between(
    site: Site, wards: Colleagues, tmp_path: Path
) -> None:
    own = alone(site, tmp_path / "pushed")
    encryption = {"mode": "allow", "keys": "push"}
    async with ward_of(own, wards, tmp_path, encryption) as ward:
        await ward.doctor.send_text(ward.room, "pushed")
        await ward.heard("pushed")
        await ward.bridge.kill()
        await ward.bridge.start()
        await ward.doctor.send_text(ward.room, "pushed again")
        await ward.heard("pushed again", timeout=60)
        ward.say("and back")
        assert (await ward.doctor.wait_for_text(ward.room, "and back", timeout=60)).encrypted
    assert_well_behaved(ward.bridge)


async def test_where_encryption_is_required_nothing_is_said_in_the_clear_until_it_is_turned_on(
    site: Site, wards: Colleagues, tmp_path: Path
) -> None:
    own = alone(site, tmp_path / "required")
    async with ward_of(own, wards, tmp_path, {"mode": "require"}, encrypted=False) as ward:
        await ward.doctor.send_text(ward.room, "too early")
        notice = await ward.doctor.timeline.wait_for(
            lambda seen: "not encrypted" in seen.body, timeout=40
        )
        assert notice.sender == f"@{site.app_service.bot}:{site.synapse.server_name}"
        assert "too early" not in ward.heard_so_far()

        await ward.doctor.turn_on_encryption(ward.room)
        await ward.doctor.until(lambda: ward.doctor.knows_device_of(notice.sender))
        await ward.doctor.send_text(ward.room, "in confidence")
        await ward.heard("in confidence", timeout=40)
        ward.say("likewise")
        assert (await ward.doctor.wait_for_text(ward.room, "likewise", timeout=40)).encrypted

        told = await consilium(own.directory / "config.yaml", "check")
        assert told.problems == []
        assert any("is known and cross-signed" in line for line in told.lines)
    assert_well_behaved(ward.bridge)


async def test_with_signed_devices_only_an_unsigned_one_gets_no_keys_and_is_not_heard(
    site: Site, wards: Colleagues, tmp_path: Path
) -> None:
    own = alone(site, tmp_path / "signed")
    encryption = {"mode": "allow", "devices": "signed"}
    async with ward_of(own, wards, tmp_path, encryption) as ward:
        await ward.doctor.send_text(ward.room, "from an unsigned device")
        # The notice about it is encrypted, too, and this device is not given its key
        await ward.doctor.until(lambda: bool(ward.doctor.locked), timeout=40)
        assert "from an unsigned device" not in ward.heard_so_far()
    assert_well_behaved(ward.bridge)


async def test_where_signing_is_required_and_refused_the_bridge_says_so_and_ends(
    site: Site, tmp_path: Path
) -> None:
    async with _unsigning(site.synapse.url) as url:
        own = alone(site, tmp_path / "unsigned")
        bridge = own.bridge({})
        more = {**bridge.config.more, "encryption": {"mode": "require"}}
        bridge.config = replace(bridge.config, homeserver_url=url, more=more)
        await bridge.launch()
        assert await bridge.wait(40) == 1
    log = bridge.log.read_text()
    assert "The bot's device is not signed by its own identity" in log
    assert "consilium registration" in log
    assert "Traceback" not in log


@asynccontextmanager
async def _unsigning(homeserver: str) -> AsyncIterator[str]:
    """Stands before a homeserver, and lets nobody make an identity."""

    async def pass_on(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/keys/device_signing/upload"):
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "No"}, status=403)
        headers = {"Authorization": request.headers.get("Authorization", "")}
        body, url = await request.read(), URL(homeserver + request.raw_path, encoded=True)
        kind = {"Content-Type": "application/json"} if body else {}
        async with http.request(request.method, url, data=body, headers=headers | kind) as answer:
            return web.json_response(body=await answer.read(), status=answer.status)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", pass_on)
    runner = web.AppRunner(application, access_log=None)
    async with aiohttp.ClientSession() as http:
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0).start()
        try:
            yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
