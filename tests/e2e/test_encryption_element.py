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


async def test_it_shows_an_edit_of_a_ghost_without_a_shield(ward: Ward, strict: JsUser) -> None:
    said = ward.colleague.say(ward.group, "Twenty milligrams")
    first = await strict.wait_for_text(ward.room, "Twenty milligrams")
    ward.colleague.edit(ward.group, said, "Two milligrams")
    changed = await strict.timeline.wait_for(
        lambda shown: "Two milligrams" in str(shown.content.get("m.new_content")), timeout=30
    )
    assert (changed.encrypted, changed.shield) == (True, "none")
    relation = changed.content["m.relates_to"]
    assert (relation["rel_type"], relation["event_id"]) == ("m.replace", first.id)


async def test_reactions_to_encrypted_messages_go_both_ways(ward: Ward, strict: JsUser) -> None:
    event_id = await strict.send_text(ward.room, "Agreed?")
    heard = await ward.colleague.wait_for_text(ward.group, "Agreed?", timeout=30)
    ward.colleague.react(ward.group, heard.stanza_id, "👍")
    await strict.timeline.wait_for(
        lambda shown: (
            shown.type == "m.reaction" and shown.content["m.relates_to"]["event_id"] == event_id
        ),
        timeout=30,
    )
    ward.say("Agreed.")
    answer = await strict.wait_for_text(ward.room, "Agreed.")
    relation = {"rel_type": "m.annotation", "event_id": answer.id, "key": "🎉"}
    await strict.send(ward.room, "m.reaction", {"m.relates_to": relation})
    await ward.colleague.wait_for(
        lambda seen: seen.room == ward.group and "🎉" in str(seen.stanza), timeout=30
    )


async def test_an_encrypted_file_of_a_doctor_is_shown_in_the_group(ward: Ward) -> None:
    await ward.doctor.send_file(ward.room, "ecg.txt", b"PQRST " * 5000, "text/plain")
    await ward.colleague.wait_for(
        lambda seen: seen.room == ward.group and "ecg.txt" in seen.body, timeout=40
    )
