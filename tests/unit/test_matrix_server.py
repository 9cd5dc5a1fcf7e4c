"""The door the homeserver pushes to: who may, what is taken, and what is answered."""

import gzip
import json
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from matrix_fakes import HS_TOKEN, config
from structlog.testing import CapturingLogger, capture_logs

from bridge.errors import ConsiliumError, StoreError
from bridge.matrix import server as server_module
from bridge.matrix.raw import JsonObject
from bridge.matrix.server import AppserviceServer, PortTaken

AUTHORISED = {"Authorization": f"Bearer {HS_TOKEN}"}
TRANSACTION = "/_matrix/app/v1/transactions/1"


@dataclass
class Sink:
    """Takes transactions, or fails as it is told."""

    taken: list[tuple[str, list[JsonObject], list[JsonObject]]] = field(default_factory=list)
    fault: Exception | None = None

    async def accept(
        self, txn_id: str, events: Sequence[JsonObject], ephemeral: Sequence[JsonObject]
    ) -> None:
        if self.fault is not None:
            raise self.fault
        self.taken.append((txn_id, list(events), list(ephemeral)))


@dataclass
class Answer:
    status: int
    body: Any
    content_type: str


class Door:
    """A running server, and a homeserver's way to it."""

    def __init__(self, url: str, session: aiohttp.ClientSession, sink: Sink) -> None:
        self.url = url
        self.sink = sink
        self._session = session

    async def ask(
        self, method: str, path: str, body: Any = b"", headers: Any = AUTHORISED
    ) -> Answer:
        async with self._session.request(
            method, self.url + path, data=body, headers=headers
        ) as got:
            return Answer(got.status, await got.json(), got.content_type)

    async def push(self, body: Any, path: str = TRANSACTION) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.ask("PUT", path, content)


async def _watched(_request: web.Request) -> web.Response:
    return web.json_response({"watched": True})


async def _broken(_request: web.Request) -> web.Response:
    raise ConsiliumError("The disk is full.")


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    sink = Sink()
    doors = [web.get("/watch", _watched), web.get("/media/{token}", _broken)]
    server = AppserviceServer(config().appservice, sink, doors)
    async with server, aiohttp.ClientSession() as session:
        made = Door(f"http://127.0.0.1:{server.port}", session, sink)
        yield made


# --- who may ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status", "errcode"),
    [
        ({}, 401, "M_UNAUTHORIZED"),
        ({"Authorization": ""}, 401, "M_UNAUTHORIZED"),
        ({"Authorization": "Bearer "}, 401, "M_UNAUTHORIZED"),
        ({"Authorization": HS_TOKEN}, 401, "M_UNAUTHORIZED"),
        ({"Authorization": f"Basic {HS_TOKEN}"}, 401, "M_UNAUTHORIZED"),
        ({"Authorization": "Bearer wrong"}, 403, "M_FORBIDDEN"),
        ({"Authorization": f"Bearer {HS_TOKEN}x"}, 403, "M_FORBIDDEN"),
        ({"Authorization": "Bearer t\xf6ken"}, 403, "M_FORBIDDEN"),
    ],
)
@pytest.mark.parametrize(
    "request_line",
    [
        f"PUT {TRANSACTION}",
        "POST /_matrix/app/v1/ping",
        "GET /_matrix/app/v1/users/@a:b",
        "GET /_matrix/app/v1/unheard-of",
    ],
)
async def test_only_the_homeserver_may_come_in(
    door: Door, request_line: str, headers: dict[str, str], status: int, errcode: str
) -> None:
    answer = await door.ask(*request_line.split(), b'{"events":[]}', headers)
    assert (answer.status, answer.body["errcode"]) == (status, errcode)
    assert door.sink.taken == []


async def test_a_token_in_the_query_opens_nothing(door: Door) -> None:
    answer = await door.ask("PUT", f"{TRANSACTION}?access_token={HS_TOKEN}", b"{}", {})
    assert answer.status == 401


async def test_two_authorisations_open_nothing(door: Door) -> None:
    headers = [("Authorization", f"Bearer {HS_TOKEN}"), ("Authorization", "Bearer x")]
    assert (await door.ask("PUT", TRANSACTION, b"{}", headers)).status == 401


# --- transactions -------------------------------------------------------------------------------


async def test_a_transaction_is_handed_over_before_it_is_answered(door: Door) -> None:
    event = {"type": "m.room.message", "content": {"body": "Ein Süßes 🍬"}}
    answer = await door.push({"events": [event], "ephemeral": [{"type": "m.typing"}]})
    assert (answer.status, answer.body) == (200, {})
    assert door.sink.taken == [("1", [event], [{"type": "m.typing"}])]


async def test_ephemeral_events_come_under_their_old_name_too(door: Door) -> None:
    await door.push({"events": [], "de.sorunome.msc2409.ephemeral": [{"type": "m.receipt"}]})
    assert door.sink.taken == [("1", [], [{"type": "m.receipt"}])]


async def test_a_repeated_transaction_is_handed_over_again(door: Door) -> None:
    for _ in range(2):
        assert (
            await door.push({"events": [{}]}, "/_matrix/app/v1/transactions/a%2Fb")
        ).status == 200
    assert [txn_id for txn_id, _, _ in door.sink.taken] == ["a/b", "a/b"]


@pytest.mark.parametrize(
    "fault", [StoreError("The disk is full."), RuntimeError("bug"), TimeoutError()]
)
async def test_a_transaction_that_could_not_be_taken_is_to_be_repeated(
    door: Door, fault: Exception
) -> None:
    door.sink.fault = fault
    answer = await door.push({"events": [{}]})
    assert (answer.status, answer.body["errcode"]) == (500, "M_UNKNOWN")
    assert "Traceback" not in str(answer.body)
    assert str(fault) not in answer.body["error"] or not str(fault)


async def test_what_is_no_event_is_left_out_and_leaves_a_trace(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = CapturingLogger()
    monkeypatch.setattr(server_module, "log", traces)
    answer = await door.push({"events": [{"n": 1}, None, "x", 5, ["y"], {"n": 2}]})
    assert answer.status == 200
    assert door.sink.taken == [("1", [{"n": 1}, {"n": 2}], [])]
    (trace,) = traces.calls
    assert trace.args == ("transaction_partly_unreadable",)
    assert trace.kwargs == {"txn_id": "1", "part": "events", "unreadable": 4}


@pytest.mark.parametrize("ephemeral", [None, 5, "x", {}, [1]])
async def test_odd_ephemeral_events_do_not_hold_up_messages(door: Door, ephemeral: Any) -> None:
    assert (await door.push({"events": [{}], "ephemeral": ephemeral})).status == 200
    assert door.sink.taken == [("1", [{}], [])]


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        (b"", "M_NOT_JSON"),
        (b"events", "M_NOT_JSON"),
        (b'{"events":[', "M_NOT_JSON"),
        (b'{"events":["\xff\xfe"]}', "M_NOT_JSON"),
        (b"[" * 200_000, "M_NOT_JSON"),
        (b"[]", "M_BAD_JSON"),
        (b"null", "M_BAD_JSON"),
        (b'"events"', "M_BAD_JSON"),
        (b"{}", "M_BAD_JSON"),
        (b'{"events":{}}', "M_BAD_JSON"),
        (b'{"events":null}', "M_BAD_JSON"),
    ],
)
async def test_a_malformed_body_is_refused_with_its_code(
    door: Door, body: bytes, errcode: str
) -> None:
    answer = await door.push(body)
    assert (answer.status, answer.body["errcode"]) == (400, errcode)
    assert door.sink.taken == []


async def test_one_event_that_nobody_could_pass_on_holds_up_no_other(door: Door) -> None:
    body = rb'{"events":[{"body":"\ud800 \ud83c\udf6c","n":NaN,"i":1e999,"k":%s},{"n":1}]}'
    assert (await door.push(body.replace(b"%s", b"9" * 30))).status == 200
    ((_, events, _),) = door.sink.taken
    largest = events[0].pop("k")
    assert orjson.loads(orjson.dumps(largest)) == largest > 2**62
    assert events == [{"body": "\ufffd \U0001f36c", "n": None, "i": None}, {"n": 1}]


# --- sizes --------------------------------------------------------------------------------------


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(server_module, "MAX_BODY", 100_000)
    return 100_000


async def test_a_body_up_to_the_limit_is_taken(small_limit: int, door: Door) -> None:
    body = b'{"events":[]}'
    assert (await door.push(body.ljust(small_limit))).status == 200


async def test_a_body_over_the_limit_is_refused(small_limit: int, door: Door) -> None:
    answer = await door.push(b" " * (small_limit + 1))
    assert (answer.status, answer.body["errcode"]) == (413, "M_TOO_LARGE")


async def test_the_limit_holds_for_a_body_of_unknown_length(small_limit: int, door: Door) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 10_000

    answer = await door.ask("PUT", TRANSACTION, endless())
    assert (answer.status, answer.body["errcode"]) == (413, "M_TOO_LARGE")


async def test_the_limit_holds_for_what_a_compressed_body_unfolds_to(
    small_limit: int, door: Door
) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < small_limit
    headers = {**AUTHORISED, "Content-Encoding": "gzip"}
    answer = await door.ask("PUT", TRANSACTION, bomb, headers)
    assert (answer.status, answer.body["errcode"]) == (413, "M_TOO_LARGE")


def test_the_limit_is_32_mebibytes() -> None:
    assert server_module.MAX_BODY == 32 * 2**20


# --- the other endpoints ------------------------------------------------------------------------


async def test_a_ping_is_answered(door: Door) -> None:
    answer = await door.ask("POST", "/_matrix/app/v1/ping", b'{"transaction_id":"mami"}')
    assert (answer.status, answer.body) == (200, {})


@pytest.mark.parametrize(
    "path",
    [
        "users/@_consilium_muc_bob:hospital.test",
        "users/%2F..%2F%00",
        "rooms/%23_consilium_x:hospital.test",
        "thirdparty/protocol/xmpp",
        "thirdparty/user/xmpp?nick=bob",
        "thirdparty/location/xmpp",
        "thirdparty/user?userid=@a:b",
        "thirdparty/location?alias=%23a:b",
    ],
)
async def test_there_is_nothing_to_look_up(door: Door, path: str) -> None:
    answer = await door.ask("GET", f"/_matrix/app/v1/{path}")
    assert (answer.status, answer.body["errcode"]) == (404, "M_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_matrix/app/v1/unheard-of", 404),
        ("GET", "/_matrix/app/v2/ping", 404),
        ("GET", "/transactions/1", 404),
        ("GET", "/", 404),
        ("GET", "/_matrix/app/v1/thirdparty/planet/xmpp", 404),
        ("GET", TRANSACTION, 405),
        ("DELETE", "/_matrix/app/v1/ping", 405),
        ("POST", "/watch", 405),
    ],
)
async def test_an_unknown_endpoint_or_method_is_told_as_such(
    door: Door, method: str, path: str, status: int
) -> None:
    answer = await door.ask(method, path)
    assert (answer.status, answer.body["errcode"]) == (status, "M_UNRECOGNIZED")
    assert answer.content_type == "application/json"


async def test_whoever_watches_comes_in_by_a_door_of_their_own(door: Door) -> None:
    assert (await door.ask("GET", "/watch", headers={})).body == {"watched": True}


async def test_a_port_that_is_taken_is_told_with_its_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = AppserviceServer(config(port=port).appservice, Sink())
        with pytest.raises(PortTaken, match=rf"listen on 127\.0\.0\.1 port {port}.*Stop what"):
            await server.start()


async def test_an_address_of_another_machine_is_told_with_its_remedy() -> None:
    server = AppserviceServer(config(host="192.0.2.1").appservice, Sink())
    with pytest.raises(ConsiliumError, match="change host and port under appservice"):
        await server.start()


async def test_a_door_that_fails_is_logged_without_what_opens_it(door: Door) -> None:
    with capture_logs() as logged:
        assert (await door.ask("GET", "/media/s3cr3t", headers={})).status == 500
    [line] = [each for each in logged if each["event"] == "request_refused"]
    assert line["path"] == "/media/{token}"
    assert "s3cr3t" not in str(logged)
