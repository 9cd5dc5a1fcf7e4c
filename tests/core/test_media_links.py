"""A link to a file works for who has it, for a while, and tells nothing else to anybody."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from media_stage import attached, fetcher
from pydantic import SecretStr
from yarl import URL

from bridge.contract import Refused
from bridge.media.depot import Depot, Rules
from bridge.media.public_links import PublicLinks, Shared, media_doors, signing_key
from bridge.model import Attachment, MediaKind

KEY = signing_key(None, SecretStr("as-token"))
GIF = b"GIF89a\1\0\1\0\0\0\0\x21\xfe\x06SECRET\0\x2c\0\0\0\0\1\0\1\0\0\2\1\0\0\x3b"


class Clock:
    now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    url: str
    clock: Clock
    depot: Depot
    links: PublicLinks
    files: dict[str, bytes] = field(default_factory=dict)
    shared: dict[str, Attachment] = field(default_factory=dict)

    @asynccontextmanager
    async def download(self, attachment: Attachment) -> AsyncIterator[AsyncIterator[bytes]]:
        async def pieces() -> AsyncIterator[bytes]:
            yield self.files[attachment.source]

        if attachment.source not in self.files:
            msg = "It is gone."
            raise Refused(msg)
        yield pieces()

    async def resolve(self, reference: str) -> Shared | None:
        found = self.shared.get(reference)
        return Shared("a", found) if found else None

    def share(self, content: bytes, name: str, **claims: Any) -> str:
        reference = f"17.{len(self.shared)}"
        self.files[f"mxc://{reference}"] = content
        self.shared[reference] = attached(f"mxc://{reference}", name=name, **claims)
        return self.links.make(reference, name)

    async def get(self, url: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(method, URL(url, encoded=True), headers=headers) as got,
        ):
            return got.status, got.headers, await got.read()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made: Any = None
    rules = Rules(tmp_path / "spool", 1_000_000, 3_000_000, 60.0)
    app = web.Application()
    clock = Clock()
    async with Depot(rules, lambda _network: made, fetcher(), clock) as depot:

        async def resolve(reference: str) -> Shared | None:
            return await made.resolve(reference)

        runner = web.AppRunner(app, shutdown_timeout=0.1)
        links = PublicLinks("", KEY, 7_200, clock)
        app.add_routes(media_doors(links, resolve, depot, cleaned=True))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        made = House(url, clock, depot, PublicLinks(url, KEY, 7_200, clock))
        yield made
        await runner.cleanup()


async def test_who_has_a_link_gets_the_file_clean_and_inert(house: House) -> None:
    link = house.share(GIF, "Photo ä\u202e.gif", kind=MediaKind.IMAGE)
    assert link.startswith(f"{house.url}/media/")
    status, headers, content = await house.get(link)
    assert (status, headers["Content-Type"]) == (200, "image/gif")
    assert content.startswith(b"GIF89a")
    assert b"SECRET" not in content
    assert headers["Content-Disposition"] == (
        "inline; filename=\"Photo _.gif\"; filename*=UTF-8''Photo%20%C3%A4.gif"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("content", "name", "mime"),
    [
        (b"<html><script>alert(1)</script>", "a.png", "application/octet-stream"),
        (b"<svg onload='alert(1)'/>", "a.svg", "application/octet-stream"),
        (b"MZ\x90\0", "a.jpg", "application/octet-stream"),
        (b"%PDF-1.7", "a.pdf", "application/pdf"),
        (b"hello", "a.txt", "text/plain"),
        (b"\1\2\3\4", 'a"; x="\r\nSet-Cookie: a=b', "application/octet-stream"),
    ],
)
async def test_what_could_act_is_offered_for_download_only(
    house: House, content: bytes, name: str, mime: str
) -> None:
    status, headers, got = await house.get(house.share(content, name))
    assert (status, got) == (200, content)
    assert headers["Content-Disposition"].startswith("attachment; ")
    assert headers["Content-Type"] == mime
    assert "Set-Cookie" not in headers


async def test_a_part_of_a_recording_can_be_asked_for(house: House) -> None:
    link = house.share(b"OggS\0\2" + bytes(22) + b"OpusHead and more", "a.ogg")
    status, headers, content = await house.get(link, Range="bytes=28-35")
    assert (status, content) == (206, b"OpusHead")
    assert headers["Content-Range"] == "bytes 28-35/45"
    assert headers["Content-Disposition"].startswith("inline")
    status, headers, content = await house.get(link, "HEAD")
    assert (status, headers["Content-Length"], content) == (200, "45", b"")


async def test_a_file_is_not_held_after_it_was_sent(house: House) -> None:
    await house.get(house.share(b"hello", "a.txt"))
    assert house.depot.used == 5
    house.clock.now += 100
    await house.depot.prune()
    assert house.depot.used == 0


async def test_a_link_ends_and_the_same_is_made_again_within_an_hour(house: House) -> None:
    link = house.share(b"hello", "a.txt")
    house.clock.now += 1
    assert house.links.make("17.0", "a.txt") == link
    house.clock.now += 7_198
    assert (await house.get(link))[0] == 200
    house.clock.now += 3_601
    assert (await house.get(link))[0] == 404
    assert house.links.make("17.0", "a.txt") != link


async def test_everything_that_is_not_right_is_answered_alike(house: House) -> None:
    link = house.share(b"hello", "a.txt")
    start, _, end = link.rpartition("/")
    token = start.rpartition("/")[2]
    content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    forged = base64.urlsafe_b64encode(content[:5] + b"17.1" + content[-16:]).decode().rstrip("=")
    other = PublicLinks(house.url, signing_key(None, SecretStr("other")), 7_200, house.clock)
    gone = house.links.make("99.9", "a.txt")
    refused = house.share(b"", "b.txt")
    house.files.clear()
    picture = house.share(b"\xff\xd8\xff no picture", "a.jpg")
    answers = [
        await house.get(each)
        for each in (
            f"{house.url}/media/{token[:-1]}/{end}",
            f"{house.url}/media/{token}A/{end}",
            f"{house.url}/media/{token}%3D/{end}",
            f"{house.url}/media/{forged}/{end}",
            f"{house.url}/media/{token.swapcase()}/{end}",
            f"{house.url}/media/{'A' * 1000}/{end}",
            f"{house.url}/media/%C3%A4%00/{end}",
            f"{house.url}/media/AAAA/{end}",
            other.make("17.0", "a.txt"),
            gone,
            refused,
            picture,
        )
    ]
    assert {(status, content) for status, _, content in answers} == {
        (404, b"There is no such file.")
    }
    kept = {"Date", "Server"}
    headers = [{k: v for k, v in found.items() if k not in kept} for _, found, _ in answers]
    assert all(found == headers[0] for found in headers)


def test_the_key_comes_from_the_configuration_or_the_token_and_shows_neither() -> None:
    from_token = signing_key(None, SecretStr("as-token"))
    from_key = signing_key(SecretStr("as-token-2"), SecretStr("as-token"))
    assert len(from_token) == len(from_key) == 32
    assert from_token != from_key
    assert from_token == signing_key(None, SecretStr("as-token"))
    assert b"as-token" not in from_token


def test_a_name_is_quoted_in_a_link() -> None:
    links = PublicLinks("https://b.example.org/c", KEY, 60, Clock())
    link = links.make("1", "ä /?#.txt")
    assert link.startswith("https://b.example.org/c/media/")
    assert link.endswith("/%C3%A4%20%2F%3F%23.txt")
    assert links.read(link.split("/")[5]) == "1"
