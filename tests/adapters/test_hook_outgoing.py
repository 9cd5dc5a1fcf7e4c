"""What is posted to systems, how it is signed, and what their answers mean."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hook_lab import ANN, NOW, OTHER_SECRET, SECRET, Bench, System, copy, running, system

from adapters.web.hook.outgoing import Poster
from adapters.web.hook.signature import key_of, verify
from bridge.contract import Outgoing, Refused, Sent, Topic, Unreachable
from bridge.model import (
    Deleted,
    Edited,
    Joined,
    Left,
    Mention,
    Message,
    PictureChanged,
    Place,
    Reacted,
    Renamed,
    SubjectChanged,
    TitleChanged,
)
from sandbox.ports import LOOPBACK, free_port


@pytest.fixture
async def taker() -> AsyncIterator[System]:
    async with system() as found:
        yield found


@pytest.fixture
async def bench(taker: System) -> AsyncIterator[Bench]:
    async with running({"lab": {"url": taker.url, "url_secret": OTHER_SECRET}}) as found:
        yield found


def said(place: Place, text: str = "hello") -> Message:
    return Message(place, "$event", ANN, NOW, text, html=f"<p>{text}</p>")


async def test_a_message_is_posted_whole(bench: Bench, taker: System) -> None:
    outgoing = bench.outgoing(
        lambda place: Message(
            place, "$event", ANN, NOW, "hello", html="<b>hello</b>", emote=True,
            mentions=(Mention("systems", "u1", "Li"),),
        ),
        reply_to=copy("m0"),
        topic=Topic("case-7", copy("m1"), "The case"),
    )  # fmt: skip
    sent = await bench.network.send(outgoing)
    assert sent == Sent(outgoing.key, topic="case-7")
    (posted,) = taker.posted
    assert posted.json == {
        "version": 1, "type": "message", "id": outgoing.key, "hook": "lab",
        "time": "2026-03-01T12:00:00+00:00",
        "author": {"network": "matrix", "id": "@ann:hospital.example", "name": "Dr. Ann"},
        "text": "hello", "html": "<b>hello</b>", "emote": True, "notice": False,
        "reply_to": "m0", "topic": "case-7", "topic_title": "The case",
        "mentions": [{"network": "systems", "id": "u1", "span": "Li"}],
    }  # fmt: skip
    assert posted.headers["Content-Type"] == "application/json"


async def test_what_is_posted_is_signed_and_named_the_same_each_time(
    bench: Bench, taker: System
) -> None:
    outgoing = bench.outgoing(said)
    outgoing = Outgoing(outgoing.place, f"{outgoing.key}.2", outgoing.event)
    for _ in range(2):
        assert await bench.network.find(outgoing) is None
        await bench.network.send(outgoing)
    for posted in taker.posted:
        ident = verify(key_of(OTHER_SECRET), posted.headers, posted.body, time.time())
        assert ident == posted.headers["Idempotency-Key"] == posted.json["id"]
        assert ident == outgoing.key.replace(".", "_")


async def test_a_system_may_name_its_copy(bench: Bench, taker: System) -> None:
    for body, expected in (
        (b'{"id": "of-the-system"}', "of-the-system"),
        (b'{"id": 7}', None),
        (b'{"id": ""}', None),
        (b"x" * 100_000, None),
        (b"\xff", None),
    ):
        outgoing = bench.outgoing(said)
        taker.answers.append(lambda body=body: web.Response(status=201, body=body))
        assert (await bench.network.send(outgoing)).id == (expected or outgoing.key)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda place: Edited(place, ANN, NOW, "$e", "new", html="<p>new</p>"),
            {"type": "edited", "target": "m1", "text": "new", "html": "<p>new</p>"},
        ),
        (
            lambda place: Deleted(place, ANN, NOW, "$e", "wrong", moderated=True),
            {"type": "deleted", "target": "m1", "reason": "wrong", "moderated": True},
        ),
        (
            lambda place: Reacted(place, ANN, NOW, "$e", "👍", gone=True),
            {"type": "reacted", "target": "m1", "emoji": "👍", "gone": True},
        ),
        (lambda place: Joined(place, ANN, NOW), {"type": "joined"}),
        (lambda place: Left(place, ANN, NOW, "bye"), {"type": "left", "reason": "bye"}),
        (lambda place: Renamed(place, ANN, NOW), {"type": "renamed"}),
        (lambda place: SubjectChanged(place, ANN, NOW, "s"), {"type": "subject", "subject": "s"}),
        (lambda place: TitleChanged(place, ANN, NOW, "t"), {"type": "title", "title": "t"}),
    ],
)
async def test_all_else_that_happens_is_posted_too(
    bench: Bench, taker: System, make, expected: dict[str, object]
) -> None:
    await bench.network.send(bench.outgoing(make, target=copy("m1")))
    posted = taker.posted[0].json
    assert {key: posted[key] for key in expected} == expected
    assert posted["author"]["name"] == "Dr. Ann"


async def test_pictures_are_refused(bench: Bench) -> None:
    with pytest.raises(Refused, match="pictures"):
        await bench.network.send(
            bench.outgoing(lambda place: PictureChanged(place, ANN, NOW, None))
        )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
async def test_what_passes_is_tried_again_when_the_system_says(
    bench: Bench, taker: System, status: int
) -> None:
    taker.answers.append(lambda: web.Response(status=status, headers={"Retry-After": "7"}))
    with pytest.raises(Unreachable, match=str(status)) as caught:
        await bench.network.send(bench.outgoing(said))
    assert caught.value.retry_after == 7
    await bench.network.send(bench.outgoing(said))


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_what_a_system_does_not_take_is_not_tried_again(
    bench: Bench, taker: System, status: int
) -> None:
    taker.answers.append(lambda: web.Response(status=status))
    with pytest.raises(Refused, match=str(status)):
        await bench.network.send(bench.outgoing(said))


async def test_redirects_are_not_followed(bench: Bench, taker: System) -> None:
    taker.answers.append(lambda: web.Response(status=307, headers={"Location": "/other"}))
    with pytest.raises(Refused, match="not followed"):
        await bench.network.send(bench.outgoing(said))
    assert len(taker.posted) == 1


async def test_a_system_that_does_not_answer_may_have_it(bench: Bench, taker: System) -> None:
    taker.slow.clear()
    bench.network._poster = Poster("Systems", seconds=0.1)
    with pytest.raises(Unreachable, match="does not answer") as caught:
        await bench.network.send(bench.outgoing(said))
    assert caught.value.doubtful


async def test_a_system_that_is_away_is_away() -> None:
    hook = {"url": f"http://{LOOPBACK}:{free_port()}/", "url_secret": SECRET}
    async with running({"lab": hook, "in": {"secret": SECRET}}) as bench:
        with pytest.raises(Unreachable, match="connection refused"):
            await bench.network.send(bench.outgoing(said))
        with pytest.raises(Refused, match="only listens"):
            await bench.network.send(bench.outgoing(said, "in"))
        with pytest.raises(Unreachable, match="No hook is called"):
            await bench.network.send(bench.outgoing(said, "none"))


# --- check ----------------------------------------------------------------------------------------


async def test_check_finds_the_system(bench: Bench) -> None:
    async with asyncio.timeout(20):
        findings = await bench.network.check(["lab"])
    assert [each.ok for each in findings] == [True]
    assert findings[0].sentence == "The system it posts to can be reached."


async def test_check_tells_what_is_wrong(taker: System) -> None:
    taker.answers.append(lambda: web.Response(status=301, headers={"Location": "/x"}))
    hooks = {
        "lab": {"secret": SECRET},
        "moved": {"url": taker.url, "url_secret": SECRET},
        "away": {"url": f"http://{LOOPBACK}:{free_port()}/", "url_secret": SECRET},
    }
    async with running(hooks) as bench:
        port, lab, moved, away, typo = await bench.network.check(["lab", "moved", "away", "leb"])
    assert port.ok
    assert "listens on" in port.sentence
    assert lab.ok
    assert not moved.ok
    assert "redirects" in moved.sentence
    assert not away.ok
    assert "connection refused" in away.sentence
    assert not typo.ok
    assert typo.advice == 'Did you mean "lab"?'
