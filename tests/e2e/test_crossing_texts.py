"""Formatting, edits, deletions, reactions, replies, threads and mentions, from Matrix to XMPP and
back, as independent clients see them.
"""

import pytest

from sandbox import matrix_acts as acts
from sandbox.bridge import Bridge
from sandbox.meeting import Meeting
from sandbox.staff import ALICE, CHIARA
from sandbox.ward import Ward


@pytest.fixture(scope="module")
async def ward(bridge_of_all: Bridge, meeting: Meeting) -> Ward:
    await meeting.everyone_is_there()
    return Ward(meeting, ALICE, CHIARA)


# --- formatting


async def test_formatting_of_a_doctor_is_styled_in_the_group(ward: Ward) -> None:
    html = "<p>Give <strong>5 mg</strong> of <code>x</code></p><ul><li>now</li><li>later</li></ul>"
    await ward.doctor.send_event(
        ward.room,
        "m.room.message",
        {"msgtype": "m.text", "body": "Give 5 mg of x: now, later", **acts.formatted(html)},
    )
    heard = await ward.heard(lambda each: "5 mg" in each.body)
    assert heard.body == "Give *5 mg* of `x`\n- now\n- later"


async def test_styling_of_a_colleague_is_formatted_in_the_room(ward: Ward) -> None:
    ward.colleague.say(ward.group, "Give *10 mg* of `y`\n> as said\nnow")
    seen = await ward.seen(lambda each: "10 mg" in each.body)
    html = seen.content["formatted_body"]
    assert "<strong>10 mg</strong>" in html
    assert "<code>y</code>" in html
    assert "<blockquote>" in html


# --- edits


async def test_an_edit_of_a_doctor_corrects_the_copy(ward: Ward) -> None:
    event_id, copy = await ward.doctor_says("5 mgg")
    for text in ("5 mg", "5 mg twice"):
        await acts.edit(ward.doctor, ward.room, event_id, text)
        heard = await ward.heard(lambda each, text=text: each.body == text)
        assert heard.replaces == copy.id
        assert heard.nick == ALICE


async def test_a_correction_of_a_colleague_edits_the_event(ward: Ward) -> None:
    own, copy = await ward.colleague_says("10 mgg")
    for text in ("10 mg", "10 mg twice"):
        ward.colleague.edit(ward.group, own.id, text)
        seen = await ward.seen(
            lambda each, text=text: each.content.get("m.new_content", {}).get("body") == text
        )
        assert seen.content["m.relates_to"] == {"rel_type": "m.replace", "event_id": copy.id}
        assert seen.sender == copy.sender


# --- deletions


async def test_a_deletion_of_a_doctor_retracts_the_copy(ward: Ward) -> None:
    event_id, copy = await ward.doctor_says("a name that should not stand here")
    await ward.doctor.redact(ward.room, event_id)
    heard = await ward.heard(lambda each: each.retracts == (copy.stanza_id or copy.id))
    assert heard.nick == ALICE


async def test_a_retraction_of_a_colleague_redacts_the_event(ward: Ward) -> None:
    own, copy = await ward.colleague_says("another name")
    ward.colleague.retract(ward.group, own.stanza_id)
    await ward.seen(lambda each: each.type == "m.room.redaction" and copy.id in _redacts(each))
    assert (await ward.doctor.event(ward.room, copy.id)).content == {}


def _redacts(event: object) -> list[str]:
    content = getattr(event, "content", {})
    return [content.get("redacts", ""), getattr(event, "redacts", "") or ""]


# --- reactions


async def test_a_reaction_of_a_doctor_is_put_and_taken_back_in_the_group(ward: Ward) -> None:
    own, copy = await ward.colleague_says("Agreed?")
    reaction = await acts.react(ward.doctor, ward.room, copy.id, "👍")
    await ward.heard(lambda each: each.reactions == (own.stanza_id, ("👍",)))
    other = await acts.react(ward.doctor, ward.room, copy.id, "🎉")
    await ward.heard(lambda each: each.reactions == (own.stanza_id, ("👍", "🎉")))
    await ward.doctor.redact(ward.room, reaction)
    await ward.heard(lambda each: each.reactions == (own.stanza_id, ("🎉",)))
    await ward.doctor.redact(ward.room, other)
    await ward.heard(lambda each: each.reactions == (own.stanza_id, ()))


async def test_a_reaction_of_a_colleague_is_put_and_taken_back_in_the_room(ward: Ward) -> None:
    event_id, copy = await ward.doctor_says("Shall we?")
    ward.colleague.react(ward.group, copy.stanza_id, "👍", "❤️")
    # As Element writes it, so that both are counted together
    thumb = await ward.seen(lambda each: _reacts(each, event_id, "👍\ufe0f"))
    await ward.seen(lambda each: _reacts(each, event_id, "❤️"))
    ward.colleague.react(ward.group, copy.stanza_id, "❤️")
    await ward.seen(lambda each: each.type == "m.room.redaction" and thumb.id in _redacts(each))


def _reacts(event: object, target: str, key: str) -> bool:
    relation = getattr(event, "content", {}).get("m.relates_to", {})
    return bool(
        getattr(event, "type", "") == "m.reaction"
        and relation.get("event_id") == target
        and relation.get("key") == key
    )


# --- replies and threads


async def test_a_reply_of_a_doctor_answers_in_the_group(ward: Ward) -> None:
    own, copy = await ward.colleague_says("Which dose?")
    reply = await acts.reply(ward.doctor, ward.room, copy.id, "5 mg, as always")
    heard = await ward.heard(lambda each: each.words == "5 mg, as always")
    assert heard.answers == own.stanza_id
    await acts.edit(ward.doctor, ward.room, reply, "6 mg this time")
    changed = await ward.heard(lambda each: each.words == "6 mg this time")
    assert (changed.replaces, changed.answers) == (heard.id, own.stanza_id)


async def test_a_reply_of_a_colleague_answers_in_the_room(ward: Ward) -> None:
    event_id, copy = await ward.doctor_says("Which room?")
    ward.colleague.answer(copy, "Room 7")
    seen = await ward.seen(lambda each: each.body == "Room 7")
    assert seen.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event_id


async def test_a_thread_is_one_on_both_sides(ward: Ward) -> None:
    root, _ = await ward.doctor_says("Case 12: what do you think?")
    await acts.say_in_thread(ward.doctor, ward.room, root, "I would wait")
    heard = await ward.heard(lambda each: each.words == "I would wait")
    assert heard.thread
    ward.colleague.post(ward.group, f"<body>So would I</body><thread>{heard.thread}</thread>")
    seen = await ward.seen(lambda each: each.body == "So would I")
    assert seen.content["m.relates_to"]["rel_type"] == "m.thread"
    assert seen.content["m.relates_to"]["event_id"] == root


# --- mentions


async def test_a_doctor_mentions_a_colleague(ward: Ward) -> None:
    _, copy = await ward.colleague_says("I am here")
    await acts.mention(ward.doctor, ward.room, copy.sender, f"{CHIARA} (Hospital A)", "look")
    heard = await ward.heard(lambda each: "look" in each.body and CHIARA in each.body)
    assert "(Hospital A)" not in heard.body
    assert heard.find("urn:xmpp:reference:0", "reference") is not None


async def test_a_colleague_mentions_a_doctor(ward: Ward) -> None:
    ward.colleague.say(ward.group, f"{ALICE}: can you look?")
    seen = await ward.seen(lambda each: "can you look?" in each.body)
    assert seen.content["m.mentions"] == {"user_ids": [ward.doctor.user_id]}
    assert f"https://matrix.to/#/{ward.doctor.user_id}" in seen.content["formatted_body"].replace(
        "%40", "@"
    ).replace("%3A", ":")


# --- after a restart


async def test_all_of_it_finds_its_copies_after_a_restart(
    ward: Ward, bridge_of_all: Bridge
) -> None:
    event_id, copy = await ward.doctor_says("before the restart")
    own, seen = await ward.colleague_says("mine, before the restart")
    await bridge_of_all.stop()
    await bridge_of_all.start()
    await acts.edit(ward.doctor, ward.room, event_id, "edited after the restart")
    heard = await ward.heard(lambda each: each.body == "edited after the restart")
    assert heard.replaces == copy.id
    ward.colleague.edit(ward.group, own.id, "mine, edited after the restart")
    await ward.seen(
        lambda each: (
            each.content.get("m.relates_to", {}).get("event_id") == seen.id
            and "mine, edited" in each.body
        )
    )
    ward.colleague.react(ward.group, copy.stanza_id, "👀")
    await ward.seen(lambda each: _reacts(each, event_id, "👀"))
