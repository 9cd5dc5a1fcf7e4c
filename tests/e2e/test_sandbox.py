"""The sandbox itself: what other tests, the demo and the benchmark build on."""

import asyncio
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sandbox.appservice import AppService
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B, HOSPITALS
from sandbox.journal import Journal
from sandbox.matrix_user import MatrixError, MatrixUser
from sandbox.people import PASSWORD, Colleagues, Doctors
from sandbox.ports import LOOPBACK, is_listening
from sandbox.process import Process, ProcessError
from sandbox.prosody import Prosody
from sandbox.synapse import Synapse
from sandbox.xmpp_user import RoomOptions, XmppUser


async def test_colleagues_of_two_hospitals_hear_each_other(colleagues: Colleagues):
    room = colleagues.new_room(HOSPITAL_A)
    ada, bob = await colleagues.new(HOSPITAL_A), await colleagues.new(HOSPITAL_B)
    await ada.create_room(room, "Ada")
    await bob.join(room, "Bob")
    await ada.wait_for_occupant(room, "Bob")

    sent = ada.say(room, "The potassium is 6.1")
    heard = await bob.wait_for_text(room, "The potassium is 6.1")
    bob.say(room, "/me nods")
    answer = await ada.wait_for_text(room, "/me nods")

    assert (heard.nick, heard.id, heard.origin_id) == ("Ada", sent, sent)
    assert heard.stanza_id
    assert heard.delayed_since is None
    assert heard.occupant_id == ada.occupants(room)["Ada"].occupant_id != answer.occupant_id


async def test_a_room_shows_who_comes_is_renamed_and_goes(colleagues: Colleagues):
    room = colleagues.new_room()
    ada, bob = await colleagues.new(), await colleagues.new()
    await ada.create_room(room, "Ada", RoomOptions(title="Case 7"))
    await bob.join(room, "Bob")
    await bob.change_nick(room, "Dr. Bob")
    await ada.wait_for_occupant(room, "Dr. Bob")
    with pytest.raises(PermissionError, match="conflict"):
        await bob.change_nick(room, "Ada")

    ada.set_subject(room, "A heart")
    assert (await bob.subjects.wait_for(lambda new: new.subject == "A heart")).nick == "Ada"

    await ada.kick(room, "Dr. Bob", "too loud")
    await bob.presences.wait_until(lambda: room not in bob.nicks)
    await ada.wait_for_absence(room, "Dr. Bob")

    await bob.join(room, "Bob")
    await bob.leave(room)
    await ada.wait_for_absence(room, "Bob")
    assert list(ada.occupants(room)) == ["Ada"]

    await ada.destroy(room, "closed")
    await ada.presences.wait_until(lambda: room not in ada.nicks)


async def test_a_room_and_its_history_survive_a_restart_of_prosody(tmp_path: Path):
    room = HOSPITAL_A.room("case")
    async with Prosody.of(HOSPITALS, tmp_path) as prosody, Colleagues(prosody) as colleagues:
        ada = await colleagues.new()
        await ada.create_room(room, "Ada")
        ada.say(room, "before")
        before = await ada.wait_for_text(room, "before")

        await prosody.restart()
        assert not ada.connected
        await ada.connect()
        mark = len(ada.messages)
        await ada.join(room, "Ada", history=10)
        again = await ada.wait_for(lambda heard: heard.body == "before", after=mark)
        ada.say(room, "after")
        await ada.wait_for_text(room, "after")

    assert again.stanza_id == before.stanza_id
    assert again.delayed_since is not None


async def test_a_paused_prosody_answers_nobody_until_it_goes_on(tmp_path: Path):
    room = HOSPITAL_A.room("case")
    async with Prosody.of(HOSPITALS, tmp_path) as prosody, Colleagues(prosody) as colleagues:
        ada = await colleagues.new()
        await ada.create_room(room, "Ada")
        prosody.pause()
        ada.say(room, "anybody?")
        with pytest.raises(TimeoutError, match=r"did not come within 0\.2 s"):
            await ada.wait_for_text(room, "anybody?", timeout=0.2)
        prosody.resume()
        await ada.wait_for_text(room, "anybody?")


async def test_a_wrong_password_is_told(tmp_path: Path):
    async with Prosody.of(HOSPITALS, tmp_path) as prosody:
        stranger = XmppUser(f"stranger@{HOSPITAL_A.domain}", "guessed", prosody.client_port)
        with pytest.raises(PermissionError, match="wrong password"):
            await stranger.connect()


async def test_doctors_read_each_other_and_see_who_is_there(doctors: Doctors):
    adams, brown = await doctors.new("Dr. Adams"), await doctors.new("Dr. Brown")
    room = await adams.create_room("Case 7", invite=[brown.user_id])
    await brown.invites.wait_for(lambda invitation: invitation == room)
    await brown.join(room)
    await adams.wait_for(lambda event: event.state_key == brown.user_id)

    sent = await adams.send_text(room, "The potassium is 6.1")
    assert (await brown.wait_for_text(room, "The potassium is 6.1")).id == sent
    await brown.send_emote(room, "nods")
    assert (await adams.wait_for_text(room, "nods")).content["msgtype"] == "m.emote"
    await adams.set_topic(room, "A heart")
    await brown.wait_for(lambda event: event.content.get("topic") == "A heart")

    messages = await brown.messages(room)
    assert [message.body for message in messages] == ["The potassium is 6.1", "nods"]
    assert await brown.members(room) == {adams.user_id: "Dr. Adams", brown.user_id: "Dr. Brown"}
    with pytest.raises(MatrixError, match="M_FORBIDDEN"):
        await brown.set_topic(room, "A liver")


async def test_a_doctor_who_takes_another_name_is_seen_under_it(doctors: Doctors):
    adams = await doctors.new("Dr. Adams")
    room = await adams.create_room("Case 7")
    await adams.set_display_name("Dr. Adams-Brown")
    await adams.wait_for(lambda event: event.content.get("displayname") == "Dr. Adams-Brown")
    assert await adams.members(room) == {adams.user_id: "Dr. Adams-Brown"}


async def test_accounts_rooms_and_listeners_survive_a_restart_of_synapse(
    synapse: Synapse, doctors: Doctors
):
    adams = await doctors.new("Dr. Adams")
    room = await adams.create_room("Case 7")
    await adams.send_text(room, "before")
    await synapse.restart()
    await adams.send_text(room, "after")
    await adams.wait_for_text(room, "after")
    assert [message.body for message in await adams.messages(room)] == ["before", "after"]

    again = await MatrixUser.log_in(synapse.url, adams.localpart, PASSWORD)
    await again.wait_for_text(room, "before")
    await again.close()


async def test_synapse_pushes_to_an_application_service_it_knew_from_its_start(
    app_service: AppService, doctors: Doctors
):
    pushed: Journal[dict[str, Any]] = Journal("the pushed events")

    async def take(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {app_service.hs_token}"
        for event in (await request.json())["events"]:
            pushed.add(event)
        return web.json_response({})

    app = web.Application()
    app.router.add_put("/_matrix/app/v1/transactions/{id}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, app_service.port).start()

    adams = await doctors.new("Dr. Adams")
    bot = f"@{app_service.bot}:hospital.test"
    room = await adams.create_room("Case 7", invite=[bot])
    invitation = await pushed.wait_for(lambda event: event.get("state_key") == bot)
    await runner.cleanup()

    assert (invitation["room_id"], invitation["sender"]) == (room, adams.user_id)


async def test_a_process_that_fails_to_start_says_why(tmp_path: Path):
    command = ["sh", "-c", "echo no such disk; exit 3"]
    broken = Process("the server", command, log=tmp_path / "log", ready=_never)
    with pytest.raises(ProcessError, match=r"(?s)ended with status 3 .*no such disk"):
        await broken.start()

    silent = Process(
        "the server", ["sleep", "60"], log=tmp_path / "log", ready=_never, start_timeout=0.2
    )
    with pytest.raises(ProcessError, match=r"was not ready within 0\.2 s"):
        await silent.start()
    assert not silent.running


async def test_a_process_that_will_not_end_is_forced(tmp_path: Path):
    log = tmp_path / "log"

    async def is_up() -> bool:
        return "up" in log.read_text()

    stubborn = Process("stubborn", [sys.executable, "-c", _STUBBORN], log=log, ready=is_up)
    await stubborn.start()
    assert await stubborn.stop(grace=0.1) == -signal.SIGKILL


async def test_no_child_outlives_an_owner_that_was_killed(tmp_path: Path):
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _OWNER, str(tmp_path / "log")), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    child = os.pidfd_open(int(await owner.stdout.readline()))
    owner.kill()
    await owner.wait()
    ended, _, _ = select.select([child], [], [], 5)
    os.close(child)
    assert ended


async def test_a_stopped_server_listens_no_more(tmp_path: Path):
    async with Prosody.of(HOSPITALS, tmp_path) as prosody:
        assert await is_listening(prosody.client_port)
        assert await is_listening(prosody.component_port)
    assert not await is_listening(prosody.client_port)


def test_a_server_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProcessError, match="Prosody is not installed: run `make setup`"):
        Prosody.of(HOSPITALS, tmp_path)
    with pytest.raises(ProcessError, match=r"Synapse is not installed .*: run `make setup`"):
        Synapse(tmp_path, python=tmp_path / "python")


async def _never() -> bool:
    return False


_STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""

_OWNER = """
import asyncio, sys
from pathlib import Path
from sandbox.process import Process

async def main():
    child = Process("child", ["sleep", "60"], log=Path(sys.argv[1]))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
