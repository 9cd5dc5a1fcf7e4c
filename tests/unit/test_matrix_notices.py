"""What the bot says in rooms about deliveries, as events."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from matrix_fakes import FORBIDDEN, ROOM, Reply, ScriptedHomeserver, acting_bot, config, refusal

from bridge.contract import Refused
from bridge.matrix.convert import Converter, Ignored
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.notices import STATUS_EVENT, MatrixNotices, Pace
from bridge.status.notifier import Report, Verdict

BOT = "@consilium:hospital.test"
MESSAGE = "$message"


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedHomeserver]:
    async with ScriptedHomeserver().running() as running:
        yield running


@pytest.fixture
async def notices(scripted: ScriptedHomeserver) -> AsyncIterator[MatrixNotices]:
    async with acting_bot(config(scripted.url)) as bot:
        yield MatrixNotices(bot, Pace(per_second=10_000))


def event(**content: Any) -> Reply:
    return Reply(200, {"type": "m.room.message", "content": {"body": "text", **content}})


def related(rel_type: str, event_id: str) -> Reply:
    return event(**{"m.relates_to": {"rel_type": rel_type, "event_id": event_id}})


def sent(scripted: ScriptedHomeserver) -> Any:
    """The content of the last event that was sent."""
    return scripted.asked[-1].body


async def test_a_mark_is_a_reaction_with_the_text_as_its_key(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    scripted.answer("GET", f"/event/{MESSAGE}", event())
    mark = await notices.mark(ROOM, MESSAGE, "⏳ late", "mark.1.0")
    assert mark.startswith("$event")
    assert scripted.log[-1] == f"PUT rooms/{ROOM}/send/m.reaction/mark.1.0"
    assert sent(scripted) == {
        "m.relates_to": {"rel_type": "m.annotation", "event_id": MESSAGE, "key": "⏳ late"}
    }


async def test_a_mark_at_an_edit_is_put_where_people_see_it(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    scripted.answer("GET", f"/event/{MESSAGE}", related("m.replace", "$original"))
    scripted.answer("GET", "/event/$original", event())
    await notices.mark(ROOM, MESSAGE, "⏳ late", "k")
    assert sent(scripted)["m.relates_to"]["event_id"] == "$original"


async def test_a_mark_that_is_there_from_before_a_crash_is_found(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    scripted.answer("GET", f"/event/{MESSAGE}", event())
    scripted.answer("PUT", "/send/", refusal(400, "M_DUPLICATE_ANNOTATION"))

    def reaction(sender: str, event_id: str) -> dict[str, Any]:
        content = {"m.relates_to": {"rel_type": "m.annotation", "key": "⏳ late"}}
        return {"sender": sender, "event_id": event_id, "content": content}

    chunk = [reaction("@anna:hospital.test", "$hers"), reaction(BOT, "$mine")]
    scripted.answer("GET", f"/relations/{MESSAGE}/", Reply(200, {"chunk": chunk}))
    assert await notices.mark(ROOM, MESSAGE, "⏳ late", "k") == "$mine"


async def test_nothing_is_put_at_a_deleted_message(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    gone = Reply(200, {"content": {}, "unsigned": {"redacted_because": {"type": "x"}}})
    scripted.always("GET", f"/event/{MESSAGE}", gone)
    with pytest.raises(Refused):
        await notices.mark(ROOM, MESSAGE, "⏳ late", "k")
    with pytest.raises(Refused):
        await notices.say(ROOM, "text", "k", under=MESSAGE)
    assert not any("/send/" in line for line in scripted.log)


async def test_a_mark_is_taken_away_by_redacting_it(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    await notices.unmark(ROOM, "$mark", "k")
    assert scripted.log == [f"PUT rooms/{ROOM}/redact/$mark/k"]


async def test_a_note_is_in_a_thread_under_its_message(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    scripted.answer("GET", f"/event/{MESSAGE}", event())
    await notices.say(ROOM, "Not delivered. @room", "k", under=MESSAGE)
    assert sent(scripted) == {
        "msgtype": "m.notice",
        "body": "Not delivered. @room",
        "m.mentions": {},
        "m.relates_to": {
            "rel_type": "m.thread",
            "event_id": MESSAGE,
            "is_falling_back": True,
            "m.in_reply_to": {"event_id": MESSAGE},
        },
    }


async def test_a_note_about_a_message_in_a_thread_stays_in_that_thread(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    scripted.answer("GET", f"/event/{MESSAGE}", related("m.thread", "$root"))
    await notices.say(ROOM, "text", "k", under=MESSAGE)
    relation = sent(scripted)["m.relates_to"]
    assert relation["event_id"] == "$root"
    assert relation["is_falling_back"] is False
    assert relation["m.in_reply_to"] == {"event_id": MESSAGE}


async def test_a_note_about_an_edit_in_a_thread_finds_the_thread(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    scripted.answer("GET", f"/event/{MESSAGE}", related("m.replace", "$original"))
    scripted.answer("GET", "/event/$original", related("m.thread", "$root"))
    await notices.say(ROOM, "text", "k", under=MESSAGE)
    relation = sent(scripted)["m.relates_to"]
    assert (relation["event_id"], relation["m.in_reply_to"]["event_id"]) == ("$root", "$original")


async def test_a_message_is_looked_at_once_for_all_that_is_said_about_it(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    scripted.always("GET", f"/event/{MESSAGE}", event())
    await notices.mark(ROOM, MESSAGE, "⏳", "k")
    await notices.say(ROOM, "text", "l", under=MESSAGE)
    assert sum(line.startswith("GET") for line in scripted.log) == 1


async def test_a_change_replaces_the_text_and_has_a_fallback(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    await notices.change(ROOM, "$note", "It is back.", "k")
    content = sent(scripted)
    assert content["body"] == "* It is back."
    assert content["m.new_content"]["body"] == "It is back."
    assert content["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$note"}


async def test_machines_are_told_in_the_words_of_the_field(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    report = Report(Verdict.PENDING, ("hospital-a", "hospital-b"), "⏳ late")
    await notices.report(ROOM, MESSAGE, report, "k")
    assert scripted.log == [f"PUT rooms/{ROOM}/send/{STATUS_EVENT}/k"]
    assert sent(scripted) == {
        "m.relates_to": {"rel_type": "m.reference", "event_id": MESSAGE},
        "status": "PENDING",
        "network": "hospital-a, hospital-b",
        "reason": "m.foreign_network_error",
        "message": "⏳ late",
    }
    await notices.report(ROOM, MESSAGE, Report(Verdict.SUCCESS), "l")
    assert sent(scripted) == {
        "m.relates_to": {"rel_type": "m.reference", "event_id": MESSAGE},
        "status": "SUCCESS",
        "network": "",
    }


async def test_a_room_that_does_not_let_the_bot_speak_is_told_apart_from_one_that_is_away(
    scripted: ScriptedHomeserver, notices: MatrixNotices
) -> None:
    scripted.answer("PUT", "/send/", FORBIDDEN)
    with pytest.raises(Refused):
        await notices.say(ROOM, "text", "k")


@pytest.mark.parametrize("event_type", ["m.reaction", "m.room.message", STATUS_EVENT])
def test_what_the_bot_says_and_reacts_is_never_carried_to_networks(event_type: str) -> None:
    raw = {
        "type": event_type,
        "sender": BOT,
        "room_id": ROOM,
        "event_id": "$own",
        "origin_server_ts": 1_772_000_000_000,
        "content": {"msgtype": "m.notice", "body": "Not delivered", "m.relates_to": {}},
    }
    assert isinstance(Converter(GhostIds(config())).convert(raw), Ignored)


async def test_the_pace_lets_a_burst_through_and_then_holds_the_rate() -> None:
    now, slept = [100.0], list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(per_second=10, burst=5, clock=lambda: now[0], sleep=sleep)
    for _ in range(25):
        await pace.turn()
    assert sum(slept) == pytest.approx(2.0)
    now[0] += 60
    slept.clear()
    for _ in range(5):
        await pace.turn()
    assert slept == []
