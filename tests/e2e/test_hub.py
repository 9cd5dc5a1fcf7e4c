"""One Matrix room is linked to two XMPP rooms, a mailing list, a forum and a feed at once.

All servers are real, but for the forum, which is a stand-in.
"""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bridge_runs import Site, assert_well_behaved
from discourse_stand_in import too_fast
from hub import ANN, ANNA, BOARD, JOURNAL, LIST, MAIL, Hub, hub

from sandbox import matrix_acts as acts
from sandbox.meeting import MATRIX_ROOM, Meeting
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI

SECONDS = 30.0


@pytest.fixture(scope="module")
async def running(site: Site, meeting: Meeting, reachable: Path) -> AsyncIterator[Hub]:
    if os.geteuid() != 0:
        pytest.skip("Dovecot and Postfix, as they are used here, run as root only")
    async with hub(site, meeting, reachable / "hub") as found:
        await meeting.everyone_is_there()
        yield found
    assert_well_behaved(found.bridge)


async def test_what_is_said_anywhere_is_everywhere_once_with_name_and_network(
    running: Hub,
) -> None:
    words = [await running.says(who) for who in (ALICE, CHIARA, DMITRI, ANNA, ANN, JOURNAL)]
    for word in words:
        await running.arrived(word)
    await running.settle()
    assert running.faults() == []


# --- topics


async def everyone_answers_in(running: Hub, root: str) -> None:
    """Have somebody at each place go on in the thread that a word began; it is one everywhere."""
    meeting, doctor = running.meeting, running.meeting.host
    group_a, group_b = running.group_of(CHIARA), running.group_of(DMITRI)
    root_event = await running.event(root)
    root_mail, root_post = await running.mail(root), await running.post(root)

    in_matrix = running.word(ALICE)
    await acts.say_in_thread(doctor, meeting.room, root_event.id, in_matrix)
    await running.arrived(in_matrix)
    by_mail = running.word(ANNA)
    await running.mailing_list.write(
        f"Re: {root_mail.subject}", f"{by_mail}\n\n> as was said before", root_mail
    )
    await running.arrived(by_mail)
    on_forum = running.word(ANN)
    await running.forum.write("ann", f"And I say {on_forum}", root_post.topic)
    await running.arrived(on_forum)
    threads = {
        group: (await running.heard(group, in_matrix)).thread for group in (group_a, group_b)
    }
    assert all(threads.values())
    on_xmpp = running.word(CHIARA)
    meeting.colleagues[CHIARA].user.post(
        group_a, f"<body>{on_xmpp}</body><thread>{threads[group_a]}</thread>"
    )
    await running.arrived(on_xmpp)
    # A client that knows no threads can still answer what was said in one
    answer = running.word(DMITRI)
    meeting.colleagues[DMITRI].user.answer(await running.heard(group_b, by_mail), answer)
    await running.arrived(answer)

    for word in (in_matrix, by_mail, on_forum, on_xmpp, answer):
        relation = (await running.event(word)).content["m.relates_to"]
        assert (relation["rel_type"], relation["event_id"]) == ("m.thread", root_event.id)
        assert (await running.post(word)).topic is root_post.topic
        assert root_mail.id in (await running.mail(word)).ancestors
    for word in (in_matrix, by_mail, on_forum, on_xmpp):
        for group, thread in threads.items():
            assert (await running.heard(group, word)).thread == thread
    answered = (await running.event(answer)).content["m.relates_to"]["m.in_reply_to"]["event_id"]
    assert answered == (await running.event(by_mail)).id
    answered_mail = await running.mail(by_mail)
    assert (await running.mail(answer)).ancestors[-1] == answered_mail.id


@pytest.mark.parametrize("who", [ALICE, CHIARA, ANNA, ANN])
async def test_a_thread_that_began_anywhere_is_one_everywhere(running: Hub, who: str) -> None:
    root = await running.says(who)
    await running.arrived(root)
    await everyone_answers_in(running, root)
    assert running.faults() == []


# --- changes


async def test_edits_and_deletions_of_a_doctor_follow_where_they_can_and_are_told_where_not(
    running: Hub,
) -> None:
    doctor, room = running.meeting.host, running.meeting.room
    groups = running.meeting.places[1:]
    word = await running.says(ALICE)
    await running.arrived(word)
    event = await running.event(word)
    copies = {group: await running.heard(group, word) for group in groups}
    post = await running.post(word)

    await acts.edit(doctor, room, event.id, "it was another case")
    for group in groups:
        heard = await running.meeting.observer(group).wait_for_text(
            group, "it was another case", timeout=SECONDS
        )
        assert heard.replaces == copies[group].id
    await running.forum.asked.wait_until(lambda: "another case" in post.raw, timeout=SECONDS)
    mail = await running.corrected("it was another case")
    assert (await running.mail(word)).id in mail.ancestors

    await doctor.redact(room, event.id)
    for group in groups:
        await running.meeting.observer(group).wait_for(
            lambda each, group=group: each.retracts == (copies[group].stanza_id or copies[group].id)
        )
    await running.forum.asked.wait_until(lambda: post.deleted is not None, timeout=SECONDS)
    await doctor.timeline.wait_for(
        lambda each: (
            each.content.get("msgtype") == "m.notice"
            and LIST in each.body
            and "delete" in each.body
        ),
        timeout=SECONDS,
    )
    del running.words[word]  # it is gone in some places, as it should be


async def test_edits_and_deletions_on_the_forum_follow(running: Hub) -> None:
    groups = running.meeting.places[1:]
    word = await running.says(ANN)
    await running.arrived(word)
    post = await running.post(word)
    event = await running.event(word)

    await running.forum.edit(post, "I meant another case altogether")
    for group in groups:
        copy = await running.heard(group, word)
        await running.meeting.observer(group).wait_for(
            lambda each, copy=copy: each.replaces == copy.id and "altogether" in each.body,
            timeout=SECONDS,
        )
    mail = await running.corrected("I meant another case altogether")
    assert mail.sender == "Dr. Ann Lee (Heart forum) via Consilium"
    await running.forum.delete(post, "system")
    await running.meeting.host.timeline.wait_for(
        lambda each: (
            each.type == "m.room.redaction"
            and event.id in {each.content.get("redacts"), each.unsigned.get("redacts")}
        ),
        timeout=SECONDS,
    )
    del running.words[word]


# --- trouble


async def test_a_dead_list_and_a_forum_that_asks_to_wait_hold_up_nobody(running: Hub) -> None:
    quick = running.meeting.places
    await running.mailing_list.die()
    posts = len(running.forum.own())
    running.forum.problems += [
        (lambda request: request.method == "POST", too_fast(seconds)) for seconds in (1, 2)
    ]
    words = [await running.says(who) for who in (ALICE, CHIARA, BRAM, DMITRI, ANN) * 2]
    began = time.monotonic()
    for word in words:
        await running.arrived(word, *quick)
    assert time.monotonic() - began < 10
    assert len(running.forum.own()) < posts + 8  # it is still waiting

    for word in words:
        await running.arrived(word, BOARD)
    assert not [word for word in words if running.speakers(word, MAIL)]
    await running.mailing_list.come_back()
    for word in words:
        await running.arrived(word, MAIL)
    await running.settle()
    assert running.faults() == []


async def test_a_forum_that_does_not_answer_holds_up_nobody(running: Hub) -> None:
    running.forum.slow.clear()
    words = [await running.says(who) for who in (ALICE, CHIARA, ANNA)]
    for word in words:
        await running.arrived(word, *running.meeting.places, MAIL)
    running.forum.slow.set()
    for word in words:
        await running.arrived(word)


async def test_frozen_xmpp_servers_hold_up_nobody(running: Hub, site: Site) -> None:
    site.prosody.pause()
    try:
        words = [await running.says(who) for who in (ALICE, ANNA, ANN)]
        for word in words:
            await running.arrived(word, MATRIX_ROOM, MAIL, BOARD)
    finally:
        site.prosody.resume()
    for word in words:
        await running.arrived(word)


async def test_after_a_crash_everyone_has_heard_everything_once(running: Hub) -> None:
    bridge, meeting = running.bridge, running.meeting
    if not running.site.articles:  # where this test runs alone
        await running.arrived(await running.says(JOURNAL))
    before = [await running.says(who) for who in (ALICE, CHIARA, ANNA, ANN) * 3]
    await running.arrived(before[0], MATRIX_ROOM, meeting.places[1])
    await bridge.kill()
    running.site.correct(running.site.articles[0], "It does not work after all.")
    meanwhile = [await running.says(who) for who in (ALICE, BRAM, ANNA, ANN, JOURNAL)]
    thread = await running.event(before[0])
    inside = running.word(BRAM)
    await acts.say_in_thread(meeting.doctors[BRAM], meeting.room, thread.id, inside)
    await bridge.start()
    for word in (*before, *meanwhile, inside):
        await running.arrived(word)
    assert (await running.post(inside)).topic is (await running.post(before[0])).topic
    assert (await running.mail(before[0])).id in (await running.mail(inside)).ancestors
    for group in meeting.places[1:]:
        await meeting.observer(group).wait_for(
            lambda each: bool(each.replaces) and "after all" in each.body, timeout=SECONDS
        )
    await running.corrected("after all")
    await meeting.everyone_is_there()
    await running.settle()
    assert running.faults() == []
