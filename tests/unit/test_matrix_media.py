"""Files that come from the homeserver, and how large they may be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from matrix_fakes import FORBIDDEN, Reply, ScriptedHomeserver, acting_bot, config, refusal

from bridge.contract import Refused, Unreachable
from bridge.matrix.media_repository import MediaRepository
from sandbox.ports import LOOPBACK

SCAN = b"\x89PNG" * 50_000
DOWNLOAD = "/_matrix/client/v1/media/download/"


class Store:
    """A homeserver's files: each answer is a status, a body and headers."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        status, body, headers = self.files[request.path.rpartition("/")[2]]
        return web.Response(status=status, body=body, headers=headers)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def repository(store: Store) -> AsyncIterator[MediaRepository]:
    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", store.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    async with acting_bot(config(url)) as bot:
        yield MediaRepository(bot)
    await runner.cleanup()


async def fetched(repository: MediaRepository, uri: str) -> bytes:
    async with repository.download(uri) as download:
        return b"".join([piece async for piece in download.pieces])


def error(status: int, errcode: str) -> tuple[int, bytes, dict[str, str]]:
    return status, f'{{"errcode": "{errcode}", "error": "no"}}'.encode(), {}


async def test_a_file_comes_piece_by_piece_by_an_authenticated_request(
    repository: MediaRepository, store: Store
) -> None:
    store.files["scan"] = (200, SCAN, {})
    async with repository.download("mxc://h.test/scan") as download:
        pieces = [piece async for piece in download.pieces]
    assert b"".join(pieces) == SCAN
    assert download.size == len(SCAN)
    assert max(map(len, pieces)) <= 65_536
    (asked,) = store.asked
    assert asked.path == f"{DOWNLOAD}h.test/scan"
    assert asked.headers["Authorization"].startswith("Bearer ")


async def test_a_file_kept_elsewhere_is_fetched_from_there_without_the_token(
    repository: MediaRepository, store: Store
) -> None:
    store.files["scan"] = (307, b"", {"Location": "/elsewhere/there"})
    store.files["there"] = (200, SCAN, {})
    assert await fetched(repository, "mxc://h.test/scan") == SCAN
    assert "Authorization" not in store.asked[-1].headers


@pytest.mark.parametrize("where", ["", "http://[", "gopher://x.test/1"])
async def test_a_file_kept_at_an_impossible_place_is_not_there_now(
    repository: MediaRepository, store: Store, where: str
) -> None:
    store.files["scan"] = (307, b"", {"Location": where})
    with pytest.raises(Unreachable):
        await fetched(repository, "mxc://h.test/scan")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error(404, "M_NOT_FOUND"), Refused, "not on the homeserver any more"),
        (error(504, "M_NOT_YET_UPLOADED"), Unreachable, "fault|not on the homeserver yet"),
        (error(429, "M_LIMIT_EXCEEDED"), Unreachable, "asks to wait"),
        (error(403, "M_FORBIDDEN"), Refused, "refused"),
        ((502, b"<html>", {}), Unreachable, "fault"),
    ],
)
async def test_what_can_not_be_had_is_told_as_lasting_or_passing(
    repository: MediaRepository, store: Store, answer: Any, kind: type[Exception], words: str
) -> None:
    store.files["scan"] = answer
    with pytest.raises(kind, match=words):
        await fetched(repository, "mxc://h.test/scan")


@pytest.mark.parametrize("uri", ["http://h.test/scan", "mxc://h.test/../scan", "mxc://h.test", ""])
async def test_what_is_no_content_uri_is_never_asked_for(
    repository: MediaRepository, store: Store, uri: str
) -> None:
    with pytest.raises(Refused):
        await fetched(repository, uri)
    assert store.asked == []


async def test_a_file_that_breaks_off_can_be_had_later(
    repository: MediaRepository, store: Store
) -> None:
    store.files["scan"] = (200, SCAN, {"Content-Encoding": "gzip"})
    with pytest.raises(Unreachable):
        await fetched(repository, "mxc://h.test/scan")


# --- how large ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "largest", "known"),
    [
        (Reply(200, {"m.upload.size": 50_000_000}), 50_000_000, True),
        (Reply(200, {}), None, True),
        (Reply(200, {"m.upload.size": "much"}), None, True),
        (refusal(404, "M_UNRECOGNIZED"), None, True),
        (FORBIDDEN, None, True),
        (Reply(502, ""), None, False),
    ],
)
async def test_the_homeserver_is_asked_how_large_files_may_be(
    reply: Reply, largest: int | None, known: bool
) -> None:
    async with ScriptedHomeserver().running() as homeserver:
        homeserver.answer("GET", "/media/config", reply)
        async with acting_bot(config(homeserver.url)) as bot:
            repository = MediaRepository(bot)
            assert await repository.ask() is known
            assert repository.largest == largest


async def nothing() -> AsyncIterator[bytes]:
    for _ in range(0):
        yield b""


async def test_what_is_too_large_is_not_even_begun() -> None:
    async with ScriptedHomeserver().running() as homeserver:
        homeserver.answer("GET", "/media/config", Reply(200, {"m.upload.size": 5_000_000}))
        async with acting_bot(config(homeserver.url)) as bot:
            repository = MediaRepository(bot)
            with pytest.raises(Refused) as caught:
                await repository.upload(
                    "@bob:hospital.test", nothing(), size=6_000_000, media_type="video/mp4"
                )
        assert len(homeserver.asked) == 1
    assert caught.value.sentence == (
        "The homeserver does not take a file of 6.0 MB, and takes none above 5.0 MB."
    )


async def test_it_is_asked_once_the_homeserver_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    asked = asyncio.Event()

    async def until_well() -> None:
        order.append("well")

    async def ask() -> bool:
        order.append("asked")
        asked.set()
        return True

    async with acting_bot(config()) as bot:
        repository = MediaRepository(bot)
        monkeypatch.setattr(repository, "ask", ask)
        task = asyncio.create_task(repository.run(until_well))
        async with asyncio.timeout(5):
            await asked.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert order == ["well", "asked"]
