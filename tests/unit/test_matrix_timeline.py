"""A room's timeline is read backwards, a short page first, to the end of what there is."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from matrix_fakes import FORBIDDEN, ROOM, Reply, ScriptedHomeserver, acting_bot, config, refusal

from bridge.contract import Unreachable
from bridge.matrix.faults import Denied
from bridge.matrix.timeline import Timeline

PATH = f"/rooms/{ROOM}/messages"


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedHomeserver]:
    async with ScriptedHomeserver().running() as running:
        yield running


@pytest.fixture
async def timeline(scripted: ScriptedHomeserver) -> AsyncIterator[Timeline]:
    async with acting_bot(config(scripted.url)) as bot:
        yield Timeline(bot)


async def read(timeline: Timeline) -> list[Sequence[dict[str, Any]]]:
    return [page async for page in timeline.back(ROOM)]


async def test_pages_follow_each_other_until_none_is_left(
    scripted: ScriptedHomeserver, timeline: Timeline
) -> None:
    first, second = [{"event_id": "$2"}], [{"event_id": "$1"}]
    scripted.answer(
        "GET", PATH, Reply(200, {"chunk": first, "end": "t1"}), Reply(200, {"chunk": second})
    )
    assert await read(timeline) == [first, second]
    assert [asked.query["dir"] for asked in scripted.asked] == ["b", "b"]
    assert [asked.query.get("from") for asked in scripted.asked] == [None, "t1"]
    assert int(scripted.asked[0].query["limit"]) < int(scripted.asked[1].query["limit"])


@pytest.mark.parametrize(
    "answer",
    [{}, {"chunk": None}, {"chunk": {"a": 1}, "end": 5}, {"chunk": [None, 1, "x"], "end": ""}],
)
async def test_an_odd_answer_ends_it(
    scripted: ScriptedHomeserver, timeline: Timeline, answer: dict[str, Any]
) -> None:
    scripted.answer("GET", PATH, Reply(200, answer))
    assert await read(timeline) == [[]]


async def test_a_homeserver_that_goes_in_circles_is_left(
    scripted: ScriptedHomeserver, timeline: Timeline
) -> None:
    scripted.always("GET", PATH, Reply(200, {"chunk": [], "end": "t1"}))
    assert await read(timeline) == [[], []]


@pytest.mark.parametrize(
    ("reply", "kind"), [(FORBIDDEN, Denied), (refusal(502, "M_UNKNOWN"), Unreachable)]
)
async def test_what_is_wrong_is_raised(
    scripted: ScriptedHomeserver, timeline: Timeline, reply: Reply, kind: type[Exception]
) -> None:
    scripted.answer("GET", PATH, reply)
    with pytest.raises(kind):
        await read(timeline)
