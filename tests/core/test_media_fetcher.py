"""What strangers name is fetched from where it may be, and from nowhere else."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from media_stage import INSIDE, OUTSIDE, Host, NameServer, attached, fetcher

from bridge.contract import Refused, Unreachable
from bridge.media.addresses import Allowed
from bridge.media.fetcher import Fetcher, Patience
from bridge.media.refusals import Gone, NotToBeFetched, SourceAway, TooBig


@pytest.fixture
async def outside() -> AsyncIterator[Host]:
    async with Host.at(OUTSIDE) as host:
        yield host


@pytest.fixture
async def inside() -> AsyncIterator[Host]:
    async with Host.at(INSIDE) as host:
        host.serves("/secret", b"a secret")
        yield host


async def fetched(url: str, by: Fetcher | None = None) -> bytes:
    async with (by or fetcher()).download(attached(url)) as pieces:
        return b"".join([piece async for piece in pieces])


async def test_a_file_is_fetched_without_cookies_credentials_or_compression(outside: Host) -> None:
    outside.serves("/a", b"content")
    assert await fetched(outside.url("/a#part")) == b"content"
    headers = outside.requests[0].headers
    assert headers["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Cookie", "Referer"} & set(headers)


async def test_a_proxy_of_the_environment_is_not_used(
    outside: Host, inside: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.serves("/a", b"content")
    monkeypatch.setenv("http_proxy", inside.url("/"))
    assert await fetched(outside.url("/a")) == b"content"
    assert inside.asked == []


async def test_redirects_are_followed_also_relative_ones(outside: Host) -> None:
    outside.serves("/c/d", b"content")
    outside.redirects("/a", outside.url("/c/b"))
    outside.redirects("/c/b", "d")
    assert await fetched(outside.url("/a")) == b"content"


@pytest.mark.parametrize(
    "host",
    [INSIDE, "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.0.0.3", "0.0.0.0", "2130706433",
     "0x7f000001", "127.1", "017700000001", "127.0.0.1.", "①②⑦.0.0.1"],
)  # fmt: skip
async def test_nothing_within_walls_is_asked_however_it_is_written(inside: Host, host: str) -> None:
    names = NameServer({"localhost": [[INSIDE]], "127.0.0.1.": [[INSIDE]]})
    with pytest.raises((NotToBeFetched, SourceAway)) as caught:
        await fetched(inside.url("/secret", host), fetcher(names))
    assert inside.asked == []
    if host in {INSIDE, "localhost", "[::1]", "127.0.0.3"}:
        assert isinstance(caught.value, NotToBeFetched)


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/secret", "//localhost:{port}/secret"])
async def test_a_redirect_within_walls_is_not_followed(
    outside: Host, inside: Host, target: str
) -> None:
    outside.redirects("/a", target.format(port=inside.port))
    with pytest.raises(NotToBeFetched, match="may not fetch from"):
        await fetched(outside.url("/a"), fetcher(NameServer({"localhost": [[INSIDE]]})))
    assert inside.asked == []


async def test_a_host_with_any_address_within_walls_is_not_asked(
    outside: Host, inside: Host
) -> None:
    outside.serves("/secret", b"public")
    names = NameServer({"a.example": [[OUTSIDE, INSIDE]]})
    with pytest.raises(NotToBeFetched):
        await fetched(outside.url("/secret", "a.example"), fetcher(names))
    assert outside.asked == inside.asked == []


async def test_a_name_server_that_changes_its_mind_gains_nothing(
    outside: Host, inside: Host
) -> None:
    names = NameServer({"a.example": [[OUTSIDE], [INSIDE]]})
    outside.redirects("/a", f"http://a.example:{inside.port}/secret")
    with pytest.raises(NotToBeFetched):
        await fetched(outside.url("/a", "a.example"), fetcher(names))
    assert outside.asked == ["/a"]
    assert inside.asked == []


async def test_a_host_that_the_admin_allows_is_asked_wherever_it_is(inside: Host) -> None:
    names = NameServer({"files.hospital.example": [[INSIDE]]})
    by = Fetcher(Allowed(["files.hospital.example"]), max_size=100, resolver=names)
    assert await fetched(inside.url("/secret", "files.hospital.example"), by) == b"a secret"
    with pytest.raises(NotToBeFetched):
        await fetched(inside.url("/secret"), by)


@pytest.mark.parametrize(
    "url",
    ["", "a", "/a", "ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "http://",
     "http:///a", "http://a:b@a.example/", "http://a@a.example/", "http://a.example:0/",
     "http://a.example:99999/", "http://[::1/", "data:text/plain,a", "https://" + "a" * 5000,
     "mxc://a/b", "http://a b/"],
)  # fmt: skip
async def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        await fetched(url, fetcher(NameServer({"a.example": [[OUTSIDE]]})))


@pytest.mark.parametrize("target", ["", "file:///etc/passwd", "http://a:b@127.0.0.2/", "http://["])
async def test_a_redirect_to_what_is_no_web_address_is_refused(outside: Host, target: str) -> None:
    outside.redirects("/a", target)
    with pytest.raises(NotToBeFetched):
        await fetched(outside.url("/a"))


async def test_redirects_without_an_end_are_given_up(outside: Host) -> None:
    outside.redirects("/a", "/a")
    with pytest.raises(NotToBeFetched, match="on and on"):
        await fetched(outside.url("/a"))
    assert len(outside.asked) == 6


async def test_a_compressed_answer_is_not_taken(outside: Host) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    outside.serves("/a", bomb, Content_Encoding="gzip")
    with pytest.raises(NotToBeFetched, match="not asked for"):
        await fetched(outside.url("/a"))


@pytest.mark.parametrize(
    ("status", "told"),
    [(404, Gone), (410, Gone), (403, Gone), (204, Gone), (206, Gone), (304, Gone),
     (500, SourceAway), (503, SourceAway), (429, SourceAway)],
)  # fmt: skip
async def test_an_answer_that_is_not_the_file_is_told(
    outside: Host, status: int, told: type[Exception]
) -> None:
    outside.answers("/a", status)
    with pytest.raises(told):
        await fetched(outside.url("/a"))


async def test_a_server_that_asks_to_wait_is_heard(outside: Host) -> None:
    outside.answers("/a", 503, Retry_After="120")
    with pytest.raises(Unreachable) as caught:
        await fetched(outside.url("/a"))
    assert caught.value.retry_after == 120.0


async def test_a_file_that_is_announced_as_too_big_is_not_read(outside: Host) -> None:
    outside.serves("/a", bytes(2_000))
    with pytest.raises(TooBig, match="larger than 1 kB"):
        await fetched(outside.url("/a"), fetcher(max_size=1_000))


async def test_a_server_that_is_not_there_is_away(outside: Host) -> None:
    names = NameServer({"a.example": [[OUTSIDE]]})
    for url in ("http://127.0.0.2:9/a", "http://a.example:9/", "http://unknown.example/"):
        with pytest.raises(SourceAway):
            await fetched(url, fetcher(names))


async def test_a_server_that_breaks_off_is_away(outside: Host) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport
        request.transport.close()
        return response

    outside.handlers["/a"] = half
    with pytest.raises(SourceAway):
        await fetched(outside.url("/a"))


@pytest.mark.parametrize(
    "patience",
    [Patience(connect=1, idle=0.05, total=5), Patience(connect=1, idle=5, total=0.05)],
    ids=["idle", "total"],
)
@pytest.mark.parametrize("begins", [True, False], ids=["amid the file", "before the answer"])
async def test_a_server_that_falls_silent_is_not_waited_for(
    outside: Host, patience: Patience, begins: bool
) -> None:
    over = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begins:
            await response.prepare(request)
            await response.write(b"begins")
        await over.wait()
        return response

    outside.handlers["/a"] = silent
    with pytest.raises(SourceAway):
        await fetched(outside.url("/a"), fetcher(patience=patience))
    over.set()
