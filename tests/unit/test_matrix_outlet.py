"""The outlet: what a room is shown, by whom, and what is told when that can't be."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from matrix_fakes import (
    FORBIDDEN,
    ROOM,
    GhostsInMemory,
    Reply,
    ScriptedHomeserver,
    acting_bot,
    config,
    refusal,
)

from bridge.contract import Feature, Outgoing, Refused, Sent, Unreachable
from bridge.errors import StoreError
from bridge.matrix import ghosts as ghosts_module
from bridge.matrix.copies import Copies
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ghosts import GhostRecord, Ghosts
from bridge.matrix.outlet import MatrixOutlet
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

BOB = "@_consilium_muc_bob:hospital.test"
BOT = "@consilium:hospital.test"
GROUP = Place("muc", "case-7@muc.test")
AUTHOR = Author("muc", "bob", "Bob (Hospital B)")
TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


@dataclass
class Scene:
    homeserver: ScriptedHomeserver
    store: GhostsInMemory
    ghosts: Ghosts
    outlet: MatrixOutlet

    async def show(self, event: Deliverable, key: str = "key", room: str = ROOM) -> Sent:
        return await self.outlet.send(Outgoing(Place(MATRIX, room), key, event))

    async def settled(self, author: Author = AUTHOR) -> None:
        """Bring the author's ghost into the room, and forget what that took."""
        await self.ghosts.ensure(author, ROOM)
        self.homeserver.asked.clear()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with ScriptedHomeserver().running() as homeserver:
        configured = config(homeserver.url)
        async with acting_bot(configured) as bot:
            store = GhostsInMemory()
            ghosts = Ghosts(
                bot, GhostIds(configured), store, {"list": "mxc://hospital.test/letter"}
            )
            yield Scene(homeserver, store, ghosts, MatrixOutlet(bot, ghosts))


def message(text: str = "Hello", **more: Any) -> Message:
    return Message(GROUP, "1", more.pop("author", AUTHOR), TIME, text, **more)


def powers(levels: dict[str, Any], creator: str = "@chief:hospital.test", **create: Any) -> Any:
    """Answers to the questions for a room's power levels and creation."""
    return [
        ("/m.room.power_levels", Reply(200, levels)),
        ("/m.room.create", Reply(200, {"sender": creator, "content": create})),
    ]


def rule(scene: Scene, levels: dict[str, Any], **create: Any) -> None:
    for part, reply in powers(levels, **create):
        scene.homeserver.always("GET", part, reply)


# --- messages -----------------------------------------------------------------------------------


async def test_the_first_word_of_an_author_makes_names_and_brings_in_their_ghost(
    scene: Scene,
) -> None:
    sent = await scene.show(message())
    assert scene.homeserver.log == [
        "POST register",
        f"PUT profile/{BOB}/displayname as {BOB}",
        f"POST join/{ROOM} as {BOB}",
        f"PUT rooms/{ROOM}/send/m.room.message/key as {BOB}",
    ]
    assert sent == Sent("$event4")
    assert scene.store.records[BOB] == GhostRecord(BOB, "muc", "bob", "Bob (Hospital B)")
    assert scene.store.room_ids[BOB] == {ROOM}


async def test_every_further_word_is_one_request_and_asks_no_store(scene: Scene) -> None:
    await scene.settled()
    asked = scene.store.asked
    await scene.show(message("What about the sodium?"), "another-key")
    (request,) = scene.homeserver.asked
    assert request.query == {"user_id": BOB, "ts": "1767323045678"}
    assert request.body == {
        "msgtype": "m.text",
        "body": "What about the sodium?",
        "m.mentions": {},
        "consilium.key": "another-key",
    }
    assert scene.store.asked == asked


async def test_an_emote_is_shown_as_one(scene: Scene) -> None:
    await scene.show(message("nods", emote=True))
    assert scene.homeserver.asked[-1].body["msgtype"] == "m.emote"


async def test_after_a_restart_a_known_ghost_is_read_from_the_store(scene: Scene) -> None:
    scene.store.records[BOB] = GhostRecord(BOB, "muc", "bob", AUTHOR.name)
    scene.store.room_ids[BOB] = {ROOM}
    await scene.show(message())
    assert scene.homeserver.log == [f"PUT rooms/{ROOM}/send/m.room.message/key as {BOB}"]


async def test_many_words_at_once_make_one_ghost(scene: Scene) -> None:
    rooms = [f"!{number}:hospital.test" for number in range(8)]
    await asyncio.gather(*(scene.show(message(), room=room) for room in rooms))
    log = scene.homeserver.log
    assert log.count("POST register") == 1
    assert sum(line.startswith("POST join") for line in log) == len(rooms)


async def test_memory_holds_a_bounded_number_of_ghosts(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ghosts_module, "HELD_MAX", 3)
    for number in range(5):
        await scene.show(message(author=Author("muc", f"p{number}", "P")))
    scene.homeserver.asked.clear()
    asked = scene.store.asked
    await scene.show(message(author=Author("muc", "p4", "P")))
    assert scene.store.asked == asked
    await scene.show(message(author=Author("muc", "p0", "P")))
    assert scene.store.asked > asked
    assert "POST register" not in scene.homeserver.log


async def test_a_ghost_that_was_put_out_comes_back_to_speak(scene: Scene) -> None:
    await scene.settled()
    scene.homeserver.answer("PUT", "/send/", FORBIDDEN)
    sent = await scene.show(message())
    assert scene.homeserver.log == [
        f"PUT rooms/{ROOM}/send/m.room.message/key as {BOB}",
        f"POST join/{ROOM} as {BOB}",
        f"PUT rooms/{ROOM}/send/m.room.message/key as {BOB}",
    ]
    assert sent.id is not None


async def test_a_ghost_that_the_homeserver_lost_is_made_again(scene: Scene) -> None:
    await scene.settled()
    scene.homeserver.answer("PUT", "/send/", FORBIDDEN)
    scene.homeserver.answer("POST", "/join/", FORBIDDEN)
    await scene.show(message())
    assert scene.homeserver.log == [
        f"PUT rooms/{ROOM}/send/m.room.message/key as {BOB}",
        f"POST join/{ROOM} as {BOB}",
        "POST register",
        f"PUT profile/{BOB}/displayname as {BOB}",
        f"POST rooms/{ROOM}/invite",
        f"POST join/{ROOM} as {BOB}",
        f"PUT rooms/{ROOM}/send/m.room.message/key as {BOB}",
    ]


async def test_a_room_where_ghosts_may_not_write_is_told_with_its_remedy(scene: Scene) -> None:
    await scene.settled()
    scene.homeserver.always("PUT", "/send/", FORBIDDEN)
    rule(scene, {"events_default": 50})
    with pytest.raises(Refused) as caught:
        await scene.show(message())
    assert caught.value.sentence == "People of other networks may not write in this room."
    assert "Let a power level of 0 send messages" in caught.value.advice
    assert "it takes 50 now" in caught.value.advice


async def test_a_message_that_is_too_large_is_refused(scene: Scene) -> None:
    scene.homeserver.answer("PUT", "/send/", refusal(413, "M_TOO_LARGE", "event too large"))
    with pytest.raises(Refused, match="event too large"):
        await scene.show(message())


async def test_a_store_that_fails_is_not_the_end_of_a_message(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_user_id: str) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(scene.store, "load", fail)
    with pytest.raises(Unreachable, match="database has a fault"):
        await scene.show(message())


# --- the way in ---------------------------------------------------------------------------------


async def test_a_ghost_that_may_not_enter_is_invited_by_the_bot(scene: Scene) -> None:
    scene.homeserver.answer("POST", "/register", Reply(200), refusal(400, "M_USER_IN_USE"))
    scene.homeserver.answer("POST", "/join/", FORBIDDEN)
    await scene.show(Joined(GROUP, AUTHOR, TIME))
    assert scene.homeserver.log[-3:] == [
        "POST register",
        f"POST rooms/{ROOM}/invite",
        f"POST join/{ROOM} as {BOB}",
    ]


@pytest.fixture
def closed(scene: Scene) -> Scene:
    """A room that ghosts can't enter and the bot can't invite to."""
    scene.homeserver.answer("POST", "/register", Reply(200), refusal(400, "M_USER_IN_USE"))
    scene.homeserver.always("POST", "/join/", FORBIDDEN)
    scene.homeserver.always("POST", "/invite", FORBIDDEN)
    return scene


@pytest.mark.parametrize(
    ("levels", "needs", "has"),
    [
        ({"invite": 50}, "50", "0"),
        ({"invite": 100, "users": {BOT: 50}}, "100", "50"),
        ({"invite": "50", "users_default": 10}, "50", "10"),
    ],
)
async def test_a_bot_that_may_not_invite_says_what_power_it_needs(
    closed: Scene, levels: dict[str, Any], needs: str, has: str
) -> None:
    rule(closed, levels)
    with pytest.raises(Refused) as caught:
        await closed.show(message())
    assert caught.value.sentence == f"{BOT} may not invite people to this room."
    assert f"at least {needs}, in Element" in caught.value.advice
    assert caught.value.advice.endswith(f"it has {has}.")


async def test_a_creator_of_a_new_room_has_all_power(closed: Scene) -> None:
    """https://spec.matrix.org/v1.19/rooms/v12/"""
    rule(closed, {"invite": 50}, room_version="12", additional_creators=[BOT, 5])
    with pytest.raises(Refused, match="You may not"):
        await closed.show(message())


async def test_a_banned_author_is_told_as_such(closed: Scene) -> None:
    rule(closed, {"users": {BOT: 100}})
    with pytest.raises(Refused, match="lift the ban"):
        await closed.show(message())


async def test_a_bot_that_is_not_in_the_room_is_awaited(closed: Scene) -> None:
    closed.homeserver.always("GET", "/state/", FORBIDDEN)
    with pytest.raises(Unreachable, match=f"{BOT} is not in the room {ROOM}: invite it there"):
        await closed.show(message())


async def test_names_that_are_not_the_bridges_are_told_with_their_remedy(scene: Scene) -> None:
    scene.homeserver.answer("POST", "/register", refusal(400, "M_EXCLUSIVE"))
    with pytest.raises(Unreachable, match="write the registration anew"):
        await scene.show(message())


async def test_a_homeserver_that_keeps_names_from_changing_does_not_stop_messages(
    scene: Scene,
) -> None:
    scene.homeserver.always("PUT", "/profile/", FORBIDDEN)
    assert (await scene.show(message())).id is not None
    scene.homeserver.asked.clear()
    await scene.show(message())
    assert len(scene.homeserver.asked) == 1


# --- presence -----------------------------------------------------------------------------------


async def test_one_who_joins_is_brought_in_once(scene: Scene) -> None:
    for _ in range(2):
        assert await scene.show(Joined(GROUP, AUTHOR, TIME)) == Sent()
    assert scene.homeserver.log[-1] == f"POST join/{ROOM} as {BOB}"
    assert len(scene.homeserver.asked) == 3


async def test_one_who_leaves_is_taken_out_with_the_reason(scene: Scene) -> None:
    await scene.settled()
    for _ in range(2):
        assert await scene.show(Left(GROUP, AUTHOR, TIME, "End of shift")) == Sent()
    (asked,) = scene.homeserver.asked
    assert str(asked) == f"POST rooms/{ROOM}/leave as {BOB}"
    assert asked.body == {"reason": "End of shift"}
    assert scene.store.room_ids[BOB] == set()


async def test_one_who_was_put_out_before_leaving_is_simply_gone(scene: Scene) -> None:
    await scene.settled()
    scene.homeserver.answer("POST", "/leave", FORBIDDEN)
    await scene.show(Left(GROUP, AUTHOR, TIME))
    assert scene.store.room_ids[BOB] == set()


async def test_a_stranger_who_leaves_makes_no_ghost(scene: Scene) -> None:
    await scene.show(Left(GROUP, AUTHOR, TIME))
    assert scene.homeserver.log == []


async def test_a_new_name_is_set_once(scene: Scene) -> None:
    await scene.settled()
    renamed = Author("muc", "bob", "Robert (Hospital B)")
    for _ in range(2):
        await scene.show(Renamed(GROUP, renamed, TIME))
    (asked,) = scene.homeserver.asked
    assert str(asked) == f"PUT profile/{BOB}/displayname as {BOB}"
    assert asked.body == {"displayname": "Robert (Hospital B)"}


@pytest.mark.parametrize(
    ("author", "shown"),
    [
        (Author("muc", "bob", "Bob", "mxc://a/b"), "mxc://a/b"),
        (Author("list", "bob", "Bob"), "mxc://hospital.test/letter"),
        (Author("list", "bob", "Bob", "sha1:0815"), "mxc://hospital.test/letter"),
        (Author("muc", "bob", "Bob", "http://evil.test/x.png"), None),
        (Author("muc", "bob", "Bob"), None),
    ],
)
async def test_an_avatar_is_shown_if_matrix_has_it(
    scene: Scene, author: Author, shown: str | None
) -> None:
    for _ in range(2):
        await scene.show(Joined(GROUP, author, TIME))
    set_ = [a.body["avatar_url"] for a in scene.homeserver.asked if "avatar_url" in a.path]
    assert set_ == ([] if shown is None else [shown])


# --- topic --------------------------------------------------------------------------------------

SUBJECT = SubjectChanged(GROUP, AUTHOR, TIME, "A heart")


def topics_set(scene: Scene) -> list[str]:
    return [
        str(asked)
        for asked in scene.homeserver.asked
        if asked.method == "PUT" and "m.room.topic" in asked.path
    ]


async def test_a_topic_is_set_by_the_bot_where_the_ghost_may_not(scene: Scene) -> None:
    rule(scene, {"users": {BOT: 50}})
    sent = await scene.show(SUBJECT)
    assert sent.id is not None
    assert topics_set(scene) == [f"PUT rooms/{ROOM}/state/m.room.topic/"]
    assert scene.homeserver.asked[-1].body == {"topic": "A heart"}
    assert scene.homeserver.asked[-1].query["ts"] == "1767323045678"


async def test_a_topic_is_set_by_the_ghost_where_it_may(scene: Scene) -> None:
    rule(scene, {"users": {BOT: 100}, "events": {"m.room.topic": 0}})
    await scene.show(SUBJECT)
    assert topics_set(scene) == [f"PUT rooms/{ROOM}/state/m.room.topic/ as {BOB}"]
    assert scene.store.room_ids[BOB] == {ROOM}


async def test_a_topic_that_is_there_already_is_not_set_again(scene: Scene) -> None:
    scene.homeserver.always("GET", "/m.room.topic", Reply(200, {"topic": "A heart"}))
    rule(scene, {"users": {BOT: 100}})
    assert await scene.show(SUBJECT) == Sent()
    assert topics_set(scene) == []


async def test_a_topic_that_nobody_of_ours_may_set_is_told_with_its_remedy(scene: Scene) -> None:
    rule(scene, {"users": {BOT: 20}})
    with pytest.raises(Refused) as caught:
        await scene.show(SUBJECT)
    assert caught.value.sentence == f"{BOT} may not change the topic of this room."
    assert "at least 50" in caught.value.advice
    assert topics_set(scene) == []


# --- copies of earlier attempts -----------------------------------------------------------------


def page(keys: dict[str, str], end: str | None = None, sender: str = BOB) -> Reply:
    chunk: list[Any] = [None, {"content": "odd"}, {"content": {"body": "by a doctor"}}]
    chunk += [
        {"event_id": event_id, "sender": sender, "content": {"consilium.key": key}}
        for key, event_id in keys.items()
    ]
    return Reply(200, {"chunk": chunk} | ({"end": end} if end else {}))


async def find(scene: Scene, key: str, event: Deliverable | None = None) -> Sent | None:
    return await scene.outlet.find(Outgoing(Place(MATRIX, ROOM), key, event or message()))


async def test_a_copy_is_found_by_its_key_on_any_page(scene: Scene) -> None:
    scene.homeserver.answer("GET", "/messages", page({"a": "$a"}, "next"), page({"b": "$b"}))
    assert await find(scene, "b") == Sent("$b")
    assert await find(scene, "a") == Sent("$a")
    assert await find(scene, "c") is None
    assert [asked.query.get("from") for asked in scene.homeserver.asked] == [None, "next"]


async def test_it_is_not_looked_for_beyond_what_is_on_record(scene: Scene) -> None:
    async def recorded(room_id: str, event_ids: Sequence[str]) -> Collection[str]:
        assert room_id == ROOM
        return {"$old"} & set(event_ids)

    said_at = int(TIME.timestamp() * 1000)
    record = page({"old": "$old"}, "further")
    record.body["chunk"][-1]["origin_server_ts"] = said_at
    pages = [page({"new": "$new"}, "next"), record, page({"older": "$older"})]
    scene.homeserver.answer("GET", "/messages", *pages)
    async with acting_bot(config(scene.homeserver.url)) as bot:
        copies = Copies(bot, recorded)
        assert await copies.find(ROOM, BOB, "new", said_at) == "$new"
        assert len(scene.homeserver.asked) == 1
        assert await copies.find(ROOM, BOB, "missing", said_at) is None
        assert await copies.find(ROOM, BOB, "missing, too", said_at + 1) is None
        assert len(scene.homeserver.asked) == 2
        assert await copies.find(ROOM, BOB, "older", said_at - 1) == "$older"


async def test_a_database_that_can_not_tell_what_is_on_record_is_waited_for(scene: Scene) -> None:
    async def recorded(_room_id: str, _event_ids: Sequence[str]) -> Collection[str]:
        raise StoreError("It is away.")

    scene.homeserver.always("GET", "/messages", page({"old": "$old"}))
    async with acting_bot(config(scene.homeserver.url)) as bot:
        with pytest.raises(Unreachable):
            await Copies(bot, recorded).find(ROOM, BOB, "key", 0)


async def test_a_key_that_somebody_else_wrote_is_no_copy(scene: Scene) -> None:
    forged = page({"key": "$forged"}, sender="@mallory:hospital.test")
    scene.homeserver.answer("GET", "/messages", forged)
    assert await find(scene, "key") is None


async def test_after_another_attempt_without_a_clear_end_it_looks_again(scene: Scene) -> None:
    scene.homeserver.answer("GET", "/messages", page({}), page({"key": "$1"}))
    assert await find(scene, "key") is None
    scene.homeserver.answer("PUT", "/send/", Reply(502, ""))
    with pytest.raises(Unreachable):
        await scene.show(message())
    assert await find(scene, "key") == Sent("$1")


async def test_a_look_into_an_endless_room_ends(scene: Scene) -> None:
    scene.homeserver.always("GET", "/messages", page({}, "further"))
    assert await find(scene, "key") is None
    assert len(scene.homeserver.asked) < 20


async def test_what_may_be_repeated_is_not_looked_for(scene: Scene) -> None:
    assert await find(scene, "key", Joined(GROUP, AUTHOR, TIME)) is None
    assert scene.homeserver.asked == []


def test_it_declares_what_it_can(scene: Scene) -> None:
    can = scene.outlet.capabilities(ROOM)
    assert can.own_names
    assert can.max_text == 30_000
    assert can.does(Feature.EMOTE)
    assert can.does(Feature.MEMBERSHIP)
    assert can.does(Feature.SUBJECT)
