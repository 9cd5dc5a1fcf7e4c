"""Edits, deletions, reactions, replies, topics and files find their way through the core."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from core_stage import (
    ANNA,
    BERT,
    DOCTOR,
    EVERYTHING,
    ROOM,
    START,
    TALK_ONLY,
    WARD_A,
    Core,
    MakeCore,
    ScriptedOutlet,
    said,
    until,
)

from bridge.contract import (
    Capabilities,
    Feature,
    Health,
    Level,
    LocalFile,
    Outgoing,
    Sent,
    Unreachable,
)
from bridge.model import (
    MATRIX,
    Attachment,
    Author,
    Deleted,
    Edited,
    MediaKind,
    Message,
    PictureChanged,
    Place,
    Reacted,
    Reactions,
)

ABLE = EVERYTHING


@pytest.fixture(autouse=True)
def able(matrix: ScriptedOutlet, hospital_a: ScriptedOutlet, hospital_b: ScriptedOutlet) -> None:
    for outlet in (matrix, hospital_a, hospital_b):
        outlet.shows = ABLE


def edited(target: str, text: str, place: Place = WARD_A, author: Author = ANNA) -> Edited:
    return Edited(place, author, START + timedelta(seconds=90), target, text, id=f"edit-{target}")


def deleted(target: str, place: Place = WARD_A, author: Author = ANNA, **more: object) -> Deleted:
    return Deleted(place, author, START, target, id=f"deletion-{target}", **more)  # type: ignore[arg-type]


def reacted(emoji: str, place: Place = ROOM, author: Author = DOCTOR, target: str = "") -> Reacted:
    return Reacted(place, author, START, target, emoji, id=f"{emoji}-{author.id}-{target}")


def last(outlet: ScriptedOutlet) -> Outgoing:
    return outlet.there[-1]


async def shown(outlet: ScriptedOutlet, count: int) -> list[Outgoing]:
    await until(lambda: len(outlet.there) >= count)
    return outlet.there


def copy_id(outlet: ScriptedOutlet, number: int = 0) -> str:
    return f"copy-{outlet.there[number].key}"


async def reason_of_failure(core: Core) -> str:
    """Why a delivery was set aside, once one was."""
    query = "SELECT last_error FROM deliveries WHERE state = 2"
    async with asyncio.timeout(20):
        while True:
            await core.recorder.flush()
            if reason := await core.database.run(lambda c: c.exec_driver_sql(query).scalar()):
                return str(reason)


# --- edits


async def test_an_edit_changes_the_copy_at_every_place(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    await core.receive(said(1), edited("m1", "better"))
    for outlet in (matrix, hospital_b):
        _, change = await shown(outlet, 2)
        assert isinstance(change.event, Edited)
        assert change.event.text == "better"
        assert change.target is not None
        assert change.target.id == copy_id(outlet)
        assert change.target.key == outlet.there[0].key
        assert change.target.own


async def test_an_edit_finds_its_copy_after_a_restart(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    first = make_core()
    await first.start()
    await first.receive(said(1))
    await shown(matrix, 1)
    await first.stop()
    second = make_core()
    await second.start()
    await second.receive(edited("m1", "better"))
    change = (await shown(matrix, 2))[1]
    assert change.target is not None
    assert change.target.id == copy_id(matrix)


async def test_nobody_edits_what_another_has_said(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    await core.receive(said(1), edited("m1", "worse", author=BERT), said(2))
    assert [type(each.event) for each in await shown(matrix, 2)] == [Message, Message]


async def test_an_edit_of_something_unknown_is_said_anew(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    await core.receive(edited("long-ago", "better"))
    await shown(matrix, 1)
    assert matrix.texts() == ["(edited) better"]


async def test_where_nothing_can_be_edited_the_new_text_follows(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    matrix.shows = TALK_ONLY
    core = make_core()
    await core.start()
    await core.receive(said(1), edited("m1", "better"))
    await shown(matrix, 2)
    assert matrix.texts()[1].endswith("(edited) better")


async def test_an_edit_that_comes_too_late_for_a_place_follows_as_a_message(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    matrix.shows = replace(ABLE, edit_within=timedelta(seconds=60))
    core = make_core()
    await core.start()
    await core.receive(said(1), edited("m1", "better"))
    await shown(matrix, 2)
    assert matrix.texts()[1] == "(edited) better"


async def test_an_edit_of_a_long_text_changes_adds_and_removes_parts(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    matrix.shows = replace(ABLE, max_text=20)
    core = make_core()
    await core.start()
    await core.receive(said(1, text="one two three four five six"))
    await shown(matrix, 2)
    await core.receive(replace(edited("m1", "short"), id="e1"))
    changes = (await shown(matrix, 4))[2:]
    assert [type(each.event) for each in changes] == [Edited, Deleted]
    assert [each.target.id for each in changes if each.target] == [
        copy_id(matrix, n) for n in (0, 1)
    ]


# --- deletions


async def test_a_deletion_deletes_every_copy_and_the_stored_words(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    await core.receive(said(1, text="a secret"), edited("m1", "a secret, too"))
    await shown(matrix, 2)
    await shown(hospital_b, 2)
    await core.receive(deleted("m1"))
    for outlet in (matrix, hospital_b):
        gone = (await shown(outlet, 3))[2]
        assert isinstance(gone.event, Deleted)
        assert gone.target is not None
        assert gone.target.id == copy_id(outlet)
    rows = await core.database.run(
        lambda c: [bytes(row[0]) for row in c.exec_driver_sql("SELECT payload FROM inbox")]
    )
    assert not any(b"secret" in row for row in rows)


async def test_what_is_deleted_while_it_waits_is_never_shown(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    matrix.script.append(Unreachable("away", retry_after=600))
    core = make_core()
    await core.start()
    await core.receive(said(1))
    await until(lambda: len(matrix.attempts) == 1)
    await core.receive(deleted("m1"), said(2))
    core.lanes.wake(MATRIX, Health(up=True))
    await shown(matrix, 1)
    assert matrix.texts() == ["text 2"]


async def test_only_a_moderator_deletes_what_another_has_said(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    await core.receive(said(1), deleted("m1", author=BERT), said(2))
    assert [type(each.event) for each in await shown(matrix, 2)] == [Message, Message]
    await core.receive(replace(deleted("m2", author=BERT, moderated=True), id="d2"))
    assert isinstance((await shown(matrix, 3))[2].event, Deleted)


async def test_the_author_is_told_where_nothing_can_be_deleted(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.shows = TALK_ONLY
    core = make_core()
    await core.start()
    await core.receive(said(1, ROOM, DOCTOR))
    await shown(hospital_a, 1)
    await core.receive(deleted("m1", ROOM, DOCTOR))

    assert "still to be read" in await reason_of_failure(core)


# --- reactions


async def test_a_reaction_is_put_and_taken_back(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_a: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    await core.receive(said(1))
    await shown(matrix, 1)
    put = reacted("👍", target=copy_id(matrix))
    await core.receive(put)
    there = (await shown(hospital_a, 1))[0]
    assert isinstance(there.event, Reacted)
    assert there.target is not None
    assert there.target.id == "m1"
    assert not there.target.own
    assert there.standing == ("👍",)
    await core.receive(Deleted(ROOM, DOCTOR, START, put.id or "", moderated=True, id="redaction"))
    gone = (await shown(hospital_a, 2))[1]
    assert isinstance(gone.event, Reacted)
    assert gone.event.gone
    assert gone.standing == ()
    assert gone.reaction is not None
    assert gone.reaction.id == copy_id(hospital_a)


async def test_a_set_of_reactions_becomes_what_is_new_in_it(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    await core.receive(said(1))
    for emojis in (("👍", "🎉"), ("👍", "🎉"), ("🎉", "❤")):
        await core.receive(Reactions(WARD_A, BERT, START, "m1", emojis))
    changes = [each.event for each in (await shown(matrix, 5))[1:]]
    assert [(each.emoji, each.gone) for each in changes if isinstance(each, Reacted)] == [
        ("👍", False),
        ("🎉", False),
        ("👍", True),
        ("❤", False),
    ]


async def test_one_account_for_all_shows_what_any_of_them_reacted(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.shows = replace(ABLE, own_names=False)
    core = make_core()
    await core.start()
    await core.receive(said(1))
    await shown(matrix, 1)
    other = Author(MATRIX, "@other:example.org", "Dr. O")
    await core.receive(reacted("👍", target=copy_id(matrix)))
    await core.receive(reacted("👍", author=other, target=copy_id(matrix)))
    await core.receive(reacted("🎉", author=other, target=copy_id(matrix)))
    standing = [each.standing for each in await shown(hospital_a, 3)]
    assert standing[-1] == ("👍", "🎉")


async def test_where_nothing_can_be_reacted_to_a_line_says_it(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.shows = TALK_ONLY
    core = make_core()
    await core.start()
    await core.receive(said(1, text="Shall we?"))
    await shown(matrix, 1)
    await core.receive(reacted("👍", target=copy_id(matrix)))
    await shown(hospital_a, 1)
    assert hospital_a.texts() == ["* reacted with 👍 to “Shall we?”"]


# --- replies and topics


async def test_a_reply_points_at_the_copy_of_what_it_answers(
    make_core: MakeCore,
    matrix: ScriptedOutlet,
    hospital_a: ScriptedOutlet,
    hospital_b: ScriptedOutlet,
) -> None:
    core = make_core()
    await core.start()
    await core.receive(said(1))
    await shown(matrix, 1)
    await core.receive(replace(said(2, ROOM, DOCTOR), reply_to=copy_id(matrix)))
    at_home = (await shown(hospital_a, 1))[0].reply_to
    assert at_home is not None
    assert (at_home.id, at_home.author.name, at_home.text) == ("m1", "Anna", "text 1")
    away = (await shown(hospital_b, 2))[1].reply_to
    assert away is not None
    assert (away.id, away.author.name) == (copy_id(hospital_b), "Anna (Hospital A)")


async def test_an_edited_reply_stays_one(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = replace(ABLE, shows={Feature.EDIT: Level.FULL})
    core = make_core()
    await core.start()
    await core.receive(said(1), replace(said(2), reply_to="m1"), edited("m2", "better"))
    change = (await shown(matrix, 3))[2]
    assert isinstance(change.event, Edited)
    assert change.reply_to is not None
    assert change.reply_to.id == copy_id(matrix)
    change = (await shown(hospital_b, 3))[2]
    assert isinstance(change.event, Edited)
    assert change.reply_to is None
    assert change.event.text == hospital_b.texts()[1].replace("text 2", "better")
    assert "text 1" in change.event.text


async def test_where_nothing_can_be_replied_to_the_answered_text_is_quoted(
    make_core: MakeCore, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = TALK_ONLY
    core = make_core()
    await core.start()
    await core.receive(said(1), replace(said(2, author=BERT), reply_to="m1"))
    await shown(hospital_b, 2)
    assert hospital_b.texts()[1] == "> Anna (Hospital A): text 1\ntext 2"


async def test_a_topic_has_a_name_of_its_own_at_each_place(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.script.append(Sent("post-1", topic="topic-7"))
    core = make_core()
    await core.start()
    await core.receive(replace(said(1), topic="mail-thread"))
    await shown(hospital_b, 1)
    await core.receive(replace(said(2, author=BERT), topic="mail-thread"))
    forum = (await shown(hospital_b, 2))[1].topic
    assert forum is not None
    assert forum.id == "topic-7"
    assert forum.title == "text 1"
    thread = (await shown(matrix, 2))[1].topic
    assert thread is not None
    assert thread.id is None
    assert thread.root is not None
    assert thread.root.id == copy_id(matrix)
    # and back: from the room's thread, whose name is that of its first message
    await core.receive(replace(said(3, ROOM, DOCTOR), topic=copy_id(matrix)))
    back = (await shown(hospital_b, 3))[2].topic
    assert back is not None
    assert back.id == "topic-7"


async def test_an_answer_without_a_topic_belongs_to_that_of_what_it_answers(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.script.append(Sent("post-1", topic="topic-7"))
    core = make_core()
    await core.start()
    await core.receive(replace(said(1), topic="mail-thread"))
    await shown(hospital_b, 1)
    await core.receive(replace(said(2, author=BERT), topic="mail-thread"))
    await core.receive(replace(said(3), reply_to="m2"))
    for outlet in (matrix, hospital_b):
        answer = (await shown(outlet, 3))[2]
        assert answer.reply_to is not None
        assert answer.topic is not None
        assert answer.topic.root is not None
        assert answer.topic.root.text == "text 1"


async def test_further_names_of_a_message_mean_it_too(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_a: ScriptedOutlet
) -> None:
    hospital_a.script.append(Sent("archive-5", aliases=("own-name",)))
    core = make_core()
    await core.start()
    await core.receive(replace(said(1), aliases=("other-name",)))
    await core.receive(edited("other-name", "better"))
    assert (await shown(matrix, 2))[1].target is not None
    await core.receive(said(2, ROOM, DOCTOR))
    await shown(hospital_a, 1)
    await core.receive(Reactions(WARD_A, BERT, START, "own-name", ("👍",)))
    change = (await shown(matrix, 3))[2]
    assert change.target is not None
    assert change.target.id == "m2"


async def test_what_was_said_before_the_link_is_for_the_room_alone(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    unknown = replace(edited("long-ago", "better"), old=True)
    await core.receive(replace(said(1), old=True), unknown, said(2))
    await shown(matrix, 3)
    await shown(hospital_b, 1)
    assert hospital_b.texts() == ["text 2"]


# --- files

PHOTO = Attachment(MediaKind.IMAGE, "https://a.example/1.jpg", "photo.jpg", "image/jpeg", 1_200_000)


@pytest.fixture
def photo(tmp_path: Path) -> LocalFile:
    path = tmp_path / "photo"
    path.write_bytes(b"photo")
    return LocalFile(path, "photo.jpg", "image/jpeg", 5, MediaKind.IMAGE)


async def test_a_file_goes_with_its_caption_where_that_can_be(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_b: ScriptedOutlet, photo: LocalFile
) -> None:
    hospital_b.shows = replace(ABLE, captions=False)
    core = make_core()
    core.files.here[PHOTO.source] = photo
    await core.start()
    await core.receive(replace(said(1, text="look"), attachments=(PHOTO,)))
    [one] = await shown(matrix, 1)
    assert one.file == photo
    assert matrix.texts() == ["look"]
    first, second = await shown(hospital_b, 2)
    assert (first.file, second.file) == (None, photo)
    assert hospital_b.texts() == ["look", ""]


async def test_a_file_that_can_not_be_had_is_named_and_its_sender_told(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    core = make_core()
    await core.start()
    await core.receive(replace(said(1, text="look"), attachments=(PHOTO,)))
    await shown(matrix, 1)
    assert matrix.texts() == ["[image] photo.jpg (1.2 MB): It is gone.\nlook"]
    await core.recorder.flush()
    failed = await core.database.run(
        lambda c: (
            c.exec_driver_sql("SELECT last_error FROM deliveries WHERE state = 2").scalars().all()
        )
    )
    assert failed[0] == "It is gone."


async def test_a_dead_file_server_holds_nobody_for_ever(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    core = make_core()
    core.files.fault = Unreachable("a.example does not answer.")
    await core.start()
    await core.receive(replace(said(1), text="", attachments=(PHOTO,)), said(2))
    await shown(matrix, 2)
    assert matrix.texts() == ["[image] photo.jpg (1.2 MB): a.example does not answer.", "text 2"]


async def test_where_no_file_can_be_shown_a_line_links_to_it(
    make_core: MakeCore, matrix: ScriptedOutlet
) -> None:
    matrix.shows = Capabilities(own_names=False, max_text=1000)
    core = make_core()
    core.files.links[PHOTO.source] = "https://bridge.example/media/x"
    await core.start()
    await core.receive(replace(said(1, text="look"), attachments=(PHOTO,)))
    await shown(matrix, 1)
    assert matrix.texts() == [
        "Anna (Hospital A): [image] photo.jpg (1.2 MB) https://bridge.example/media/x\nlook"
    ]


async def test_an_edit_of_an_action_stays_one(
    make_core: MakeCore, matrix: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = replace(ABLE, own_names=False)
    core = make_core()
    await core.start()
    await core.receive(replace(said(1, text="waves"), emote=True))
    await core.receive(replace(edited("m1", "nods"), emote=True))
    change = (await shown(matrix, 2))[1].event
    assert isinstance(change, Edited)
    assert (change.text, change.emote) == ("nods", True)
    relayed = (await shown(hospital_b, 2))[1].event
    assert isinstance(relayed, Edited)
    assert relayed.text == "* Anna (Hospital A) nods"


async def test_a_picture_of_the_place_comes_with_its_file(
    make_core: MakeCore, matrix: ScriptedOutlet, photo: LocalFile
) -> None:
    core = make_core()
    core.files.here[PHOTO.source] = photo
    await core.start()
    await core.receive(PictureChanged(WARD_A, ANNA, START, PHOTO, "p1"))
    await core.receive(PictureChanged(WARD_A, ANNA, START, None, "p2"))
    first, second = await shown(matrix, 2)
    assert first.file == photo
    assert second.file is None
