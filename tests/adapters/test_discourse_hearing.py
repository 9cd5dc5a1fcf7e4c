"""What is said on a forum: heard by asking and by webhook, once, and nothing that is private."""

import hashlib
import hmac

import aiohttp
import pytest
from discourse_lab import LONG, QUICK, ago, running, site
from discourse_stand_in import (
    MODERATOR,
    SECRET,
    SMALL_ACTION,
    WHISPER,
    Forum,
    ProblemError,
    too_fast,
)

from bridge.contract import CatchUp
from bridge.model import (
    Attachment,
    Author,
    Deleted,
    Edited,
    MediaKind,
    Mention,
    Message,
    Place,
    Reactions,
    Roster,
)

__all__ = ["site"]

BOTH = pytest.mark.parametrize("hooks", [False, True], ids=["asking", "hooks"])


@BOTH
async def test_a_topic_and_its_answers(site: Forum, *, hooks: bool) -> None:
    async with running(site, hooks=hooks) as bench:
        await bench.open()
        first = await site.write("ann", "Is this *normal*?", title="A strange heart")
        second = await site.write("cora", "I think so", first.topic, reply_to=1)
        heard = await bench.inlet.message("I think so")
        question, answer = bench.inlet.of(Message)
        assert question.place == Place("forum", "5")
        assert question.text == "**A strange heart**\n\nIs this *normal*?"
        assert question.author == Author(
            "forum", "ann", "Dr. Ann Lee", "/user_avatar/forum/ann/240/7_2.png"
        )
        assert (question.id, question.topic) == (str(first.id), f"t{first.topic.id}")
        assert question.aliases == (f"t{first.topic.id}/1",)
        assert not question.old
        assert answer == heard
        assert answer.author.name == "cora"
        assert answer.reply_to == f"t{first.topic.id}/1"
        assert answer.id == str(second.id)


@BOTH
async def test_edits_and_deletions(site: Forum, *, hooks: bool) -> None:
    async with running(site, hooks=hooks) as bench:
        await bench.open()
        post = await site.write("ann", "A tpyo", title="A strange heart")
        other = await site.write("cora", "Something rude", post.topic)
        await bench.inlet.message("rude")
        await site.edit(post, "A typo")
        edited = await bench.inlet.first(Edited)
        assert (edited.target, edited.author.id) == (str(post.id), "ann")
        assert edited.text == "**A strange heart**\n\nA typo"
        site.people["mod"] = site.person("mod", staff=True)
        await site.delete(other, "mod")
        deleted = await bench.inlet.first(Deleted)
        assert deleted.target == str(other.id)
        if hooks:
            assert (deleted.author.id, deleted.moderated) == ("mod", True)


@BOTH
async def test_authors_delete_their_own_posts(site: Forum, *, hooks: bool) -> None:
    async with running(site, hooks=hooks) as bench:
        await bench.open()
        first = await site.write("ann", LONG)
        post = await site.write("cora", "Never mind", first.topic)
        await bench.inlet.message("Never mind")
        await site.delete(post, "cora")
        deleted = await bench.inlet.first(Deleted)
        assert (deleted.target, deleted.author.id, deleted.moderated) == (
            str(post.id),
            "cora",
            False,
        )
        assert not bench.inlet.of(Edited)


async def test_likes_by_asking(site: Forum) -> None:
    async with running(site) as bench:
        await bench.open()
        post = await site.write("ann", LONG)
        await bench.inlet.message(LONG)
        await site.like(post, "cora")
        given = await bench.inlet.first(Reactions)
        assert (given.target, given.author.id, given.emojis) == (str(post.id), "cora", ("❤️",))
        del post.likes["cora"]
        after = len(bench.inlet.events)
        taken = await bench.inlet.first(Reactions, after=after)
        assert (taken.author.id, taken.emojis) == ("cora", ())


async def test_likes_by_webhook(site: Forum) -> None:
    async with running(site, hooks=True) as bench:
        await bench.open()
        post = await site.write("ann", LONG)
        await site.like(post, "cora")
        given = await bench.inlet.first(Reactions)
        assert (given.target, given.author.id, given.emojis) == (str(post.id), "cora", ("❤️",))


async def test_reactions_of_the_plugin(site: Forum) -> None:
    site.settings |= {
        "discourse_reactions_enabled": True,
        "discourse_reactions_enabled_reactions": "thumbsup|tada|heart",
    }
    async with running(site) as bench:
        await bench.open()
        post = await site.write("ann", LONG)
        await bench.inlet.message(LONG)
        await site.like(post, "cora", "tada")
        assert (await bench.inlet.first(Reactions)).emojis == ("🎉",)


@BOTH
async def test_what_is_not_for_everyone_never_leaves(site: Forum, *, hooks: bool) -> None:
    site.category(6, "Staff", "staff")
    async with running(site, hooks=hooks) as bench:
        await bench.open()
        topic = site.topic("A topic of the category")
        private = site.topic("Between the two of us", archetype="private_message")
        await site.write("ann", "a secret message", private)
        await site.write("ann", "a whisper", topic, kind=WHISPER)
        await site.write("ann", "closed it", topic, kind=SMALL_ACTION)
        await site.write("system", "automatic", topic)
        await site.write("ann", "elsewhere", category=6)
        await site.write("ann", "the public post", topic)
        await bench.inlet.message("the public post")
        assert len(bench.inlet.of(Message)) == 1


async def test_posts_of_moderators_are_heard_by_webhook(site: Forum) -> None:
    async with running(site, hooks=True) as bench:
        await bench.open()
        await site.write("ann", "please stay polite", kind=MODERATOR)
        assert await bench.inlet.message("please stay polite")


async def test_files_mentions_and_quotes(site: Forum) -> None:
    async with running(site) as bench:
        await bench.open()
        first = await site.write("ann", LONG)
        raw = (
            f'[quote="ann, post:1, topic:{first.topic.id}"]\nA text\n[/quote]\n\n'
            "See this, @ann and @nobody :heart:\n\n![x-ray|690x388](upload://abc.png)\n"
            "[report.pdf|attachment](upload://xyz.pdf) (1.2 MB)"
        )
        await site.write("cora", raw, first.topic)
        message = await bench.inlet.message("See this")
        assert message.text == "See this, @ann and @nobody ❤️"
        assert message.reply_to == f"t{first.topic.id}/1"
        assert message.mentions == (Mention("forum", "ann", "@ann"),)
        assert message.attachments == (
            Attachment(MediaKind.IMAGE, "upload://abc.png", "x-ray.png", width=690, height=388),
            Attachment(MediaKind.FILE, "upload://xyz.pdf", "report.pdf"),
        )


async def test_what_is_told_twice_is_heard_once(site: Forum) -> None:
    async with running(site, hooks=True, timing=QUICK) as bench:
        await bench.open()
        posts = [await site.write("ann", f"{LONG} {number}") for number in range(5)]
        for post in posts:
            await site.emit("post_edited", "post", site.hook_post(post))
        await bench.asked_again()
        assert sorted(message.id for message in bench.inlet.of(Message)) == [
            str(post.id) for post in posts
        ]
        assert not bench.inlet.of(Edited)


async def test_a_webhook_that_was_lost_is_made_up_for_by_asking(site: Forum) -> None:
    async with running(site, hooks=True, timing=QUICK) as bench:
        await bench.open()
        await site.write("ann", "Nobody told of this", hooks=False)
        assert await bench.inlet.message("Nobody told of this")


async def test_more_posts_than_one_page_shows_are_all_heard(site: Forum) -> None:
    async with running(site, timing=QUICK) as bench:
        await bench.open()
        topic = site.topic("A very lively topic")
        for number in range(120):
            await site.write("ann", f"Post {number} of them", topic)
        await bench.inlet.message("Post 119 of")
        numbers = [int(text.split()[-3]) for text in bench.inlet.texts()]
        assert numbers == list(range(120))


async def test_an_edit_of_a_post_that_is_not_remembered_is_heard(site: Forum) -> None:
    post = await site.write("ann", LONG, when=ago(days=3))
    async with running(site, hooks=True) as bench:
        await bench.open()
        await site.edit(post, "Changed after a long time")
        edited = await bench.inlet.first(Edited)
        assert (edited.target, bench.inlet.of(Message)) == (str(post.id), [])


# --- webhooks -------------------------------------------------------------------------------------


async def test_only_the_forum_itself_is_heard(site: Forum) -> None:
    async with running(site, hooks=True) as bench:
        await bench.open()
        post = await site.write("ann", LONG, hooks=False)
        del site.posts[post.id]  # nobody who asks is told of it
        body = aiohttp.JsonPayload({"post": site.hook_post(post)})._value
        good = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Discourse-Event": "post_created", "Content-Type": "application/json"}
        async with aiohttp.ClientSession() as session:
            for signature in ("", "sha256=", good[:-1], good.replace("sha256", "sha1")):
                sent = {**headers, "X-Discourse-Event-Signature": signature}
                async with session.post(site.hook, data=body, headers=sent) as answer:
                    assert answer.status == 403
            assert not bench.inlet.of(Message)
            sent = {**headers, "X-Discourse-Event-Signature": good}
            async with session.post(site.hook, data=body, headers=sent) as answer:
                assert answer.status == 200
            async with session.post(f"{site.hook}/else", data=body, headers=sent) as answer:
                assert answer.status == 400  # 404 would have the forum switch its webhook off
            async with session.post(site.hook, data=b"x" * 2_100_000, headers=sent) as answer:
                assert answer.status == 413
        assert len(bench.inlet.of(Message)) == 1


async def test_pings_and_what_else_happens_are_taken_and_passed_over(site: Forum) -> None:
    async with running(site, hooks=True) as bench:
        await bench.open()
        await site.emit("ping", "ping", {})
        await site.emit("topic_created", "topic", {"id": 1})
        await site.emit("post_created", "post", {"id": "nonsense"})
        await site.emit("post_liked", "like", {"post": None})
        assert list(site.hooked) == [200] * 4
        assert [type(event) for event in bench.inlet.events] == [Roster]


# --- what was missed ------------------------------------------------------------------------------


async def test_what_was_before_the_link_is_not_heard(site: Forum) -> None:
    await site.write("ann", "Long ago", when=ago(days=1))
    async with running(site) as bench:
        await bench.open()
        await bench.asked_again()
        assert [type(event) for event in bench.inlet.events] == [Roster]


async def test_as_much_of_it_as_is_wanted_comes_as_old(site: Forum) -> None:
    topic = site.topic("An old topic of ours")
    for day in range(9, 0, -1):
        await site.write("ann", f"{day} days ago", topic, when=ago(days=day))
    async with running(site) as bench:
        await bench.open(catch_up=CatchUp(history=3))
        found = bench.inlet.of(Message)
        assert [each.text for each in found] == ["3 days ago", "2 days ago", "1 days ago"]
        assert all(each.old for each in found)


async def test_what_was_said_meanwhile_comes_first_and_in_order(site: Forum) -> None:
    pinned = site.topic("Read this before you post", pinned=True)
    await site.write("ann", "The rules", pinned, when=ago(days=300))
    topics = [site.topic(f"Topic number {number} of many") for number in range(3)]
    for hours in range(60, 0, -1):
        await site.write("ann", f"{hours} hours ago", topics[hours % 3], when=ago(hours=hours))
    old = await site.write("cora", "Corrected", topics[0], when=ago(days=20))
    await site.edit(old, "Corrected later")
    site.category(7, "Below", "below", parent=5)
    await site.write("ann", "In the category below", category=7)
    async with running(site) as bench:
        await bench.open(catch_up=CatchUp(since=ago(hours=50, minutes=30)))
        texts = [text.split("\n")[-1] for text in bench.inlet.texts()]
        assert texts == [f"{hours} hours ago" for hours in range(50, 0, -1)]
        assert isinstance(list(bench.inlet.events)[-1], Roster)
        (edited,) = bench.inlet.of(Edited)
        assert edited.text == "Corrected later"
        assert not list(bench.inlet.gaps)


async def test_more_than_is_wanted_is_left_out_and_that_is_told(site: Forum) -> None:
    topic = site.topic("A very lively topic")
    for minutes in range(40, 0, -1):
        await site.write("ann", f"{minutes} minutes ago", topic, when=ago(minutes=minutes))
    async with running(site) as bench:
        await bench.open(catch_up=CatchUp(since=ago(days=1), max_messages=15))
        texts = bench.inlet.texts()
        assert [int(text.split()[0]) for text in texts] == list(range(15, 0, -1))
        assert len(list(bench.inlet.gaps)) == 1


async def test_catching_up_waits_when_the_forum_asks_for_that_and_goes_on(site: Forum) -> None:
    for number in range(3):
        await site.write("ann", f"Post {number}", when=ago(hours=3 - number))
    site.problems.append((lambda request: request.path.startswith("/t/"), too_fast(1)))
    async with running(site) as bench:
        await bench.open(catch_up=CatchUp(since=ago(hours=9)))
        texts = [text.split("\n")[-1] for text in bench.inlet.texts()]
        assert texts == ["Post 0", "Post 1", "Post 2"]
        asked = [each.path for each in site.asked if each.path.startswith("/c/")]
        assert len(asked) == 2  # not begun anew


async def test_no_more_topics_are_read_than_history_needs(site: Forum) -> None:
    for number in range(9):
        await site.write("ann", f"Post {number}", when=ago(hours=9 - number))
    async with running(site) as bench:
        await bench.open(catch_up=CatchUp(history=2))
        texts = [text.split("\n")[-1] for text in bench.inlet.texts()]
        assert texts == ["Post 7", "Post 8"]
        assert len([each for each in site.asked if each.path.startswith("/t/")]) == 2


# --- faults ---------------------------------------------------------------------------------------


async def test_after_a_fault_nothing_is_lost(site: Forum) -> None:
    async with running(site) as bench:
        await bench.open()
        for _ in range(3):
            site.problems.append((lambda _: True, ProblemError(502)))
        health = await bench.inlet.down(None)
        assert "can't do it now (502)" in health.reason
        assert not health.lasting
        after = len(bench.inlet.healths)
        await site.write("ann", "Meanwhile")
        await bench.inlet.message("Meanwhile")
        await bench.inlet.up(None, after=after - 1)


async def test_a_forum_that_asks_to_wait_is_asked_nothing_meanwhile(site: Forum) -> None:
    async with running(site) as bench:
        await bench.open()
        site.problems.append((lambda _: True, too_fast(1)))
        health = await bench.inlet.down(None)
        assert "asks to wait" in health.reason
        await bench.inlet.up(None, after=len(bench.inlet.healths))
        asked = list(site.asked)
        limited = next(number for number, each in enumerate(asked) if each.status == 429)
        assert asked[limited + 1].at - asked[limited].at >= 0.95


async def test_a_key_that_is_taken_away_is_told_as_lasting(site: Forum) -> None:
    async with running(site) as bench:
        await bench.open()
        person = site.people.pop("consilium")
        health = await bench.inlet.down(None)
        assert health.lasting
        assert "api_key" in health.reason
        site.people["consilium"] = person
        after = len(bench.inlet.healths)
        await bench.inlet.up(None, after=after)
        await site.write("ann", "After that")
        assert await bench.inlet.message("After that")


async def test_a_category_that_is_not_there_is_told(site: Forum) -> None:
    async with running(site) as bench:
        await bench.network.open("99", ())
        health = await bench.inlet.down("99")
        assert health.lasting
        await bench.network.open("cardiolgy", ())
        assert "no category cardiolgy" in (await bench.inlet.down("cardiolgy")).reason
        await bench.open("cardiology")
        await bench.network.open("5", ())
        assert "which is linked already" in (await bench.inlet.down("5")).reason


async def test_a_category_that_is_closed_is_heard_no_more(site: Forum) -> None:
    site.category(6, "Neurology", "neurology")
    async with running(site) as bench:
        await bench.open("5")
        await bench.open("6")
        await bench.network.close("5")
        await site.write("ann", "not heard")
        await site.write("ann", "heard", category=6)
        message = await bench.inlet.message("heard")
        assert message.place.id == "6"
        assert len(bench.inlet.of(Message)) == 1
