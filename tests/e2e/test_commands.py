"""Doctors and an admin talk to the bot, in the room of a portal and in private chats."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from bridge_runs import Site, running

from sandbox.bridge import Bridge, BridgeConfig, component_networks
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.matrix_user import MatrixEvent, MatrixUser
from sandbox.meeting import MATRIX_ROOM, Meeting
from sandbox.people import Colleagues, Doctors
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI, Staff
from sandbox.xmpp_user import RoomOptions

PATIENCE = 60.0


@dataclass(frozen=True)
class PermittingConfig(BridgeConfig):
    """A configuration that also says who may do what."""

    permissions: Mapping[str, str] | None = None

    def content(self) -> dict[str, Any]:
        return {**super().content(), "permissions": dict(self.permissions or {})}


@pytest.fixture(scope="module")
async def root(practice: Doctors) -> MatrixUser:
    """The bridge's admin."""
    return await practice.new("Root")


@pytest.fixture(scope="module")
def bot(site: Site) -> str:
    return f"@{site.app_service.bot}:{site.synapse.server_name}"


@pytest.fixture(scope="module")
async def meeting(site: Site, staff: Staff, wards: Colleagues, root: MatrixUser) -> Meeting:
    """A portal with a group at each hospital; the admin is in its room."""
    groups = {hospital: wards.new_room(hospital) for hospital in (HOSPITAL_A, HOSPITAL_B)}
    made = await staff.meet(site.app_service, groups)
    await staff.alice.invite(made.room, root.user_id)
    await root.join(made.room)
    return made


@pytest.fixture(scope="module")
async def muted(wards: Colleagues, staff: Staff) -> str:
    """A group where newcomers have no voice."""
    group = wards.new_room(HOSPITAL_B)
    await staff.dmitri.create_room(group, DMITRI, RoomOptions(moderated=True))
    return group


@pytest.fixture(scope="module")
async def muted_room(staff: Staff, bot: str) -> str:
    """The room of the portal that mirrors it."""
    return await staff.bram.create_room("Muted", invite=[bot, staff.alice.user_id])


@pytest.fixture(scope="module")
async def bridge(
    site: Site, meeting: Meeting, muted: str, muted_room: str, root: MatrixUser
) -> AsyncIterator[Bridge]:
    config = PermittingConfig(
        site.app_service,
        site.synapse.url,
        site.synapse.server_name,
        component_networks(site.prosody),
        {meeting.room: meeting.links(), muted_room: [(HOSPITAL_B.network, muted, "both")]},
        permissions={root.user_id: "admin"},
    )
    async with running(Bridge(site.directory, config)) as bridge:
        await meeting.everyone_is_there(timeout=PATIENCE)
        yield bridge


async def ask(
    user: MatrixUser, room: str, text: str, *, timeout: float = 15.0, **more: Any
) -> MatrixEvent:
    """Say something to the bot and return its answer."""
    return await answer_to(user, room, await user.send_text(room, text, **more), timeout=timeout)


async def answer_to(
    user: MatrixUser, room: str, event_id: str, *, timeout: float = 15.0
) -> MatrixEvent:
    return await user.wait_for(
        lambda event: (
            event.type == "m.room.message"
            and event.content.get("msgtype") == "m.notice"
            and replied_to(event) == event_id
        ),
        room=room,
        timeout=timeout,
    )


def replied_to(event: MatrixEvent) -> object:
    return event.content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")


def replying(event_id: str) -> dict[str, Any]:
    return {"m.relates_to": {"m.in_reply_to": {"event_id": event_id}}}


async def private_chat(user: MatrixUser, bot: str) -> str:
    """A direct chat with the bot, as Element makes one."""
    body = {"is_direct": True, "preset": "trusted_private_chat", "invite": [bot]}
    room = str((await user.request("POST", "/createRoom", body))["room_id"])
    await user.wait_for(
        lambda event: (
            event.type == "m.room.member"
            and event.state_key == bot
            and event.content.get("membership") == "join"
        ),
        room=room,
    )
    return room


async def test_help_answers_the_doctor_and_nobody_else(
    bridge: Bridge, meeting: Meeting, staff: Staff, bot: str
) -> None:
    before = meeting.mark()
    answer = await ask(staff.bram, meeting.room, "!help")
    await meeting.say(BRAM, "after the command")
    await meeting.arrived("after the command")

    assert answer.sender == bot
    assert "!status" in answer.body
    assert "!link " not in answer.body
    assert "<code>!status</code>" in answer.content["formatted_body"]
    seen = meeting.seen(before)
    for place in meeting.places[1:]:
        assert [line.text for line in seen[place]] == ["after the command"]


async def test_a_command_in_a_thread_is_answered_there(
    bridge: Bridge, meeting: Meeting, staff: Staff
) -> None:
    root = await staff.bram.send_text(meeting.room, "the case")
    relation = {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": root},
    }
    answer = await ask(staff.bram, meeting.room, "!status", **{"m.relates_to": relation})
    assert answer.content["m.relates_to"]["rel_type"] == "m.thread"
    assert answer.content["m.relates_to"]["event_id"] == root


async def test_status_tells_each_link_in_words(
    bridge: Bridge, meeting: Meeting, staff: Staff
) -> None:
    answer = await ask(staff.bram, meeting.room, "!status")
    for hospital, group in zip((HOSPITAL_A, HOSPITAL_B), meeting.places[1:], strict=True):
        assert f"✓ {hospital.name}, {group}" in answer.body
    assert answer.body.count("connected") == answer.body.count("nothing waits") == 2


async def test_a_slip_is_answered_with_what_was_meant_and_kept_from_the_networks(
    bridge: Bridge, meeting: Meeting, staff: Staff
) -> None:
    before = meeting.mark()
    answer = await ask(staff.bram, meeting.room, "!statsu")
    await meeting.say(BRAM, "!important")
    await meeting.arrived("!important")

    assert "Did you mean !status?" in answer.body
    assert "did not pass it on" in answer.body
    for place in meeting.places[1:]:
        assert [line.text for line in meeting.seen(before)[place]] == ["!important"]


async def test_an_edited_command_is_neither_run_again_nor_carried(
    bridge: Bridge, meeting: Meeting, staff: Staff, bot: str
) -> None:
    event_id = await staff.bram.send_text(meeting.room, "!links")
    await answer_to(staff.bram, meeting.room, event_id)
    before, seen = meeting.mark(), len(staff.bram.timeline)
    edit = {
        "m.new_content": {"msgtype": "m.text", "body": "!status"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
    }
    await staff.bram.send_text(meeting.room, "* !status", **edit)
    await ask(staff.bram, meeting.room, "!help")
    await meeting.say(BRAM, "after the edit")
    await meeting.arrived("after the edit")

    answers = [each for each in list(staff.bram.timeline)[seen:] if each.sender == bot]
    assert len(answers) == 1
    for place in meeting.places[1:]:
        assert [line.text for line in meeting.seen(before)[place]] == ["after the edit"]


async def test_what_a_colleague_writes_is_never_a_command(
    bridge: Bridge, meeting: Meeting, staff: Staff, bot: str
) -> None:
    before, seen = meeting.mark(), len(staff.alice.timeline)
    await meeting.say(CHIARA, "!status")
    await meeting.arrived("!status")
    await ask(staff.alice, meeting.room, "!help")

    answers = [each for each in list(staff.alice.timeline)[seen:] if each.sender == bot]
    assert len(answers) == 1
    assert [line.text for line in meeting.seen(before)[meeting.places[2]]] == ["!status"]


async def test_only_an_admin_links_redirects_and_unlinks(
    bridge: Bridge,
    meeting: Meeting,
    staff: Staff,
    wards: Colleagues,
    root: MatrixUser,
) -> None:
    group = wards.new_room(HOSPITAL_A)
    await staff.chiara.create_room(group, CHIARA)
    what = f"{HOSPITAL_A.network} {group}"

    refused = await ask(staff.alice, meeting.room, f"!link {what} both")
    assert "Only an admin of the bridge" in refused.body
    assert root.user_id in refused.body

    linked = await ask(root, meeting.room, f"!link {what}")
    assert "inward-only" in linked.body
    await staff.chiara.wait_for_occupant(group, "Consilium", timeout=30)
    staff.chiara.say(group, "from the new group")
    await staff.alice.wait_for_text(meeting.room, "from the new group", timeout=30)
    await meeting.say(ALICE, "not for the new group")
    await meeting.arrived("not for the new group")

    opened = await ask(root, meeting.room, f"!direction {what} both")
    assert "goes out" in opened.body
    await staff.chiara.wait_for_occupant(group, ALICE, timeout=30)
    await meeting.say(ALICE, "for the new group too")
    await staff.chiara.wait_for_text(group, "for the new group too", timeout=30)

    listed = await ask(staff.bram, meeting.room, "!links")
    assert f"{group}: both ways; made with a command" in listed.body
    configured = f"{HOSPITAL_A.network} {meeting.places[1]}"
    kept = await ask(root, meeting.room, f"!unlink {configured}")
    assert "comes from the configuration file" in kept.body

    await ask(root, meeting.room, f"!unlink {what}")
    await staff.chiara.wait_for_absence(group, "Consilium", timeout=30)
    heard = [each.body for each in staff.chiara.messages if each.room == group and each.body]
    assert heard == ["from the new group", "for the new group too"]


async def test_a_private_chat_is_joined_listens_without_the_sign_and_is_left(
    bridge: Bridge, meeting: Meeting, staff: Staff, bot: str, root: MatrixUser
) -> None:
    room = await private_chat(staff.bram, bot)
    assert "!status" in (await ask(staff.bram, room, "help")).body
    assert "All is well in 2 linked rooms" in (await ask(staff.bram, room, "status")).body
    refused = await ask(staff.bram, room, f"!unlink {HOSPITAL_A.network} {meeting.places[1]}")
    assert "Only an admin" in refused.body
    assert "I don't know good" in (await ask(staff.bram, room, "good morning")).body

    chat = await private_chat(root, bot)
    assert meeting.places[1] in (await ask(root, chat, "!links")).body
    await root.leave(chat)
    await staff.bram.invite(room, root.user_id)
    await root.join(room)
    await ask(root, room, "!status")
    assert meeting.places[1] not in (await ask(root, room, "!links")).body


async def test_an_admin_links_a_room_from_a_private_chat(
    bridge: Bridge, staff: Staff, bot: str, root: MatrixUser, wards: Colleagues
) -> None:
    group = wards.new_room(HOSPITAL_A)
    await staff.chiara.create_room(group, CHIARA)
    chat = await private_chat(root, bot)
    room = await root.create_room("New ward", invite=[bot])
    what = f"{HOSPITAL_A.network} {group}"

    assert "which room" in (await ask(root, chat, f"link {what}")).body
    assert "inward-only" in (await ask(root, chat, f"link {room} {what}")).body
    await staff.chiara.wait_for_occupant(group, "Consilium", timeout=30)
    staff.chiara.say(group, "to the new ward")
    await root.wait_for_text(room, "to the new ward", timeout=30)
    assert "No longer linked" in (await ask(root, chat, f"unlink {what}")).body


async def test_what_was_refused_is_tried_again_by_its_author(
    bridge: Bridge, staff: Staff, muted: str, muted_room: str
) -> None:
    await staff.alice.join(muted_room)
    await staff.dmitri.wait_for_occupant(muted, ALICE, timeout=30)
    event_id = await staff.alice.send_text(muted_room, "without a voice")
    told = await until_status(staff.alice, muted_room, "not delivered")
    assert "no voice" in told.body

    refused = await ask(staff.alice, muted_room, "!retry")
    assert "Only a moderator" in refused.body
    jid = staff.dmitri.occupants(muted)[ALICE].jid.partition("/")[0]
    await staff.dmitri.set_affiliation(muted, jid, "member")
    again = await ask(staff.alice, muted_room, "!retry", **replying(event_id))
    assert "Trying again now: 1 delivery" in again.body
    await staff.dmitri.wait_for_text(muted, "without a voice", timeout=30)
    nothing = await ask(staff.bram, muted_room, "!retry")
    assert "Nothing was set aside" in nothing.body


async def until_status(user: MatrixUser, room: str, part: str) -> MatrixEvent:
    """Ask for the status until it says something; what is behind it is written down in groups."""
    for _ in range(40):
        answer = await ask(user, room, "!status")
        if part in answer.body:
            return answer
    pytest.fail(f"the status never said {part!r}, but: {answer.body}")


async def test_status_tells_since_when_and_why_a_network_is_away(
    bridge: Bridge, meeting: Meeting, staff: Staff, site: Site, bot: str
) -> None:
    chat = await private_chat(staff.alice, bot)
    await site.prosody.stop()
    try:
        await staff.alice.send_text(meeting.room, "while it is away")
        answer = await until_status(staff.alice, meeting.room, "1 message waiting")
        assert "away for less than a minute: " in answer.body
        overview = await ask(staff.alice, chat, "status")
        assert f"✗ {HOSPITAL_A.name}" in overview.body
        assert (await ask(staff.alice, meeting.room, "!retry")).body.startswith("Nothing was set")
    finally:
        await site.prosody.start()
        for name, colleague in meeting.colleagues.items():
            await colleague.user.connect()
            await colleague.user.join(colleague.group, name, history=50)
    await meeting.arrived("while it is away", timeout=PATIENCE)
    await meeting.arrived("while it is away", [MATRIX_ROOM])
