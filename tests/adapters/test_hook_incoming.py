"""What systems post: who may, what it becomes, and when it counts as taken."""

import asyncio
from datetime import UTC, datetime

import pytest
from hook_lab import OTHER_SECRET, SECRET, running
from recording_inlet import RecordingInlet

from adapters.web.hook.incoming import Incoming
from adapters.web.hook.network import WebhookNetwork
from adapters.web.hook.settings import WebhookSettings
from bridge.contract import Dialect, Feature, Level
from bridge.model import Author, Deleted, Edited, Mention, Message, Place, Reacted, Roster

LAB = Place("systems", "lab")
TEMPLATE = {
    "secret": SECRET,
    "text": "{{ payload.result.title }}: {% for each in payload.values %}"
    "{{ each.name }} {{ each.items }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "author": "{{ payload.sender.name }}",
    "id": "{{ payload.result.id }}",
    "topic": "{{ payload.case }}",
}
RESULT = {
    "result": {"title": "Blood count", "id": 4711},
    "values": [{"name": "Hb", "items": 12.5}, {"name": "WBC", "items": 7}],
    "sender": {"name": "Lab  B"},
}


async def test_a_template_makes_a_message_of_a_payload() -> None:
    async with running({"lab": TEMPLATE}) as bench:
        status, said, _ = await bench.post({**RESULT, "case": "C-7"})
        assert (status, said) == (202, {"id": "4711"})
        (message,) = bench.inlet.of(Message)
        assert message.text == "Blood count: Hb 12.5, WBC 7"
        assert message.author == Author("systems", "lab b", "Lab B")
        assert (message.place, message.id, message.topic) == (LAB, "4711", "C-7")
        assert abs((datetime.now(UTC) - message.time).total_seconds()) < 20


async def test_what_a_template_leaves_open_is_filled() -> None:
    hook = {"secret": SECRET, "text": "{{ payload }}", "quiet": True}
    async with running({"lab": hook}) as bench:
        status, said, _ = await bench.post("hello", Idempotency_Key="key-1")
        assert (status, said["id"]) == (202, "key-1")
        _, first, _ = await bench.post("hello")
        _, second, _ = await bench.post("hello")
        assert first["id"] != second["id"]
        message = bench.inlet.of(Message)[0]
        assert (message.author.name, message.topic, message.notice) == ("lab", None, True)


async def test_nothing_is_taken_before_it_is_stored() -> None:
    async with running({"lab": TEMPLATE}) as bench:
        bench.inlet.open.clear()
        bench.inlet.waiting.clear()
        post = asyncio.create_task(bench.post(RESULT))
        await bench.inlet.waiting.wait()
        assert not post.done()
        bench.inlet.open.set()
        assert (await post)[0] == 202


async def test_who_waits_for_storing_too_long_is_asked_to_come_again() -> None:
    async with running({"lab": TEMPLATE}) as bench:
        incoming = bench.network._incoming
        assert isinstance(incoming, Incoming)
        incoming._store_seconds = 0.05
        bench.inlet.open.clear()
        status, said, headers = await bench.post(RESULT)
        assert status == 503
        assert "can't be stored now" in said["error"]
        assert int(headers["Retry-After"]) > 0
        bench.inlet.open.set()
        assert (await bench.post(RESULT))[0] == 202


async def test_only_who_has_the_token_is_heard() -> None:
    async with running({"lab": TEMPLATE}) as bench:
        for secret in ("wrong", "", SECRET + "x", "ä"):
            status, said, _ = await bench.post(RESULT, secret=secret)
            assert status == 401
            assert SECRET not in str(said)
        basic = {"Authorization": f"Basic {SECRET}"}
        assert (await bench.request("/hook/lab", b"{}", basic))[0] == 401
        assert (await bench.request("/hook/lab", b"{}", {}))[0] == 401
        assert not bench.inlet.of(Message)


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
async def test_a_signed_request_is_heard_under_its_id(secret: str) -> None:
    hook = {"secret": secret, "proof": "signature", "text": "{{ payload.a }}"}
    async with running({"lab": hook}) as bench:
        status, said, _ = await bench.post_signed({"a": "b"}, "msg_1", secret=secret)
        assert (status, said) == (202, {"id": "msg_1"})
        assert bench.inlet.of(Message)[0].id == "msg_1"
        assert (await bench.post({"a": "b"}, secret=secret))[0] == 401
        assert (await bench.post_signed({"a": "b"}, "msg_2", secret="x" * 20))[0] == 401


@pytest.mark.parametrize("ago", [301, -301])
async def test_a_signed_request_is_not_heard_at_another_time(ago: float) -> None:
    hook = {"secret": SECRET, "proof": "signature", "text": "{{ payload.a }}"}
    async with running({"lab": hook}) as bench:
        status, said, _ = await bench.post_signed({"a": "b"}, "msg_1", ago=ago)
        assert status == 401
        assert "clocks" in said["error"]


async def test_only_hooks_that_are_there_and_linked_can_be_posted_to() -> None:
    hooks = {"lab": TEMPLATE, "xray": TEMPLATE, "out": out_only()}
    async with running(hooks) as bench:
        assert (await bench.post(RESULT, "none"))[0] == 404
        assert (await bench.post(RESULT, "out"))[0] == 404
        assert (await bench.post(RESULT, "lab", path="/"))[0] == 404
        assert (await bench.request("/hook/lab", b"", {}, method="GET"))[0] == 405
        status, said, headers = await bench.post(RESULT, "xray")
        assert (status, headers["Retry-After"]) == (503, "30")
        assert "not linked" in said["error"]
        assert (await bench.post(RESULT))[0] == 202
        await bench.network.close("lab")
        assert (await bench.post(RESULT))[0] == 503
        assert len(bench.inlet.of(Message)) == 1


def out_only() -> dict[str, str]:
    return {"url": "http://127.0.0.1:9/", "url_secret": SECRET}


async def test_too_many_requests_are_asked_to_wait() -> None:
    async with running({"lab": {**TEMPLATE, "per_minute": 2}}) as bench:
        assert [(await bench.post(RESULT))[0] for _ in range(2)] == [202, 202]
        # Strangers don't use up what the system may do
        status, _, headers = await bench.post(RESULT)
        assert status == 429
        assert 20 <= int(headers["Retry-After"]) <= 30


async def test_strangers_do_not_use_up_what_the_system_may_do() -> None:
    async with running({"lab": {**TEMPLATE, "per_minute": 2}}) as bench:
        for _ in range(5):
            assert (await bench.post(RESULT, secret="wrong"))[0] == 401
        assert (await bench.post(RESULT))[0] == 202


async def test_a_body_that_is_too_long_is_not_read() -> None:
    async with running({"lab": TEMPLATE}) as bench:
        assert (await bench.post(b'"' + b"x" * 1_100_000 + b'"'))[0] == 413
        assert (await bench.post(RESULT))[0] == 202


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b'{"result": {}}', b"[]"]
)
async def test_what_makes_no_message_is_told_so(body: bytes) -> None:
    async with running({"lab": {**TEMPLATE, "text": "{{ payload.result.title }}"}}) as bench:
        status, said, _ = await bench.post(body)
        assert status == 422
        assert "can't be understood" in said["error"]
        assert not bench.inlet.of(Message)


async def test_who_is_there_is_told_before_anything_is_heard() -> None:
    async with running({"lab": TEMPLATE}) as bench:
        await bench.post(RESULT)
        assert [type(event) for event in bench.inlet.events] == [Roster, Message]


async def test_a_hook_that_is_not_configured_is_told() -> None:
    async with running({"lab": TEMPLATE}) as bench:
        await bench.network.open("leb", ())
        health = await bench.inlet.down("leb")
        assert health.lasting
        assert 'No hook is called "leb"' in health.reason


async def test_a_port_that_is_taken_is_told() -> None:
    async with running({"lab": TEMPLATE}) as first:
        settings = WebhookSettings.model_validate({"port": first.port, "hooks": {"lab": TEMPLATE}})
        inlet = RecordingInlet()
        task = asyncio.create_task(WebhookNetwork("second", "", settings, inlet).run())
        health = await inlet.down(None)
        assert "can't listen on" in health.reason
        task.cancel()
        await asyncio.wait({task})


# --- the bridge's own format ----------------------------------------------------------------------


OWN = {"lab": {"secret": SECRET}}


async def test_a_message_in_the_bridges_own_format() -> None:
    async with running(OWN) as bench:
        status, said, _ = await bench.post(
            {
                "version": 1, "type": "message", "id": "m1", "time": "2026-03-01T13:00:00+01:00",
                "author": {"id": "u7", "name": "Dr. Li"}, "text": "Look, Ann",
                "html": "<b>Look</b>",
                "emote": True, "reply_to": "m0", "topic": "case-7",
                "mentions": [{"id": "u1", "span": "Ann"}],
                "files": [{"url": "https://lab.example/a.png", "mime": "image/png",
                           "name": "a.png", "size": 5, "kind": "image"}],
                "something": "of a later version",
            }
        )  # fmt: skip
        assert (status, said) == (202, {"id": "m1"})
        (message,) = bench.inlet.of(Message)
        assert message.time == datetime(2026, 3, 1, 12, tzinfo=UTC)
        assert message.author == Author("systems", "u7", "Dr. Li")
        assert (message.text, message.html, message.emote) == ("Look, Ann", "<b>Look</b>", True)
        assert (message.reply_to, message.topic) == ("m0", "case-7")
        assert message.mentions == (Mention("systems", "u1", "Ann"),)
        assert message.attachments[0].source == "https://lab.example/a.png"


async def test_edits_deletions_and_reactions_in_the_bridges_own_format() -> None:
    async with running(OWN) as bench:
        who = {"author": {"name": "Dr. Li"}, "target": "m1"}
        await bench.post({"type": "edited", "text": "Looked", **who}, webhook_id="e1")
        await bench.post({"type": "deleted", "reason": "wrong case", "moderated": True, **who})
        await bench.post({"type": "reacted", "emoji": "👍", **who})
        await bench.post({"type": "reacted", "emoji": "👍", "gone": True, **who})
        edited, deleted, liked, unliked = list(bench.inlet.events)[1:]
        assert isinstance(edited, Edited)
        assert (edited.target, edited.text, edited.id) == ("m1", "Looked", "e1")
        assert isinstance(deleted, Deleted)
        assert (deleted.target, deleted.reason, deleted.moderated) == ("m1", "wrong case", True)
        assert isinstance(liked, Reacted)
        assert isinstance(unliked, Reacted)
        assert (liked.emoji, liked.gone, unliked.gone) == ("👍", False, True)
        assert liked.id != unliked.id


async def test_what_only_comes_back_is_not_heard() -> None:
    async with running(OWN) as bench:
        key = "a" * 26
        bench.inlet.own[f"{key}.2"] = "Dr. Ann"
        assert (await bench.post({"id": f"{key}_2", "text": "hello"}))[0] == 202
        assert (await bench.post({"id": "b", "text": "answer"}))[0] == 202
        assert bench.inlet.texts() == ["answer"]


@pytest.mark.parametrize(
    ("payload", "wrong"),
    [
        ([], "payload"),
        ({"type": "danced"}, "payload"),
        ({"text": ""}, "neither a text nor a file"),
        ({"text": "x", "version": 2}, "version"),
        ({"text": "x", "time": "2026-03-01T13:00:00"}, "time"),
        ({"type": "edited", "text": "x"}, "target"),
        ({"text": "x", "files": [{"url": "file:///etc/passwd"}]}, "url"),
    ],
)
async def test_what_is_wrong_with_a_payload_is_told(payload: object, wrong: str) -> None:
    async with running(OWN) as bench:
        status, said, _ = await bench.post(payload)
        assert status == 422
        assert wrong in said["error"]


async def test_a_hook_says_honestly_what_it_can() -> None:
    hooks = {
        "lab": TEMPLATE,
        "own": {"secret": SECRET, "text_format": "markdown"},
        "out": out_only(),
    }
    async with running(hooks) as bench:
        lab, own, out = (bench.network.capabilities(name) for name in ("lab", "own", "out"))
        assert lab.hearing(Feature.EDIT) is Level.REFUSED
        assert own.hearing(Feature.EDIT) is Level.FULL
        assert own.showing(Feature.EDIT) is Level.REFUSED
        assert out.showing(Feature.EDIT) is Level.FULL
        assert out.hearing(Feature.EDIT) is Level.REFUSED
        assert (lab.dialect, own.dialect) == (Dialect.HTML, Dialect.MARKDOWN)
        assert bench.network.capabilities("unknown").own_names
