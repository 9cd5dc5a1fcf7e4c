"""What people do elsewhere, as a room is shown it: by whom, and as which events."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrix_fakes import (
    FORBIDDEN,
    ROOM,
    GhostsInMemory,
    Reply,
    ScriptedHomeserver,
    acting_bot,
    config,
    refusal,
)

from bridge.contract import (
    Capabilities,
    Copy,
    Feature,
    Level,
    LocalFile,
    MediaSource,
    Outgoing,
    Picture,
    Refused,
    Sent,
    Signalling,
    Topic,
)
from bridge.matrix.encryption.attachments import decrypting
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.media_repository import MediaRepository
from bridge.matrix.outlet import MatrixOutlet
from bridge.matrix.showing.mentions import Pills
from bridge.model import (
    MATRIX,
    Attachment,
    Author,
    Deleted,
    Deliverable,
    Edited,
    MediaKind,
    Mention,
    Message,
    PictureChanged,
    Place,
    Reacted,
    Read,
    TitleChanged,
    Typing,
)

BOB = "@_consilium_muc_bob:hospital.test"
BOT = "@consilium:hospital.test"
ANNA = "@anna:hospital.test"
GROUP = Place("muc", "case-7@muc.test")
AUTHOR = Author("muc", "bob", "Bob (Hospital B)")
CAROL = Author("muc", "carol", "Carol (Hospital B)")
TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
OWN = Copy("$own", AUTHOR, TIME, "Hello", key="k0")
ANNAS = Copy("$anna", Author(MATRIX, ANNA, "Dr. Anna"), TIME, "How high is it?")


class Scene:
    """An outlet and the homeserver that it talks to; Bob's ghost is in the room already."""

    def __init__(
        self, homeserver: ScriptedHomeserver, outlet: MatrixOutlet, encrypted: set[str]
    ) -> None:
        self.homeserver = homeserver
        self.outlet = outlet
        self.encrypted = encrypted

    async def show(self, event: Deliverable, **more: Any) -> Sent:
        return await self.outlet.send(Outgoing(Place(MATRIX, ROOM), "key", event, **more))

    async def content(self, event: Deliverable, **more: Any) -> Any:
        """What was sent, without the key."""
        await self.show(event, **more)
        body = dict(self.homeserver.asked[-1].body)
        assert body.pop("consilium.key") == "key"
        return body


async def picture_of(author: Author) -> Picture | None:
    """All pictures of this network are GIFs, but those that are addresses."""
    source = author.avatar or ""
    return None if ":/" in source else Picture("image/gif", f"GIF {source}".encode())


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with ScriptedHomeserver().running() as homeserver:
        configured = config(homeserver.url)
        async with acting_bot(configured) as bot:
            ghosts = Ghosts(bot, GhostIds(configured), GhostsInMemory())
            await ghosts.ensure(AUTHOR, ROOM)
            repository = MediaRepository(bot)
            await repository.ask()
            homeserver.asked.clear()
            encrypted: set[str] = set()

            async def is_encrypted(room_id: str) -> bool:
                return room_id in encrypted

            outlet = MatrixOutlet(
                bot, ghosts, repository=repository, encrypted=is_encrypted, picture_of=picture_of
            )
            yield Scene(homeserver, outlet, encrypted)


def message(text: str = "Hello", **more: Any) -> Message:
    return Message(GROUP, "1", more.pop("author", AUTHOR), TIME, text, **more)


def plain(body: str, **more: Any) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": body, "m.mentions": {}, **more}


# --- words --------------------------------------------------------------------------------------


async def test_a_formatted_message_is_shown_as_such(scene: Scene) -> None:
    found = await scene.content(message("6.1!", html="<strong>6.1</strong>!"))
    assert found == plain(
        "6.1!", format="org.matrix.custom.html", formatted_body="<strong>6.1</strong>!"
    )


async def test_what_is_no_canonical_html_does_not_get_through(scene: Scene) -> None:
    found = await scene.content(message("x", html="<script>alert(1)</script><img src=x>x"))
    assert "<script" not in found["formatted_body"]
    assert "<img" not in found["formatted_body"]


async def test_what_a_machine_said_is_a_notice(scene: Scene) -> None:
    assert (await scene.content(message(notice=True)))["msgtype"] == "m.notice"


# --- mentions -----------------------------------------------------------------------------------

OF_ANNA = Mention(MATRIX, ANNA, "Dr. Anna")


async def test_a_doctor_who_is_mentioned_is_a_pill_and_is_rung(scene: Scene) -> None:
    html = f'<mention network="matrix" id="{ANNA}">Dr. Anna</mention>: <em>look</em>'
    found = await scene.content(message("Dr. Anna: look", html=html, mentions=(OF_ANNA,)))
    assert found["formatted_body"] == (
        f'<a href="https://matrix.to/#/{ANNA}">Dr. Anna</a>: <em>look</em>'
    )
    assert found["m.mentions"] == {"user_ids": [ANNA]}


async def test_a_colleague_who_is_mentioned_is_a_pill_of_their_ghost(scene: Scene) -> None:
    found = await scene.content(
        message("carol & you", mentions=(Mention("muc", "carol", "carol"),))
    )
    ghost = "@_consilium_muc_carol:hospital.test"
    assert found["formatted_body"] == f'<a href="https://matrix.to/#/{ghost}">carol</a> &amp; you'


async def test_someone_whose_name_is_not_in_the_text_is_rung_all_the_same(scene: Scene) -> None:
    found = await scene.content(message("look", mentions=(OF_ANNA,)))
    assert "formatted_body" not in found
    assert found["m.mentions"] == {"user_ids": [ANNA]}


async def test_the_whole_room_is_never_rung(scene: Scene) -> None:
    assert (await scene.content(message("@room look")))["m.mentions"] == {}


async def test_mentions_of_everyone_at_once_ring_nobody(scene: Scene) -> None:
    many = tuple(Mention(MATRIX, f"@d{n}:hospital.test", f"d{n}") for n in range(11))
    assert (await scene.content(message("x", mentions=many)))["m.mentions"] == {}


async def test_what_was_said_long_ago_rings_nobody(scene: Scene) -> None:
    found = await scene.content(message("Dr. Anna", mentions=(OF_ANNA,), old=True), reply_to=ANNAS)
    assert found["m.mentions"] == {}
    assert scene.homeserver.asked[-1].query["ts"] == "1767323045678"


@given(st.text(), st.text(min_size=1))
def test_a_pill_leads_to_one_user_and_breaks_nothing(network: str, author_id: str) -> None:
    pills = Pills(GhostIds(config()))
    link = pills.link("muc" if network == MATRIX else MATRIX, author_id.replace("\ud800", ""))
    assert link.isascii()
    assert not set(link) & set("\"'<>?& ")


# --- replies and threads ------------------------------------------------------------------------


async def test_an_answer_to_a_doctor_rings_the_doctor(scene: Scene) -> None:
    found = await scene.content(message("6.1"), reply_to=ANNAS)
    assert found["m.relates_to"] == {"m.in_reply_to": {"event_id": "$anna"}}
    assert found["m.mentions"] == {"user_ids": [ANNA]}


async def test_an_answer_to_a_colleague_rings_nobody(scene: Scene) -> None:
    assert (await scene.content(message("6.1"), reply_to=OWN))["m.mentions"] == {}


async def test_the_first_word_of_a_topic_begins_a_thread(scene: Scene) -> None:
    sent = await scene.show(message(topic="t"), topic=Topic(None, None, "Hello"))
    assert "m.relates_to" not in scene.homeserver.asked[-1].body
    assert sent == Sent("$event1", topic="$event1")


@pytest.mark.parametrize("topic", [Topic("$own", None), Topic(None, OWN), Topic("$own", OWN)])
async def test_a_further_word_of_a_topic_is_in_its_thread(scene: Scene, topic: Topic) -> None:
    found = await scene.content(message(topic="t"), topic=topic)
    assert found["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$own",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$own"},
    }


async def test_a_word_in_a_thread_may_answer_another(scene: Scene) -> None:
    sent = await scene.show(message(topic="t"), topic=Topic("$own", OWN), reply_to=ANNAS)
    assert scene.homeserver.asked[-1].body["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$own",
        "is_falling_back": False,
        "m.in_reply_to": {"event_id": "$anna"},
    }
    assert sent.topic == "$own"


async def test_where_no_thread_may_begin_it_is_an_answer(scene: Scene) -> None:
    scene.homeserver.answer("PUT", "/send/", refusal(400, "M_UNKNOWN", "Cannot start threads"))
    found = await scene.content(message(topic="t"), topic=Topic("$own", OWN))
    assert found["m.relates_to"] == {"m.in_reply_to": {"event_id": "$own"}}


# --- edits --------------------------------------------------------------------------------------


def edited(text: str, **more: Any) -> Edited:
    return Edited(GROUP, AUTHOR, TIME, "1", text, id="2", **more)


def before(scene: Scene, content: dict[str, Any], kind: str = "m.room.message") -> None:
    """Say what the homeserver has of the message that is edited."""
    scene.homeserver.always("GET", "/event/", Reply(200, {"type": kind, "content": content}))


async def test_an_edit_is_made_by_the_ghost_that_sent_the_message(scene: Scene) -> None:
    before(scene, plain("Hello", **{"consilium.key": "k0"}))
    found = await scene.content(edited("Goodbye", html="<em>Goodbye</em>"), target=OWN)
    fresh = plain("Goodbye", format="org.matrix.custom.html", formatted_body="<em>Goodbye</em>")
    assert found == {
        **fresh,
        "body": "* Goodbye",
        "formatted_body": "* <em>Goodbye</em>",
        "m.new_content": fresh,
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$own"},
    }
    assert scene.homeserver.log[-1] == f"PUT rooms/{ROOM}/send/m.room.message/key as {BOB}"


async def test_an_edit_rings_only_those_who_were_not_mentioned_before(scene: Scene) -> None:
    both = (OF_ANNA, Mention(MATRIX, "@carl:hospital.test", "Carl"))
    target = replace(OWN, text="Dr. Anna: look")
    found = await scene.content(edited("Dr. Anna, Carl: look", mentions=both), target=target)
    assert found["m.mentions"] == {"user_ids": ["@carl:hospital.test"]}
    assert found["m.new_content"]["m.mentions"] == {"user_ids": [ANNA, "@carl:hospital.test"]}


async def test_an_edited_emote_stays_one(scene: Scene) -> None:
    before(scene, plain("nods", msgtype="m.emote"))
    found = await scene.content(edited("shakes his head"), target=OWN)
    assert found["m.new_content"]["msgtype"] == "m.emote"


@pytest.mark.parametrize(("caption", "body"), [("Left arm", "Left arm"), ("", "arm.png")])
async def test_an_edited_caption_keeps_its_file(scene: Scene, caption: str, body: str) -> None:
    file = {"msgtype": "m.image", "url": "mxc://h.test/1", "filename": "arm.png", "info": {"w": 4}}
    before(scene, {**file, "body": "Right arm", "m.relates_to": {}, "formatted_body": "old"})
    found = await scene.content(edited(caption), target=OWN)
    assert found["m.new_content"] == {**file, "body": body, "m.mentions": {}}


async def test_an_edit_where_nothing_can_be_read_is_one_of_a_text(scene: Scene) -> None:
    before(scene, {"ciphertext": "x"}, "m.room.encrypted")
    assert (await scene.content(edited("Goodbye"), target=OWN))["msgtype"] == "m.text"


# --- deletions ----------------------------------------------------------------------------------


def deleted(author: Author = AUTHOR, reason: str = "") -> Deleted:
    return Deleted(GROUP, author, TIME, "1", reason, moderated=author is not AUTHOR)


async def test_what_an_author_deletes_is_deleted_by_their_ghost(scene: Scene) -> None:
    scene.homeserver.always("PUT", "/redact/", Reply(200, {"event_id": "$gone"}))
    assert await scene.show(deleted(reason="Wrong patient"), target=OWN) == Sent("$gone")
    assert scene.homeserver.log == [f"PUT rooms/{ROOM}/redact/$own/key as {BOB}"]
    assert scene.homeserver.asked[0].body == {"reason": "Wrong patient"}


async def test_what_a_moderator_deletes_tells_who_did_it(scene: Scene) -> None:
    await scene.show(deleted(CAROL, "Off topic"), target=OWN)
    assert scene.homeserver.asked[0].body == {"reason": "by Carol (Hospital B): Off topic"}


async def test_what_a_doctor_wrote_is_deleted_by_the_bot(scene: Scene) -> None:
    await scene.show(deleted(CAROL), target=ANNAS)
    assert scene.homeserver.log == [f"PUT rooms/{ROOM}/redact/$anna/key"]
    assert scene.homeserver.asked[0].body == {"reason": "by Carol (Hospital B)"}


async def test_a_bot_without_the_power_to_delete_says_what_it_needs(scene: Scene) -> None:
    scene.homeserver.always("PUT", "/redact/", FORBIDDEN)
    scene.homeserver.always("GET", "/m.room.power_levels", Reply(200, {"redact": 60}))
    with pytest.raises(Refused) as caught:
        await scene.show(deleted(CAROL), target=ANNAS)
    assert caught.value.sentence == f"{BOT} may not remove messages of others in this room."
    assert "at least 60" in caught.value.advice


async def test_what_a_ghost_that_is_gone_has_sent_is_deleted_by_the_bot(scene: Scene) -> None:
    target = replace(OWN, author=CAROL)
    await scene.show(deleted(CAROL), target=target)
    assert scene.homeserver.log == [f"PUT rooms/{ROOM}/redact/$own/key"]


async def test_what_is_not_there_any_more_need_not_be_deleted(scene: Scene) -> None:
    scene.homeserver.always("PUT", "/redact/", refusal(404, "M_NOT_FOUND"))
    assert await scene.show(deleted(), target=OWN) == Sent()
    assert await scene.show(deleted(CAROL), target=ANNAS) == Sent()


@pytest.mark.parametrize("event", [deleted(), edited("x"), Reacted(GROUP, AUTHOR, TIME, "1", "👍")])
async def test_a_change_of_what_is_not_in_the_room_is_refused(
    scene: Scene, event: Deliverable
) -> None:
    with pytest.raises(Refused, match="not in this room"):
        await scene.show(event)


# --- reactions ----------------------------------------------------------------------------------


def reacted(emoji: str = "👍", *, gone: bool = False) -> Reacted:
    return Reacted(GROUP, AUTHOR, TIME, "1", emoji, gone=gone)


def reactions(*events: Any, further: str = "") -> Reply:
    return Reply(200, {"chunk": list(events)} | ({"next_batch": further} if further else {}))


def of(sender: str, key: str, event_id: str = "$r") -> dict[str, Any]:
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$anna", "key": key}}
    return {"sender": sender, "event_id": event_id, "content": content}


async def test_a_reaction_is_put_on_by_the_ghost(scene: Scene) -> None:
    found = await scene.content(reacted("🩺"), target=ANNAS)
    assert found == {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$anna", "key": "🩺"}}
    assert scene.homeserver.log == [f"PUT rooms/{ROOM}/send/m.reaction/key as {BOB}"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [("👍", "👍\ufe0f"), ("👍\ufe0f", "👍\ufe0f"), ("❤", "❤\ufe0f"), ("🎉", "🎉"), ("👍🏽", "👍🏽"),
     ("1", "1"), ("agreed", "agreed")],
)  # fmt: skip
async def test_an_emoji_counts_with_those_that_element_sends(
    scene: Scene, given: str, shown: str
) -> None:
    found = await scene.content(reacted(given), target=ANNAS)
    assert found["m.relates_to"]["key"] == shown


async def test_the_same_reaction_twice_is_the_one_that_is_there(scene: Scene) -> None:
    scene.homeserver.answer("PUT", "/send/", refusal(400, "M_DUPLICATE_ANNOTATION"))
    there = reactions(None, of(ANNA, "🩺", "$x"), of(BOB, "🎉", "$y"), further="next")
    scene.homeserver.answer("GET", "/relations/", there, reactions(of(BOB, "🩺", "$z")))
    assert await scene.show(reacted("🩺"), target=ANNAS) == Sent("$z")


async def test_a_reaction_of_an_earlier_attempt_is_found(scene: Scene) -> None:
    scene.homeserver.answer("GET", "/relations/", reactions(of(BOB, "🩺", "$z")), reactions())
    outgoing = Outgoing(Place(MATRIX, ROOM), "key", reacted("🩺"), target=ANNAS)
    assert await scene.outlet.find(outgoing) == Sent("$z")
    assert await scene.outlet.find(outgoing) is None
    (asked, _) = scene.homeserver.asked
    path = f"/_matrix/client/v1/rooms/{ROOM}/relations/$anna/m.annotation/m.reaction"
    assert asked.path == path


async def test_a_reaction_is_taken_back_by_the_ghost(scene: Scene) -> None:
    own = Copy("$r", AUTHOR, TIME, key="k1")
    await scene.show(reacted(gone=True), target=ANNAS, reaction=own)
    assert scene.homeserver.log == [f"PUT rooms/{ROOM}/redact/$r/key as {BOB}"]


async def test_a_reaction_whose_id_is_lost_is_looked_for_and_taken_back(scene: Scene) -> None:
    scene.homeserver.answer("GET", "/relations/", reactions(of(BOB, "🩺")))
    await scene.show(reacted("🩺", gone=True), target=ANNAS)
    assert scene.homeserver.log[-1] == f"PUT rooms/{ROOM}/redact/$r/key as {BOB}"


async def test_a_reaction_that_is_not_there_need_not_be_taken_back(scene: Scene) -> None:
    assert await scene.show(reacted("🩺", gone=True), target=ANNAS) == Sent()
    assert len(scene.homeserver.asked) == 1


async def test_a_room_where_ghosts_may_not_react_is_told_with_its_remedy(scene: Scene) -> None:
    scene.homeserver.always("PUT", "/send/", FORBIDDEN)
    levels = {"events": {"m.reaction": 30}}
    scene.homeserver.always("GET", "/m.room.power_levels", Reply(200, levels))
    with pytest.raises(Refused, match="may not react") as caught:
        await scene.show(reacted(), target=ANNAS)
    assert "it takes 30 now" in caught.value.advice


# --- files --------------------------------------------------------------------------------------


@pytest.fixture
def scan(tmp_path: Path) -> LocalFile:
    path = tmp_path / "blob"
    path.write_bytes(b"\x89PNG" * 50_000)
    return LocalFile(path, "scan ü.png", "image/png", 200_000, MediaKind.IMAGE, 640, 480)


def with_file(file: LocalFile, text: str = "", **more: Any) -> Message:
    attachment = Attachment(file.kind, "https://files.test/1", file.name)
    return message(text, attachments=(attachment,), **more)


async def test_a_file_is_uploaded_by_the_ghost_and_shown(scene: Scene, scan: LocalFile) -> None:
    found = await scene.content(with_file(scan), file=scan)
    upload = scene.homeserver.asked[0]
    assert str(upload) == f"POST /_matrix/media/v3/upload as {BOB}"
    assert upload.query["filename"] == "scan ü.png"
    assert upload.headers["Content-Type"] == "image/png"
    assert upload.headers["Content-Length"] == "200000"
    assert upload.body == scan.path.read_bytes()
    assert found == {
        "msgtype": "m.image",
        "body": "scan ü.png",
        "filename": "scan ü.png",
        "url": "mxc://hospital.test/1",
        "info": {"mimetype": "image/png", "size": 200_000, "w": 640, "h": 480},
        "m.mentions": {},
    }


async def test_a_text_with_a_file_is_its_caption(scene: Scene, scan: LocalFile) -> None:
    sent = with_file(scan, "Left arm", html="<em>Left</em> arm")
    found = await scene.content(sent, file=scan)
    assert (found["body"], found["filename"]) == ("Left arm", "scan ü.png")
    assert found["formatted_body"] == "<em>Left</em> arm"


@pytest.mark.parametrize(
    ("kind", "text", "msgtype"),
    [
        (MediaKind.VIDEO, "", "m.video"),
        (MediaKind.AUDIO, "", "m.audio"),
        (MediaKind.VOICE, "", "m.audio"),
        (MediaKind.FILE, "", "m.file"),
        (MediaKind.STICKER, "Look", "m.image"),
    ],
)
async def test_every_kind_of_file_has_its_own_form(
    scene: Scene, scan: LocalFile, kind: MediaKind, text: str, msgtype: str
) -> None:
    file = replace(scan, kind=kind, duration_ms=1500)
    found = await scene.content(with_file(file, text), file=file)
    assert found["msgtype"] == msgtype
    assert found["info"]["duration"] == 1500
    assert ("org.matrix.msc3245.voice" in found) == (kind is MediaKind.VOICE)


async def test_a_sticker_is_shown_as_one(scene: Scene, scan: LocalFile) -> None:
    file = replace(scan, kind=MediaKind.STICKER)
    found = await scene.content(with_file(file), file=file)
    assert "/send/m.sticker/" in scene.homeserver.asked[-1].path
    assert "msgtype" not in found


async def test_a_file_is_uploaded_once_however_often_it_is_tried(
    scene: Scene, scan: LocalFile
) -> None:
    scene.homeserver.answer("PUT", "/send/", refusal(400, "M_UNKNOWN"))
    with pytest.raises(Refused):
        await scene.show(with_file(scan), file=scan)
    await scene.show(with_file(scan), file=scan)
    assert sum("upload" in line for line in scene.homeserver.log) == 1


async def test_in_an_encrypted_room_a_file_is_encrypted_too(scene: Scene, scan: LocalFile) -> None:
    scene.encrypted.add(ROOM)
    found = await scene.content(with_file(scan, "Left arm"), file=scan)
    upload = scene.homeserver.asked[0]
    assert upload.headers["Content-Type"] == "application/octet-stream"
    assert "filename" not in upload.query
    assert upload.body != scan.path.read_bytes()
    assert "url" not in found
    assert found["file"]["url"] == "mxc://hospital.test/1"
    assert list(scan.path.parent.iterdir()) == [scan.path]

    async def stream() -> AsyncIterator[bytes]:
        yield upload.body

    pieces = [piece async for piece in decrypting(stream(), found["file"])]
    assert b"".join(pieces) == scan.path.read_bytes()


async def test_a_file_that_the_homeserver_finds_too_large_is_refused_in_words(
    scene: Scene, scan: LocalFile
) -> None:
    scene.homeserver.answer("POST", "/upload", refusal(413, "M_TOO_LARGE"))
    with pytest.raises(Refused) as caught:
        await scene.show(with_file(scan), file=scan)
    assert caught.value.sentence == "The homeserver does not take a file of 0.2 MB."


async def test_an_edit_of_a_caption_shortly_after_asks_nobody(
    scene: Scene, scan: LocalFile
) -> None:
    sent = await scene.show(with_file(scan, "Right arm"), file=scan)
    assert sent.id is not None
    scene.homeserver.asked.clear()
    found = await scene.content(edited("Left arm"), target=replace(OWN, id=sent.id))
    assert found["m.new_content"]["url"] == "mxc://hospital.test/1"
    assert len(scene.homeserver.asked) == 1


# --- the room -----------------------------------------------------------------------------------


def power(scene: Scene, level: int = 50) -> None:
    scene.homeserver.always("GET", "/m.room.power_levels", Reply(200, {"users": {BOT: level}}))


async def test_a_new_name_of_the_group_is_that_of_the_room(scene: Scene) -> None:
    power(scene)
    await scene.show(TitleChanged(GROUP, AUTHOR, TIME, "Case 7"))
    assert scene.homeserver.log[-1] == f"PUT rooms/{ROOM}/state/m.room.name/"
    assert scene.homeserver.asked[-1].body == {"name": "Case 7"}


async def test_a_new_picture_of_the_group_is_that_of_the_room(
    scene: Scene, scan: LocalFile
) -> None:
    power(scene)
    picture = Attachment(MediaKind.IMAGE, "https://files.test/1")
    await scene.show(PictureChanged(GROUP, AUTHOR, TIME, picture), file=scan)
    upload, *_, put = scene.homeserver.asked
    assert upload.headers["Content-Type"] == "image/png"
    assert put.body == {"url": "mxc://hospital.test/1", "info": {"mimetype": "image/png"}}


async def test_a_picture_of_the_group_that_is_no_file_is_looked_up(scene: Scene) -> None:
    power(scene)
    picture = Attachment(MediaKind.IMAGE, "sha1:0815")
    await scene.show(PictureChanged(GROUP, AUTHOR, TIME, picture))
    upload, *_, put = scene.homeserver.asked
    assert upload.body == b"GIF sha1:0815"
    assert put.body["info"] == {"mimetype": "image/gif", "size": 13}


async def test_a_picture_that_is_taken_down_is_taken_down(scene: Scene) -> None:
    power(scene)
    scene.homeserver.always("GET", "/m.room.avatar", Reply(200, {"url": "mxc://h.test/0"}))
    await scene.show(PictureChanged(GROUP, AUTHOR, TIME, None))
    assert scene.homeserver.asked[-1].body == {}


async def test_a_picture_that_nobody_brought_is_refused(scene: Scene) -> None:
    picture = Attachment(MediaKind.IMAGE, "https://files.test/1")
    with pytest.raises(Refused, match="could not be fetched"):
        await scene.show(PictureChanged(GROUP, AUTHOR, TIME, picture))


async def test_a_name_that_nobody_of_ours_may_set_is_told_with_its_remedy(scene: Scene) -> None:
    power(scene, 20)
    with pytest.raises(Refused, match="may not change the name of this room"):
        await scene.show(TitleChanged(GROUP, AUTHOR, TIME, "Case 7"))


# --- passing things -----------------------------------------------------------------------------


async def test_who_types_is_shown_to_type_for_a_while(scene: Scene) -> None:
    for typing in (True, False):
        await scene.outlet.signal(ROOM, Typing(GROUP, AUTHOR, typing))
    assert scene.homeserver.log == [f"PUT rooms/{ROOM}/typing/{BOB} as {BOB}"] * 2
    assert [asked.body for asked in scene.homeserver.asked] == [
        {"typing": True, "timeout": 30_000},
        {"typing": False},
    ]


async def test_what_was_read_is_shown_as_read(scene: Scene) -> None:
    await scene.outlet.signal(ROOM, Read(GROUP, AUTHOR, "$anna"))
    assert scene.homeserver.log == [f"POST rooms/{ROOM}/receipt/m.read/$anna as {BOB}"]


async def test_passing_things_bring_nobody_in(scene: Scene) -> None:
    await scene.outlet.signal(ROOM, Typing(GROUP, CAROL, typing=True))
    await scene.outlet.signal("!other:hospital.test", Read(GROUP, AUTHOR, "$anna"))
    assert scene.homeserver.log == []


# --- what it can --------------------------------------------------------------------------------


def test_it_says_of_every_feature_how_well_it_does(scene: Scene) -> None:
    can: Capabilities = scene.outlet.capabilities(ROOM)
    assert all(can.does(feature) for feature in Feature)
    heard = [feature for feature in Feature if can.hearing(feature) is not Level.REFUSED]
    assert set(Feature) - set(heard) == {Feature.HISTORY}
    assert can.captions
    assert isinstance(scene.outlet, Signalling)
    assert isinstance(scene.outlet, MediaSource)
