"""In an encrypted room files, edits, deletions, reactions, replies and threads go both ways."""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from bridge_runs import Site, assert_well_behaved
from encrypted_ward import Ward, doctor_of, ward_of
from PIL import Image

from sandbox import xmpp_acts
from sandbox.encrypted_user import Seen
from sandbox.hospital import HOSPITAL_A
from sandbox.js_user import JsUser, node
from sandbox.people import PASSWORD, Colleagues
from sandbox.xmpp_stanzas import RoomMessage

_GPS = 0x8825


@pytest.fixture(scope="module")
async def ward(
    site: Site, wards: Colleagues, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ward]:
    directory = tmp_path_factory.mktemp("clients")
    async with ward_of(site, wards, directory, {"mode": "allow"}) as made:
        yield made
    assert_well_behaved(made.bridge)


@pytest.fixture(scope="module")
async def element(ward: Ward) -> AsyncIterator[JsUser]:
    if node() is None:
        pytest.skip("there is no Node 20")
    user_id = await doctor_of(ward.site, "Dr. Element")
    async with await JsUser.log_in(ward.site.synapse.url, user_id, PASSWORD, strict=True) as user:
        await ward.doctor.invite(ward.room, user_id)
        await user.join(ward.room)
        yield user


async def heard(ward: Ward, fits: Any) -> RoomMessage:
    return await ward.colleague.wait_for(
        lambda each: each.room == ward.group and not each.error and fits(each), timeout=40
    )


async def seen(ward: Ward, fits: Any) -> Seen:
    return await ward.doctor.timeline.wait_for(
        lambda each: each.room == ward.room and fits(each), timeout=40
    )


async def doctor_says(ward: Ward, text: str) -> tuple[str, RoomMessage]:
    event_id = await ward.doctor.send_text(ward.room, text)
    return event_id, await heard(ward, lambda each: each.body == text)


async def colleague_says(ward: Ward, text: str) -> tuple[RoomMessage, Seen]:
    ward.say(text)
    own = await heard(ward, lambda each: each.body == text)
    copy = await seen(ward, lambda each: each.body == text)
    assert copy.encrypted
    return own, copy


def related(each: Seen) -> dict[str, Any]:
    relation = each.content.get("m.relates_to", {})
    return relation if isinstance(relation, dict) else {}


# --- files


def photo() -> bytes:
    """A photograph that tells where it was taken."""
    exif = Image.Exif()
    exif[_GPS] = {1: "N", 2: (52.0, 5.0, 24.0), 3: "E", 4: (4.0, 18.0, 0.0)}
    found = BytesIO()
    Image.new("RGB", (64, 48), "red").save(found, "JPEG", exif=exif)
    return found.getvalue()


def url_of(message: RoomMessage) -> str:
    found = message.find("jabber:x:oob", "x")
    return "" if found is None else found.findtext("{jabber:x:oob}url") or ""


async def fetched(url: str) -> bytes:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        response.raise_for_status()
        return await response.read()


async def test_an_encrypted_photograph_of_a_doctor_arrives_readable_and_without_its_place(
    ward: Ward,
) -> None:
    picture = photo()
    assert Image.open(BytesIO(picture)).getexif().get_ifd(_GPS)
    await ward.doctor.send_file(
        ward.room, "wound.jpg", picture, "image/jpeg", caption="left hand", msgtype="m.image"
    )
    shown = await heard(ward, lambda each: url_of(each).endswith(".jpg"))
    assert shown.nick == "Dr. Nio"
    found = Image.open(BytesIO(await fetched(url_of(shown))))
    assert found.size == (64, 48)
    assert not found.getexif().get_ifd(_GPS)
    await heard(ward, lambda each: each.body == "left hand")


async def test_an_encrypted_document_of_a_doctor_arrives_whole(ward: Ward) -> None:
    data = b"%PDF-1.7\n" + bytes(range(256)) * 3000
    await ward.doctor.send_file(ward.room, "report.pdf", data, "application/pdf")
    shown = await heard(ward, lambda each: url_of(each).endswith(".pdf"))
    assert await fetched(url_of(shown)) == data


async def test_a_file_of_a_colleague_arrives_encrypted_and_both_clients_decrypt_it(
    ward: Ward, element: JsUser
) -> None:
    data = b"%PDF-1.7\n" + bytes(range(256)) * 500
    url = await xmpp_acts.upload(
        ward.colleague, HOSPITAL_A.uploads, data, "labs.pdf", "application/pdf"
    )
    ward.colleague.post(
        ward.group,
        f"<body>{url}\nof this morning</body><x xmlns='jabber:x:oob'><url>{url}</url></x>",
    )
    copy = await seen(ward, lambda each: each.content.get("filename") == "labs.pdf")
    assert copy.encrypted
    assert copy.content["msgtype"] == "m.file"
    assert "url" not in copy.content
    assert copy.content["info"]["size"] == len(data)
    assert copy.content["info"]["mimetype"] == "application/pdf"
    assert await ward.doctor.download(copy.content["file"]) == data
    assert data not in await ward.doctor.download_sealed(copy.content["file"]["url"])

    shown = await element.timeline.wait_for(lambda each: each.id == copy.id, timeout=40)
    assert (shown.failure, shown.shield) == (None, "none")
    assert await element.download(shown.content["file"]) == data


# --- what refers to something else


async def test_edits_go_both_ways(ward: Ward) -> None:
    event_id, copy = await doctor_says(ward, "5 mgg")
    await ward.doctor.edit(ward.room, event_id, "5 mg")
    changed = await heard(ward, lambda each: each.body == "5 mg")
    assert (changed.replaces, changed.nick) == (copy.id, "Dr. Nio")

    own, first = await colleague_says(ward, "10 mgg")
    ward.colleague.edit(ward.group, own.id, "10 mg")
    edit = await seen(
        ward, lambda each: each.content.get("m.new_content", {}).get("body") == "10 mg"
    )
    assert edit.encrypted
    assert (related(edit)["rel_type"], related(edit)["event_id"]) == ("m.replace", first.id)
    assert edit.sender == first.sender


async def test_deletions_go_both_ways(ward: Ward) -> None:
    event_id, copy = await doctor_says(ward, "a name that should not stand here")
    await ward.doctor.redact(ward.room, event_id)
    gone = await heard(ward, lambda each: each.retracts == (copy.stanza_id or copy.id))
    assert gone.nick == "Dr. Nio"

    own, first = await colleague_says(ward, "another name")
    ward.colleague.retract(ward.group, own.stanza_id)
    await seen(
        ward,
        lambda each: each.type == "m.room.redaction" and each.content.get("redacts") == first.id,
    )


async def test_reactions_go_both_ways_and_are_taken_back(ward: Ward) -> None:
    own, copy = await colleague_says(ward, "Agreed?")
    reaction = await ward.doctor.react(ward.room, copy.id, "🎉")
    await heard(ward, lambda each: each.reactions == (own.stanza_id, ("🎉",)))
    await ward.doctor.redact(ward.room, reaction)
    await heard(ward, lambda each: each.reactions == (own.stanza_id, ()))

    event_id, said = await doctor_says(ward, "Shall we?")
    ward.colleague.react(ward.group, said.stanza_id, "👀")
    put = await seen(
        ward,
        lambda each: each.type == "m.reaction" and related(each).get("event_id") == event_id,
    )
    assert related(put)["key"] == "👀"
    ward.colleague.react(ward.group, said.stanza_id)
    await seen(
        ward, lambda each: each.type == "m.room.redaction" and each.content.get("redacts") == put.id
    )


async def test_replies_go_both_ways(ward: Ward) -> None:
    own, copy = await colleague_says(ward, "Which dose?")
    await ward.doctor.reply(ward.room, copy.id, "5 mg, as always")
    answer = await heard(ward, lambda each: each.words == "5 mg, as always")
    assert answer.answers == own.stanza_id

    event_id, said = await doctor_says(ward, "Which room?")
    ward.colleague.answer(said, "Room 7")
    shown = await seen(ward, lambda each: each.body == "Room 7")
    assert shown.encrypted
    assert related(shown)["m.in_reply_to"]["event_id"] == event_id


async def test_a_thread_is_one_on_both_sides(ward: Ward) -> None:
    root, _ = await doctor_says(ward, "Case 12: what do you think?")
    await ward.doctor.say_in_thread(ward.room, root, "I would wait")
    answer = await heard(ward, lambda each: each.words == "I would wait")
    assert answer.thread
    ward.colleague.post(ward.group, f"<body>So would I</body><thread>{answer.thread}</thread>")
    shown = await seen(ward, lambda each: each.body == "So would I")
    assert shown.encrypted
    assert (related(shown)["rel_type"], related(shown)["event_id"]) == ("m.thread", root)


async def test_a_long_text_of_many_bytes_arrives_whole_and_so_does_its_edit(ward: Ward) -> None:
    words = " ".join(f"剂量{number:05d}" for number in range(3_000))
    assert len(words.encode()) > 35_000
    own = ward.colleague.say(ward.group, words)
    await seen(ward, lambda each: "剂量02999" in each.body)
    said = [each for each in ward.doctor.timeline if "剂量" in each.body]
    assert all(each.encrypted for each in said)
    assert " ".join(each.body for each in said).split() == words.split()

    changed = words.replace("剂", "药")
    ward.colleague.edit(ward.group, own, changed)
    await seen(ward, lambda each: "药量02999" in each.body)
    edits = [each for each in ward.doctor.timeline if "药量" in each.body]
    assert [related(each)["event_id"] for each in edits] == [each.id for each in said]
    fresh = " ".join(each.content["m.new_content"]["body"] for each in edits)
    assert fresh.split() == changed.split()
