"""How a feed's server is treated, and what it can't do to the bridge."""

import asyncio
import gzip

import pytest
from aiohttp import web
from feed_lab import ago, reading, running, server
from feed_stand_in import FeedServer, Post, feed_server, rss
from recording_inlet import RecordingInlet

from adapters.web.feed import FeedAdapter
from adapters.web.feed.network import FeedNetwork
from adapters.web.feed.settings import FeedSettings
from adapters.web.fetching import Fetcher
from bridge.contract import CatchUp, Finding, Refused
from bridge.model import Message, Roster
from sandbox.ports import LOOPBACK, free_port

__all__ = ["server"]


async def test_what_has_not_changed_is_not_sent_again(server: FeedServer) -> None:
    server.pages["/feed"] = rss([Post("1", "Old")])
    async with reading(server) as inlet:
        await server.wait_asked(304)
        asked = [each for each in server.asked if each.status == 304]
        assert asked[0].headers["If-None-Match"].startswith('"')
        assert "Consilium" in asked[0].headers["User-Agent"]
        assert not inlet.of(Message)


async def test_it_goes_on_after_a_fault_and_loses_nothing(server: FeedServer) -> None:
    server.pages["/feed"] = rss([])
    url = f"{server.url}/feed"
    async with reading(server) as inlet:
        server.answers["/feed"] = web.Response(status=500)
        health = await inlet.down(url)
        assert "fault (500)" in health.reason
        assert not health.lasting
        server.pages["/feed"] = rss([Post("1", "Meanwhile")])
        after = len(inlet.healths)
        del server.answers["/feed"]
        await inlet.message("Meanwhile")
        await inlet.up(url, after=after)


async def test_a_server_that_asks_to_wait_is_left_alone(server: FeedServer) -> None:
    server.answers["/feed"] = web.Response(status=429, headers={"Retry-After": "3600"})
    server.pages["/other"] = rss([])
    inlet = RecordingInlet()
    async with running(inlet) as network:
        await network.open(f"{server.url}/feed", ())
        await network.open(f"{server.url}/other", ())
        await inlet.down(f"{server.url}/feed")
        for _ in range(20):
            await server.wait_asked(304, path="/other", after=len(server.asked))
        assert len([each for each in server.asked if each.path == "/feed"]) == 1


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(410, "gone for good"), (404, "There is no feed at"), (401, "does not let the bridge read")],
)
async def test_what_somebody_has_to_see_to_is_told_as_lasting(
    server: FeedServer, status: int, sentence: str
) -> None:
    server.answers["/feed"] = web.Response(status=status)
    inlet = RecordingInlet()
    async with running(inlet) as network:
        await network.open(f"{server.url}/feed", ())
        health = await inlet.down(f"{server.url}/feed")
        assert sentence in health.reason
        assert health.lasting


async def test_what_is_no_feed_is_told(server: FeedServer) -> None:
    server.pages["/feed"] = b"<html><body>Welcome</body></html>"
    inlet = RecordingInlet()
    async with running(inlet) as network:
        await network.open(f"{server.url}/feed", ())
        health = await inlet.down(f"{server.url}/feed")
        assert "there is no feed" in health.reason


async def test_a_feed_that_moves_for_good_is_followed_and_asked_there_from_then_on(
    server: FeedServer,
) -> None:
    server.pages["/new"] = rss([])
    server.answers["/feed"] = web.Response(status=301, headers={"Location": "/new"})
    async with reading(server) as inlet:
        await server.wait_asked(304, path="/new")
        assert len([each for each in server.asked if each.path == "/feed"]) == 1
        server.pages["/new"] = rss([Post("1", "Moved")])
        assert (await inlet.message("Moved")).place.id == f"{server.url}/feed"


async def test_a_feed_that_is_elsewhere_for_now_is_asked_where_it_was(server: FeedServer) -> None:
    server.pages["/new"] = rss([])
    server.answers["/feed"] = web.Response(status=302, headers={"Location": "/new"})
    async with reading(server):
        await server.wait_asked(304, path="/new")
        assert len([each for each in server.asked if each.path == "/feed"]) > 1


async def test_redirects_in_circles_end(server: FeedServer) -> None:
    server.answers["/feed"] = web.Response(status=302, headers={"Location": "/feed"})
    inlet = RecordingInlet()
    async with running(inlet) as network:
        await network.open(f"{server.url}/feed", ())
        assert "in circles" in (await inlet.down(f"{server.url}/feed")).reason


@pytest.mark.parametrize("target", ["http://10.0.0.1/", "http://[::1]/", "http://localhost/"])
async def test_a_server_on_the_internet_cannot_lead_into_the_house(
    server: FeedServer, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/feed"] = web.Response(status=302, headers={"Location": target})
    async with Fetcher(1_000_000) as fetcher:
        # The loopback, where the stand-in is, passes for the internet
        assert fetcher._known is not None
        monkeypatch.setattr(fetcher._known, "leads_out", lambda _: True)
        with pytest.raises(Exception, match="private"):
            await fetcher.get(f"{server.url}/feed")


async def test_a_redirect_to_something_else_than_the_web_is_refused(server: FeedServer) -> None:
    server.answers["/feed"] = web.Response(status=302, headers={"Location": "file:///etc/passwd"})
    async with Fetcher(1_000_000) as fetcher:
        with pytest.raises(Refused, match="no web address"):
            await fetcher.get(f"{server.url}/feed")


async def test_a_login_is_shown_to_its_own_server_alone(server: FeedServer) -> None:
    async with feed_server() as other:
        other.pages["/feed"] = rss([])
        server.answers["/feed"] = web.Response(
            status=302, headers={"Location": f"{other.url}/feed"}
        )
        async with reading(server, user="ann", password="let me in"):
            assert server.asked[0].headers["Authorization"] == "Basic YW5uOmxldCBtZSBpbg=="
            assert all("Authorization" not in each.headers for each in other.asked)


async def test_a_feed_that_is_too_long_is_not_read(server: FeedServer) -> None:
    server.pages["/feed"] = b" " * 1_100_000
    inlet = RecordingInlet()
    async with running(inlet, max_mb=1) as network:
        await network.open(f"{server.url}/feed", ())
        assert "more than 1,000,000 bytes" in (await inlet.down(f"{server.url}/feed")).reason


async def test_a_feed_that_unpacks_to_too_much_is_not_read(server: FeedServer) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    server.answers["/feed"] = web.Response(body=packed, headers={"Content-Encoding": "gzip"})
    inlet = RecordingInlet()
    async with running(inlet, max_mb=1) as network:
        await network.open(f"{server.url}/feed", ())
        assert "more than 1,000,000 bytes" in (await inlet.down(f"{server.url}/feed")).reason


async def test_a_feed_that_is_closed_is_asked_no_more(server: FeedServer) -> None:
    server.pages["/feed"] = server.pages["/other"] = rss([])
    async with reading(server) as inlet:
        assert inlet.of(Roster)
    inlet = RecordingInlet()
    async with running(inlet) as network:
        for name in ("feed", "other"):
            await network.open(f"{server.url}/{name}", ())
            await inlet.up(f"{server.url}/{name}")
        await network.close(f"{server.url}/feed")
        after = len(server.asked)
        for _ in range(5):
            await server.wait_asked(304, path="/other", after=len(server.asked))
        assert all(each.path == "/other" for each in list(server.asked)[after:])


# --- check --------------------------------------------------------------------------------------


async def check(*groups: str, **more: object) -> list[Finding]:
    settings = FeedSettings.model_validate(more)
    network = FeedNetwork("feeds", "Feeds", settings, RecordingInlet())
    async with asyncio.timeout(21):
        return list(await network.check(groups))


async def test_check_tells_what_a_feed_shows(server: FeedServer) -> None:
    server.pages["/feed"] = rss([Post("1", "One"), Post("2", "Two")])
    (finding,) = await check(f"{server.url}/feed")
    assert finding == Finding(
        ok=True,
        subject=f"Feeds: {server.url}/feed",
        sentence="The feed can be read; it shows 2 items now.",
    )


async def test_check_tells_of_each_feed_what_is_wrong(server: FeedServer) -> None:
    server.pages["/page"] = b"<html><title>no</title></html>"
    server.pages["/new"] = rss([])
    server.answers["/moved"] = web.Response(status=308, headers={"Location": "/new"})
    closed = f"http://{LOOPBACK}:{free_port()}/feed"
    urls = [f"{server.url}/none", f"{server.url}/page", f"{server.url}/moved", closed]
    none, page, moved, dead = await check(*urls)
    assert (none.ok, page.ok, moved.ok, dead.ok) == (False, False, True, False)
    assert "There is no feed" in none.sentence
    assert "no feed" in page.sentence
    assert "RSS or Atom" in page.advice
    assert moved.sentence == f"The feed has moved to {server.url}/new."
    assert "connection refused" in dead.sentence


async def test_check_of_no_feeds_finds_nothing() -> None:
    assert await check() == []


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (" HTTPS://Journal.Example:443/Feed.xml#top", "https://journal.example/Feed.xml"),
        ("feed://journal.example/f", "https://journal.example/f"),
        ("feed:https://journal.example/f?b=1&a=2", "https://journal.example/f?b=1&a=2"),
        ("http://journal.example", "http://journal.example/"),
        ("http://journal.example?a=1%26b", "http://journal.example/?a=1%26b"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
    ],
)
def test_one_feed_has_one_name(written: str, normal: str) -> None:
    assert FeedAdapter.normalise(written) == normal
    assert FeedAdapter.normalise(normal) == normal


@pytest.mark.parametrize(
    "written", ["", "journal", "ftp://a.example/", "https://", "https://a:99999/", "//a.example/"]
)
def test_what_is_no_address_is_no_feed(written: str) -> None:
    with pytest.raises(ValueError, match="a feed looks like"):
        FeedAdapter.normalise(written)


def test_passwords_do_not_belong_into_addresses() -> None:
    with pytest.raises(ValueError, match="user and password of the network"):
        FeedAdapter.normalise("https://ann:secret@journal.example/feed")


def test_a_name_without_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match="belong together"):
        FeedSettings.model_validate({"user": "ann"})


async def test_the_gap_of_a_feed_that_was_full_of_new_items_is_told(server: FeedServer) -> None:
    server.pages["/feed"] = rss([Post("1", "One", when=ago(days=1))])
    async with reading(server, CatchUp()) as inlet:
        server.pages["/feed"] = rss([Post("3", "Three"), Post("2", "Two")])
        assert "More may have come" in (await inlet.gaps.wait_for(lambda _: True)).reason
