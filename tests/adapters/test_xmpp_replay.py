"""Changes that were made while the bridge was away, and what was said before a room was linked."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cable import Cable
from test_xmpp_catch_up import MODES, Make, past, say_all, started, where_it_was
from xmpp_lab import ANN, BOB, Bridge, component_settings, deleted, edited, message, reacted

from bridge.contract import CatchUp, Unreachable
from bridge.model import Deleted, Edited, Message, Reactions
from sandbox.prosody import Prosody
from sandbox.xmpp_user import XmppUser


def changes(bridge: Bridge) -> list[str]:
    """What was handed over, in order."""
    words = []
    for event in bridge.inlet.events:
        match event:
            case Message() | Edited():
                words.append(f"{type(event).__name__} {event.text}")
            case Reactions():
                words.append(f"Reactions {''.join(event.emojis)}")
            case Deleted():
                words.append("Deleted")
    return words


@MODES
async def test_changes_made_while_the_bridge_was_down_are_replayed_in_order_and_once(
    xmpp_server: Prosody, cora: XmppUser, ward: str, make: Make
) -> None:
    async with started(make(xmpp_server)) as first:
        await first.enter(ward, ANN, BOB)
        id_ = cora.say(ward, "before")
        heard = await first.inlet.text("before")
        own = await first.send(ward, message(BOB, "own"))
        await first.send(ward, edited(BOB, "own, changed"), target=own.copy)
        await first.send(ward, reacted(BOB, "👍"), target=own.copy, standing=("👍",))
        await first.send(ward, deleted(BOB), target=own.copy)
    cora.edit(ward, id_, "changed")
    cora.react(ward, heard.id, "❤️")
    cora.react(ward, own.sent.id, "🙏")
    cora.retract(ward, heard.id)
    await say_all(cora, ward, ["missed"])
    async with started(make(xmpp_server), first) as second:
        await second.enter(ward, ANN, catch_up=where_it_was(first, ward))  # Bob is gone
        cora.say(ward, "after")
        await second.inlet.text("after")
        assert changes(second) == [
            "Edited changed",
            "Reactions ❤️",
            "Reactions 🙏",
            "Deleted",
            "Message missed",
            "Message after",
        ]
        (edit,) = second.inlet.of(Edited)
        assert edit.target in heard.aliases
        assert [each.target for each in second.inlet.of(Reactions)] == [heard.id, own.sent.id]


@pytest.mark.parametrize("kind", ["edit", "reaction", "deletion"])
async def test_a_change_of_which_it_is_in_doubt_whether_it_arrived_is_found(
    xmpp_server: Prosody, cora: XmppUser, ward: str, kind: str
) -> None:
    async with Cable(xmpp_server.component_port) as cable:
        settings = component_settings(xmpp_server, port=cable.port)
        async with started(settings) as first:
            await first.enter(ward, ANN)
            own = await first.send(ward, message(ANN, "own"))
            make = {
                "edit": edited(ANN, "changed"),
                "reaction": reacted(ANN, "👍"),
                "deletion": deleted(ANN),
            }[kind]
            doubtful = replace(first.outgoing(ward, make), target=own.copy, standing=("👍",))
            cable.block()
            sending = asyncio.create_task(first.network.send(doubtful))
            seen = await cora.wait_for(lambda each: each.id == doubtful.key)
            await cable.cut()
            with pytest.raises(Unreachable) as unreachable:
                await sending
            assert unreachable.value.doubtful
    async with started(component_settings(xmpp_server), first) as second:
        await second.enter(ward, ANN, catch_up=CatchUp(doubtful.event.time))
        found = await second.network.find(doubtful)
        assert found is not None
        assert found.id == seen.stanza_id
        assert changes(second) == []


@MODES
async def test_a_new_portal_gets_the_last_messages_with_their_times_and_authors(
    xmpp_server: Prosody, cora: XmppUser, carl: XmppUser, room: str, make: Make
) -> None:
    await carl.join(room, "Carl")
    for number in range(4):
        await say_all(carl if number % 2 else cora, room, [f"old {number}"])
    said_by = datetime.now(UTC)
    await past(said_by)
    async with started(make(xmpp_server)) as bridge:
        await bridge.network.open(room, [ANN], CatchUp(history=3))
        await bridge.inlet.up(room)
        cora.say(room, "new")
        await bridge.inlet.text("new")
        heard = bridge.inlet.of(Message)
        assert [each.text for each in heard] == ["old 1", "old 2", "old 3", "new"]
        assert [each.old for each in heard] == [True, True, True, False]
        assert [each.author.name for each in heard] == ["Carl", "Cora", "Carl", "Cora"]
        assert all(each.time <= said_by for each in heard[:3])
        kinds = [type(event).__name__ for event in bridge.inlet.events]
        assert kinds == ["Message", "Message", "Message", "Roster", "Message"]
        assert list(bridge.inlet.gaps) == []


async def test_the_history_of_a_portal_holds_what_became_of_its_messages(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    first = cora.say(ward, "80 mg")
    seen = await cora.wait_for_text(ward, "80 mg")
    cora.edit(ward, first, "8 mg")
    cora.react(ward, seen.stanza_id, "👍")
    await cora.wait_for(lambda each: each.reactions is not None)
    async with started(component_settings(xmpp_server)) as bridge:
        await bridge.enter(ward, catch_up=CatchUp(history=10))
        assert changes(bridge) == ["Message 80 mg", "Edited 8 mg", "Reactions 👍"]
        old = bridge.inlet.of(Message)[0]
        assert bridge.inlet.of(Edited)[0].target in old.aliases
        assert bridge.inlet.of(Reactions)[0].target == old.id


async def test_many_pages_of_history_are_read(
    xmpp_server: Prosody, cora: XmppUser, ward: str
) -> None:
    texts = [f"old {number}" for number in range(130)]
    await say_all(cora, ward, texts)
    async with started(component_settings(xmpp_server)) as bridge:
        await bridge.enter(ward, catch_up=CatchUp(history=120))
        assert bridge.inlet.texts() == texts[-120:]
