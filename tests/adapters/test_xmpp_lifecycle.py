"""The bridge comes back after every fault, says what is wrong meanwhile, and loses nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cable import Cable
from xmpp_lab import (
    ANN,
    BOB,
    COMPONENT,
    MUC,
    QUICK,
    Bridge,
    account_settings,
    component_settings,
    doctor,
    new_room,
    running,
)

from adapters.xmpp.features import Features
from adapters.xmpp.handover import FULL
from adapters.xmpp.settings import XmppSettings
from adapters.xmpp.timing import Timing
from adapters.xmpp.wire import Wire
from bridge.contract import Unreachable
from bridge.model import Left, Roster
from sandbox.prosody import Prosody
from sandbox.xmpp_user import RoomOptions, XmppUser


@asynccontextmanager
async def cabled(
    server: Prosody, mode: str = "component", timing: Timing = QUICK
) -> AsyncIterator[tuple[Bridge, Cable]]:
    port = server.component_port if mode == "component" else server.client_port
    make = component_settings if mode == "component" else account_settings
    async with Cable(port) as cable, running(make(server, port=cable.port), timing) as bridge:
        await bridge.inlet.up(None)
        yield bridge, cable


@pytest.mark.parametrize("mode", ["component", "account"])
async def test_what_is_said_while_the_connection_is_down_is_not_lost(
    xmpp_server: Prosody, cora: XmppUser, room: str, mode: str
) -> None:
    async with cabled(xmpp_server, mode) as (bridge, cable):
        await bridge.enter(room, ANN)
        cora.say(room, "before")
        await bridge.inlet.text("before")
        await bridge.say(room, ANN, "own words")
        await cable.cut()
        await bridge.inlet.down(None)
        mark = len(bridge.inlet.healths)
        texts = [f"missed {number}" for number in range(15)]
        for text in texts:
            cora.say(room, text)
        await cora.wait_for_text(room, texts[-1])
        mended = datetime.now(UTC)
        await cable.mend()
        await bridge.inlet.up(room, after=mark)
        cora.say(room, "after")
        await bridge.inlet.text("after")
        assert bridge.inlet.texts() == ["before", *texts, "after"]
        assert (await bridge.inlet.text("missed 0")).time <= mended
        assert bridge.inlet.of(Left) == []
        assert len(bridge.inlet.of(Roster)) == 2


async def test_more_than_one_page_of_the_archive_is_read(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with cabled(xmpp_server) as (bridge, cable):
        await bridge.enter(ward)
        await cable.cut()
        await bridge.inlet.down(None)
        texts = [f"missed {number}" for number in range(250)]
        for text in texts:
            cora.say(ward, text)
        await cora.wait_for_text(ward, texts[-1])
        await cable.mend()
        await bridge.inlet.text(texts[-1])
        cora.say(ward, "after")
        await bridge.inlet.text("after")
        assert bridge.inlet.texts() == [*texts, "after"]


async def test_what_is_said_while_the_archive_is_read_comes_after_it(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with cabled(xmpp_server) as (bridge, cable):
        await bridge.enter(ward)
        await cable.cut()
        await bridge.inlet.down(None)
        mark = len(bridge.inlet.healths)
        texts = [f"missed {number}" for number in range(250)]
        for text in texts:
            cora.say(ward, text)
        await cora.wait_for_text(ward, texts[-1])
        await cable.mend()
        while not any(each.up and each.group for each in list(bridge.inlet.healths)[mark:]):
            texts.append(f"live {len(texts)}")
            cora.say(ward, texts[-1])
            await cora.wait_for_text(ward, texts[-1])
        await bridge.inlet.text(texts[-1])
        assert bridge.inlet.texts() == texts


async def test_the_history_from_before_the_first_entry_is_not_handed_over(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    cora.say(room, "old")
    await cora.wait_for_text(room, "old")
    await either.enter(room)
    cora.say(room, "new")
    await either.inlet.text("new")
    assert either.inlet.texts() == ["new"]


async def test_a_subject_that_changed_meanwhile_is_told(
    xmpp_server: Prosody, cora: XmppUser, room: str
) -> None:
    async with cabled(xmpp_server) as (bridge, cable):
        await bridge.enter(room)
        await cable.cut()
        await bridge.inlet.down(None)
        cora.set_subject(room, "meanwhile")
        await cora.subjects.wait_for(lambda each: each.subject == "meanwhile")
        await cable.mend()
        await bridge.inlet.events.wait_for(lambda each: getattr(each, "subject", "") == "meanwhile")


@pytest.mark.parametrize("make", [component_settings, account_settings])
async def test_all_goes_on_after_the_server_restarts(
    xmpp_server: Prosody, cora: XmppUser, room: str, make: Callable[[Prosody], XmppSettings]
) -> None:
    async with running(make(xmpp_server), replace(QUICK, farewell=5.0)) as bridge:
        await bridge.enter(room, ANN)
        mark = len(bridge.inlet.healths)
        await xmpp_server.restart()
        assert "Hospital" in await bridge.inlet.down(None, after=mark)
        await bridge.inlet.up(room, after=mark, timeout=20)
        await cora.connect()
        await cora.join(room, "Cora")
        cora.say(room, "still here?")
        await bridge.inlet.text("still here?")
        await bridge.say(room, ANN, "yes")
        await cora.wait_for_text(room, "yes")
        assert bridge.inlet.of(Left) == []


async def test_a_room_that_is_destroyed_and_made_again_is_entered_again(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room, ANN)
    mark = len(either.inlet.healths)
    await cora.destroy(room, "spring cleaning")
    await either.inlet.healths.wait_for(lambda each: "spring cleaning" in each.reason, after=mark)
    await either.inlet.healths.wait_for(lambda each: "does not exist" in each.reason, after=mark)
    with pytest.raises(Unreachable, match="does not exist"):
        await either.say(room, ANN, "anyone?")
    await cora.create_room(room, "Cora")
    await either.inlet.up(room, after=mark)
    await either.say(room, ANN, "a new start")
    await cora.wait_for_text(room, "a new start")
    cora.say(room, "indeed")
    await either.inlet.text("indeed")
    assert either.inlet.of(Left) == []


async def test_kicked_the_bridge_comes_back(either: Bridge, cora: XmppUser, room: str) -> None:
    await either.enter(room, ANN)
    mark = len(either.inlet.healths)
    await cora.kick(room, "Consilium", "who are you?")
    assert "kicked" in await either.inlet.down(room, after=mark)
    await either.inlet.up(room, after=mark)
    cora.say(room, "ah, the bridge")
    await either.inlet.text("ah, the bridge")
    assert either.inlet.of(Left) == []


async def test_banned_the_bridge_says_so_and_comes_back_when_it_may(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    mark = len(component.inlet.healths)
    await cora.set_affiliation(ward, f"consilium@{COMPONENT}", "outcast")
    await component.inlet.healths.wait_for(
        lambda each: "Consilium is banned from the room" in each.reason, after=mark
    )
    await cora.set_affiliation(ward, f"consilium@{COMPONENT}", "none")
    await component.inlet.up(ward, after=mark)


async def test_a_room_that_does_not_exist_is_not_made_by_accident(
    either: Bridge, cora: XmppUser
) -> None:
    room = new_room()
    await either.network.open(room, [ANN])
    assert "does not exist" in await either.inlet.down(room)
    await cora.create_room(room, "Cora")  # raises when it exists
    await either.inlet.up(room)


async def test_a_room_that_was_made_by_accident_is_taken_away_again(
    component: Bridge, cora: XmppUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may vanish between the question whether it exists and the entry."""
    room = new_room()
    look, answers = Features.of, iter([Features()])

    async def look_too_early(wire: Wire, of: str) -> Features:
        return next(answers, None) or await look(wire, of)

    monkeypatch.setattr(Features, "of", look_too_early)
    await component.network.open(room, [ANN])
    assert "does not exist" in await component.inlet.down(room)
    await cora.create_room(room, "Cora")  # raises when it exists
    await component.inlet.up(room)


async def test_a_room_is_made_when_that_is_asked_for(xmpp_server: Prosody, cora: XmppUser) -> None:
    room = new_room()
    async with running(component_settings(xmpp_server, create_rooms=True)) as bridge:
        await bridge.enter(room, ANN)
        await cora.join(room, "Cora")
        cora.say(room, "a room of our own")
        await bridge.inlet.text("a room of our own")
    await cora.leave(room)
    await cora.join(room, "Cora")  # raises when it did not last


async def test_a_room_that_has_silently_forgotten_the_bridge_is_entered_again(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with running(component_settings(xmpp_server), replace(QUICK, silence=0.5)) as bridge:
        await bridge.enter(ward)
        wire = bridge.network._wire
        assert wire is not None
        mark = len(bridge.inlet.healths)
        heard, wire._sink = wire._sink, lambda _stanza: None
        await cora.kick(ward, "Consilium")
        await cora.wait_for_absence(ward, "Consilium")
        wire._sink = heard
        assert "has forgotten the bridge" in await bridge.inlet.down(ward, after=mark)
        await bridge.inlet.up(ward, after=mark)
        cora.say(ward, "there you are")
        await bridge.inlet.text("there you are")


async def test_a_doctor_who_was_silently_forgotten_is_brought_back(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, ANN)
    wire = component.network._wire
    assert wire is not None
    heard, wire._sink = wire._sink, lambda _stanza: None
    await cora.kick(ward, "Dr Ann")
    await cora.wait_for_absence(ward, "Dr Ann")
    wire._sink = heard
    with pytest.raises(Unreachable) as unreachable:
        await component.say(ward, ANN, "hello")
    assert not unreachable.value.doubtful
    await component.say(ward, ANN, "hello")
    await cora.wait_for_text(ward, "hello")


async def test_a_message_that_may_have_arrived_is_doubtful_and_then_found(
    xmpp_server: Prosody, cora: XmppUser, room: str
) -> None:
    async with cabled(xmpp_server, timing=replace(QUICK, answer=0.5)) as (bridge, cable):
        await bridge.enter(room, ANN)
        cable.block()
        outgoing = bridge.message(room, ANN, "did you get this?")
        with pytest.raises(Unreachable) as unreachable:
            await bridge.network.send(outgoing)
        assert unreachable.value.doubtful
        seen = await cora.wait_for_text(room, "did you get this?")
        cable.unblock()
        cora.say(room, "yes")
        await bridge.inlet.text("yes")
        found = await bridge.network.find(outgoing)
        assert found is not None
        assert found.id == (seen.stanza_id or outgoing.key)


async def test_a_message_cut_off_on_its_way_is_doubtful_and_found_after_coming_back(
    xmpp_server: Prosody, cora: XmppUser, room: str
) -> None:
    async with cabled(xmpp_server) as (bridge, cable):
        await bridge.enter(room, ANN)
        mark = len(bridge.inlet.healths)
        cable.block()
        outgoing = bridge.message(room, ANN, "cut off")
        sending = asyncio.create_task(bridge.network.send(outgoing))
        seen = await cora.wait_for_text(room, "cut off")
        await cable.cut()
        with pytest.raises(Unreachable) as unreachable:
            await sending
        assert unreachable.value.doubtful
        with pytest.raises(Unreachable) as unreachable:
            await bridge.say(room, ANN, "not connected")
        assert not unreachable.value.doubtful
        await cable.mend()
        await bridge.inlet.up(room, after=mark)
        found = await bridge.network.find(outgoing)
        assert found is not None
        assert found.id == (seen.stanza_id or outgoing.key)
        assert bridge.inlet.texts() == []


async def test_what_an_earlier_run_said_is_found_however_much_was_said_since(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with running(component_settings(xmpp_server)) as bridge:
        await bridge.enter(ward, ANN)
        sent = [bridge.message(ward, ANN, f"sent {number}") for number in range(3)]
        made = [await bridge.network.send(each) for each in sent]
        never_sent = bridge.message(ward, ANN, "never sent")
    for number in range(120):  # Prosody hands out fifty at a time
        cora.say(ward, f"said since {number}")
    await cora.wait_for_text(ward, "said since 119")

    async with running(component_settings(xmpp_server)) as bridge:
        await bridge.enter(ward, ANN)
        assert [await bridge.network.find(each) for each in sent] == made
        assert await bridge.network.find(never_sent) is None


async def test_a_server_that_has_gone_silent_is_left_and_tried_again(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    timing = replace(QUICK, idle=0.4, answer=0.4, connect=1.0)
    async with cabled(xmpp_server, timing=timing) as (bridge, cable):
        await bridge.enter(ward)
        mark = len(bridge.inlet.healths)
        cable.block()
        assert "does not answer" in await bridge.inlet.down(None, after=mark)
        cable.unblock()
        await bridge.inlet.up(ward, after=mark)


async def test_a_quiet_server_is_not_taken_for_a_dead_one(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    timing = replace(QUICK, idle=0.1, answer=0.5)
    for mode in ("component", "account"):
        async with cabled(xmpp_server, mode, timing) as (bridge, cable):
            await bridge.enter(ward)
            wire = bridge.network._wire
            assert wire is not None
            heard = wire.heard_at
            async with asyncio.timeout(5):
                while wire.heard_at < heard + 0.3:  # pings have been answered
                    await asyncio.wait({wire.closed}, timeout=0.05)
            assert cable.connections == 1
            assert all(each.up for each in bridge.inlet.healths)


async def test_a_second_bridge_does_not_spin_nor_disturb_the_first(
    component: Bridge, xmpp_server: Prosody, ward: str
) -> None:
    await component.enter(ward)
    async with (
        Cable(xmpp_server.component_port) as cable,
        running(component_settings(xmpp_server, port=cable.port)) as second,
    ):
        assert "another connection" in await second.inlet.down(None)
        await asyncio.wait({component.network._wire.closed}, timeout=1.0)
        assert 2 <= cable.connections <= 6
    assert all(each.up for each in component.inlet.healths)


async def test_a_slow_bridge_slows_the_reading_down_and_loses_nothing(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    await component.inlet.first(Roster)
    component.inlet.open.clear()
    expected = [f"message {number}" for number in range(2 * FULL + 1000)]
    for text in expected:
        cora.say(ward, text)
    await cora.wait_for_text(ward, expected[-1], timeout=30)
    handover = component.network._handover
    assert handover._paused
    assert len(handover._waiting) < 1.5 * FULL
    component.inlet.open.set()
    await component.inlet.text(expected[-1], timeout=30)
    assert component.inlet.texts() == expected
    assert max(component.inlet.batches) > FULL / 2


async def test_many_rooms_are_entered_again(xmpp_server: Prosody, cora: XmppUser) -> None:
    rooms = [new_room(MUC) for _ in range(20)]
    for room in rooms:
        await cora.create_room(room, "Cora", RoomOptions())
    async with cabled(xmpp_server) as (bridge, cable):
        for room in rooms:
            await bridge.network.open(room, [ANN, BOB, doctor("Dr Cy")])
        for room in rooms:
            await bridge.inlet.up(room)
        mark = len(bridge.inlet.healths)
        await cable.cut()
        await bridge.inlet.down(None, after=mark)
        await cable.mend()
        for room in rooms:
            await bridge.inlet.up(room, after=mark)
            assert {"Dr Ann", "Dr Bob", "Dr Cy"} <= set(cora.occupants(room))
