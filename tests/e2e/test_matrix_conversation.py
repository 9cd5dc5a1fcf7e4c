"""All that people do in a conversation, between the Matrix side and a real Synapse."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from matrix_fakes import GhostsInMemory, acting_bot, config_of

from bridge.bot.ports import Told
from bridge.contract import Copy, LocalFile, Outgoing, Refused, Sent, Topic
from bridge.matrix.client import ActingClient
from bridge.matrix.convert import Conversion, Converter, Ignored, Unreadable
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.homeserver import Homeserver
from bridge.matrix.media_repository import MediaRepository
from bridge.matrix.outlet import MatrixOutlet
from bridge.matrix.raw import JsonObject
from bridge.matrix.server import AppserviceServer
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
    Signal,
    SubjectChanged,
    TitleChanged,
    Typing,
)
from sandbox import matrix_acts as acts
from sandbox.appservice import AppService
from sandbox.journal import Journal
from sandbox.matrix_user import MatrixEvent, MatrixPassing, MatrixUser
from sandbox.people import Doctors
from sandbox.synapse import Synapse

GROUP = Place("muc", "case-7@muc.test")
AUTHOR = Author("muc", "Bob_B@muc.test/ü", "Bob (Hospital B)")
CAROL = Author("muc", "carol", "Carol (Hospital B)")
TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1_000


class Ears:
    """A sink that reads what the homeserver pushes."""

    def __init__(self, converter: Converter) -> None:
        self.events: Journal[Conversion] = Journal("what was heard in rooms")
        self.signals: Journal[Signal] = Journal("what passed in rooms")
        self._converter = converter

    async def accept(
        self, txn_id: str, events: Sequence[JsonObject], ephemeral: Sequence[JsonObject]
    ) -> None:
        for raw in events:
            self.events.add(self._converter.convert(raw))
        for raw in ephemeral:
            for signal in self._converter.passing(raw):
                self.signals.add(signal)


@dataclass
class Side:
    bot: ActingClient
    ids: GhostIds
    outlet: MatrixOutlet
    repository: MediaRepository
    ears: Ears

    async def show(self, room: str, event: Deliverable, key: str = "key", **more: Any) -> Sent:
        return await self.outlet.send(Outgoing(Place(MATRIX, room), key, event, **more))

    async def heard(self, kind: type[Conversion], room: str, **fields: Any) -> Any:
        """The first event of a kind, in a room, with these fields."""

        def fits(found: Any) -> bool:
            return bool(
                isinstance(found, kind)
                and not isinstance(found, Told | Ignored | Unreadable)
                and found.place.id == room
                and all(getattr(found, name) == value for name, value in fields.items())
            )

        return await self.ears.events.wait_for(fits)


@pytest.fixture(scope="module")
async def side(app_service: AppService, synapse: Synapse) -> AsyncIterator[Side]:
    config = config_of(app_service, synapse.url, synapse.server_name)
    ids = GhostIds(config)
    ears = Ears(Converter(ids))
    async with acting_bot(config) as bot, AppserviceServer(config.appservice, ears):
        homeserver = Homeserver(config, bot)
        await homeserver.wait_until_up()
        await homeserver.ensure_bot()
        repository = MediaRepository(bot)
        outlet = MatrixOutlet(bot, Ghosts(bot, ids, GhostsInMemory()), repository=repository)
        yield Side(bot, ids, outlet, repository, ears)


@pytest.fixture(scope="module")
async def doctor(practice: Doctors) -> MatrixUser:
    return await practice.new("Dr. Adams")


@pytest.fixture
async def room(side: Side, doctor: MatrixUser) -> str:
    levels = {"users": {side.bot.user_id: 50}}
    found = await doctor.create_room("Case 7", invite=[side.bot.user_id], power_levels=levels)
    await side.bot.enter(found)
    return found


def message(text: str = "The potassium is 6.1", **more: Any) -> Message:
    return Message(GROUP, "1", more.pop("author", AUTHOR), TIME, text, **more)


def own(sent: Sent, author: Author = AUTHOR, text: str = "The potassium is 6.1") -> Copy:
    assert sent.id is not None
    return Copy(sent.id, author, TIME, text, key="key")


def of(doctor: MatrixUser, event_id: str) -> Copy:
    return Copy(event_id, Author(MATRIX, doctor.user_id, "Dr. Adams"), TIME)


async def seen(doctor: MatrixUser, room: str, sent: Sent) -> MatrixEvent:
    return await doctor.wait_for(lambda event: event.id == sent.id, room=room)


# --- what rooms are shown -----------------------------------------------------------------------


async def test_a_formatted_message_with_a_mention_arrives_as_such(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    who = Mention(MATRIX, doctor.user_id, "Dr. Adams")
    html = f'<mention network="matrix" id="{who.id}">Dr. Adams</mention>: <strong>6.1</strong>'
    sent = await side.show(room, message("Dr. Adams: 6.1", html=html, mentions=(who,)))
    event = await seen(doctor, room, sent)
    link = acts.pill(doctor.user_id, "Dr. Adams")
    assert event.content["formatted_body"] == f"{link}: <strong>6.1</strong>"
    assert event.content["m.mentions"] == {"user_ids": [doctor.user_id]}
    assert (await doctor.request("GET", "/notifications"))["notifications"][0]["event"][
        "event_id"
    ] == sent.id


async def test_an_edit_takes_the_place_of_the_message(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    target = own(await side.show(room, message()))
    for number, text in enumerate(("6.2", "6.3")):
        edited = Edited(GROUP, AUTHOR, TIME, "1", text, id=f"e{number}")
        sent = await side.show(room, edited, f"edit{number}", target=target)
        await seen(doctor, room, sent)
    bundled = (await doctor.event(room, target.id)).unsigned["m.relations"]["m.replace"]
    assert bundled["content"]["m.new_content"]["body"] == "6.3"
    assert await side.outlet.find(Outgoing(Place(MATRIX, room), "edit1", edited)) == sent


async def test_deletions_empty_what_was_sent(side: Side, doctor: MatrixUser, room: str) -> None:
    target = own(await side.show(room, message()))
    await side.show(room, Deleted(GROUP, AUTHOR, TIME, "1", "Wrong patient"), target=target)
    event = await doctor.event(room, target.id)
    assert event.content == {}
    assert event.unsigned["redacted_because"]["content"]["reason"] == "Wrong patient"
    again = await side.show(room, Deleted(GROUP, AUTHOR, TIME, "1"), "again", target=target)
    assert again.id is not None


async def test_a_moderator_elsewhere_deletes_what_a_doctor_wrote_if_the_bot_may(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    written = of(doctor, await doctor.send_text(room, "The patient is called Anna"))
    deleted = Deleted(GROUP, CAROL, TIME, "1", "A name", moderated=True)
    await side.show(room, deleted, target=written)
    because = (await doctor.event(room, written.id)).unsigned["redacted_because"]
    assert because["sender"] == side.bot.user_id
    assert because["content"]["reason"] == "by Carol (Hospital B): A name"


async def test_a_bot_that_may_not_delete_says_so(side: Side, doctor: MatrixUser) -> None:
    room = await doctor.create_room("Case 8", invite=[side.bot.user_id])
    await side.bot.enter(room)
    written = of(doctor, await doctor.send_text(room, "stays"))
    deleted = Deleted(GROUP, CAROL, TIME, "1", moderated=True)
    with pytest.raises(Refused, match="may not remove messages of others") as caught:
        await side.show(room, deleted, target=written)
    assert "at least 50" in caught.value.advice
    assert "it has 0" in caught.value.advice


async def test_reactions_of_several_are_counted_and_taken_back(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    target = of(doctor, await doctor.send_text(room, "Operate?"))
    sent = {}
    for author in (AUTHOR, CAROL):
        reacted = Reacted(GROUP, author, TIME, "1", "👍")
        sent[author] = await side.show(room, reacted, author.id[:3], target=target)
        outgoing = Outgoing(Place(MATRIX, room), "x", reacted, target=target)
        assert await side.outlet.find(outgoing) == sent[author]
        # Under another transaction id, as after a restart of the homeserver
        assert (
            await side.show(room, reacted, "other" + author.id[:3], target=target) == sent[author]
        )
    event = await seen(doctor, room, sent[CAROL])
    assert event.content["m.relates_to"]["event_id"] == target.id
    gone = Reacted(GROUP, AUTHOR, TIME, "1", "👍", gone=True)
    await side.show(room, gone, "gone1", target=target, reaction=own(sent[AUTHOR]))
    await side.show(room, replace(gone, author=CAROL), "gone2", target=target)
    for each in sent.values():
        assert each.id is not None
        assert (await doctor.event(room, each.id)).content == {}


async def test_a_thread_begins_goes_on_and_is_answered_in(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    begun = await side.show(room, message("Case 9", topic="t"), "k1", topic=Topic(None, None))
    assert begun.topic == begun.id
    topic = Topic(begun.topic, own(begun))
    second = await side.show(room, message("It is a heart", topic="t"), "k2", topic=topic)
    third = await side.show(
        room, message("Yes", topic="t"), "k3", topic=topic, reply_to=own(second)
    )
    event = await seen(doctor, room, third)
    assert event.content["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": begun.id,
        "is_falling_back": False,
        "m.in_reply_to": {"event_id": second.id},
    }
    assert begun.id is not None
    root = await doctor.event(room, begun.id)
    assert root.unsigned["m.relations"]["m.thread"]["count"] == 2


async def test_where_a_thread_cannot_begin_it_is_an_answer(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    root = await doctor.send_text(room, "Root")
    inside = await acts.say_in_thread(doctor, room, root, "Inside")
    sent = await side.show(room, message(topic="t"), topic=Topic(inside, None))
    event = await seen(doctor, room, sent)
    assert event.content["m.relates_to"] == {"m.in_reply_to": {"event_id": inside}}


async def test_a_file_arrives_whole_with_its_caption(
    side: Side, doctor: MatrixUser, room: str, tmp_path: Path
) -> None:
    path = tmp_path / "spooled"
    path.write_bytes(PNG)
    file = LocalFile(path, "scan ü.png", "image/png", len(PNG), MediaKind.IMAGE, 40, 30)
    attachment = Attachment(MediaKind.IMAGE, "https://files.test/1")
    sent = await side.show(room, message("Left arm", attachments=(attachment,)), file=file)
    event = await seen(doctor, room, sent)
    assert (event.content["msgtype"], event.body) == ("m.image", "Left arm")
    assert event.content["filename"] == "scan ü.png"
    assert await doctor.download(event.content["url"]) == PNG

    edited = Edited(GROUP, AUTHOR, TIME, "1", "Right arm", id="2")
    sent = await side.show(room, edited, "edit", target=own(sent))
    changed = await seen(doctor, room, sent)
    assert changed.content["m.new_content"]["url"] == event.content["url"]
    assert changed.content["m.new_content"]["body"] == "Right arm"


async def test_the_homeservers_limit_is_known_and_kept(
    side: Side, doctor: MatrixUser, room: str, tmp_path: Path
) -> None:
    await side.repository.ask()
    limit = side.outlet.capabilities(room).max_file
    assert limit == 100 * 1024 * 1024
    path = tmp_path / "spooled"
    with path.open("wb") as sparse:
        sparse.truncate(limit + 1)
    file = LocalFile(path, "film.mp4", "video/mp4", limit + 1, MediaKind.VIDEO)
    attachment = Attachment(MediaKind.VIDEO, "https://files.test/1")
    with pytest.raises(Refused, match=r"does not take a file of 104\.9 MB"):
        await side.show(room, message("", attachments=(attachment,)), "large", file=file)


async def test_the_room_gets_the_name_topic_and_picture_of_the_group(
    side: Side, doctor: MatrixUser, room: str, tmp_path: Path
) -> None:
    path = tmp_path / "spooled"
    path.write_bytes(PNG)
    file = LocalFile(path, "p.png", "image/png", len(PNG), MediaKind.IMAGE)
    picture = Attachment(MediaKind.IMAGE, "https://files.test/1")
    await side.show(room, TitleChanged(GROUP, AUTHOR, TIME, "Heart conference"))
    await side.show(room, SubjectChanged(GROUP, AUTHOR, TIME, "Every Monday"))
    await side.show(room, PictureChanged(GROUP, AUTHOR, TIME, picture), file=file)
    assert await doctor.state(room, "m.room.name") == {"name": "Heart conference"}
    assert (await doctor.state(room, "m.room.topic"))["topic"] == "Every Monday"
    url = (await doctor.state(room, "m.room.avatar"))["url"]
    assert await doctor.download(url) == PNG
    assert await side.show(room, TitleChanged(GROUP, AUTHOR, TIME, "Heart conference")) == Sent()


async def test_a_colleague_is_seen_to_type_and_to_read(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    ghost = side.ids.of(AUTHOR.network, AUTHOR.id)
    await side.show(room, message())
    for typing in (True, False):
        after = len(doctor.passing)
        await side.outlet.signal(room, Typing(GROUP, AUTHOR, typing))
        await doctor.passing.wait_for(
            partial(_types, room=room, ghost=ghost, typing=typing), after=after
        )
    event_id = await doctor.send_text(room, "Noted")
    await side.outlet.signal(room, Read(GROUP, AUTHOR, event_id))
    await doctor.passing.wait_for(
        lambda seen: seen.type == "m.receipt" and event_id in seen.read_by(ghost)
    )


def _types(passing: MatrixPassing, *, room: str, ghost: str, typing: bool) -> bool:
    in_list = ghost in passing.typists
    return passing.type == "m.typing" and passing.room == room and in_list is typing


# --- what doctors do ----------------------------------------------------------------------------


async def test_what_doctors_say_and_change_is_heard(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    said = await doctor.send_text(room, "6.1", **acts.formatted("<b>6.1</b>"))
    await side.heard(Message, room, id=said, html="<b>6.1</b>")
    changed = await acts.edit(doctor, room, said, "6.2", "<b>6.2</b>")
    found = await side.heard(Edited, room, id=changed)
    assert (found.target, found.text, found.html) == (said, "6.2", "<b>6.2</b>")
    gone = await doctor.redact(room, said, "Wrong patient")
    assert await side.heard(Deleted, room, id=gone) == Deleted(
        Place(MATRIX, room),
        Author(MATRIX, doctor.user_id),
        (await side.heard(Deleted, room, id=gone)).time,
        said,
        "Wrong patient",
        moderated=True,
        id=gone,
    )


@pytest.mark.parametrize("version", ["10", "12"])
async def test_deletions_are_heard_in_old_rooms_and_new_ones(
    side: Side, doctor: MatrixUser, version: str
) -> None:
    room = await doctor.create_room("Case 9", invite=[side.bot.user_id], version=version)
    await side.bot.enter(room)
    said = await doctor.send_text(room, "6.1")
    gone = await doctor.redact(room, said)
    assert (await side.heard(Deleted, room, id=gone)).target == said


async def test_reactions_answers_threads_and_mentions_are_heard(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    sent = await side.show(room, message())
    assert sent.id is not None
    reaction = await acts.react(doctor, room, sent.id, "👍")
    assert (await side.heard(Reacted, room, id=reaction)).target == sent.id
    gone = await doctor.redact(room, reaction)
    assert (await side.heard(Deleted, room, id=gone)).target == reaction
    answer = await acts.reply(doctor, room, sent.id, "Repeat it")
    assert (await side.heard(Message, room, id=answer)).reply_to == sent.id
    inside = await acts.say_in_thread(doctor, room, sent.id, "Here")
    found = await side.heard(Message, room, id=inside)
    assert (found.topic, found.reply_to) == (sent.id, None)
    ghost = side.ids.of(AUTHOR.network, AUTHOR.id)
    called = await acts.mention(doctor, room, ghost, "Bob", "look")
    mentions = (await side.heard(Message, room, id=called)).mentions
    assert mentions == (Mention("muc", AUTHOR.id, "Bob"),)


async def test_a_doctors_file_can_be_had_piece_by_piece(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    event_id = await acts.send_file(
        doctor, room, PNG, name="scan.png", mime="image/png", caption="Look", msgtype="m.image",
        info={"w": 40, "h": 30},
    )  # fmt: skip
    found = await side.heard(Message, room, id=event_id)
    (attachment,) = found.attachments
    assert (found.text, attachment.name, attachment.size) == ("Look", "scan.png", len(PNG))
    async with side.outlet.download(attachment) as pieces:
        assert b"".join([piece async for piece in pieces]) == PNG
    with pytest.raises(Refused, match="not on the homeserver any more"):
        async with side.outlet.download(replace(attachment, source=attachment.source + "x")):
            pass


async def test_a_new_name_topic_and_picture_of_the_room_are_heard(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    uri = await doctor.upload(PNG, "image/png")
    await acts.name_room(doctor, room, "Heart conference")
    await doctor.set_topic(room, "Every Monday")
    await acts.picture_room(doctor, room, uri)
    await side.heard(TitleChanged, room, title="Heart conference")
    await side.heard(SubjectChanged, room, subject="Every Monday")
    found = await side.heard(PictureChanged, room)
    assert found.picture == Attachment(MediaKind.IMAGE, uri)


async def test_a_doctor_is_heard_to_type_and_to_read(
    side: Side, doctor: MatrixUser, room: str
) -> None:
    place, who = Place(MATRIX, room), Author(MATRIX, doctor.user_id)
    sent = await side.show(room, message())
    await seen(doctor, room, sent)

    async def passed(wanted: Callable[[Signal], bool]) -> None:
        await side.ears.signals.wait_for(wanted)

    await acts.type_(doctor, room)
    await passed(lambda signal: signal == Typing(place, who, typing=True))
    await acts.type_(doctor, room, typing=False)
    await passed(lambda signal: signal == Typing(place, who, typing=False))
    assert sent.id is not None
    await acts.read(doctor, room, sent.id)
    await passed(lambda signal: signal == Read(place, who, sent.id or ""))
