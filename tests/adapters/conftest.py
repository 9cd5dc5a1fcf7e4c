"""A real Prosody with rooms of two kinds, colleagues in them, and the adapter under test; and real
mail servers (see mail_fixtures.py).
"""

from collections.abc import AsyncIterator

import pytest
from mail_fixtures import anna, bram, mail_bridge, mail_list, mail_servers, mailbox  # noqa: F401
from xmpp_lab import (
    COMPONENT,
    DOMAIN,
    MUC,
    PLAIN_MUC,
    SECRET,
    UPLOADS,
    Bridge,
    account_settings,
    component_settings,
    new_room,
    running,
)

from sandbox.prosody import Prosody
from sandbox.xmpp_user import RoomOptions, XmppUser


@pytest.fixture(scope="session")
async def xmpp_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prosody]:
    more = f"""
muc_tombstones = false
Component "{PLAIN_MUC}" "muc"
  muc_occupant_id = false
"""
    server = Prosody(
        tmp_path_factory.mktemp("xmpp"),
        hosts=[DOMAIN],
        mucs=[MUC],
        components={COMPONENT: SECRET, "other.hospital.test": "other"},
        more_config=more,
    )
    server.uploads = UPLOADS
    server.modules += ("vcard_legacy",)
    server.muc_modules += ("muc_moderation", "vcard_muc")
    async with server:
        for name in ("cora", "carl", "bridge"):
            await server.add_user(f"{name}@{DOMAIN}", "password")
        yield server


@pytest.fixture
async def cora(xmpp_server: Prosody) -> AsyncIterator[XmppUser]:
    """A colleague, who owns the rooms."""
    async with XmppUser(f"cora@{DOMAIN}", "password", xmpp_server.client_port) as user:
        yield user


@pytest.fixture
async def carl(xmpp_server: Prosody) -> AsyncIterator[XmppUser]:
    """Another colleague."""
    async with XmppUser(f"carl@{DOMAIN}", "password", xmpp_server.client_port) as user:
        yield user


@pytest.fixture(params=[MUC, PLAIN_MUC], ids=["archived", "plain"])
async def room(request: pytest.FixtureRequest, cora: XmppUser) -> str:
    """A room whose owner is present, of either kind."""
    name = new_room(request.param)
    await cora.create_room(name, "Cora", RoomOptions(shows_addresses=False))
    return name


@pytest.fixture
async def ward(cora: XmppUser) -> str:
    """A room with all features, whose owner is present."""
    name = new_room()
    await cora.create_room(name, "Cora", RoomOptions(shows_addresses=False))
    return name


@pytest.fixture
async def component(xmpp_server: Prosody) -> AsyncIterator[Bridge]:
    async with running(component_settings(xmpp_server)) as bridge:
        await bridge.inlet.up(None)
        yield bridge


@pytest.fixture
async def account(xmpp_server: Prosody) -> AsyncIterator[Bridge]:
    async with running(account_settings(xmpp_server)) as bridge:
        await bridge.inlet.up(None)
        yield bridge


@pytest.fixture(params=["component", "account"])
async def either(request: pytest.FixtureRequest, xmpp_server: Prosody) -> AsyncIterator[Bridge]:
    make = component_settings if request.param == "component" else account_settings
    async with running(make(xmpp_server)) as bridge:
        await bridge.inlet.up(None)
        yield bridge
