"""`check` says in plain sentences what is wrong, and what to do."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cable import Cable
from xmpp_lab import (
    ANN,
    COMPONENT,
    DOMAIN,
    NETWORK,
    QUICK,
    Bridge,
    Recorder,
    account_settings,
    component_settings,
    new_room,
)

from adapters.xmpp.check import examine
from adapters.xmpp.network import XmppNetwork
from adapters.xmpp.settings import XmppSettings
from bridge.contract import Finding
from sandbox.ports import free_port
from sandbox.prosody import Prosody
from sandbox.xmpp_user import RoomOptions, XmppUser


async def check(settings: XmppSettings, *rooms: str) -> list[Finding]:
    async with asyncio.timeout(21):
        network = XmppNetwork(NETWORK, "Hospital", settings, Recorder())
        return list(await network.check(rooms))


async def only(settings: XmppSettings) -> Finding:
    (finding,) = await check(settings)
    return finding


@pytest.mark.parametrize("make", [component_settings, account_settings])
async def test_all_is_well(xmpp_server: Prosody, cora: XmppUser, room: str, make) -> None:
    findings = await check(make(xmpp_server), room)
    assert [each.ok for each in findings] == [True, True]
    assert "can be entered" in findings[1].sentence
    await cora.wait_for_absence(room, "Consilium")


@pytest.mark.parametrize("make", [component_settings, account_settings])
async def test_nothing_listens(xmpp_server: Prosody, make) -> None:
    finding = await only(make(xmpp_server, port=free_port()))
    assert not finding.ok
    assert "can't be reached (connection refused)" in finding.sentence
    assert "Start the XMPP server" in finding.advice


async def test_the_host_does_not_exist(xmpp_server: Prosody) -> None:
    finding = await only(component_settings(xmpp_server, host="nowhere.invalid"))
    assert not finding.ok
    assert "can't be reached" in finding.sentence


@pytest.mark.parametrize("make", [component_settings, account_settings])
async def test_the_server_says_nothing(xmpp_server: Prosody, make) -> None:
    async with Cable(xmpp_server.component_port) as cable:
        cable.block()
        settings = make(xmpp_server, port=cable.port)
        (finding,) = await examine(settings, "Hospital", [], replace(QUICK, connect=0.5))
        assert not finding.ok
        assert "does not answer" in finding.sentence


async def test_the_secret_is_wrong(xmpp_server: Prosody) -> None:
    finding = await only(component_settings(xmpp_server, secret="wrong"))
    assert not finding.ok
    assert "does not accept the secret" in finding.sentence
    assert "same secret" in finding.advice


async def test_the_component_is_unknown(xmpp_server: Prosody) -> None:
    finding = await only(component_settings(xmpp_server, jid="unknown.hospital.test"))
    assert not finding.ok
    assert "does not know unknown.hospital.test" in finding.sentence
    assert "Add the component" in finding.advice


async def test_the_password_is_wrong(xmpp_server: Prosody) -> None:
    finding = await only(account_settings(xmpp_server, password="wrong"))
    assert not finding.ok
    assert f"does not accept the password of bridge@{DOMAIN}" in finding.sentence


async def test_the_bridge_is_running(component: Bridge, xmpp_server: Prosody, ward: str) -> None:
    await component.enter(ward, ANN)
    finding = await only(component_settings(xmpp_server))
    assert finding.ok
    assert "the bridge is running" in finding.sentence


async def test_a_room_does_not_exist_and_is_not_made(xmpp_server: Prosody, cora: XmppUser) -> None:
    room = new_room()
    finding = (await check(component_settings(xmpp_server), room))[1]
    assert not finding.ok
    assert "does not exist" in finding.sentence
    assert "create_rooms" in finding.advice
    finding = (await check(component_settings(xmpp_server, create_rooms=True), room))[1]
    assert finding.ok
    await cora.create_room(room, "Cora")  # raises when it exists


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (RoomOptions(members_only=True), "for members only"),
        (RoomOptions(password="secret"), "asks for a password"),
    ],
)
async def test_a_room_is_closed(
    xmpp_server: Prosody, cora: XmppUser, options: RoomOptions, sentence: str
) -> None:
    room = new_room()
    await cora.create_room(room, "Cora", options)
    finding = (await check(component_settings(xmpp_server), room))[1]
    assert not finding.ok
    assert sentence in finding.sentence
    assert "member" in finding.advice


async def test_the_bridge_is_banned(xmpp_server: Prosody, cora: XmppUser, ward: str) -> None:
    await cora.set_affiliation(ward, f"consilium@{COMPONENT}", "outcast")
    finding = (await check(component_settings(xmpp_server), ward))[1]
    assert not finding.ok
    assert "banned" in finding.sentence
    assert "lift the ban" in finding.advice


async def test_a_moderated_room_gets_a_hint(xmpp_server: Prosody, cora: XmppUser) -> None:
    room = new_room()
    await cora.create_room(room, "Cora", RoomOptions(moderated=True))
    finding = (await check(component_settings(xmpp_server), room))[1]
    assert finding.ok
    assert "moderated" in finding.sentence


async def test_a_room_on_a_server_that_is_not_there(xmpp_server: Prosody) -> None:
    finding = (await check(component_settings(xmpp_server), "ward@muc.nowhere.test"))[1]
    assert not finding.ok


async def test_no_encryption_is_offered(xmpp_server: Prosody) -> None:
    finding = await only(account_settings(xmpp_server, tls="required"))
    assert not finding.ok
    assert "offers no encryption" in finding.sentence


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signs itself; its key is beside it."""
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", directory / "key.pem", "-out", directory / "cert.pem"),
            *("-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:{DOMAIN}"),
        ],
        check=True,
        capture_output=True,
    )
    return directory / "cert.pem"


@pytest.fixture(scope="module")
async def tls_server(certificate: Path) -> AsyncIterator[Prosody]:
    directory = certificate.parent
    more = f"""
modules_disabled = {{ "s2s" }}
modules_enabled = {{ "roster", "saslauth", "disco", "ping", "tls" }}
c2s_require_encryption = true
ssl = {{ certificate = "{certificate}", key = "{directory / "key.pem"}" }}
"""
    async with Prosody(directory, hosts=[DOMAIN], more_config=more) as server:
        await server.add_user(f"bridge@{DOMAIN}", "password")
        yield server


async def test_a_certificate_nobody_vouches_for(tls_server: Prosody) -> None:
    finding = await only(account_settings(tls_server, tls="required"))
    assert not finding.ok
    assert "certificate" in finding.sentence
    assert "ca" in finding.advice


async def test_a_certificate_of_an_own_authority(tls_server: Prosody, certificate: Path) -> None:
    finding = await only(account_settings(tls_server, tls="required", ca=certificate))
    assert finding.ok, finding.sentence


async def test_a_name_with_several_addresses_at_none_of_which_anything_listens(
    xmpp_server: Prosody,
) -> None:
    finding = await only(component_settings(xmpp_server, host="localhost", port=free_port()))
    assert "(connection refused)" in finding.sentence
