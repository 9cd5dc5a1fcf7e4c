"""The client that acts as anyone: how it asks, and what it makes of every answer."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import pytest
from matrix_fakes import (
    AS_TOKEN,
    BOT,
    FORBIDDEN,
    ROOM,
    Reply,
    ScriptedHomeserver,
    acting_bot,
    config,
    refusal,
)

from bridge.contract import Refused, Unreachable
from bridge.matrix.client import ActingClient
from bridge.matrix.faults import Denied

GHOST = "@_consilium_muc_bob:hospital.test"
TEXT = {"msgtype": "m.text", "body": "The potassium is 6.1"}


@pytest.fixture
async def homeserver() -> AsyncIterator[ScriptedHomeserver]:
    async with ScriptedHomeserver().running() as running:
        yield running


@pytest.fixture
async def bot(homeserver: ScriptedHomeserver) -> AsyncIterator[ActingClient]:
    async with acting_bot(config(homeserver.url)) as client:
        yield client


async def say(client: ActingClient, room: str = ROOM) -> str:
    return await client.send_event(room, "m.room.message", TEXT, "key", ts=1767323045678)


async def test_it_sends_as_a_ghost_at_a_time_with_a_key(
    homeserver: ScriptedHomeserver, bot: ActingClient
) -> None:
    assert await say(bot.acting_as(GHOST)) == "$event1"
    (asked,) = homeserver.asked
    assert asked.method == "PUT"
    assert asked.path == f"/_matrix/client/v3/rooms/{ROOM}/send/m.room.message/key"
    assert asked.query == {"user_id": GHOST, "ts": "1767323045678"}
    assert asked.body == TEXT


async def test_the_bot_is_named_but_where_it_is_the_service_itself(
    homeserver: ScriptedHomeserver, bot: ActingClient
) -> None:
    await bot.enter(ROOM)
    await ActingClient(bot.connection, BOT, BOT).enter(ROOM)
    assert [asked.query for asked in homeserver.asked] == [{"user_id": BOT}, {}]


async def test_the_token_is_in_the_header_and_nowhere_else(
    homeserver: ScriptedHomeserver, bot: ActingClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    homeserver.answer("GET", "/whoami", Reply(200, {"user_id": GHOST}))
    ghost = bot.acting_as(GHOST)
    await say(ghost)
    await ghost.whoami()
    await ghost.set_displayname("Bob")
    for asked in homeserver.asked:
        assert asked.headers["Authorization"] == f"Bearer {AS_TOKEN}"
        assert "access_token" not in asked.query
        assert asked.query["user_id"] == GHOST
    assert AS_TOKEN not in caplog.text
    assert AS_TOKEN not in str(vars(ghost))


@pytest.mark.parametrize("room", ["!a/b:x", "!ü?#&:x", "!v12-without-domain", "!%2F:x"])
async def test_odd_room_ids_arrive_as_they_are(
    homeserver: ScriptedHomeserver, bot: ActingClient, room: str
) -> None:
    await say(bot, room)
    assert homeserver.asked[0].path == f"/_matrix/client/v3/rooms/{room}/send/m.room.message/key"


async def test_the_methods_of_nio_go_the_same_way(
    homeserver: ScriptedHomeserver, bot: ActingClient
) -> None:
    await bot.room_invite(ROOM, GHOST)
    (asked,) = homeserver.asked
    assert (asked.path, asked.body) == (
        f"/_matrix/client/v3/rooms/{ROOM}/invite",
        {"user_id": GHOST},
    )
    homeserver.answer("POST", "/invite", FORBIDDEN)
    with pytest.raises(Denied, match="You may not"):
        await bot.room_invite(ROOM, GHOST)


async def test_an_answer_with_more_in_it_than_nio_knows_is_no_fault(
    homeserver: ScriptedHomeserver, bot: ActingClient
) -> None:
    homeserver.answer("PUT", "/displayname", Reply(200, {"org.example.new": True}))
    await bot.set_displayname("Bob")
    homeserver.answer("GET", "/whoami", Reply(200, {"user_id": 5}))
    with pytest.raises(Unreachable, match="can't be read"):
        await bot.whoami()


async def test_registering_a_user_that_exists_is_fine(
    homeserver: ScriptedHomeserver, bot: ActingClient
) -> None:
    homeserver.answer("POST", "/register", Reply(200), refusal(400, "M_USER_IN_USE"))
    assert await bot.register_user("bob") is True
    assert await bot.register_user("bob") is False
    assert homeserver.asked[0].body == {
        "type": "m.login.application_service",
        "username": "bob",
        "inhibit_login": True,
    }
    assert homeserver.asked[0].query == {}


async def test_state_that_is_not_there_is_none(
    homeserver: ScriptedHomeserver, bot: ActingClient
) -> None:
    assert await bot.state(ROOM, "m.room.topic") is None
    homeserver.answer("GET", "/state/", Reply(200, {"topic": "A heart"}))
    assert await bot.state(ROOM, "m.room.topic") == {"topic": "A heart"}


# --- what an answer means, https://spec.matrix.org/v1.19/client-server-api/#api-standards -------


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        (refusal(429, "M_LIMIT_EXCEEDED"), None),
        (Reply(429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1500}), 1.5),
        (Reply(429, {"retry_after_ms": 1500}, {"Retry-After": "7"}), 7.0),
        (Reply(429, "slow down", {"Retry-After": "7"}), 7.0),
        (Reply(429, {"retry_after_ms": "soon"}, {"Retry-After": "Tue, 24 Nov 2026"}), None),
        (Reply(429, {"retry_after_ms": 10**12}), 600.0),
        (Reply(429, {"retry_after_ms": -5}), None),
    ],
)
async def test_a_homeserver_that_asks_to_wait_is_heard(
    homeserver: ScriptedHomeserver, bot: ActingClient, reply: Reply, wait: float | None
) -> None:
    homeserver.answer("PUT", "/send/", reply)
    with pytest.raises(Unreachable, match="asks to wait") as caught:
        await say(bot)
    assert caught.value.retry_after == wait
    assert len(homeserver.asked) == 1


@pytest.mark.parametrize(
    ("reply", "sentence", "doubtful"),
    [
        (refusal(500, "M_UNKNOWN"), "has a fault", True),
        (Reply(502, "<html>Bad Gateway</html>"), "has a fault", True),
        (Reply(504, ""), "has a fault", True),
        (refusal(401, "M_UNKNOWN_TOKEN"), "does not know the bridge's as_token", False),
        (refusal(403, "M_RESOURCE_LIMIT_EXCEEDED"), "limit of its own", False),
        (Reply(404, "<html>Not Found</html>"), "not a Matrix homeserver", False),
        (Reply(302, "", {"Location": "http://127.0.0.1:1/"}), "not a Matrix homeserver", False),
        (Reply(200, "not json"), "not a Matrix homeserver", False),
        (Reply(200, []), "not a Matrix homeserver", False),
        (Reply(200, {}), "can't be read", True),
        (Reply(200, {"event_id": 5}), "can't be read", True),
    ],
)
async def test_what_may_pass_is_tried_again(
    homeserver: ScriptedHomeserver,
    bot: ActingClient,
    reply: Reply,
    sentence: str,
    doubtful: bool,
) -> None:
    homeserver.answer("PUT", "/send/", reply)
    with pytest.raises(Unreachable, match=sentence) as caught:
        await say(bot)
    assert caught.value.doubtful == doubtful
    assert len(homeserver.asked) == 1


@pytest.mark.parametrize(
    ("reply", "errcode"),
    [
        (FORBIDDEN, "M_FORBIDDEN"),
        (refusal(413, "M_TOO_LARGE"), "M_TOO_LARGE"),
        (Reply(413, "<html>Entity too large</html>"), "M_TOO_LARGE"),
        (refusal(400, "M_BAD_JSON"), "M_BAD_JSON"),
        (refusal(404, "M_NOT_FOUND"), "M_NOT_FOUND"),
    ],
)
async def test_what_will_not_pass_is_refused(
    homeserver: ScriptedHomeserver, bot: ActingClient, reply: Reply, errcode: str
) -> None:
    homeserver.answer("PUT", "/send/", reply)
    with pytest.raises(Refused) as caught:
        await say(bot)
    assert isinstance(caught.value, Denied)
    assert caught.value.errcode == errcode


async def test_a_homeserver_that_is_not_there_is_unreachable() -> None:
    async with acting_bot(config("http://127.0.0.1:1")) as bot:
        with pytest.raises(Unreachable, match=r"not reachable at http:.*:1\.") as caught:
            await say(bot)
        with pytest.raises(Unreachable):
            await say(bot)
        assert not bot.connection.answers
        assert bot.connection.outages == 1
    assert not caught.value.doubtful


async def test_a_connection_that_breaks_leaves_a_doubt() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with acting_bot(config(f"http://127.0.0.1:{port}")) as bot:
            with pytest.raises(Unreachable, match="broke") as caught:
                await say(bot)
    assert caught.value.doubtful


async def test_a_homeserver_that_goes_down_over_a_request_leaves_a_doubt() -> None:
    """The HTTP library asks again when a connection in use breaks: then nobody listens any more."""
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"event_id": "$1"}'

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(answer)
        await reader.readuntil(b"}")
        server.close()
        writer.close()

    async with await asyncio.start_server(answer_once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with acting_bot(config(f"http://127.0.0.1:{port}")) as bot:
            assert await say(bot) == "$1"
            assert bot.connection.answers
            with pytest.raises(Unreachable, match="not reachable") as caught:
                await say(bot)
            assert bot.connection.outages == 1
    assert caught.value.doubtful


async def test_a_homeserver_that_does_not_answer_leaves_a_doubt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with acting_bot(config(f"http://127.0.0.1:{port}")) as bot:
            with pytest.raises(Unreachable, match="does not answer") as caught:
                await bot.connection.request("GET", "/", timeout=0.05)
            assert bot.connection.outages == 0
    assert caught.value.doubtful
