"""What does not cross as it is: large and refused files, long texts, hostile HTML, imitated names,
mass mentions; and what kinds of files there are.
"""

import pytest

from sandbox import matrix_acts as acts
from sandbox import xmpp_acts
from sandbox.bridge import Bridge
from sandbox.hospital import HOSPITAL_A
from sandbox.matrix_user import MatrixEvent
from sandbox.meeting import Meeting
from sandbox.people import Colleagues
from sandbox.prosody import MAX_UPLOAD
from sandbox.staff import ALICE, CHIARA, DMITRI
from sandbox.ward import Ward
from sandbox.xmpp_stanzas import RoomMessage

OGG = b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead\x01\x01" + bytes(200)
WEBM = (
    b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04"
    b"B\xf3\x81\x08B\x82\x84webm" + bytes(99)
)


@pytest.fixture(scope="module")
async def ward(bridge_of_all: Bridge, meeting: Meeting) -> Ward:
    await meeting.everyone_is_there()
    return Ward(meeting, ALICE, CHIARA)


def url_of(message: RoomMessage) -> str:
    found = message.find("jabber:x:oob", "x")
    return "" if found is None else found.findtext("{jabber:x:oob}url") or ""


async def answer(ward: Ward, event_id: str) -> MatrixEvent:
    """What the bot says about a message."""
    return await ward.seen(
        lambda each: (
            each.content.get("msgtype") == "m.notice"
            and each.content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")
            == event_id
        )
    )


# --- files


async def test_a_voice_note_and_a_film_of_a_doctor_arrive_with_their_type(ward: Ward) -> None:
    for name, mime, msgtype, data in (
        ("note.ogg", "audio/ogg", "m.audio", OGG),
        ("film.webm", "video/webm", "m.video", WEBM),
    ):
        await acts.send_file(
            ward.doctor, ward.room, data, name=name, mime=mime, msgtype=msgtype,
            info={"duration": 1500},
        )  # fmt: skip
        heard = await ward.heard(lambda each, name=name: url_of(each).endswith(name))
        sharing = heard.find("urn:xmpp:sfs:0", "file-sharing")
        assert sharing is not None
        assert sharing.findtext(".//{*}media-type") == mime
        assert sharing.findtext(".//{*}size") == str(len(data))


async def test_a_voice_note_of_a_colleague_is_sound(ward: Ward) -> None:
    url = await xmpp_acts.upload(ward.colleague, HOSPITAL_A.uploads, OGG, "note.ogg", "audio/ogg")
    ward.colleague.share(ward.group, url)
    seen = await ward.seen(lambda each: each.content.get("msgtype") == "m.audio")
    assert seen.content["info"]["mimetype"] == "audio/ogg"
    assert await ward.doctor.download(seen.content["url"]) == OGG


async def test_a_file_that_is_too_large_is_named_and_its_sender_told(ward: Ward) -> None:
    data = b"%PDF-1.7\n" + bytes(MAX_UPLOAD)
    event_id = await acts.send_file(
        ward.doctor, ward.room, data, name="scan.pdf", mime="application/pdf", caption="the scan"
    )
    heard = await ward.heard(lambda each: "scan.pdf" in each.body)
    assert heard.nick == ALICE
    assert not url_of(heard)
    await ward.heard(lambda each: "the scan" in each.body)
    told = await answer(ward, event_id)
    assert "Hospital A" in told.body
    assert "1.0 MB" in told.body or "1 MB" in told.body


async def test_a_program_that_says_it_is_a_picture_is_a_mere_file(ward: Ward) -> None:
    data = b"MZ" + bytes(58) + b"\x40\x00\x00\x00" + b"PE\x00\x00" + bytes(500)
    url = await xmpp_acts.upload(
        ward.colleague, HOSPITAL_A.uploads, data, "photo.jpg", "image/jpeg"
    )
    ward.colleague.share(ward.group, url)
    seen = await ward.seen(
        lambda each: (
            each.content.get("filename", each.body).startswith("photo")
            and each.content.get("url") is not None
        )
    )
    assert seen.content["msgtype"] == "m.file"
    assert not seen.content.get("filename", seen.body).endswith(".jpg")


async def test_another_caption_leaves_the_file_in_the_group(ward: Ward) -> None:
    event_id = await acts.send_file(
        ward.doctor, ward.room, b"%PDF-1.7\nx", name="kept.pdf", mime="application/pdf",
        caption="left hand",
    )  # fmt: skip
    first = await ward.heard(lambda each: each.body == "left hand")
    file = await ward.heard(lambda each: url_of(each).endswith("kept.pdf"))
    content = (await ward.doctor.event(ward.room, event_id)).content
    fresh = {**content, "body": "right hand"}
    await ward.doctor.send_event(
        ward.room,
        "m.room.message",
        {
            **fresh,
            "body": "* right hand",
            "m.new_content": fresh,
            "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
        },
    )
    changed = await ward.heard(lambda each: each.body == "right hand")
    assert changed.replaces == first.id
    await ward.doctor_says("a fence")
    assert not [each for each in ward.colleague.messages if each.retracts == file.stanza_id]


# --- texts


async def test_a_long_text_of_a_colleague_is_split_and_its_edit_changes_the_parts(
    ward: Ward,
) -> None:
    lines = [f"line {number} of what was found" for number in range(2_000)]
    own_id = ward.colleague.say(ward.group, "\n".join(lines))

    def parts(first: str, last: str) -> list[MatrixEvent]:
        found = [each for each in ward.doctor.timeline if " of what was found" in each.body]
        return found if found and found[0].body.startswith(first) and last in found[-1].body else []

    await ward.doctor.timeline.wait_until(lambda: bool(parts("line 0 ", "line 1999 ")), timeout=30)
    copies = parts("line 0 ", "line 1999 ")
    assert len(copies) > 1
    assert "\n".join(each.body for each in copies) == "\n".join(lines)

    ward.colleague.edit(ward.group, own_id, "no longer long")
    seen = await ward.seen(
        lambda each: each.content.get("m.new_content", {}).get("body") == "no longer long"
    )
    assert seen.content["m.relates_to"]["event_id"] == copies[0].id
    for each in copies[1:]:
        await ward.seen(lambda event, copy=each: event.content.get("redacts") == copy.id)


async def test_64_kilobytes_of_a_doctor_arrive_in_every_group(ward: Ward, meeting: Meeting) -> None:
    words = [f"word{number}" for number in range(7_000)]
    text = " ".join(words)[:60_000].strip()  # an event may have 64 KB with all that is around it
    await ward.doctor.send_text(ward.room, text)
    last = text.split()[-1]
    for name in (CHIARA, DMITRI):
        there = Ward(meeting, ALICE, name)
        await there.heard(lambda each: each.body.endswith(last) and each.nick == ALICE)
        pieces = [
            each.body
            for each in there.colleague.messages
            if each.room == there.group and "word" in each.body
        ]
        assert " ".join(pieces).split() == text.split()


HOSTILE = """<p onclick="x()">fine <b style="background:url(javascript:x)">bold</b></p>
<script>alert(1)</script><img src="https://tracker.test/x.png" onerror="alert(1)">
<a href="javascript:alert(1)">click</a><iframe src="//evil.test"></iframe>
<span data-mx-spoiler>secret</span><svg onload="alert(1)"></svg><style>*{display:none}</style>"""


async def test_hostile_html_of_a_colleague_is_harmless_in_the_room(ward: Ward) -> None:
    xhtml = (
        "<p onclick='x()'>fine <strong style='background:url(javascript:x)'>bold</strong>"
        "<script>alert(1)</script><img src='https://tracker.test/x.png' alt='pic'/>"
        "<a href='javascript:alert(1)'>click</a><a href='https://ok.test/'>ok</a></p>"
    )
    ward.colleague.post(
        ward.group,
        "<body>fine bold click</body><html xmlns='http://jabber.org/protocol/xhtml-im'>"
        f"<body xmlns='http://www.w3.org/1999/xhtml'>{xhtml}</body></html>",
    )
    seen = await ward.seen(lambda each: "bold" in each.body and "click" in each.body)
    html = seen.content["formatted_body"]
    assert "<strong>bold</strong>" in html
    assert 'href="https://ok.test/"' in html
    for bad in ("javascript", "onclick", "alert", "tracker", "<img", "style="):
        assert bad not in html


async def test_hostile_html_of_a_doctor_is_harmless_in_the_group(ward: Ward) -> None:
    await ward.doctor.send_event(
        ward.room,
        "m.room.message",
        {"msgtype": "m.text", "body": "another text", **acts.formatted(HOSTILE)},
    )
    heard = await ward.heard(lambda each: "fine *bold*" in each.body)
    for bad in ("alert", "tracker", "javascript", "evil", "display:none"):
        assert bad not in heard.body


# --- people


@pytest.mark.parametrize(
    "nick",
    ["Dr. Alice (Hospital B)", "Dr. \u0410lice", "Dr. Alice (Ho\u0455pital B)"],
    ids=["a claim", "Cyrillic", "a claim in Cyrillic"],
)
async def test_who_imitates_a_doctor_carries_the_hospital(
    ward: Ward, meeting: Meeting, wards: Colleagues, nick: str
) -> None:
    imitator = await wards.new(HOSPITAL_A)
    await imitator.join(ward.group, nick)
    text = f"I am {nick!a}"
    imitator.say(ward.group, text)
    seen = await ward.seen(lambda each: each.body == text)
    name = meeting.members()[seen.sender]
    assert name.endswith(" (Hospital A)")
    there = await Ward(meeting, ALICE, DMITRI).heard(lambda each: each.body == text)
    assert there.nick.endswith("(Hospital A)")
    await imitator.leave(ward.group)


async def test_nobody_outside_rings_for_all(ward: Ward, meeting: Meeting) -> None:
    ward.colleague.say(ward.group, "@room fire!")
    seen = await ward.seen(lambda each: each.body.endswith("room fire!"))
    assert seen.content["m.mentions"] == {}
    names = " ".join(f"@{name}" for name in (ALICE, "Dr. Bram") * 8)
    ward.colleague.say(ward.group, f"{names} look!")
    seen = await ward.seen(lambda each: each.body.endswith("look!"))
    assert len(seen.content["m.mentions"].get("user_ids", [])) <= 10


async def test_the_bot_tells_what_the_networks_can_do(ward: Ward) -> None:
    event_id = await ward.doctor.send_text(ward.room, "!capabilities")
    told = await answer(ward, event_id)
    assert "Hospital A" in told.body
    assert "Hospital B" in told.body
    assert "files" in told.body
