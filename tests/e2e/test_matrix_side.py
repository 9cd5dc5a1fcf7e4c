"""The Matrix side against a real Synapse: the whole way, and every way in which it can fail."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from matrix_fakes import GhostsInMemory, acting_bot, config_of

from bridge.config.schema import Config
from bridge.contract import Finding, Outgoing, Refused, Sent, Unreachable
from bridge.errors import HomeserverError
from bridge.matrix.client import ActingClient
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.homeserver import Homeserver, diagnose
from bridge.matrix.outlet import MatrixOutlet
from bridge.matrix.raw import JsonObject
from bridge.matrix.registration import registration_yaml
from bridge.matrix.rooms import Rooms
from bridge.matrix.server import AppserviceServer
from bridge.model import (
    MATRIX,
    Author,
    Deliverable,
    Joined,
    Left,
    Message,
    Place,
    Renamed,
    SubjectChanged,
)
from sandbox.appservice import AppService
from sandbox.journal import Journal
from sandbox.matrix_user import MatrixUser
from sandbox.people import Doctors
from sandbox.ports import free_port
from sandbox.synapse import SYNAPSE_PYTHON, Synapse

GROUP = Place("muc", "case-7@muc.test")
AUTHOR = Author("muc", "Bob_B@muc.test/ü", "Bob (Hospital B)")
TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


class Pushed:
    """A sink that notes what the homeserver pushes."""

    def __init__(self) -> None:
        self.events: Journal[JsonObject] = Journal("what Synapse pushed")

    async def accept(
        self, txn_id: str, events: Sequence[JsonObject], ephemeral: Sequence[JsonObject]
    ) -> None:
        for event in events:
            self.events.add(event)


@dataclass
class Side:
    """The parts of the Matrix side, put together."""

    config: Config
    bot: ActingClient
    ids: GhostIds
    store: GhostsInMemory
    ghosts: Ghosts
    outlet: MatrixOutlet
    rooms: Rooms
    homeserver: Homeserver
    pushed: Pushed

    async def show(self, room: str, event: Deliverable, key: str = "key") -> Sent:
        return await self.outlet.send(Outgoing(Place(MATRIX, room), key, event))


@pytest.fixture(scope="module")
def well(app_service: AppService, synapse: Synapse) -> Config:
    """The configuration that fits the registration."""
    return config_of(app_service, synapse.url, synapse.server_name)


@pytest.fixture(scope="module")
async def side(well: Config) -> AsyncIterator[Side]:
    pushed = Pushed()
    async with acting_bot(well) as bot, AppserviceServer(well.appservice, pushed):
        ids, store = GhostIds(well), GhostsInMemory()
        ghosts = Ghosts(bot, ids, store)
        homeserver = Homeserver(well, bot)
        await homeserver.wait_until_up()
        await homeserver.ensure_bot()
        yield Side(
            well, bot, ids, store, ghosts, MatrixOutlet(bot, ghosts), Rooms(bot, ids), homeserver,
            pushed,
        )  # fmt: skip


@pytest.fixture
async def doctor(doctors: Doctors) -> MatrixUser:
    return await doctors.new("Dr. Adams")


async def portal_room(
    side: Side, doctor: MatrixUser, power: dict[str, Any] | None = None, **more: Any
) -> str:
    """A closed room of a doctor's with the bot in it."""
    levels = {"users": {doctor.user_id: 100, side.bot.user_id: 50}} | (power or {})
    room = await doctor.create_room(
        "Case 7", invite=[side.bot.user_id], power_levels=levels, version="11", **more
    )
    await side.rooms.enter(room)
    return room


def message(text: str, author: Author = AUTHOR) -> Message:
    return Message(GROUP, "1", author, TIME, text)


# --- the happy way ------------------------------------------------------------------------------


async def test_the_homeserver_knows_the_bridge_and_reaches_it(side: Side) -> None:
    finding = await side.homeserver.diagnose()
    assert finding.ok, finding
    assert "knows the bridge, and reaches it in" in finding.sentence


async def test_the_bot_has_its_name_also_when_it_is_greeted_again(
    side: Side, doctor: MatrixUser
) -> None:
    await side.homeserver.ensure_bot()
    profile = await doctor.request("GET", f"/profile/{side.bot.user_id}")
    assert profile["displayname"] == "Consilium"


async def test_a_colleague_speaks_in_a_closed_room_under_their_own_name_and_time(
    side: Side, doctor: MatrixUser
) -> None:
    room = await portal_room(side, doctor)
    sent = await side.show(room, message("The potassium is 6.1"))
    seen = await doctor.wait_for_text(room, "The potassium is 6.1")
    ghost = side.ids.of(AUTHOR.network, AUTHOR.id)
    assert (seen.id, seen.sender) == (sent.id, ghost)
    assert seen.timestamp == 1767323045678
    assert (await doctor.members(room))[ghost] == "Bob (Hospital B)"


async def test_the_same_delivery_twice_is_one_message(side: Side, doctor: MatrixUser) -> None:
    room = await portal_room(side, doctor)
    first = await side.show(room, message("once"), "same-key")
    assert await side.show(room, message("once"), "same-key") == first


async def test_a_copy_of_an_earlier_attempt_is_found_by_its_key(
    side: Side, doctor: MatrixUser
) -> None:
    room = await portal_room(side, doctor)
    sent = [await side.show(room, message(f"line {n}"), f"key-{n}") for n in range(3)]
    await doctor.send_text(room, "noted")
    found = [
        await side.outlet.find(Outgoing(Place(MATRIX, room), f"key-{n}", message("x")))
        for n in range(4)
    ]
    assert found == [*sent, None]


async def test_a_copy_is_found_after_the_homeserver_forgot_the_transaction(
    side: Side, doctor: MatrixUser, synapse: Synapse
) -> None:
    """It keeps the transactions of application services in memory only."""
    room = await portal_room(side, doctor)
    sent = await side.show(room, message("once"))
    await synapse.restart()
    assert await side.outlet.find(Outgoing(Place(MATRIX, room), "key", message("once"))) == sent
    assert await side.show(room, message("once")) != sent


async def test_the_longest_text_fits(side: Side, doctor: MatrixUser) -> None:
    room = await portal_room(side, doctor)
    text = '"\n' * 15_000
    sent = await side.show(room, message(text))
    seen = await doctor.wait_for(lambda event: event.id == sent.id, room=room)
    assert seen.body == text


async def test_a_colleague_comes_takes_another_name_and_goes(
    side: Side, doctor: MatrixUser
) -> None:
    room = await portal_room(side, doctor)
    author = Author("muc", "carol", "Carol")
    ghost = side.ids.of("muc", "carol")
    await side.show(room, Joined(GROUP, author, TIME))
    assert (await doctor.members(room))[ghost] == "Carol"
    await side.show(room, Renamed(GROUP, Author("muc", "carol", "Dr. Carol"), TIME))
    await doctor.wait_for(lambda event: event.content.get("displayname") == "Dr. Carol", room=room)
    await side.show(room, Left(GROUP, author, TIME, "End of shift"))
    gone = await doctor.wait_for(
        lambda event: event.state_key == ghost and event.content["membership"] == "leave", room=room
    )
    assert gone.content["reason"] == "End of shift"
    assert ghost not in await doctor.members(room)


async def test_a_colleague_who_was_put_out_comes_back_with_their_next_word(
    side: Side, doctor: MatrixUser
) -> None:
    room = await portal_room(side, doctor)
    await side.show(room, message("first"), "first")
    await doctor.kick(room, side.ids.of(AUTHOR.network, AUTHOR.id))
    await side.show(room, message("second"), "second")
    await doctor.wait_for_text(room, "second")


async def test_the_topic_is_set_by_the_bot_and_not_set_again(
    side: Side, doctor: MatrixUser
) -> None:
    room = await portal_room(side, doctor)
    event = SubjectChanged(GROUP, AUTHOR, TIME, "A heart")
    sent = await side.show(room, event)
    seen = await doctor.wait_for(lambda each: each.content.get("topic") == "A heart", room=room)
    assert (seen.id, seen.sender) == (sent.id, side.bot.user_id)
    assert seen.timestamp == 1767323045678
    assert await side.show(room, event) == Sent()


async def test_the_topic_is_set_by_its_author_where_all_may(side: Side, doctor: MatrixUser) -> None:
    power = {"events": {"m.room.topic": 0}}
    room = await portal_room(side, doctor, power)
    await side.show(room, SubjectChanged(GROUP, AUTHOR, TIME, "A liver"))
    seen = await doctor.wait_for(lambda each: each.content.get("topic") == "A liver", room=room)
    assert seen.sender == side.ids.of(AUTHOR.network, AUTHOR.id)


async def test_what_a_doctor_says_is_pushed(side: Side, doctor: MatrixUser) -> None:
    room = await portal_room(side, doctor)
    sent = await doctor.send_text(room, "And the sodium?")
    event = await side.pushed.events.wait_for(lambda each: each.get("event_id") == sent)
    assert event["room_id"] == room
    assert event["content"]["body"] == "And the sodium?"


# --- rooms --------------------------------------------------------------------------------------


async def test_a_configured_alias_becomes_a_room_that_colleagues_of_the_house_can_enter(
    side: Side, doctor: MatrixUser
) -> None:
    # The sandbox registers beforehand; the bridge's own registration covers what is configured
    alias = f"#{side.config.appservice.ghost_prefix}ward:{side.config.homeserver.domain}"
    room = await side.rooms.resolve(alias)
    assert await side.rooms.resolve(alias) == room
    await side.rooms.enter(room)
    assert await doctor.join(alias) == room
    await side.show(room, message("welcome"))
    await doctor.wait_for_text(room, "welcome")
    assert await side.rooms.members(room) == (Author(MATRIX, doctor.user_id, "Dr. Adams"),)


async def test_an_alias_that_the_registration_does_not_cover_is_told_with_its_remedy(
    side: Side,
) -> None:
    with pytest.raises(HomeserverError, match=r"can't be made.*write the registration anew"):
        await side.rooms.resolve(f"#ward-{free_port()}:{side.config.homeserver.domain}")


async def test_a_closed_room_is_entered_once_the_bot_is_invited(
    side: Side, doctor: MatrixUser
) -> None:
    room = await doctor.create_room("Case 7")
    with pytest.raises(HomeserverError, match=f"Invite {side.bot.user_id} to the room"):
        await side.rooms.enter(room)
    await doctor.invite(room, side.bot.user_id)
    invitation = await _invitation(side, room)
    assert await side.rooms.invited(invitation, lambda each: each == room)
    assert side.bot.user_id in await doctor.members(room)


async def test_an_invitation_to_a_room_that_is_no_portal_is_declined_with_the_reason(
    side: Side, doctor: MatrixUser
) -> None:
    room = await doctor.create_room("Lunch", invite=[side.bot.user_id])
    assert not await side.rooms.invited(await _invitation(side, room), lambda _room: False)
    declined = await doctor.wait_for(
        lambda event: event.content.get("membership") == "leave", room=room
    )
    assert declined.state_key == side.bot.user_id
    assert "not connected to anything" in declined.content["reason"]


async def _invitation(side: Side, room: str) -> JsonObject:
    return await side.pushed.events.wait_for(
        lambda event: event["room_id"] == room and event.get("state_key") == side.bot.user_id
    )


# --- what a room's admin is told ----------------------------------------------------------------


async def test_a_bot_that_may_not_invite_says_so(side: Side, doctor: MatrixUser) -> None:
    room = await portal_room(side, doctor, {"invite": 75})
    with pytest.raises(Refused) as caught:
        await side.show(room, message("lost"))
    assert caught.value.sentence == f"{side.bot.user_id} may not invite people to this room."
    assert "at least 75" in caught.value.advice
    assert "it has 50" in caught.value.advice


async def test_ghosts_that_may_not_write_say_so(side: Side, doctor: MatrixUser) -> None:
    room = await portal_room(side, doctor, {"events_default": 10})
    with pytest.raises(Refused) as caught:
        await side.show(room, message("lost"))
    assert caught.value.sentence == "People of other networks may not write in this room."
    assert "it takes 10 now" in caught.value.advice


async def test_a_topic_that_may_not_be_set_says_so(side: Side, doctor: MatrixUser) -> None:
    room = await portal_room(side, doctor, {"events": {"m.room.topic": 100}})
    with pytest.raises(Refused, match="may not change the topic of this room"):
        await side.show(room, SubjectChanged(GROUP, AUTHOR, TIME, "lost"))


async def test_a_banned_colleague_is_told_as_such(side: Side, doctor: MatrixUser) -> None:
    room = await portal_room(side, doctor)
    ghost = side.ids.of(AUTHOR.network, AUTHOR.id)
    await doctor.request("POST", f"/rooms/{room}/ban", {"user_id": ghost})
    with pytest.raises(Refused, match="lift the ban"):
        await side.show(room, message("lost"))


async def test_a_room_without_the_bot_is_awaited(side: Side, doctor: MatrixUser) -> None:
    room = await doctor.create_room("Case 7")
    for event in (message("later"), SubjectChanged(GROUP, AUTHOR, TIME, "later")):
        with pytest.raises(Unreachable, match=f"{side.bot.user_id} is not in the room {room}"):
            await side.show(room, event)


async def test_in_a_room_that_the_bot_created_it_may_do_all(side: Side, doctor: MatrixUser) -> None:
    """Room version 12, where power levels do not name the creator."""
    answer = await side.bot.call(
        "POST",
        "/_matrix/client/v3/createRoom",
        {"room_version": "12", "preset": "private_chat", "invite": [doctor.user_id]},
    )
    room = answer["room_id"]
    await doctor.join(room)
    await side.show(room, message("in a new room"))
    await side.show(room, SubjectChanged(GROUP, AUTHOR, TIME, "A kidney"))
    await doctor.wait_for_text(room, "in a new room")
    await doctor.wait_for(lambda each: each.content.get("topic") == "A kidney", room=room)


# --- what an admin is told ----------------------------------------------------------------------


async def told(config: Config) -> Finding:
    (finding,) = await diagnose(config)
    return finding


def changed(well: Config, **appservice: Any) -> Config:
    service = well.appservice.model_dump() | appservice
    homeserver = well.homeserver.model_dump()
    return Config.model_validate({"homeserver": homeserver, "appservice": service})


async def test_all_is_well_while_the_bridge_runs(side: Side) -> None:
    assert (await told(side.config)).ok


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"as_token": "another-as-token"}, "does not know the bridge's as_token"),
        ({"id": "never-registered"}, "under another id than never-registered"),
        ({"ghost_prefix": "_others_"}, "names that begin with _others_ are not the bridge's"),
        ({"bot": "somebody"}, "not to the bot @somebody:"),
    ],
)
async def test_a_registration_that_does_not_fit_is_told(
    side: Side, wrong: dict[str, Any], sentence: str
) -> None:
    finding = await told(changed(side.config, **wrong))
    assert sentence in finding.sentence
    assert "registration" in finding.advice


async def test_another_domain_is_told(side: Side) -> None:
    homeserver = side.config.homeserver.model_copy(update={"domain": "clinic.test"})
    finding = await told(side.config.model_copy(update={"homeserver": homeserver}))
    assert "calls itself hospital.test, the configuration clinic.test" in finding.sentence


async def test_a_homeserver_that_does_not_run_is_told(side: Side) -> None:
    away = side.config.homeserver.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"})
    finding = await told(side.config.model_copy(update={"homeserver": away}))
    assert "is not reachable at" in finding.sentence


async def test_a_url_where_something_else_answers_is_told(side: Side) -> None:
    bridge = f"http://127.0.0.1:{side.config.appservice.port}"
    other = side.config.homeserver.model_copy(update={"url": bridge})
    finding = await told(side.config.model_copy(update={"homeserver": other}))
    assert f"What answers at {bridge} is not a Matrix homeserver" in finding.sentence


@pytest.fixture(scope="module")
def idle(unused_app_services: Any, synapse: Synapse) -> Config:
    """A bridge that does not run."""
    return config_of(next(unused_app_services), synapse.url, synapse.server_name)


async def test_all_is_well_with_a_bridge_that_does_not_run(idle: Config) -> None:
    finding = await told(idle)
    assert finding.ok, finding


async def test_another_hs_token_is_told(idle: Config) -> None:
    finding = await told(changed(idle, hs_token="another-hs-token"))
    assert "with another hs_token than the bridge's" in finding.sentence


async def test_a_port_at_which_the_homeserver_does_not_look_is_told(idle: Config) -> None:
    finding = await told(changed(idle, port=free_port()))
    assert "can't reach the bridge at the url of its registration" in finding.sentence
    assert "onnection" in finding.sentence


async def test_a_port_that_something_else_holds_is_told(idle: Config) -> None:
    async def not_http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(not_http, "127.0.0.1", idle.appservice.port):
        finding = await told(idle)
    assert "it is not this bridge that answers (status 418)" in finding.sentence


# --- registration -------------------------------------------------------------------------------

_LOAD = """
import json, sys
from synapse.config.appservice import load_appservices
(service,) = load_appservices("hospital.test", [sys.argv[1]])
print(json.dumps({
    "sender": service.sender.to_string(),
    "limited": service.rate_limited,
    "ephemeral": service.supports_ephemeral,
    "ghost": service.is_exclusive_user("@_consilium_muc_bob:hospital.test"),
    "bot": service.is_exclusive_user("@consilium:hospital.test"),
    "other": service.is_interested_in_user("@anna:hospital.test"),
}))
"""


def test_synapse_reads_the_registration_that_the_bridge_writes(
    tmp_path: Path, well: Config
) -> None:
    file = tmp_path / "registration.yaml"
    plain = changed(well, bot="consilium", ghost_prefix="_consilium_")
    file.write_text(registration_yaml(plain))
    done = subprocess.run(
        [SYNAPSE_PYTHON, "-c", _LOAD, file], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == {
        "sender": "@_consilium_service:hospital.test",
        "limited": False,
        "ephemeral": True,
        "ghost": True,
        "bot": True,
        "other": False,
    }
