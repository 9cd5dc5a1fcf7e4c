"""What doctors see of their messages in Element, while a hospital is away or refuses them.

Each hospital has a server of its own here, because one is stopped.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from bridge_runs import assert_well_behaved

from sandbox.appservice import AppService
from sandbox.bridge import Bridge, BridgeConfig, component_networks
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B, HOSPITALS
from sandbox.matrix_user import MatrixEvent, MatrixUser
from sandbox.meeting import Meeting
from sandbox.people import Colleagues, Doctors
from sandbox.prosody import Prosody
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI, Staff
from sandbox.synapse import Synapse

LISTENER = "Consilium"
PATIENCE = 60.0
STATUS = {"after": "2s", "away_after": "4s"}
STATUS_EVENT = "com.beeper.message_send_status"


@pytest.fixture(scope="module")
async def prosodies(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Prosody, Prosody]]:
    """The servers of the two hospitals."""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                Prosody.of([hospital], tmp_path_factory.mktemp(hospital.network))
            )
            for hospital in HOSPITALS
        ]
        yield servers[0], servers[1]


@pytest.fixture(scope="module")
async def meeting(
    synapse: Synapse, prosodies: tuple[Prosody, Prosody], app_service: AppService
) -> AsyncIterator[Meeting]:
    async with Doctors(synapse) as doctors, AsyncExitStack() as stack:
        at_a, at_b = [await stack.enter_async_context(Colleagues(each)) for each in prosodies]
        staff = Staff(
            await doctors.new(ALICE),
            await doctors.new(BRAM),
            await at_a.new(HOSPITAL_A),
            await at_b.new(HOSPITAL_B),
        )
        groups = {HOSPITAL_A: at_a.new_room(HOSPITAL_A), HOSPITAL_B: at_b.new_room(HOSPITAL_B)}
        yield await staff.meet(app_service, groups)


@pytest.fixture(scope="module")
async def bridge(  # noqa: PLR0917 - the servers and people it is between
    synapse: Synapse,
    prosodies: tuple[Prosody, Prosody],
    app_service: AppService,
    meeting: Meeting,
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Bridge]:
    networks: dict[str, Any] = {}
    for hospital, prosody in zip(HOSPITALS, prosodies, strict=True):
        networks |= component_networks(prosody, [hospital])
    config = BridgeConfig(
        app_service,
        synapse.url,
        synapse.server_name,
        networks,
        {meeting.room: meeting.links()},
        database_url,
        more={"status": STATUS},
    )
    directory: Path = tmp_path_factory.mktemp("bridge")
    async with Bridge(directory, config) as running:
        await meeting.everyone_is_there(timeout=PATIENCE)
        yield running
    assert_well_behaved(running)


@dataclass(frozen=True)
class Eyes:
    """What a doctor sees the bot do in the room, from some moment on."""

    user: MatrixUser
    room: str
    bot: str
    after: int

    @classmethod
    def of(cls, meeting: Meeting, app_service: AppService) -> "Eyes":
        user = meeting.host
        bot = f"@{app_service.bot}:{user.user_id.partition(':')[2]}"
        return cls(user, meeting.room, bot, len(user.timeline))

    async def event(self, type_: str, **relation: str) -> MatrixEvent:
        """The bot's first event of this type that relates so."""

        def fits(event: MatrixEvent) -> bool:
            found = event.content.get("m.relates_to", {})
            return (
                event.sender == self.bot
                and event.type == type_
                and all(found.get(key) == value for key, value in relation.items())
            )

        return await self.user.wait_for(fits, room=self.room, timeout=PATIENCE, after=self.after)

    async def note(self, begins: str) -> MatrixEvent:
        """The bot's first note that begins so, or was changed to begin so."""

        def fits(event: MatrixEvent) -> bool:
            body = event.content.get("m.new_content", event.content).get("body", "")
            return event.sender == self.bot and body.startswith(begins)

        return await self.user.wait_for(fits, room=self.room, timeout=PATIENCE, after=self.after)

    async def is_gone(self, event: MatrixEvent) -> None:
        """Return once the bot has deleted its event."""
        path = f"/rooms/{quote(self.room)}/event/{quote(event.id)}"

        async def deleted() -> bool:
            return not (await self.user.request("GET", path))["content"]

        seen = self.after
        while not await deleted():
            await self.user.wait_for(
                lambda each: each.type == "m.room.redaction" and each.sender == self.bot,
                room=self.room,
                timeout=PATIENCE,
                after=seen,
            )
            seen = len(self.user.timeline)

    def notes(self) -> list[MatrixEvent]:
        """The bot's notes, without their changes."""
        return [
            event
            for event in list(self.user.timeline)[self.after :]
            if event.sender == self.bot
            and event.type == "m.room.message"
            and "m.new_content" not in event.content
        ]


@pytest.fixture
def eyes(bridge: Bridge, meeting: Meeting, app_service: AppService) -> Eyes:
    return Eyes.of(meeting, app_service)


async def say(meeting: Meeting, text: str) -> str:
    """Have Dr. Alice say it; the event's id."""
    return await meeting.doctors[ALICE].send_text(meeting.room, text)


async def come_back(meeting: Meeting, name: str) -> None:
    """Let a colleague log in and enter their group again."""
    colleague = meeting.colleagues[name]
    if not colleague.user.connected:
        await colleague.user.connect()
    if colleague.group not in colleague.user.nicks:
        await colleague.user.join(colleague.group, name, history=50)


def heard_at_a(meeting: Meeting) -> list[str]:
    return [message.body for message in meeting.messages(meeting.colleagues[CHIARA].group)]


async def test_a_message_that_arrives_everywhere_shows_nothing(
    bridge: Bridge, meeting: Meeting, eyes: Eyes
) -> None:
    await say(meeting, "all is well")
    await meeting.arrived("all is well")
    await meeting.settle(timeout=PATIENCE)
    seen = [each for each in list(eyes.user.timeline)[eyes.after :] if each.sender == eyes.bot]
    assert seen == []


async def test_while_a_hospital_is_away_it_shows_at_the_message_and_in_the_room(
    bridge: Bridge, meeting: Meeting, eyes: Eyes, prosodies: tuple[Prosody, Prosody]
) -> None:
    await prosodies[1].stop()
    event_id = await say(meeting, "into a hole")
    await meeting.arrived("into a hole", [meeting.places[1]])
    mark = await eyes.event("m.reaction", event_id=event_id, rel_type="m.annotation")
    text = mark.content["m.relates_to"]["key"]
    assert text == "⏳ 1 of 2 delivered; Hospital B: not reachable, retrying"
    pending = await eyes.event(STATUS_EVENT, event_id=event_id, rel_type="m.reference")
    assert (pending.content["status"], pending.content["network"]) == ("PENDING", "hospital-b")
    note = await eyes.note("Hospital B has not been reachable since ")

    await bridge.restart()
    await prosodies[1].start()
    await come_back(meeting, DMITRI)
    await meeting.arrived("into a hole", timeout=PATIENCE)
    await eyes.is_gone(mark)
    change = await eyes.note("Hospital B was away for ")
    assert change.content["m.relates_to"] == {"rel_type": "m.replace", "event_id": note.id}
    assert change.content["m.new_content"]["body"].endswith("Everything kept was sent.")
    assert [each.id for each in eyes.notes()] == [note.id]
    await eyes.user.wait_for(
        lambda each: each.type == STATUS_EVENT and each.content["status"] == "SUCCESS",
        timeout=PATIENCE,
        after=eyes.after,
    )
    await meeting.everyone_is_there(timeout=PATIENCE)
    assert not any("⏳" in text or "Hospital B was" in text for text in heard_at_a(meeting))


async def test_a_doctor_who_is_banned_sees_why_and_tries_again_with_a_reaction(
    bridge: Bridge, meeting: Meeting, eyes: Eyes
) -> None:
    dmitri = meeting.colleagues[DMITRI]
    address = dmitri.user.occupants(dmitri.group)[ALICE].jid.partition("/")[0]
    await dmitri.user.set_affiliation(dmitri.group, address, "outcast")
    await dmitri.user.wait_for_absence(dmitri.group, ALICE, timeout=PATIENCE)
    event_id = await say(meeting, "let me in")
    note = await eyes.event("m.room.message", event_id=event_id, rel_type="m.thread")
    assert note.content["msgtype"] == "m.notice"
    assert note.body.startswith(f"Not delivered to Hospital B: {ALICE} is banned from the room ")
    assert note.body.endswith("react with 🔁 to this message or write !retry.")
    status = await eyes.event(STATUS_EVENT, event_id=event_id)
    assert status.content["status"] == "FAIL_PERMANENT"

    await dmitri.user.set_affiliation(dmitri.group, address, "none")
    relation = {"rel_type": "m.annotation", "event_id": event_id, "key": "🔁"}
    await meeting.doctors[BRAM].send_event(
        meeting.room, "m.reaction", {"m.relates_to": relation | {"key": "🔄"}}
    )  # who did not write it, and so may not
    await eyes.user.send_event(meeting.room, "m.reaction", {"m.relates_to": relation})
    await meeting.arrived("let me in", timeout=PATIENCE)
    change = await eyes.note("✓ Delivered everywhere now.")
    assert change.content["m.relates_to"] == {"rel_type": "m.replace", "event_id": note.id}
    await meeting.settle(timeout=PATIENCE)
    assert heard_at_a(meeting).count("let me in") == 1
    assert not any("Not delivered" in text for text in heard_at_a(meeting))


async def test_when_the_bridge_is_banned_the_room_is_told_at_once_who_can_help(
    bridge: Bridge, meeting: Meeting, eyes: Eyes
) -> None:
    dmitri = meeting.colleagues[DMITRI]
    address = dmitri.user.occupants(dmitri.group)[LISTENER].jid.partition("/")[0]
    await dmitri.user.set_affiliation(dmitri.group, address, "outcast")
    note = await eyes.note(f"Hospital B: {LISTENER} is banned from the room {dmitri.group}.")
    assert "Ask an owner of the room to lift the ban." in note.body
    await dmitri.user.set_affiliation(dmitri.group, address, "none")
    change = await eyes.note("Hospital B was away for 1 minute ")
    assert change.content["m.relates_to"] == {"rel_type": "m.replace", "event_id": note.id}
    await meeting.everyone_is_there(timeout=PATIENCE)


async def test_an_encrypted_message_is_answered_with_one_plain_sentence(
    bridge: Bridge, meeting: Meeting, eyes: Eyes
) -> None:
    secret = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "y"}
    for _ in range(3):
        await eyes.user.send_event(meeting.room, "m.room.encrypted", secret)
    note = await eyes.note("A message was not passed on: it is encrypted")
    await meeting.settle(timeout=PATIENCE)
    assert [each.id for each in eyes.notes()] == [note.id]
