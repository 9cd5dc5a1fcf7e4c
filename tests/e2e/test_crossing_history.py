"""A new portal begins with what was said in its groups before: with the times and authors of then,
and with what became of it since. It is for the room alone.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from bridge_runs import Site, running

from sandbox import xmpp_acts
from sandbox.bridge import account_network, component_networks
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.matrix_user import MatrixEvent
from sandbox.meeting import Meeting
from sandbox.people import PASSWORD, Colleagues
from sandbox.staff import ALICE, CHIARA, DMITRI, Staff
from sandbox.ward import Ward

PDF = b"%PDF-1.7\n" + bytes(100)


@dataclass(frozen=True)
class Past:
    """A portal with a past; `began` is when the bridge was started, in milliseconds."""

    meeting: Meeting
    began: float

    def events(self) -> list[MatrixEvent]:
        """What the room was shown."""
        return [each for each in self.meeting.host.timeline if each.room == self.meeting.room]

    def shown(self, body: str) -> list[MatrixEvent]:
        """The events with this text."""
        return [each for each in self.events() if each.body == body]


@pytest.fixture(scope="module", params=["component", "account"])
async def past(
    request: pytest.FixtureRequest, site: Site, staff: Staff, wards: Colleagues
) -> AsyncIterator[Past]:
    groups = {hospital: wards.new_room(hospital) for hospital in (HOSPITAL_A, HOSPITAL_B)}
    meeting = await staff.meet(site.app_service, groups)
    ward = Ward(meeting, ALICE, CHIARA)
    gone = await wards.new(HOSPITAL_A)
    await gone.join(ward.group, "Gone")
    gone.say(ward.group, "I leave now")
    await ward.heard(lambda each: each.body == "I leave now")
    await gone.leave(ward.group)
    first = ward.colleague.say(ward.group, "a *first* word")
    await ward.heard(lambda each: each.body == "a *first* word")
    ward.colleague.edit(ward.group, first, "a *better* word")
    ward.colleague.say(ward.group, "a name")
    said = await ward.heard(lambda each: each.body == "a name")
    ward.colleague.retract(ward.group, said.stanza_id)
    ward.colleague.say(ward.group, "Agreed?")
    asked = await ward.heard(lambda each: each.body == "Agreed?")
    ward.colleague.react(ward.group, asked.stanza_id, "🎉")
    ward.colleague.answer(asked, "I think so")
    url = await xmpp_acts.upload(
        ward.colleague, HOSPITAL_A.uploads, PDF, "old.pdf", "application/pdf"
    )
    ward.colleague.share(ward.group, url)
    await ward.heard(lambda each: each.body == url)
    staff.dmitri.say(meeting.colleagues[DMITRI].group, "said at B")
    await staff.dmitri.wait_for_text(meeting.colleagues[DMITRI].group, "said at B")

    networks = component_networks(site.prosody)
    if request.param == "account":
        jid = f"historian@{HOSPITAL_A.domain}"
        await site.prosody.add_user(jid, PASSWORD)
        networks[HOSPITAL_A.network] = account_network(site.prosody, jid, PASSWORD, HOSPITAL_A.name)
    began = time.time() * 1000
    async with running(site.bridge({meeting.room: meeting.links()}, networks)):
        ward.colleague.say(ward.group, "a fence of A")
        staff.dmitri.say(meeting.colleagues[DMITRI].group, "a fence of B")
        await meeting.arrived("a fence of A", [meeting.places[0]])
        await meeting.arrived("a fence of B", [meeting.places[0]])
        await staff.dmitri.wait_for(lambda each: each.body.endswith("a fence of A"), timeout=30)
        yield Past(meeting, began)


async def test_each_message_is_there_once_with_its_author_and_its_time(past: Past) -> None:
    names = {
        each.state_key: each.content.get("displayname")
        for each in past.events()
        if each.type == "m.room.member" and each.content.get("displayname")
    }
    wanted = {
        "I leave now": "Gone (Hospital A)",
        "Agreed?": "Chiara (Hospital A)",
        "I think so": "Chiara (Hospital A)",
        "said at B": "Dmitri (Hospital B)",
    }
    for body, name in wanted.items():
        [event] = past.shown(body)
        assert names[event.sender] == name
        assert event.timestamp < past.began
    await past.meeting.until_no_member("Gone (Hospital A)")


def test_what_became_of_the_messages_is_to_be_seen(past: Past) -> None:
    [asked], [answer] = past.shown("Agreed?"), past.shown("I think so")
    assert answer.content["m.relates_to"]["m.in_reply_to"]["event_id"] == asked.id
    reactions = [each for each in past.events() if each.type == "m.reaction"]
    assert [each.content["m.relates_to"]["key"] for each in reactions] == ["🎉"]
    assert not past.shown("a name")
    edits = [
        each.content["m.new_content"]["body"]
        for each in past.events()
        if "m.new_content" in each.content
    ]
    assert edits == ["a better word"]


async def test_a_file_from_then_is_there(past: Past) -> None:
    [file] = [each for each in past.events() if each.content.get("msgtype") == "m.file"]
    assert await past.meeting.host.download(file.content["url"]) == PDF


def test_the_other_group_is_told_nothing_of_it(past: Past) -> None:
    at_a = past.meeting.messages(past.meeting.colleagues[CHIARA].group)
    at_b = past.meeting.messages(past.meeting.colleagues[DMITRI].group)
    assert not [each for each in at_a if "said at B" in each.body]
    for body in ("I leave now", "Agreed?", "I think so", "word", "old.pdf"):
        assert not [each for each in at_b if body in each.body]
