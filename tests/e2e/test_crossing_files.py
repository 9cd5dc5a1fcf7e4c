"""Files, passing signals, pictures of people, the room's own properties and what is rare, from
Matrix to XMPP and back, as independent clients see them.
"""

from io import BytesIO

import aiohttp
import pytest
from bridge_runs import Site
from PIL import Image

from sandbox import matrix_acts as acts
from sandbox import xmpp_acts
from sandbox.bridge import Bridge
from sandbox.hospital import HOSPITAL_A
from sandbox.matrix_user import MatrixEvent
from sandbox.meeting import Meeting
from sandbox.staff import ALICE, CHIARA
from sandbox.ward import Ward
from sandbox.xmpp_stanzas import RoomMessage

_GPS = 0x8825


@pytest.fixture(scope="module")
async def ward(bridge_of_all: Bridge, meeting: Meeting) -> Ward:
    await meeting.everyone_is_there()
    return Ward(meeting, ALICE, CHIARA)


def photo() -> bytes:
    """A photograph that tells where it was taken."""
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif[_GPS] = {1: "N", 2: (52.0, 5.0, 24.0), 3: "E", 4: (4.0, 18.0, 0.0)}
    found = BytesIO()
    Image.new("RGB", (64, 48), "red").save(found, "JPEG", exif=exif)
    return found.getvalue()


async def fetched(url: str) -> bytes:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        response.raise_for_status()
        return await response.read()


def url_of(message: RoomMessage) -> str:
    found = message.find("jabber:x:oob", "x")
    return "" if found is None else found.findtext("{jabber:x:oob}url") or ""


# --- files


async def test_a_photograph_of_a_doctor_arrives_without_its_place(ward: Ward) -> None:
    sent = photo()
    assert Image.open(BytesIO(sent)).getexif().get_ifd(_GPS)
    await acts.send_file(
        ward.doctor,
        ward.room,
        sent,
        name="wound.jpg",
        mime="image/jpeg",
        caption="left hand",
        msgtype="m.image",
    )
    heard = await ward.heard(lambda each: bool(url_of(each)))
    assert heard.nick == ALICE
    assert url_of(heard).endswith(".jpg")
    picture = Image.open(BytesIO(await fetched(url_of(heard))))
    assert picture.size == (64, 48)
    assert not picture.getexif().get_ifd(_GPS)
    await ward.heard(lambda each: each.body == "left hand")


async def test_a_file_of_a_colleague_arrives_whole(ward: Ward) -> None:
    data = b"%PDF-1.7\n" + bytes(range(256)) * 500
    url = await xmpp_acts.upload(
        ward.colleague, HOSPITAL_A.uploads, data, "report.pdf", "application/pdf"
    )
    ward.colleague.share(ward.group, url)
    seen = await ward.seen(lambda each: each.content.get("msgtype") == "m.file")
    assert seen.content["info"]["size"] == len(data)
    assert seen.content["info"]["mimetype"] == "application/pdf"
    assert seen.content.get("filename", seen.body) == "report.pdf"
    assert await ward.doctor.download(seen.content["url"]) == data


async def test_a_file_that_can_not_be_fetched_is_named(ward: Ward) -> None:
    ward.colleague.share(ward.group, "http://10.255.255.1/secret.pdf")
    seen = await ward.seen(lambda each: "secret.pdf" in each.body)
    assert seen.content["msgtype"] in {"m.text", "m.notice"}


# --- passing


async def test_typing_shows_on_both_sides(ward: Ward) -> None:
    _, copy = await ward.colleague_says("I will write now")
    ward.colleague.be(ward.group, "composing")
    await ward.doctor.passing.wait_for(
        lambda each: each.type == "m.typing" and copy.sender in each.typists, timeout=20
    )
    await acts.type_(ward.doctor, ward.room)
    heard = await ward.heard(
        lambda each: (
            each.find("http://jabber.org/protocol/chatstates", "composing") is not None
            and each.nick == ALICE
        )
    )
    assert not heard.body


async def test_read_markers_show_on_both_sides(ward: Ward) -> None:
    event_id, said = await ward.doctor_says("Read this")
    own, copy = await ward.colleague_says("And this")
    ward.colleague.mark_read(ward.group, said.stanza_id)
    await ward.doctor.passing.wait_for(
        lambda each: event_id in each.read_by(copy.sender), timeout=20
    )
    await acts.read(ward.doctor, ward.room, copy.id)
    marker = await ward.heard(
        lambda each: (
            each.nick == ALICE
            and (found := each.find("urn:xmpp:chat-markers:0", "displayed")) is not None
            and found.get("id") == own.stanza_id
        )
    )
    assert not marker.body


# --- pictures of people


async def test_a_picture_of_a_colleague_is_that_of_the_ghost(ward: Ward) -> None:
    _, copy = await ward.colleague_says("Here is my picture")
    found = BytesIO()
    Image.new("RGB", (32, 32), "blue").save(found, "PNG")
    await ward.colleague.set_vcard_photo(found.getvalue())
    xmpp_acts.show_photo(ward.colleague, ward.group, found.getvalue())

    def wears(each: MatrixEvent) -> bool:
        return each.type == "m.room.member" and each.state_key == copy.sender

    before = [each.content.get("avatar_url") for each in ward.doctor.timeline if wears(each)]
    seen = await ward.seen(
        lambda each: wears(each) and each.content.get("avatar_url") not in {None, *before}
    )
    assert await ward.doctor.download(seen.content["avatar_url"]) == found.getvalue()


async def test_a_picture_of_a_doctor_is_that_of_the_occupant(ward: Ward) -> None:
    found = BytesIO()
    Image.new("RGB", (32, 32), "green").save(found, "PNG")
    await ward.doctor.set_avatar(await ward.doctor.upload(found.getvalue(), "image/png"))

    async def vcard() -> bytes:
        return await ward.colleague.vcard_photo(f"{ward.group}/{ALICE}")

    await ward.colleague.presences.wait_for(
        lambda each: (
            each.room == ward.group
            and each.nick == ALICE
            and bool(each.stanza.xml.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo"))
        ),
        timeout=20,
    )
    assert await vcard() == found.getvalue()


# --- the room


async def test_a_topic_and_a_subject_are_one(ward: Ward) -> None:
    await ward.doctor.set_topic(ward.room, "Rounds at 9")
    await ward.colleague.subjects.wait_for(
        lambda each: each.room == ward.group and each.subject == "Rounds at 9", timeout=20
    )
    ward.colleague.set_subject(ward.group, "Rounds at 10")
    await ward.seen(
        lambda each: each.type == "m.room.topic" and each.content["topic"] == "Rounds at 10"
    )


# --- what is rare


async def test_a_sticker_arrives_as_a_picture(ward: Ward) -> None:
    uri = await ward.doctor.upload(photo(), "image/jpeg", "wave.jpg")
    await ward.doctor.send_event(
        ward.room, "m.sticker", {"body": "wave", "url": uri, "info": {"mimetype": "image/jpeg"}}
    )
    await ward.heard(lambda each: "wave" in url_of(each))


async def test_a_place_arrives_as_a_link(ward: Ward) -> None:
    await ward.doctor.send_event(
        ward.room,
        "m.room.message",
        {"msgtype": "m.location", "body": "Ward 3", "geo_uri": "geo:52.09,4.3"},
    )
    heard = await ward.heard(lambda each: "Ward 3" in each.body)
    assert "52.09" in heard.body


async def test_a_poll_arrives_as_text(ward: Ward) -> None:
    await ward.doctor.send_event(
        ward.room,
        "org.matrix.msc3381.poll.start",
        {
            "org.matrix.msc3381.poll.start": {
                "question": {"org.matrix.msc1767.text": "Operate?"},
                "kind": "org.matrix.msc3381.poll.disclosed",
                "max_selections": 1,
                "answers": [
                    {"id": "1", "org.matrix.msc1767.text": "Today"},
                    {"id": "2", "org.matrix.msc1767.text": "Tomorrow"},
                ],
            },
            "org.matrix.msc1767.text": "Operate?",
        },
    )
    heard = await ward.heard(lambda each: "Operate?" in each.body)
    assert "Today" in heard.body
    assert "Tomorrow" in heard.body


async def test_a_notice_and_an_emote_arrive(ward: Ward) -> None:
    await ward.doctor.send_event(
        ward.room, "m.room.message", {"msgtype": "m.notice", "body": "lab: K 4.1"}
    )
    await ward.heard(lambda each: "lab: K 4.1" in each.body)
    await ward.doctor.send_emote(ward.room, "waves")
    await ward.heard(lambda each: each.body == "/me waves")


# --- a room that is replaced: last, since the meeting is elsewhere then


async def test_the_portal_follows_its_room_to_the_next_version(ward: Ward, site: Site) -> None:
    successor = await acts.upgrade(ward.doctor, ward.room, "12")
    bot = f"@{site.app_service.bot}:{ward.doctor.user_id.partition(':')[2]}"
    await ward.doctor.invite(successor, bot)  # as Element does
    await ward.doctor.timeline.wait_for(
        lambda each: (
            each.room == successor
            and each.state_key == bot
            and each.content.get("membership") == "join"
        ),
        timeout=30,
    )
    await ward.doctor.send_text(successor, "we are here now")
    await ward.heard(lambda each: each.body == "we are here now")
    ward.colleague.say(ward.group, "so are we")
    await ward.doctor.wait_for_text(successor, "so are we", timeout=30)
