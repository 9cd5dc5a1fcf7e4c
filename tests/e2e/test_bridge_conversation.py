"""Two doctors on Matrix and their colleagues at two hospitals read each other."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from bridge_runs import Site, running

from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.matrix_user import MatrixEvent
from sandbox.meeting import MATRIX_ROOM, Colleague, Line, Meeting
from sandbox.people import Colleagues
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI, Staff
from sandbox.synapse import Synapse

EVERYONE = (ALICE, BRAM, CHIARA, DMITRI)
DOCTORS = {ALICE, BRAM}

OVERRIDE, ISOLATE, ZERO_WIDTH, FILLER = "\u202e", "\u2067", "\u200b", "\u3164"


@pytest.fixture(scope="module")
async def meetings(
    site: Site, staff: Staff, wards: Colleagues
) -> AsyncIterator[dict[str, Meeting]]:
    """A portal named by its alias, one named by its room id, and one where others were first."""
    by_alias = await _meet(site, staff, wards, alias="conversation")
    by_id = await _meet(site, staff, wards)
    imitated = await _imitated(site, staff, wards)
    portals = {
        f"#conversation:{site.synapse.server_name}": by_alias.links(),
        by_id.room: by_id.links(),
        imitated.room: imitated.links(),
    }
    async with running(site.bridge(portals)):
        await by_alias.everyone_is_there()
        await by_id.everyone_is_there()
        yield {"by alias": by_alias, "by id": by_id, "imitated": imitated}


async def _meet(site: Site, staff: Staff, wards: Colleagues, **how: str) -> Meeting:
    groups = {hospital: wards.new_room(hospital) for hospital in (HOSPITAL_A, HOSPITAL_B)}
    return await staff.meet(site.app_service, groups, **how)


async def _imitated(site: Site, staff: Staff, wards: Colleagues) -> Meeting:
    """In hospital A's group, two imitators have taken their nicks before the bridge comes."""
    meeting = await _meet(site, staff, wards)
    group = meeting.colleagues[CHIARA].group
    imitators = {ALICE: await wards.new(HOSPITAL_A), "Dmitri (Hospital B)": await wards.new()}
    for nick, user in imitators.items():
        await user.join(group, nick)
    more = {
        f"imitator of {nick}": Colleague(user, group, HOSPITAL_A)
        for nick, user in imitators.items()
    }
    return Meeting(meeting.room, meeting.doctors, {**meeting.colleagues, **more})


@pytest.fixture
def meeting(meetings: dict[str, Meeting]) -> Meeting:
    return meetings["by alias"]


@pytest.mark.parametrize("portal", ["by alias", "by id"])
@pytest.mark.parametrize("speaker", EVERYONE)
async def test_what_one_says_all_read_once_and_under_their_own_name(
    meetings: dict[str, Meeting], portal: str, speaker: str
) -> None:
    meeting = meetings[portal]
    before = meeting.mark()

    await meeting.say(speaker, "The potassium is 6.1")
    await meeting.say(speaker, "nods", emote=True)
    await meeting.settle()

    for place, lines in meeting.seen(before).items():
        name = meeting.shown(speaker, place)
        assert lines == [Line(name, "The potassium is 6.1"), Line(name, "nods", emote=True)], place


async def test_each_author_has_an_account_of_their_own_on_matrix(meeting: Meeting) -> None:
    await meeting.say(CHIARA, "It is Chiara")
    await meeting.say(DMITRI, "It is Dmitri")
    chiara = await meeting.host.wait_for_text(meeting.room, "It is Chiara")
    dmitri = await meeting.host.wait_for_text(meeting.room, "It is Dmitri")

    members = await meeting.host.members(meeting.room)
    assert members[chiara.sender] == "Chiara (Hospital A)"
    assert members[dmitri.sender] == "Dmitri (Hospital B)"
    assert chiara.sender.startswith("@_consilium")


async def test_a_hundred_messages_from_all_sides_at_once_keep_their_order(meeting: Meeting) -> None:
    before = meeting.mark()
    said = {speaker: [f"{speaker} says {n}" for n in range(25)] for speaker in EVERYONE}

    async def talk(speaker: str) -> None:
        for text in said[speaker]:
            await meeting.say(speaker, text)

    await asyncio.gather(*map(talk, EVERYONE))
    await meeting.settle()

    seen = meeting.seen(before)
    for place, lines in seen.items():
        assert Counter(lines) == Counter(
            Line(meeting.shown(speaker, place), text)
            for speaker, texts in said.items()
            for text in texts
        )
    # Each place keeps the order in which the place of origin shows it, whoever speaks
    homes = {MATRIX_ROOM: DOCTORS} | {
        colleague.group: {name} for name, colleague in meeting.colleagues.items()
    }
    for home, speakers in homes.items():
        texts = {text for speaker in speakers for text in said[speaker]}
        orders = [[line.text for line in lines if line.text in texts] for lines in seen.values()]
        original = [line.text for line in seen[home] if line.text in texts]
        assert orders == [original] * len(meeting.places)


async def test_a_message_that_had_to_wait_bears_the_time_it_was_said(
    meeting: Meeting, synapse: Synapse
) -> None:
    group_b = meeting.colleagues[DMITRI].group
    synapse.pause()
    try:
        said_at = time.time()
        await meeting.say(CHIARA, "said while the homeserver slept")
        await meeting.arrived("said while the homeserver slept", [group_b])
        for number in range(20):
            await meeting.say(CHIARA, f"passing time {number}")
            await meeting.arrived(f"passing time {number}", [group_b])
        slept = time.time() - said_at
    finally:
        synapse.resume()

    event = await meeting.host.wait_for_text(meeting.room, "said while the homeserver slept")
    await meeting.settle()
    assert abs(event.timestamp / 1000 - said_at) < slept / 2


TEXTS = {
    "other scripts": "Prêt à partir — 心臓, قلب, सिर, 🚑👩🏽‍⚕️, e\u0301",
    "several lines": "first\n\n  second, indented\n\tthird\nlast",
    "XML": "1 < 2 && 3 > 2; \"a\" 'b' <b>bold</b> &amp; ]]> <!-- --> <?xml?> &#x0;",
    "HTML": '<script>alert(1)</script><img src=x onerror="alert(1)">',
    "markdown": "[x](javascript:alert(1)) ![y](http://x.test/z.png) <!-- -->",
    "thirty kilobytes": "Krankengeschichte ü 🩺 " * 1153,
    "a command": "/nick somebody",
    "a mention of all": "@room please",
}


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize("speaker", [ALICE, CHIARA])
async def test_a_text_arrives_as_it_was_written(meeting: Meeting, speaker: str, what: str) -> None:
    text = TEXTS[what].rstrip()
    before = meeting.mark()
    await meeting.say(speaker, text)
    await meeting.settle()

    for place, lines in meeting.seen(before).items():
        assert lines == [Line(meeting.shown(speaker, place), text)], place


@pytest.mark.parametrize("speaker", [ALICE, CHIARA])
async def test_a_text_too_long_for_one_message_arrives_in_pieces(
    meeting: Meeting, speaker: str
) -> None:
    words = [f"word{number}" for number in range(5_000)]
    before = meeting.mark()
    await meeting.say(speaker, " ".join(words))
    await meeting.settle()

    for place, lines in meeting.seen(before).items():
        assert {line.speaker for line in lines} == {meeting.shown(speaker, place)}
        assert " ".join(line.text for line in lines).split() == words, place


async def test_a_colleague_cannot_ring_for_the_whole_room(meeting: Meeting) -> None:
    await meeting.say(CHIARA, "@room wake up")
    event = await meeting.host.wait_for_text(meeting.room, "@room wake up")
    assert event.content.get("m.mentions") == {}


async def test_characters_that_xml_forbids_do_not_keep_a_message_from_arriving(
    meeting: Meeting,
) -> None:
    before = meeting.mark()
    await meeting.say(ALICE, "a\x00b\x01c\x0bd\x1be\ufffef\uffffg\x7fh")
    await meeting.settle()

    for place, lines in meeting.seen(before).items():
        (line,) = lines
        if place != MATRIX_ROOM:
            assert line.speaker == ALICE
            assert [char for char in line.text if char.isascii() and char.isprintable()] == [
                *"abcdefgh"
            ]
            assert len(line.text) == 15


HOSTILE = """
<message xmlns='jabber:client' to='{group}' type='groupchat' id='hostile'>
  <body>&lt;b&gt;plain&lt;/b&gt; &amp;amp; text</body>
  <subject>No subject where there is a body</subject>
  <html xmlns='http://jabber.org/protocol/xhtml-im'>
    <body xmlns='http://www.w3.org/1999/xhtml'>
      <script>alert(1)</script><p onclick='alert(2)'>&lt;b&gt;plain&lt;/b&gt; &amp;amp; text</p>
    </body>
  </html>
  <stanza-id xmlns='urn:xmpp:sid:0' by='{group}' id='forged'/>
  <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>
  <delay xmlns='urn:xmpp:delay' from='{group}' stamp='1999-01-01T00:00:00Z'/>
  <x xmlns='http://jabber.org/protocol/muc#user'>
    <item jid='director@hospital-a.test' affiliation='owner' role='moderator'/>
    <status code='110'/><status code='307'/>
  </x>
  <forwarded xmlns='urn:xmpp:forward:0'>
    <message from='{group}/Dmitri' type='groupchat'><body>forwarded</body></message>
  </forwarded>
  <event xmlns='urn:example'><body>nested</body><message><body>deep</body></message></event>
  <replace xmlns='urn:xmpp:message-correct:0' id='nothing'/>
  {deep}
</message>
"""


async def test_hostile_markup_in_a_stanza_is_only_ever_its_text(meeting: Meeting) -> None:
    chiara = meeting.colleagues[CHIARA]
    # Prosody's own archive can't store anything much deeper
    deep = "<x xmlns='urn:deep'>" * 50 + "</x>" * 50
    before, began = meeting.mark(), time.time()
    chiara.user.client.send_raw(
        HOSTILE.format(group=chiara.group, deep=deep).replace("\n", "").replace(">  <", "><")
    )
    await meeting.settle()

    own = "<b>plain</b> &amp; text"
    text = f"(edited) {own}"  # of something that nobody here knows
    for place, lines in meeting.seen(before).items():
        said = own if place == chiara.group else text
        assert lines == [Line(meeting.shown(CHIARA, place), said)], place
    event = await meeting.host.wait_for_text(meeting.room, text)
    assert "formatted_body" not in event.content or "<b>" not in event.content["formatted_body"]
    assert event.timestamp / 1000 > began - 5
    assert (await _topic(meeting)) != "No subject where there is a body"


async def test_the_same_stanza_id_chosen_twice_is_two_messages(meeting: Meeting) -> None:
    chiara = meeting.colleagues[CHIARA]
    before = meeting.mark()
    for text in ("the first of that id", "the second of that id"):
        message = chiara.user.message(chiara.group)
        message["id"] = "the-same"
        message["body"] = text
        message.send()
    await meeting.settle()

    for lines in meeting.seen(before).values():
        assert [line.text for line in lines] == ["the first of that id", "the second of that id"]


async def test_one_who_took_a_doctors_name_is_shown_with_their_hospital(
    meetings: dict[str, Meeting],
) -> None:
    meeting = meetings["imitated"]
    group_a, group_b = meeting.colleagues[CHIARA].group, meeting.colleagues[DMITRI].group
    await meeting.until_members(["Dr. Alice (Hospital A)", "Dmitri (Hospital A)"], timeout=30)
    before = meeting.mark()

    await meeting.say(f"imitator of {ALICE}", "I am no doctor")
    await meeting.arrived("I am no doctor")
    await meeting.say(ALICE, "I am a doctor")
    await meeting.arrived("I am a doctor")

    seen = meeting.seen(before)
    assert seen[MATRIX_ROOM] == [
        Line("Dr. Alice (Hospital A)", "I am no doctor"),
        Line(ALICE, "I am a doctor"),
    ]
    assert seen[group_b] == seen[MATRIX_ROOM]
    imitator, real = seen[group_a]
    assert imitator == Line(ALICE, "I am no doctor")
    assert real.speaker != ALICE
    assert real.speaker.startswith(ALICE)


async def test_one_who_claims_another_hospital_is_shown_with_their_own(
    meetings: dict[str, Meeting],
) -> None:
    meeting = meetings["imitated"]
    group_a, group_b = meeting.colleagues[CHIARA].group, meeting.colleagues[DMITRI].group
    before = meeting.mark()

    await meeting.say("imitator of Dmitri (Hospital B)", "I am not at B")
    await meeting.arrived("I am not at B")
    await meeting.say(DMITRI, "I am at B")
    await meeting.arrived("I am at B")

    seen = meeting.seen(before)
    assert seen[MATRIX_ROOM] == [
        Line("Dmitri (Hospital A)", "I am not at B"),
        Line("Dmitri (Hospital B)", "I am at B"),
    ]
    assert seen[group_b] == [
        Line("Dmitri (Hospital A)", "I am not at B"),
        Line(DMITRI, "I am at B"),
    ]
    assert seen[group_a][1].speaker != "Dmitri (Hospital B)"


async def test_a_doctor_gets_the_name_when_the_one_who_took_it_has_left(
    meetings: dict[str, Meeting],
) -> None:
    meeting = meetings["imitated"]
    imitator = meeting.colleagues[f"imitator of {ALICE}"]
    observer = meeting.observer(imitator.group)
    before = meeting.mark()

    await imitator.user.leave(imitator.group)
    await observer.presences.wait_until(
        lambda: (
            (alice := observer.occupants(imitator.group).get(ALICE)) is not None
            and HOSPITAL_A.component in alice.jid
        )
    )
    await meeting.say(ALICE, "under my own name again")
    await meeting.arrived("under my own name again")

    assert meeting.seen(before)[imitator.group] == [Line(ALICE, "under my own name again")]


@pytest.mark.parametrize("hidden", [OVERRIDE, ISOLATE, ZERO_WIDTH])
async def test_a_doctors_name_cannot_turn_the_text_around(
    meeting: Meeting, staff: Staff, hidden: str
) -> None:
    await staff.bram.set_display_name(f"Dr. {hidden}Barm")
    try:
        await meeting.observer(meeting.places[1]).wait_for_occupant(meeting.places[1], "Dr. Barm")
    finally:
        await staff.bram.set_display_name(BRAM)
        await meeting.everyone_is_there()


async def test_letters_that_nobody_sees_make_no_other_nick(
    meeting: Meeting, wards: Colleagues
) -> None:
    # Prosody itself refuses nicks that turn the text around (RFC 7622); these it lets in
    group = meeting.colleagues[CHIARA].group
    trickster = await wards.new(HOSPITAL_A)
    await trickster.join(group, f"Chi{FILLER}ara")
    await meeting.host.timeline.wait_until(
        lambda: list(meeting.members().values()).count("Chiara (Hospital A)") == 2
    )
    await trickster.leave(group)
    await meeting.host.timeline.wait_until(
        lambda: list(meeting.members().values()).count("Chiara (Hospital A)") == 1
    )


async def test_a_nick_in_another_script_crosses(meeting: Meeting, wards: Colleagues) -> None:
    group_a, group_b = meeting.colleagues[CHIARA].group, meeting.colleagues[DMITRI].group
    layla = await wards.new(HOSPITAL_A)
    await layla.join(group_a, "ليلى")
    await meeting.until_members(["ليلى (Hospital A)"])
    before = meeting.mark()

    layla.say(group_a, "marhaba")
    await meeting.settle()

    seen = meeting.seen(before)
    assert seen[MATRIX_ROOM] == [Line("ليلى (Hospital A)", "marhaba")]
    (line,) = seen[group_b]
    assert line.text == "marhaba"
    assert "ليلى" in line.speaker
    await layla.leave(group_a)


async def _topic(meeting: Meeting) -> str | None:
    topics: list[MatrixEvent] = [
        event
        for event in meeting.host.timeline
        if event.room == meeting.room and event.type == "m.room.topic"
    ]
    return topics[-1].content.get("topic") if topics else None
