"""What is shown on a forum: topics, answers, edits, deletions, likes and files; each once."""

from pathlib import Path

import pytest
from discourse_lab import (
    DOCTOR,
    LONG,
    NOW,
    Bench,
    copy_of,
    key,
    running,
    settings,
    site,
    thread,
)
from discourse_stand_in import Forum, ProblemError, too_fast
from recording_inlet import RecordingInlet

from adapters.discourse.network import DiscourseNetwork
from bridge.contract import (
    Dialect,
    Feature,
    Level,
    LocalFile,
    Outgoing,
    Refused,
    Sent,
    Topic,
    Unreachable,
)
from bridge.model import (
    Attachment,
    Deleted,
    Edited,
    Joined,
    MediaKind,
    Mention,
    Message,
    Place,
    Reacted,
)

__all__ = ["site"]


@pytest.fixture
async def bench(site: Forum):
    async with running(site) as found:
        await found.open()
        yield found


async def test_what_is_said_outside_of_threads_begins_a_topic(bench: Bench) -> None:
    outgoing = bench.saying("Is **this** ECG normal?\n\nA patient of 54")
    sent = await bench.network.send(outgoing)
    (post,) = bench.forum.own()
    assert sent == Sent(str(post.id), (f"t{post.topic.id}/1",), f"t{post.topic.id}")
    assert post.topic.title == "Dr. Weber: Is this ECG normal?"
    assert post.topic.category == 5
    text = "Dr. Weber: Is **this** ECG normal?\n\nA patient of 54"
    assert post.raw == f"{text}\n\n<!-- consilium:{outgoing.key} -->"


async def test_what_is_said_in_a_thread_goes_into_its_topic(bench: Bench) -> None:
    first = await bench.forum.write("ann", LONG)
    post = await bench.say(topic=thread(first.topic))
    assert (post.topic, post.number, post.reply_to) == (first.topic, 2, None)
    by_root = await bench.say(topic=Topic(None, copy_of(first)))
    assert by_root.topic is first.topic


async def test_an_answer_goes_where_the_question_is(bench: Bench) -> None:
    first = await bench.forum.write("ann", LONG)
    second = await bench.forum.write("cora", LONG, first.topic)
    post = await bench.say(reply_to=copy_of(second))
    assert (post.topic, post.reply_to) == (first.topic, 2)
    to_first = await bench.say("Another text of the same length", reply_to=copy_of(first))
    assert (to_first.topic, to_first.reply_to) == (first.topic, None)


async def test_a_thread_with_a_title_begins_a_topic_of_that_title(bench: Bench) -> None:
    post = await bench.say("Yes", topic=Topic(None, None, "The patient of last Tuesday"))
    assert post.topic.title == "The patient of last Tuesday"


async def test_what_is_too_short_for_the_forum_is_made_longer(bench: Bench) -> None:
    post = await bench.say("Yes")
    assert post.topic.title == "Dr. Weber: Yes (from the linked room)"
    assert post.raw.startswith("Dr. Weber: Yes\n\n<small>from the room")


async def test_the_rest_of_a_long_text_follows_in_the_topic_that_it_began(bench: Bench) -> None:
    outgoing = bench.saying()
    await bench.network.send(outgoing)
    (first,) = bench.forum.own()
    bench.network._finder._topics.clear()  # as after a restart
    rest = Outgoing(outgoing.place, f"{outgoing.key}.1", outgoing.event)
    await bench.network.send(rest)
    assert [post.topic for post in bench.forum.own()] == [first.topic, first.topic]


async def test_a_topic_can_take_what_is_said_outside_of_threads(site: Forum) -> None:
    lobby = await site.write("ann", "Come in and talk to us here")
    async with running(site, chat_topics={"5": lobby.topic.id}) as bench:
        await bench.open()
        sent = await bench.network.send(bench.saying())
        (post,) = site.own()
        assert post.topic is lobby.topic
        assert sent.topic is None
        await site.write("cora", "A word to all", lobby.topic)
        assert (await bench.inlet.message("A word")).topic is None


async def test_a_title_that_is_taken_is_replaced(bench: Bench) -> None:
    bench.forum.topic(f"Dr. Weber: {LONG}")
    post = await bench.say()
    assert post.topic.title == f"Dr. Weber, {NOW:%Y-%m-%d %H:%M:%S}"


async def test_people_of_the_forum_are_called_and_nobody_else(bench: Bench) -> None:
    text = "@all: Cora Li, see `@all`"
    mention = Mention("forum", "cora", "Cora Li")
    outgoing = bench.outgoing(
        lambda place: Message(place, "$e", DOCTOR, NOW, text, mentions=(mention,))
    )
    await bench.network.send(outgoing)
    (post,) = bench.forum.own()
    assert post.raw.startswith("@\u200ball: @cora, see `@all`")


async def test_what_the_bridge_posted_is_not_heard(bench: Bench) -> None:
    await bench.say()
    (post,) = bench.forum.own()
    await bench.forum.edit(post, "A moderator changed what the doctor said")
    await bench.forum.write("cora", "An answer", post.topic)
    await bench.inlet.message("An answer")
    assert len(bench.inlet.of(Message)) == 1
    assert not bench.inlet.of(Edited)


async def test_what_someone_writes_as_that_user_is_heard(bench: Bench) -> None:
    await bench.forum.write("consilium", "The admin was here, by the web page")
    assert await bench.inlet.message("The admin was here")


async def test_a_marker_that_someone_copies_makes_nothing_the_bridges(bench: Bench) -> None:
    await bench.say()
    (post,) = bench.forum.own()
    await bench.forum.write("cora", post.raw, post.topic)
    assert (await bench.inlet.message(LONG)).author.id == "cora"


# --- changes --------------------------------------------------------------------------------------


async def test_an_edit_keeps_files_and_the_marker(bench: Bench) -> None:
    post = await bench.say()
    marker = post.raw.rpartition("\n\n")[2]
    post.raw = f"Old text\n\n![x-ray|10x10](upload://abc.png)\n\n{marker}"
    edit = bench.outgoing(
        lambda place: Edited(place, DOCTOR, NOW, "$event", f"Dr. Weber: {LONG}, changed"),
        target=copy_of(post, own=True),
    )
    assert await bench.network.find(edit) is None
    assert await bench.network.send(edit) == Sent(str(post.id))
    text = f"Dr. Weber: {LONG}, changed"
    assert post.raw == f"{text}\n\n![x-ray|10x10](upload://abc.png)\n\n{marker}"


async def test_nobody_else_is_edited(bench: Bench) -> None:
    post = await bench.forum.write("cora", LONG)
    edit = bench.outgoing(
        lambda place: Edited(place, DOCTOR, NOW, "$event", LONG), target=copy_of(post)
    )
    with pytest.raises(Refused, match="somebody else wrote it"):
        await bench.network.send(edit)


def deleting(bench: Bench, post) -> Outgoing:
    return bench.outgoing(
        lambda place: Deleted(place, DOCTOR, NOW, "$event"), target=copy_of(post, own=True)
    )


async def test_a_deletion_deletes_and_is_not_heard(bench: Bench) -> None:
    first = await bench.forum.write("ann", LONG)
    post = await bench.say(topic=thread(first.topic))
    await bench.asked_again()
    for _ in range(2):
        assert await bench.network.send(deleting(bench, post)) == Sent()
    assert post.deleted is not None
    await bench.asked_again()
    assert not bench.inlet.of(Deleted)


async def test_a_topic_with_answers_is_not_deleted_with_its_first_post(bench: Bench) -> None:
    post = await bench.say()
    await bench.forum.write("cora", "An answer", post.topic)
    await bench.network.send(deleting(bench, post))
    assert post.deleted is None
    assert post.raw.startswith("*(deleted by its author)*")
    lonely = await bench.say("A topic that nobody cares for")
    await bench.network.send(deleting(bench, lonely))
    assert lonely.deleted is not None


async def test_a_moderator_deletes_what_others_wrote_but_no_topics(site: Forum) -> None:
    site.people["consilium"].staff = True
    async with running(site) as bench:
        await bench.open()
        assert bench.network.capabilities("5").does(Feature.MODERATION)
        first = await site.write("ann", LONG)
        second = await site.write("cora", LONG, first.topic)
        with pytest.raises(Refused, match="others have answered"):
            await bench.network.send(deleting(bench, first))
        await bench.network.send(deleting(bench, second))
        assert second.deleted is not None


def reacting(bench: Bench, post, emoji: str, *standing: str, gone: bool = False) -> Outgoing:
    return bench.outgoing(
        lambda place: Reacted(place, DOCTOR, NOW, "$event", emoji, gone=gone),
        target=copy_of(post),
        standing=standing,
    )


async def test_hearts_and_thumbs_are_likes(bench: Bench) -> None:
    post = await bench.forum.write("cora", LONG)
    for _ in range(2):
        await bench.network.send(reacting(bench, post, "❤️", "❤️"))
    assert post.likes == {"consilium": "heart"}
    await bench.network.send(reacting(bench, post, "👍🏽", "❤️", "👍🏽"))
    await bench.network.send(reacting(bench, post, "❤️", "👍🏽", gone=True))
    assert post.likes == {"consilium": "heart"}
    for _ in range(2):
        await bench.network.send(reacting(bench, post, "👍🏽", gone=True))
    assert post.likes == {}
    with pytest.raises(Refused, match="only knows likes, and not 🎉"):
        await bench.network.send(reacting(bench, post, "🎉", "🎉"))
    await bench.asked_again()


async def test_nobody_likes_their_own_posts(bench: Bench) -> None:
    post = await bench.say()
    assert await bench.network.send(reacting(bench, post, "❤️", "❤️")) == Sent()
    assert post.likes == {}


async def test_reactions_of_the_plugin_are_given_and_taken(site: Forum) -> None:
    site.settings |= {
        "discourse_reactions_enabled": True,
        "discourse_reactions_enabled_reactions": "heart|tada|cry",
    }
    async with running(site) as bench:
        await bench.open()
        post = await site.write("cora", LONG)
        await bench.network.send(reacting(bench, post, "🎉", "🎉"))
        assert post.likes == {"consilium": "tada"}
        await bench.network.send(reacting(bench, post, "❤️", "🎉", "❤️"))
        assert post.likes == {"consilium": "heart"}
        await bench.network.send(reacting(bench, post, "❤️", "🎉", gone=True))
        assert post.likes == {"consilium": "tada"}
        await bench.network.send(reacting(bench, post, "🎉", gone=True))
        assert post.likes == {}
        with pytest.raises(Refused, match="a few reactions"):
            await bench.network.send(reacting(bench, post, "🚀", "🚀"))


async def test_what_the_forum_cannot_show_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused, match="can't show this"):
        await bench.network.send(bench.outgoing(lambda place: Joined(place, DOCTOR, NOW)))


# --- files ----------------------------------------------------------------------------------------


def file(folder: Path, name: str, kind: MediaKind, mime: str) -> LocalFile:
    path = folder / name
    path.write_bytes(b"what is in the file")
    return LocalFile(path, name, mime, 19, kind, 10 if kind is MediaKind.IMAGE else None, 20)


def with_file(bench: Bench, local: LocalFile, **more) -> Outgoing:
    attached = Attachment(local.kind, "mxc://x/y", local.name)
    return bench.outgoing(
        lambda place: Message(
            place, "$e", DOCTOR, NOW, "Dr. Weber: Please look at this", attachments=(attached,)
        ),
        file=local,
        **more,
    )


@pytest.mark.parametrize(
    ("name", "kind", "mime", "shown"),
    [
        ("x [1].png", MediaKind.IMAGE, "image/png", "![x 1.png|10x20](upload://{}.png)"),
        ("a.pdf", MediaKind.FILE, "application/pdf", "[a.pdf|attachment](upload://{}.pdf)"),
        ("v.mp3", MediaKind.VOICE, "audio/mpeg", "![v.mp3|audio](upload://{}.mp3)"),
    ],
)
async def test_files_are_uploaded(  # noqa: PLR0917
    bench: Bench, tmp_path: Path, name: str, kind: MediaKind, mime: str, shown: str
) -> None:
    await bench.network.send(with_file(bench, file(tmp_path, name, kind, mime)))
    (post,) = bench.forum.own()
    ((stored, (uploaded, content_type, data)),) = bench.forum.uploads.items()
    assert (uploaded, content_type, data) == (name, mime, b"what is in the file")
    assert shown.format(stored.partition(".")[0]) in post.raw
    assert "Please look at this" in post.raw


async def test_a_file_that_the_forum_does_not_take_becomes_a_link(
    bench: Bench, tmp_path: Path
) -> None:
    local = file(tmp_path, "a.exe", MediaKind.FILE, "application/x-msdownload")
    with pytest.raises(Refused, match="not authorized"):
        await bench.network.send(with_file(bench, local))
    await bench.network.send(with_file(bench, local, link="https://bridge.example/f/1"))
    (post,) = bench.forum.own()
    assert "[a.exe](https://bridge.example/f/1)" in post.raw


async def test_files_of_the_forum_are_fetched_with_its_key(bench: Bench, tmp_path: Path) -> None:
    await bench.network.send(
        with_file(bench, file(tmp_path, "a.pdf", MediaKind.FILE, "application/pdf"))
    )
    (name,) = bench.forum.uploads
    async with bench.network.download(
        Attachment(MediaKind.FILE, f"upload://{name}", "a.pdf")
    ) as pieces:
        assert b"".join([piece async for piece in pieces]) == b"what is in the file"
    with pytest.raises(Refused, match="does not give the file"):
        async with bench.network.download(Attachment(MediaKind.FILE, "upload://none.pdf")):
            pass


async def test_pictures_of_people_are_fetched(bench: Bench) -> None:
    await bench.forum.write("ann", LONG)
    author = (await bench.inlet.message(LONG)).author
    assert author.avatar is not None
    async with bench.network.download(Attachment(MediaKind.IMAGE, author.avatar)) as pieces:
        assert b"".join([piece async for piece in pieces]) == b"ann at 240"


# --- doubt and faults -----------------------------------------------------------------------------


async def test_a_topic_whose_answer_was_lost_is_found_and_not_begun_twice(bench: Bench) -> None:
    outgoing = bench.saying()
    bench.forum.lost.append("POST")
    with pytest.raises(Unreachable) as caught:
        await bench.network.send(outgoing)
    assert caught.value.doubtful
    (post,) = bench.forum.own()
    found = await bench.network.find(outgoing)
    assert found == Sent(str(post.id), (f"t{post.topic.id}/1",), f"t{post.topic.id}")
    bench.forum._memory.clear()  # more than two minutes later
    assert await bench.network.send(outgoing) == found
    assert len(bench.forum.own()) == 1


async def test_a_post_whose_answer_was_lost_is_found(bench: Bench) -> None:
    first = await bench.forum.write("ann", LONG)
    outgoing = bench.saying(topic=thread(first.topic))
    assert await bench.network.find(outgoing) is None
    bench.forum.lost.append("POST")
    with pytest.raises(Unreachable):
        await bench.network.send(outgoing)
    for number in range(40):
        await bench.forum.write("cora", f"{LONG} {number}", first.topic)
    found = await bench.network.find(outgoing)
    assert found is not None
    assert found.id == str(bench.forum.own()[0].id)


async def test_nothing_is_found_where_nothing_was_sent(bench: Bench) -> None:
    assert await bench.network.find(bench.saying()) is None
    gone = bench.saying(topic=Topic("t999999", None))
    assert await bench.network.find(gone) is None


async def test_a_limit_is_kept_for_as_long_as_the_forum_says(bench: Bench) -> None:
    bench.forum.problems.append((lambda request: request.method == "POST", too_fast(7)))
    with pytest.raises(Unreachable, match="asks to wait") as caught:
        await bench.network.send(bench.saying())
    assert caught.value.retry_after == 7
    asked = len(bench.forum.asked)
    with pytest.raises(Unreachable) as again:
        await bench.network.send(bench.saying())
    assert again.value.retry_after is not None
    assert 5 < again.value.retry_after <= 7
    assert len(bench.forum.asked) == asked


@pytest.mark.parametrize(
    ("problem", "kind", "sentence"),
    [
        (ProblemError(403, "No", kind="invalid_access"), Refused, "does not let the bridge"),
        (ProblemError(422, "Body is strange"), Refused, "Body is strange"),
        (ProblemError(503, "busy", kind="read_only"), Unreachable, "can't do it now"),
        (ProblemError(500), Unreachable, "can't do it now"),
    ],
)
async def test_what_the_forum_says_is_told(
    bench: Bench, problem: ProblemError, kind: type[Exception], sentence: str
) -> None:
    first = await bench.forum.write("ann", LONG)
    bench.forum.problems.append((lambda request: request.method == "POST", problem))
    with pytest.raises(kind, match=sentence):
        await bench.network.send(bench.saying(topic=thread(first.topic)))


async def test_a_category_without_rights_refuses(site: Forum) -> None:
    site.category(6, "Announcements", "announcements", permission=None)
    async with running(site) as bench:
        await bench.open("6")
        with pytest.raises(Refused, match="does not let the bridge do this"):
            await bench.network.send(bench.saying(group="6"))


async def test_a_post_that_waits_for_approval_is_told(bench: Bench) -> None:
    bench.forum.queue = True
    with pytest.raises(Refused, match="has to approve it"):
        await bench.network.send(bench.saying())


async def test_a_forum_that_is_not_connected_is_unreachable(site: Forum) -> None:
    network = DiscourseNetwork("forum", "The forum", settings(site), RecordingInlet())
    message = Message(Place("matrix", "!r"), "$e", DOCTOR, NOW, LONG)
    with pytest.raises(Unreachable, match="not connected yet"):
        await network.send(Outgoing(Place("forum", "5"), key(), message))


async def test_what_it_can_do_depends_on_who_the_bridge_is_there(bench: Bench) -> None:
    can = bench.network.capabilities("5")
    assert can.dialect is Dialect.MARKDOWN
    assert not can.own_names
    assert can.knows_own_copies
    assert can.edit_within is not None
    assert can.edit_within.days == 1
    assert can.max_file == 4_096 * 1024
    assert can.showing(Feature.MODERATION) is Level.REFUSED
