"""What comes of a feed: new items, edited ones, and what was there before."""

import pytest
from feed_lab import NOW, ago, reading, server
from feed_stand_in import FeedServer, Post, atom, rss
from recording_inlet import RecordingInlet

from adapters.web.feed import FeedAdapter
from adapters.web.feed.settings import FeedSettings
from bridge.contract import CatchUp, Feature, Level, Outgoing, Refused
from bridge.model import Author, Edited, MediaKind, Message, Place, Roster

__all__ = ["server"]


async def test_what_was_there_before_is_not_told_and_what_comes_is(server: FeedServer) -> None:
    old = Post("1", "Old news", when=ago(days=1))
    server.pages["/feed"] = rss([old])
    async with reading(server) as inlet:
        server.pages["/feed"] = rss(
            [Post("2", "Fresh", "<p>All <b>about</b> it</p>", ago(minutes=1), author="Dr. Sy"), old]
        )
        message = await inlet.message("Fresh")
        assert message.text == "Fresh\nhttps://journal.example/2\n\nAll about it"
        assert message.html is not None
        assert '<a href="https://journal.example/2">Fresh</a>' in message.html
        assert "All <b>about</b> it" in message.html
        assert message.author == Author("feeds", "dr. sy", "Dr. Sy")
        assert message.time == ago(minutes=1)
        assert not message.notice
        assert inlet.of(Message) == [message]


async def test_an_item_without_an_author_is_by_the_feed(server: FeedServer) -> None:
    server.pages["/feed"] = rss([])
    async with reading(server) as inlet:
        server.pages["/feed"] = rss([Post("2", "Fresh")], title="The <i>Journal</i>")
        assert (await inlet.message("Fresh")).author.name == "The Journal"


async def test_new_items_come_in_the_order_in_which_they_appeared(server: FeedServer) -> None:
    server.pages["/feed"] = rss([])
    async with reading(server) as inlet:
        server.pages["/feed"] = rss([Post(name, name) for name in ("third", "second", "first")])
        await inlet.message("third")
        assert [text.split("\n")[0] for text in inlet.texts()] == ["first", "second", "third"]


async def test_as_much_of_what_was_before_as_is_wanted_comes_as_old(server: FeedServer) -> None:
    posts = [Post(str(day), f"Day {day}", when=ago(days=day)) for day in range(1, 6)]
    server.pages["/feed"] = rss(posts)
    async with reading(server, CatchUp(history=2)) as inlet:
        found = inlet.of(Message)
        assert [each.text.split("\n")[0] for each in found] == ["Day 2", "Day 1"]
        assert all(each.old for each in found)
        assert isinstance(list(inlet.events)[2], Roster)


async def test_what_came_while_the_bridge_was_down_comes_and_nothing_older(
    server: FeedServer,
) -> None:
    posts = [Post(str(day), f"Day {day}", when=ago(days=day)) for day in range(1, 9)]
    server.pages["/feed"] = rss(posts)
    since = CatchUp(since=ago(days=4), begun=ago(days=30))
    async with reading(server, since) as inlet:
        titles = [text.split("\n")[0] for text in inlet.texts()]
        # A day more than needed, since items are dated before they appear; the core knows them
        assert titles == ["Day 5", "Day 4", "Day 3", "Day 2", "Day 1"]
        assert not list(inlet.gaps)
        assert not any(each.old for each in inlet.of(Message))


async def test_nothing_from_before_the_link_comes_after_a_restart(server: FeedServer) -> None:
    posts = [Post(str(hour), f"Hour {hour}", when=ago(hours=hour)) for hour in range(1, 6)]
    server.pages["/feed"] = rss(posts)
    begun = ago(hours=2, minutes=30)
    async with reading(server, CatchUp(since=begun, begun=begun)) as inlet:
        assert [text.split("\n")[0] for text in inlet.texts()] == ["Hour 2", "Hour 1"]


async def test_more_than_is_wanted_is_left_out_and_that_is_told(server: FeedServer) -> None:
    posts = [Post(str(hour), f"Hour {hour}", when=ago(hours=hour)) for hour in range(1, 9)]
    server.pages["/feed"] = rss([*posts, Post("x", "Known", when=ago(days=9))])
    catch_up = CatchUp(since=ago(days=2), begun=ago(days=30), max_messages=3)
    async with reading(server, catch_up) as inlet:
        assert [text.split("\n")[0] for text in inlet.texts()] == ["Hour 3", "Hour 2", "Hour 1"]
        gap = await inlet.gaps.wait_for(lambda _: True)
        assert gap.count == 5


async def test_a_feed_that_shows_nothing_known_any_more_may_have_a_gap(server: FeedServer) -> None:
    server.pages["/feed"] = rss([Post("1", "New", when=ago(hours=1))])
    async with reading(server, CatchUp(since=ago(days=3), begun=ago(days=9))) as inlet:
        gap = await inlet.gaps.wait_for(lambda _: True)
        assert "More may have come" in gap.reason
        assert gap.count is None


async def test_without_dates_what_stands_above_the_last_known_item_is_new(
    server: FeedServer,
) -> None:
    posts = [Post("c", "Third"), Post("b", "Second"), Post("a", "First")]
    server.pages["/feed"] = rss(posts)
    async with reading(server, CatchUp(history=1)) as inlet:
        (third,) = inlet.of(Message)
    server.pages["/feed"] = rss([Post("e", "Fifth"), Post("d", "Fourth"), *posts])
    since = CatchUp(since=ago(minutes=5), last_id=third.id, begun=ago(days=2))
    async with reading(server, since) as inlet:
        assert [text.split("\n")[0] for text in inlet.texts()] == ["Fourth", "Fifth"]


async def test_an_edited_item_edits(server: FeedServer) -> None:
    post = Post("1", "Title", "A tpyo", ago(minutes=1))
    server.pages["/feed"] = rss([])
    async with reading(server) as inlet:
        server.pages["/feed"] = rss([post])
        message = await inlet.message("A tpyo")
        post.summary = "A typo"
        server.pages["/feed"] = rss([post])
        edited = await inlet.first(Edited)
        assert edited.target == message.id
        assert edited.text.endswith("A typo")
        assert edited.author == message.author
        assert edited.id not in {None, message.id}


async def test_an_item_that_changes_all_the_time_is_left_alone(server: FeedServer) -> None:
    post = Post("1", "Title", "0 comments", ago(minutes=1))
    server.pages["/feed"] = rss([])
    async with reading(server) as inlet:
        for count in range(1, 14):
            post.summary = f"{count} comments"
            server.pages["/feed"] = rss([post])
            await server.wait_asked(304, after=len(server.asked))
        assert len(inlet.of(Edited)) == 10


async def test_an_edit_that_happened_while_the_bridge_was_down_comes_and_is_named_the_same(
    server: FeedServer,
) -> None:
    posts = [Post("1", "Corrected", when=ago(days=3), updated=ago(hours=1))]
    server.pages["/feed"] = atom([*posts, Post("0", "Other", when=ago(days=9))])
    catch_up = CatchUp(since=ago(days=2, hours=1), begun=ago(days=30))
    names = []
    for _ in range(2):
        async with reading(server, catch_up) as inlet:
            (edited,) = inlet.of(Edited)
            names.append(edited.id)
            assert edited.time == ago(hours=1)
    assert names[0] == names[1]


async def test_a_feed_that_calls_all_its_items_otherwise_repeats_nothing(
    server: FeedServer,
) -> None:
    posts = [Post(str(n), f"Item {n}", when=ago(minutes=n)) for n in (1, 2, 3)]
    server.pages["/feed"] = atom([])
    async with reading(server) as inlet:
        server.pages["/feed"] = atom(posts)
        await inlet.message("Item 1")
        renamed = atom(posts).replace(b"<id>", b"<id>urn:new:")
        server.pages["/feed"] = renamed
        await server.wait_asked(304, after=len(server.asked))
        assert len(inlet.of(Message)) == 3
        assert not list(inlet.gaps)


async def test_files_come_along_unless_they_are_not_wanted(server: FeedServer) -> None:
    more = "<enclosure url='https://journal.example/a/talk.mp3?x=1' type='audio/mpeg' length='99'/>"
    for files, expected in ((True, 1), (False, 0)):
        server.pages["/feed"] = rss([])
        async with reading(server, files=files) as inlet:
            server.pages["/feed"] = rss([Post("1", "Talk", more=more)])
            found = (await inlet.message("Talk")).attachments
            assert len(found) == expected
            for each in found:
                assert (each.kind, each.name, each.size) == (MediaKind.AUDIO, "talk.mp3", 99)


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("title", "Title\nhttps://journal.example/1"),
        ("summary", "Title\nhttps://journal.example/1\n\nShort"),
        ("full", "Title\nhttps://journal.example/1\n\nLong and wide"),
    ],
)
async def test_as_much_is_shown_as_is_wanted(server: FeedServer, show: str, expected: str) -> None:
    more = "<content type='html'>&lt;p&gt;Long &lt;i&gt;and&lt;/i&gt; wide&lt;/p&gt;</content>"
    server.pages["/feed"] = atom([])
    async with reading(server, show=show) as inlet:
        server.pages["/feed"] = atom([Post("1", "Title", "Short", more=more)])
        assert (await inlet.message("Title")).text == expected


async def test_a_very_long_summary_is_cut(server: FeedServer) -> None:
    server.pages["/feed"] = rss([])
    async with reading(server, quiet=True) as inlet:
        server.pages["/feed"] = rss([Post("1", "Title", "<p>" + "word " * 3_000)])
        message = await inlet.message("Title")
        assert len(message.text) < 3_200
        assert message.text.endswith("word …")
        assert message.html is not None
        assert len(message.html) < 3_200
        assert message.notice


async def test_nothing_can_be_sent_to_a_feed() -> None:
    settings = FeedSettings()
    network = FeedAdapter.create(
        network="feeds", name="", settings=settings, inlet=RecordingInlet()
    )
    place = Place("feeds", "https://journal.example/feed")
    message = Message(place, "1", Author("matrix", "@a:b", "Dr. Ann"), NOW, "hello")
    with pytest.raises(Refused, match="can be read, and not written to"):
        await network.send(Outgoing(place, "a" * 26, message))
    assert await network.find(Outgoing(place, "a" * 26, message)) is None
    capabilities = network.capabilities(place.id)
    assert all(capabilities.showing(feature) is Level.REFUSED for feature in Feature)
