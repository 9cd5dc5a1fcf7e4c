"""What was said while the bridge was down is fetched at its next start: all of it, in order, once,
and without the bridge's own words; or else it is told what can't be had.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cable import Cable
from xmpp_lab import (
    ANN,
    BOB,
    PLAIN_MUC,
    QUICK,
    Bridge,
    account_settings,
    component_settings,
    doctor,
    new_room,
    running,
)

from adapters.xmpp.archive import Archive, Page
from adapters.xmpp.errors import StanzaError
from adapters.xmpp.settings import XmppSettings
from bridge.contract import CatchUp, Sent, Unreachable
from bridge.model import Message, SubjectChanged
from sandbox.prosody import Prosody
from sandbox.xmpp_user import RoomOptions, XmppUser

Make = Callable[[Prosody], XmppSettings]
MODES = pytest.mark.parametrize("make", [component_settings, account_settings])
OTHER_BRIDGES_KEY = "abcdefghijklmnopqrstuvwxyz"


@asynccontextmanager
async def started(settings: XmppSettings, before: Bridge | None = None) -> AsyncIterator[Bridge]:
    """A run of the bridge, which knows of an earlier one what the core would know."""
    async with running(settings) as bridge:
        if before is not None:
            bridge.keys = before.keys
            bridge.inlet.own = before.inlet.own
        await bridge.inlet.up(None)
        yield bridge


def where_it_was(bridge: Bridge, room: str, **limits: object) -> CatchUp:
    """Where the core would have the next run go on."""
    heard = bridge.inlet.of(Message, room)
    if not heard:
        return CatchUp(bridge.inlet.events[0].time, **limits)
    return CatchUp(heard[-1].time, heard[-1].id, **limits)


def news(bridge: Bridge, before: Bridge) -> list[str]:
    """What was handed over and is not known from the run before."""
    known = {event.id for event in before.inlet.of(Message)}
    return [event.text for event in bridge.inlet.of(Message) if event.id not in known]


async def past(time: datetime) -> None:
    """Wait for a time, since the stamps of rooms have no fractions of seconds."""
    while datetime.now(UTC) < time:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.05)


async def say_all(user: XmppUser, room: str, texts: list[str]) -> None:
    for text in texts:
        user.say(room, text)
    await user.wait_for_text(room, texts[-1])


@MODES
async def test_what_was_said_while_the_bridge_was_down_is_fetched_but_not_its_own_words(
    xmpp_server: Prosody, cora: XmppUser, carl: XmppUser, room: str, make: Make
) -> None:
    await carl.join(room, "Carl")
    async with started(make(xmpp_server)) as first:
        await first.enter(room, ANN, BOB)
        cora.say(room, "before")
        await first.inlet.text("before")
        for number, author in enumerate([ANN, BOB, ANN, BOB]):
            await first.say(room, author, f"own words {number}")
    missed = [f"missed {number}" for number in range(12)]
    for number, text in enumerate(missed):
        await say_all(carl if number % 2 else cora, room, [text])
    said_by = datetime.now(UTC)
    async with started(make(xmpp_server), first) as second:
        await second.enter(room, ANN, catch_up=where_it_was(first, room))  # Bob has gone meanwhile
        cora.say(room, "after")
        await second.inlet.text("after")
        assert news(second, first) == [*missed, "after"]
        heard = await second.inlet.text("missed 1")
        assert heard.author.name == "Carl"
        assert heard.time <= said_by
        assert list(second.inlet.gaps) == []


async def test_own_words_are_known_by_their_address_where_the_room_shows_it(
    xmpp_server: Prosody, cora: XmppUser
) -> None:
    room = new_room()
    await cora.create_room(room, "Cora", RoomOptions(shows_addresses=True))
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(room, ANN, BOB)
        cora.say(room, "before")
        await first.inlet.text("before")
        await first.say(room, BOB, "Bob's words")
        first.inlet.own.clear()
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(room, catch_up=where_it_was(first, room))
        cora.say(room, "after")
        await second.inlet.text("after")
        assert news(second, first) == ["after"]


@MODES
async def test_words_that_a_crash_kept_from_being_recorded_are_found_and_not_taken_for_others(
    xmpp_server: Prosody, cora: XmppUser, room: str, make: Make
) -> None:
    port = xmpp_server.component_port if make is component_settings else xmpp_server.client_port
    async with Cable(port) as cable:
        settings = make(xmpp_server).model_copy(update={"port": cable.port})
        async with started(settings) as first:
            await first.enter(room, ANN, BOB)
            cora.say(room, "before")
            await first.inlet.text("before")
            cable.block()
            in_doubt = first.message(room, BOB, "sent just before the crash")
            sending = asyncio.create_task(first.network.send(in_doubt))
            seen = await cora.wait_for_text(room, in_doubt.event.text)
            await cable.cut()
            with pytest.raises(Unreachable):
                await sending
    await say_all(cora, room, ["missed"])
    async with started(make(xmpp_server), first) as second:
        await second.network.open(room, [ANN], where_it_was(first, room))
        never_sent = second.message(room, BOB, "never sent")
        found: Sent | None = None
        async with asyncio.timeout(10):
            while found is None:
                try:
                    found = await second.network.find(in_doubt)
                except Unreachable:  # not before what was missed is read
                    await asyncio.sleep(0)
        assert found is not None
        assert found.id == (seen.stanza_id or in_doubt.key)
        assert await second.network.find(never_sent) is None
        await second.inlet.text("missed")
        assert news(second, first) == ["missed"]


async def test_what_reaches_those_that_a_crash_has_left_in_a_room_is_heard_once_and_in_its_turn(
    xmpp_server: Prosody, cora: XmppUser, room: str
) -> None:
    """A component's occupants outlive it until something is said to them: if it is back by then, it
    hears that before it enters.
    """
    async with Cable(xmpp_server.component_port) as cable:
        settings = component_settings(xmpp_server, port=cable.port)
        async with started(settings) as first:
            await first.enter(room, ANN)
            cora.say(room, "before")
            await first.inlet.text("before")
            await cable.cut()
        await cable.mend()
        async with started(settings, first) as second:
            cable.block()
            await say_all(cora, room, ["said before it entered"])
            await second.network.open(room, [ANN], where_it_was(first, room))
            cable.unblock()
            await second.inlet.up(room)
            cora.say(room, "after")
            await second.inlet.text("after")
            assert news(second, first) == ["said before it entered", "after"]


async def test_ids_of_the_same_form_are_not_enough_to_be_taken_for_the_bridges_own(
    xmpp_server: Prosody, cora: XmppUser, room: str
) -> None:
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(room, ANN)
        cora.say(room, "before")
        await first.inlet.text("before")
        own = first.message(room, ANN, "own")
        await first.network.send(own)
    for id_, text in ((OTHER_BRIDGES_KEY, "from another bridge"), (own.key, "repeats an id")):
        cora.client.send_raw(
            f"<message type='groupchat' to='{room}' id='{id_}'><body>{text}</body></message>"
        )
        await cora.wait_for_text(room, text)
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(room, ANN, catch_up=where_it_was(first, room))
        await second.inlet.text("repeats an id")
        assert news(second, first) == ["from another bridge", "repeats an id"]
        copies = await second.network.find(own)
        assert copies is not None
        mine = await cora.wait_for_text(room, "own")
        assert copies.id == mine.stanza_id or not mine.stanza_id


async def test_many_pages_are_read_in_order_and_before_what_is_said_meanwhile(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(ward, ANN)
    texts = [f"missed {number}" for number in range(170)]
    await say_all(cora, ward, texts)
    async with started(component_settings(xmpp_server), first) as second:
        await second.network.open(ward, [ANN], where_it_was(first, ward))
        while not any(each.up and each.group for each in second.inlet.healths):
            texts.append(f"live {len(texts)}")
            await say_all(cora, ward, [texts[-1]])
        await second.inlet.text(texts[-1])
        assert second.inlet.texts() == texts


async def test_of_too_many_the_newest_are_fetched_and_the_rest_is_told(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(ward, ANN, BOB)
        for number in range(3):
            await first.say(ward, BOB, f"own {number}")
    texts = [f"missed {number}" for number in range(130)]
    await say_all(cora, ward, texts)
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(ward, ANN, catch_up=where_it_was(first, ward, max_messages=60))
        await second.inlet.text(texts[-1])
        assert second.inlet.texts() == texts[-60:]
        (gap,) = second.inlet.gaps
        assert (gap.group, gap.count) == (ward, 70)
        assert "More than 60" in gap.reason


@pytest.mark.parametrize("said", [6, 5])
async def test_a_small_limit_holds_within_one_page_and_in_a_rooms_memory(
    xmpp_server: Prosody, cora: XmppUser, room: str, said: int
) -> None:
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(room)
        cora.say(room, "before")
        await first.inlet.text("before")
    texts = [f"missed {number}" for number in range(said)]
    await say_all(cora, room, texts)
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(room, catch_up=where_it_was(first, room, max_messages=5))
        await second.inlet.text(texts[-1])
        assert [text for text in news(second, first) if text in texts] == texts[-5:]
        assert [gap.count for gap in second.inlet.gaps] == [1] * (said - 5)


async def test_what_is_too_old_is_not_fetched_but_counted(
    xmpp_server: Prosody, cora: XmppUser, room: str
) -> None:
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(room)
        cora.say(room, "before")
        await first.inlet.text("before")
    since = where_it_was(first, room)
    await past(since.since + timedelta(seconds=1.1))
    await say_all(cora, room, ["too old", "as old"])
    max_age = timedelta(seconds=2)
    await past(datetime.now(UTC) + max_age + timedelta(seconds=0.5))
    await say_all(cora, room, ["young"])
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(room, catch_up=replace(since, max_age=max_age))
        await second.inlet.text("young")
        assert "too old" not in second.inlet.texts()
        (gap,) = second.inlet.gaps
        assert gap.count == 2
        assert "too old to be fetched" in gap.reason


async def test_a_room_that_was_just_linked_gets_no_history_at_the_next_start(
    xmpp_server: Prosody, cora: XmppUser, room: str
) -> None:
    await say_all(cora, room, ["from before"])
    await past(datetime.now(UTC) + timedelta(seconds=1.1))
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(room)
    begun = first.inlet.events[0].time
    await say_all(cora, room, ["missed"])
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(room, catch_up=where_it_was(first, room, begun=begun))
        cora.say(room, "after")
        await second.inlet.text("after")
        assert second.inlet.texts() == ["missed", "after"]


@pytest.mark.parametrize("limit", [{"max_messages": 0}, {"max_age": timedelta()}])
async def test_nothing_is_fetched_where_that_is_switched_off(
    xmpp_server: Prosody, cora: XmppUser, room: str, limit: dict[str, object]
) -> None:
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(room)
        cora.say(room, "before")
        await first.inlet.text("before")
    await say_all(cora, room, ["missed"])
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(room, catch_up=where_it_was(first, room, **limit))
        cora.say(room, "after")
        await second.inlet.text("after")
        assert second.inlet.texts() == ["after"]
        assert list(second.inlet.gaps) == []


async def test_a_room_that_remembers_too_little_is_told(
    xmpp_server: Prosody, cora: XmppUser
) -> None:
    room = new_room(PLAIN_MUC)
    await cora.create_room(room, "Cora", RoomOptions())
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(room, ANN)
        await say_all(cora, room, ["before"])
        await first.inlet.text("before")
    texts = [f"missed {number}" for number in range(25)]  # Prosody remembers twenty
    await say_all(cora, room, texts)
    async with started(component_settings(xmpp_server), first) as second:
        since = where_it_was(first, room)
        # As if it had been said long before: stamps have no fractions of seconds
        since = replace(since, since=since.since - timedelta(seconds=2))
        await second.enter(room, ANN, catch_up=since)
        await second.inlet.text(texts[-1])
        assert second.inlet.texts() == texts[-20:]
        (gap,) = second.inlet.gaps
        assert gap.count is None
        assert "no archive" in gap.reason


async def test_an_archive_that_can_not_be_read_is_told_and_the_room_goes_on(
    xmpp_server: Prosody, cora: XmppUser, ward: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> Page:
        raise StanzaError("auth", "forbidden")

    monkeypatch.setattr(Archive, "_page", refuse)
    async with started(component_settings(xmpp_server)) as bridge:
        await bridge.enter(ward, catch_up=CatchUp(datetime.now(UTC)))
        cora.say(ward, "and on we go")
        await bridge.inlet.text("and on we go")
        (gap,) = bridge.inlet.gaps
        assert gap.count is None
        assert "can't be read: forbidden" in gap.reason


async def test_an_archive_that_does_not_answer_at_once_is_asked_again(
    xmpp_server: Prosody, cora: XmppUser, ward: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(ward)
    await say_all(cora, ward, ["missed"])
    read = Archive._page
    faults: list[Exception] = [Unreachable("It is busy."), StanzaError("wait", "busy")]

    async def hesitate(*args: object, **more: object) -> Page:
        if faults:
            raise faults.pop()
        return await read(*args, **more)

    monkeypatch.setattr(Archive, "_page", hesitate)
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(ward, catch_up=where_it_was(first, ward))
        cora.say(ward, "after")
        await second.inlet.text("after")
        assert second.inlet.texts() == ["missed", "after"]
        assert list(second.inlet.gaps) == []


async def test_what_has_to_wait_for_the_archive_keeps_the_time_at_which_it_was_heard(
    xmpp_server: Prosody, cora: XmppUser, ward: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(ward)
    read = Archive._page
    asked, answered = asyncio.Event(), asyncio.Event()

    async def take_long(*args: object, **more: object) -> Page:
        if asked.is_set():
            return Page((), None, None, complete=True)
        page = await read(*args, **more)
        asked.set()
        await answered.wait()
        return page

    monkeypatch.setattr(Archive, "_page", take_long)
    async with started(component_settings(xmpp_server), first) as second:
        await second.network.open(ward, [], where_it_was(first, ward))
        await asked.wait()
        await say_all(cora, ward, ["meanwhile"])
        said_by = datetime.now(UTC)
        await past(said_by + timedelta(seconds=1))
        answered.set()
        heard = await second.inlet.text("meanwhile")
        assert heard.time < said_by + timedelta(seconds=0.5)


async def test_where_the_archive_has_lost_the_last_message_it_is_read_by_time(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(ward)
    await say_all(cora, ward, ["missed"])
    async with started(component_settings(xmpp_server), first) as second:
        since = replace(where_it_was(first, ward), last_id="long-gone")
        await second.enter(ward, catch_up=since)
        await second.inlet.text("missed")
        assert list(second.inlet.gaps) == []


@pytest.mark.parametrize("subject", ["a new subject", None])
async def test_a_subject_is_told_if_it_was_changed_meanwhile(
    xmpp_server: Prosody, cora: XmppUser, room: str, subject: str | None
) -> None:
    cora.set_subject(room, "as ever")
    await cora.subjects.wait_for(lambda each: each.subject == "as ever")
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(room)
    since = where_it_was(first, room)
    await past(since.since + timedelta(seconds=1.1))
    if subject:
        cora.set_subject(room, subject)
        await cora.subjects.wait_for(lambda each: each.subject == subject)
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(room, catch_up=since)
        cora.say(room, "after")
        await second.inlet.text("after")
        told = [event.subject for event in second.inlet.of(SubjectChanged)]
        assert told == ([subject] if subject else [])


async def test_limits_hold_when_the_network_was_away(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    async with (
        Cable(xmpp_server.component_port) as cable,
        running(component_settings(xmpp_server, port=cable.port), QUICK) as bridge,
    ):
        await bridge.enter(ward, ANN, catch_up=CatchUp(max_messages=5))
        await cable.cut()
        await bridge.inlet.down(None)
        texts = [f"missed {number}" for number in range(70)]
        await say_all(cora, ward, texts)
        await cable.mend()
        await bridge.inlet.text(texts[-1])
        assert bridge.inlet.texts() == texts[-5:]
        assert [gap.count for gap in bridge.inlet.gaps] == [65]


async def test_a_doctor_of_the_same_name_as_a_colleague_hides_nobody(
    xmpp_server: Prosody, cora: XmppUser, carl: XmppUser, room: str
) -> None:
    """The doctor had to take another nick as long as the colleague was there."""
    await carl.join(room, "Dr Cy")
    async with started(component_settings(xmpp_server)) as first:
        await first.enter(room, doctor("Dr Cy"))
        cora.say(room, "before")
        await first.inlet.text("before")
    await say_all(carl, room, ["the colleague's words"])
    await carl.leave(room)
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(room, doctor("Dr Cy"), catch_up=where_it_was(first, room))
        heard = await second.inlet.text("the colleague's words")
        assert heard.author.name == "Dr Cy"
