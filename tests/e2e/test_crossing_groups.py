"""What people do in one group shows in another one of the same portal, and after the bridge was
killed, too: formatting, edits, deletions, reactions, answers, threads, mentions, files, signals.
"""

import pytest

from sandbox import matrix_acts as acts
from sandbox import xmpp_acts
from sandbox.bridge import Bridge
from sandbox.hospital import HOSPITAL_A
from sandbox.meeting import Meeting
from sandbox.staff import ALICE, CHIARA, DMITRI
from sandbox.ward import Ward
from sandbox.xmpp_stanzas import RoomMessage

CHIARA_AWAY = "Chiara (Hospital A)"
DMITRI_AWAY = "Dmitri (Hospital B)"


@pytest.fixture(scope="module")
async def here(bridge_of_all: Bridge, meeting: Meeting) -> Ward:
    """Hospital A, which has a file service."""
    await meeting.everyone_is_there()
    return Ward(meeting, ALICE, CHIARA)


@pytest.fixture(scope="module")
async def there(here: Ward) -> Ward:
    """Hospital B, which has none."""
    return Ward(here.meeting, ALICE, DMITRI)


async def said(ward: Ward, other: Ward, text: str) -> tuple[RoomMessage, RoomMessage]:
    """Something said in one group, as that shows it, and its copy in the other."""
    ward.colleague.say(ward.group, text)
    return (
        await ward.heard(lambda each: each.body == text),
        await other.heard(lambda each: each.body == text),
    )


async def test_styling_stays_as_it_is(here: Ward, there: Ward) -> None:
    text = "Give *10 mg* of `y`\n\n> as said\nand ~none~ of _z_"
    _, copy = await said(here, there, text)
    assert copy.nick == CHIARA_AWAY


async def test_edits_deletions_and_reactions_find_the_copy(here: Ward, there: Ward) -> None:
    own, copy = await said(here, there, "10 mgg")
    for text in ("10 mg", "10 mg twice"):
        here.colleague.edit(here.group, own.id, text)
        heard = await there.heard(lambda each, text=text: each.body == text)
        assert (heard.replaces, heard.nick) == (copy.id, CHIARA_AWAY)

    there.colleague.react(there.group, copy.stanza_id, "👍", "❤️")
    heard = await here.heard(
        lambda each: each.nick == DMITRI_AWAY and (each.reactions or ("", ()))[1] == ("👍", "❤️")
    )
    assert heard.reactions is not None
    assert heard.reactions[0] == own.stanza_id
    there.colleague.react(there.group, copy.stanza_id, "❤️")
    await here.heard(lambda each: each.reactions == (own.stanza_id, ("❤️",)))

    here.colleague.retract(here.group, own.stanza_id)
    gone = await there.heard(lambda each: each.retracts == copy.stanza_id)
    assert gone.nick == CHIARA_AWAY


async def test_an_answer_and_a_thread_are_such(here: Ward, there: Ward) -> None:
    own, copy = await said(here, there, "Which dose?")
    there.colleague.answer(copy, "5 mg, as always")
    answer = await here.heard(lambda each: each.words == "5 mg, as always")
    assert answer.answers == own.stanza_id
    assert answer.body.count("Which dose?") == 1

    event = await here.seen(lambda each: each.body == "Which dose?")
    await acts.say_in_thread(here.doctor, here.room, event.id, "in a thread")
    at_a = await here.heard(lambda each: each.words == "in a thread")
    at_b = await there.heard(lambda each: each.words == "in a thread")
    assert at_a.thread
    there.colleague.post(there.group, f"<body>from B</body><thread>{at_b.thread}</thread>")
    heard = await here.heard(lambda each: each.words == "from B")
    assert heard.thread == at_a.thread
    seen = await here.seen(lambda each: each.body == "from B")
    assert seen.content["m.relates_to"]["rel_type"] == "m.thread"
    assert seen.content["m.relates_to"]["event_id"] == event.id


async def test_a_mention_calls_the_colleague_there(here: Ward, there: Ward) -> None:
    here.colleague.say(here.group, f"{DMITRI_AWAY}: can you look?")
    heard = await there.heard(lambda each: "can you look?" in each.body)
    assert heard.body == "Dmitri: can you look?"
    event = await here.seen(lambda each: "can you look?" in each.body)
    (called,) = event.content["m.mentions"].get("user_ids", ["?"])
    assert called in {who for who, name in here.meeting.members().items() if name == DMITRI_AWAY}


async def test_signals_show(here: Ward, there: Ward) -> None:
    here.colleague.be(here.group, "composing")
    await there.heard(
        lambda each: (
            each.nick == CHIARA_AWAY
            and each.find("http://jabber.org/protocol/chatstates", "composing") is not None
        )
    )
    own, copy = await said(here, there, "Read this")
    there.colleague.mark_read(there.group, copy.stanza_id)
    marker = await here.heard(
        lambda each: (
            each.nick == DMITRI_AWAY
            and each.find("urn:xmpp:chat-markers:0", "displayed") is not None
        )
    )
    found = marker.find("urn:xmpp:chat-markers:0", "displayed")
    assert found is not None
    assert found.get("id") == own.stanza_id


async def test_a_file_is_a_line_where_there_is_no_file_service(here: Ward, there: Ward) -> None:
    data = b"%PDF-1.7\n" + bytes(1000)
    url = await xmpp_acts.upload(
        here.colleague, HOSPITAL_A.uploads, data, "report.pdf", "application/pdf"
    )
    here.colleague.share(here.group, url)
    heard = await there.heard(lambda each: "report.pdf" in each.body)
    assert heard.nick == CHIARA_AWAY
    assert heard.body.startswith("[file] report.pdf")
    event = await here.seen(lambda each: each.content.get("filename", each.body) == "report.pdf")
    assert await here.doctor.download(event.content["url"]) == data


async def test_all_of_it_finds_its_copies_after_the_bridge_was_killed(
    here: Ward, there: Ward, bridge_of_all: Bridge
) -> None:
    own, copy = await said(here, there, "before the crash")
    await bridge_of_all.kill()
    here.colleague.edit(here.group, own.id, "edited during the crash")
    there.colleague.answer(copy, "answered during the crash")
    there.colleague.react(there.group, copy.stanza_id, "👀")
    await bridge_of_all.start()
    heard = await there.heard(lambda each: each.body == "edited during the crash")
    assert heard.replaces == copy.id
    answer = await here.heard(lambda each: each.words == "answered during the crash")
    assert answer.answers == own.stanza_id
    await here.heard(lambda each: each.reactions == (own.stanza_id, ("👀",)))
    here.colleague.retract(here.group, own.stanza_id)
    await there.heard(lambda each: each.retracts == copy.stanza_id)


async def test_what_is_deleted_while_the_bridge_is_away_is_never_shown(
    here: Ward, there: Ward, bridge_of_all: Bridge
) -> None:
    await bridge_of_all.kill()
    here.colleague.say(here.group, "a name that nobody may see")
    own = await here.heard(lambda each: each.body == "a name that nobody may see")
    here.colleague.retract(here.group, own.stanza_id)
    here.colleague.say(here.group, "after it")
    await bridge_of_all.start()
    await there.heard(lambda each: each.body == "after it")
    await here.doctor.wait_for_text(here.room, "after it", timeout=20)
    assert not [each for each in there.colleague.messages if "nobody may see" in each.body]
    assert not [each for each in here.doctor.timeline if "nobody may see" in each.body]
