"""What a client with Element's crypto shows of the bridge: no error, and no shield."""

from collections.abc import AsyncIterator

import pytest
from bridge_runs import Site, assert_well_behaved
from encrypted_ward import Ward, doctor_of, ward_of

from sandbox.js_user import JsUser, node
from sandbox.people import PASSWORD, Colleagues

pytestmark = pytest.mark.skipif(node() is None, reason="there is no Node 20")


@pytest.fixture(scope="module")
async def ward(
    site: Site, wards: Colleagues, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ward]:
    directory = tmp_path_factory.mktemp("clients")
    async with ward_of(site, wards, directory, {"mode": "allow"}) as made:
        yield made
    assert_well_behaved(made.bridge)


@pytest.fixture(scope="module")
async def strict(ward: Ward) -> AsyncIterator[JsUser]:
    """A client that has nothing to do with devices that their users have not signed."""
    user_id = await doctor_of(ward.site, "Dr. Strict")
    url = ward.site.synapse.url
    async with await JsUser.log_in(url, user_id, PASSWORD, strict=True) as user:
        await ward.doctor.invite(ward.room, user_id)
        await user.join(ward.room)
        yield user


async def test_it_shows_what_a_ghost_says_without_a_shield(ward: Ward, strict: JsUser) -> None:
    ward.say("Give calcium")
    shown = await strict.wait_for_text(ward.room, "Give calcium")
    assert (shown.encrypted, shown.failure) == (True, None)
    assert (shown.shield, shown.why) == ("none", None)


async def test_what_it_says_is_heard_in_the_group(ward: Ward, strict: JsUser) -> None:
    await strict.send_text(ward.room, "Ten millilitres of ten percent")
    assert await ward.heard("Ten millilitres of ten percent") == "Dr. Strict"


async def test_it_trusts_the_device_of_the_bot(ward: Ward, strict: JsUser) -> None:
    bot = f"@{ward.site.app_service.bot}:{ward.site.synapse.server_name}"
    devices = await strict.signed_devices(bot)
    assert list(devices.values()) == [True]
