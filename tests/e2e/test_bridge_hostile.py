"""What the bridge's own port is given may be anything: it answers as the specification says, takes
over what can be understood, and goes on working.
"""

import itertools
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from bridge_runs import Site, running

from sandbox.bridge import Bridge
from sandbox.meeting import MATRIX_ROOM, Line, Meeting
from sandbox.staff import ALICE, CHIARA, Staff

Event = dict[str, Any]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def running_bridge(site: Site, meeting: Meeting) -> AsyncIterator[Bridge]:
    async with running(site.bridge({meeting.room: meeting.links()})) as bridge:
        await meeting.everyone_is_there()
        yield bridge


@pytest.fixture
async def bridge(running_bridge: Bridge, meeting: Meeting) -> AsyncIterator[Bridge]:
    """The bridge; after each test a message still crosses, once and under the right name."""
    yield running_bridge
    text = f"still alive {next(_numbers)}"
    before = meeting.mark()
    await meeting.say(ALICE, text)
    await meeting.say(CHIARA, f"{text}, too")
    await meeting.settle()
    for place, lines in meeting.seen(before).items():
        assert [line for line in lines if line.text.startswith(text)].count(
            Line(ALICE, text)
        ) == 1, place
        assert Line(meeting.shown(CHIARA, place), f"{text}, too") in lines, place


def message(meeting: Meeting, text: Any, **other: Any) -> Event:
    """A message event as the homeserver would push it, but for what a test changes."""
    return {
        "type": "m.room.message",
        "room_id": meeting.room,
        "event_id": f"$pushed-{next(_numbers)}",
        "sender": meeting.host.user_id,
        "origin_server_ts": round(time.time() * 1000),
        "content": {"msgtype": "m.text", "body": text},
        **other,
    }


def body(*events: Any) -> bytes:
    return json.dumps({"events": events}).encode()


def transaction() -> str:
    return f"hostile-{next(_numbers)}"


async def pushed(bridge: Bridge, *events: Any) -> None:
    """Push events, and expect that the homeserver is told never to push them again."""
    answer = await bridge.push(transaction(), body(*events))
    assert (answer.status, json.loads(answer.body)) == (200, {})


async def test_a_pushed_message_arrives_in_every_group(bridge: Bridge, meeting: Meeting) -> None:
    await pushed(bridge, message(meeting, "pushed by hand"))
    await meeting.arrived("pushed by hand", meeting.places[1:])


async def test_without_a_token_nothing_is_taken(bridge: Bridge, meeting: Meeting) -> None:
    before = meeting.mark()
    path = f"/_matrix/app/v1/transactions/{transaction()}"
    content = body(message(meeting, "by a stranger"))

    without = await bridge.ask("PUT", path, content)
    assert (without.status, without.errcode) == (401, "M_UNAUTHORIZED")
    wrong = await bridge.push(transaction(), content, token="guessed")
    assert (wrong.status, wrong.errcode) == (403, "M_FORBIDDEN")
    as_token = await bridge.push(transaction(), content, bridge.config.app_service.as_token)
    assert (as_token.status, as_token.errcode) == (403, "M_FORBIDDEN")
    in_url = await bridge.ask(
        "PUT", f"{path}?access_token={bridge.config.app_service.hs_token}", content
    )
    assert in_url.status in {401, 403}

    await meeting.settle()
    assert all(not lines for lines in meeting.seen(before).values())


@pytest.mark.parametrize(
    ("content", "errcode"),
    [
        (b"", "M_NOT_JSON"),
        (b"not json", "M_NOT_JSON"),
        (b'{"events": [', "M_NOT_JSON"),
        (b'{"events": ["\xff\xfe"]}', "M_NOT_JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "M_NOT_JSON"),
        (b'{"events":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "M_NOT_JSON"),
        (b"[]", "M_BAD_JSON"),
        (b"null", "M_BAD_JSON"),
        (b"17", "M_BAD_JSON"),
        (b"{}", "M_BAD_JSON"),
        (b'{"events": null}', "M_BAD_JSON"),
        (b'{"events": {}}', "M_BAD_JSON"),
        (b'{"events": "all"}', "M_BAD_JSON"),
    ],
    ids=[
        "empty", "no JSON", "cut off", "no UTF-8", "deep", "deep events", "list", "null", "number",
        "no events", "null events", "object of events", "text of events",
    ],
)  # fmt: skip
async def test_a_malformed_transaction_is_refused_with_a_matrix_error(
    bridge: Bridge, content: bytes, errcode: str
) -> None:
    answer = await bridge.push(transaction(), content)
    assert (answer.status, answer.errcode) == (400, errcode)
    assert answer.content_type == "application/json"


async def test_a_body_that_is_too_long_is_refused(bridge: Bridge, meeting: Meeting) -> None:
    answer = await bridge.push(transaction(), body(message(meeting, "x" * 33 * 1024 * 1024)))
    assert (answer.status, answer.errcode) == (413, "M_TOO_LARGE")


@pytest.mark.parametrize(
    ("method", "path", "status", "errcode"),
    [
        ("GET", "/_matrix/app/v1/users/%40_consilium_nobody%3Ahospital.test", 404, "M_NOT_FOUND"),
        ("GET", "/_matrix/app/v1/rooms/%23_consilium_no%3Ahospital.test", 404, "M_NOT_FOUND"),
        ("GET", "/_matrix/app/v1/thirdparty/protocol/xmpp", 404, "M_NOT_FOUND"),
        ("GET", "/_matrix/app/v1/thirdparty/user", 404, "M_NOT_FOUND"),
        ("GET", "/_matrix/app/v1/thirdparty/location/xmpp", 404, "M_NOT_FOUND"),
        ("GET", "/_matrix/app/v1/nothing", 404, "M_UNRECOGNIZED"),
        ("GET", "/elsewhere", 404, "M_UNRECOGNIZED"),
        ("GET", "/_matrix/app/v1/transactions/1", 405, "M_UNRECOGNIZED"),
        ("DELETE", "/_matrix/app/v1/ping", 405, "M_UNRECOGNIZED"),
        ("POST", "/_matrix/app/v1/ping", 400, "M_NOT_JSON"),
        ("GET", "/_matrix/app/v1/users/%ff%00..%2f..", 404, "M_NOT_FOUND"),
    ],
)
async def test_other_questions_are_answered_with_a_matrix_error(
    bridge: Bridge, method: str, path: str, status: int, errcode: str
) -> None:
    token = {"Authorization": f"Bearer {bridge.config.app_service.hs_token}"}
    answer = await bridge.ask(method, path, headers=token)
    assert (answer.status, answer.errcode) == (status, errcode)


WRONG_TYPES = [
    None, 17, "text", [], {}, True, -1, 1e308, [[]], {"a": {"b": []}}, "\ud800", "\x00",
]  # fmt: skip


@pytest.mark.parametrize(
    "key",
    ["type", "room_id", "event_id", "sender", "origin_server_ts", "content", "unsigned",
     "state_key"],
)  # fmt: skip
async def test_events_with_wrong_types_do_not_keep_their_neighbours_from_arriving(
    bridge: Bridge, meeting: Meeting, key: str
) -> None:
    before = meeting.mark()
    first, last = f"before a wrong {key}", f"after a wrong {key}"
    wrong = [message(meeting, "wrong", **{key: value}) for value in WRONG_TYPES]
    missing = message(meeting, "missing")
    missing.pop(key, None)
    await pushed(
        bridge, message(meeting, first), *wrong, *([] if key in OPTIONAL else [missing]),
        message(meeting, last),
    )  # fmt: skip
    await meeting.arrived(last, meeting.places[1:])

    for group in meeting.places[1:]:
        texts = [line.text for line in meeting.seen(before)[group]]
        assert [text for text in texts if text not in {"wrong", "missing"}] == [first, last]
        assert texts[0] == first
        assert texts[-1] == last


OPTIONAL = {"unsigned", "state_key"}


async def test_contents_with_wrong_types_do_not_keep_their_neighbours_from_arriving(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    contents = [
        content
        for wrong in WRONG_TYPES
        for content in (
            {"msgtype": "m.text", "body": wrong},
            {"msgtype": wrong},
            {"body": wrong},
            {"msgtype": "m.image", "filename": wrong, "url": wrong, "info": wrong},
            {"msgtype": "m.text", "m.relates_to": wrong, "m.new_content": wrong},
            {"msgtype": "m.text", "m.relates_to": {"rel_type": "m.replace", "event_id": wrong},
             "m.new_content": {"body": wrong}},
        )
    ]  # fmt: skip
    members = [
        message(meeting, "", type="m.room.member", state_key="@nobody:hospital.test",
                content={"membership": wrong, "displayname": wrong, "avatar_url": wrong})
        for wrong in [*WRONG_TYPES, "join"]
    ]  # fmt: skip
    topics = [
        message(meeting, "", type="m.room.topic", state_key="", content={"topic": wrong})
        for wrong in WRONG_TYPES
        if not isinstance(wrong, str)
    ]
    await pushed(
        bridge,
        message(meeting, "before wrong contents"),
        *[message(meeting, "", content=content) for content in contents],
        *members,
        *topics,
        message(meeting, "after wrong contents"),
    )
    await meeting.arrived("after wrong contents", meeting.places[1:])

    for group in meeting.places[1:]:
        shown = [line.text for line in meeting.seen(before)[group]]
        assert shown[0] == "before wrong contents"
        assert shown[-1] == "after wrong contents"


async def test_events_of_types_that_nobody_knows_are_taken_and_not_shown(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    types = ["m.reaction", "m.room.redaction", "m.room.create", "org.example.unknown", "", "🦄"]
    await pushed(
        bridge,
        *[message(meeting, f"of type {type_}", type=type_) for type_ in types],
        message(meeting, "of a known type"),
        17,
        None,
        "no event",
        [],
        {},
    )
    await meeting.arrived("of a known type", meeting.places[1:])
    for group in meeting.places[1:]:
        assert meeting.seen(before)[group] == [Line(ALICE, "of a known type")]


async def test_events_of_rooms_that_are_no_portals_go_nowhere(
    bridge: Bridge, meeting: Meeting, staff: Staff
) -> None:
    elsewhere = await staff.alice.create_room(
        "Private", invite=[f"@{bridge.config.app_service.bot}:hospital.test"]
    )
    before = meeting.mark()
    await staff.alice.send_text(elsewhere, "said elsewhere")
    await pushed(
        bridge,
        message(meeting, "pushed elsewhere", room_id=elsewhere),
        message(meeting, "pushed nowhere", room_id="!nowhere:hospital.test"),
        message(meeting, "pushed from the other side", room_id=meeting.places[1]),
    )
    await meeting.settle()
    assert all(not lines for lines in meeting.seen(before).values())


async def test_events_by_the_bridges_own_users_are_never_relayed(
    bridge: Bridge, meeting: Meeting
) -> None:
    service = bridge.config.app_service
    (ghost,) = [who for who, name in meeting.members().items() if name == "Chiara (Hospital A)"]
    before = meeting.mark()
    await pushed(
        bridge,
        message(meeting, "by the bot", sender=f"@{service.bot}:hospital.test"),
        message(meeting, "by a ghost", sender=ghost),
        message(meeting, "by a ghost to be", sender=f"@{service.ghosts}x_y:hospital.test"),
        message(meeting, "by a doctor"),
    )
    await meeting.settle()
    for place, lines in meeting.seen(before).items():
        assert lines == ([] if place == MATRIX_ROOM else [Line(ALICE, "by a doctor")])


async def test_a_transaction_that_is_repeated_is_relayed_once(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    name, content = transaction(), body(message(meeting, "repeated"), message(meeting, "as well"))
    answers = [await bridge.push(name, content) for _ in range(3)]
    answers.append(await bridge.push(transaction(), content))  # the same under another name
    assert {answer.status for answer in answers} == {200}

    await meeting.settle()
    for group in meeting.places[1:]:
        assert meeting.seen(before)[group] == [Line(ALICE, "repeated"), Line(ALICE, "as well")]


async def test_an_event_that_is_in_a_transaction_twice_is_relayed_once(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    twice = message(meeting, "in it twice")
    await pushed(bridge, twice, twice, message(meeting, "in it once"))
    await meeting.settle()
    for group in meeting.places[1:]:
        assert meeting.seen(before)[group] == [
            Line(ALICE, "in it twice"),
            Line(ALICE, "in it once"),
        ]


async def test_control_characters_and_lone_surrogates_are_replaced(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    await pushed(bridge, message(meeting, "\x00a\ud800b\x1b[31mc\ufffe\r\nd\u2028e"))
    await meeting.settle()
    for group in meeting.places[1:]:
        (line,) = meeting.seen(before)[group]
        assert line.text.replace("\ufffd", "") == "ab[31mc\nd\u2028e"


async def test_whatever_time_an_event_claims_its_message_arrives(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    possible = [0, -1, 2**31, 2**53 - 1, 1 - 2**53]
    beyond_canonical_json = [2**63, 10**30]
    await pushed(
        bridge,
        *[
            message(meeting, f"said at {ts}", origin_server_ts=ts)
            for ts in (*possible, *beyond_canonical_json)
        ],
    )
    await meeting.settle()
    for group in meeting.places[1:]:
        texts = [line.text for line in meeting.seen(before)[group]]
        assert texts[: len(possible)] == [f"said at {ts}" for ts in possible]


async def test_ids_that_cannot_be_ids_are_not_taken_for_any(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    long = "x" * 100_000
    await pushed(
        bridge,
        message(meeting, "long id", event_id=f"${long}"),
        message(meeting, "long sender", sender=f"@{long}:hospital.test"),
        message(meeting, "long room", room_id=f"!{long}:hospital.test"),
        message(meeting, "broken sender", sender="@a\x00b:hospital.test"),
        message(meeting, "well formed"),
    )
    await meeting.arrived("well formed", meeting.places[1:])
    for group in meeting.places[1:]:
        lines = meeting.seen(before)[group]
        assert Line(ALICE, "well formed") in lines


async def test_a_hundred_events_in_one_transaction_arrive_in_order(
    bridge: Bridge, meeting: Meeting
) -> None:
    before = meeting.mark()
    texts = [f"of a hundred {number}" for number in range(100)]
    await pushed(bridge, *[message(meeting, text) for text in texts])
    await meeting.settle()
    for group in meeting.places[1:]:
        assert meeting.seen(before)[group] == [Line(ALICE, text) for text in texts]


async def test_ephemeral_events_of_any_shape_do_no_harm(bridge: Bridge) -> None:
    for ephemeral in [*WRONG_TYPES, [{"type": "m.typing"}, 17, None]]:
        content = {"events": [], "ephemeral": ephemeral, "de.sorunome.msc2409.ephemeral": ephemeral,
                   "org.matrix.msc3202.device_lists": ephemeral}  # fmt: skip
        answer = await bridge.push(transaction(), json.dumps(content).encode())
        assert answer.status == 200
