"""Pictures reach the homeserver once, and nothing waits for them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
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
from structlog.testing import capture_logs

from bridge.contract import Unreachable
from bridge.errors import StoreError
from bridge.matrix import avatars as avatars_module
from bridge.matrix.avatars import Avatars, Uploaded
from bridge.matrix.client import ActingClient
from bridge.matrix.faults import Denied
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ghosts import Ghosts
from bridge.model import MATRIX, Author
from bridge.pictures.badge import Badge
from bridge.pictures.picture import Picture

BOT = "@consilium:hospital.test"
BOB = "@_consilium_muc_bob:hospital.test"
UPLOAD = "POST /_matrix/media/v3/upload"
AUTHOR = Author("muc", "bob", "Bob (Hospital B)")
PNG = Picture(b"\x89PNG\r\n\x1a\n and so on", "image/png")
OTHER = Picture(b"GIF89a and so on", "image/gif")
BADGE = Badge.of("Consilium", "consilium")
BUSY = Reply(502, "<html>Bad Gateway</html>")


@dataclass
class Memory:
    """An `AvatarStore`."""

    kept: dict[str, Uploaded] = field(default_factory=dict)
    broken: bool = False

    async def load(self) -> Mapping[str, Uploaded]:
        if self.broken:
            raise StoreError("The disk is full.")
        return dict(self.kept)

    async def save(self, network: str, uploaded: Uploaded) -> None:
        self.kept[network] = uploaded


async def at_once() -> None:
    """The homeserver is well already."""


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def homeserver() -> AsyncIterator[ScriptedHomeserver]:
    async with ScriptedHomeserver().running() as running:
        yield running


@pytest.fixture
async def bot(homeserver: ScriptedHomeserver) -> AsyncIterator[ActingClient]:
    async with acting_bot(config(homeserver.url)) as client:
        yield client


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avatars_module, "_FIRST_DELAY", 0.01)


def uploads(homeserver: ScriptedHomeserver) -> list[object]:
    return [asked.body for asked in homeserver.asked if str(asked) == UPLOAD]


async def provide(avatars: Avatars) -> None:
    async with asyncio.timeout(10):
        await avatars.run(at_once)


# --- uploading ----------------------------------------------------------------------------------


async def test_a_picture_is_uploaded_by_the_bot_as_what_it_is(
    homeserver: ScriptedHomeserver, bot: ActingClient
) -> None:
    uri = await bot.acting_as(BOB).upload(PNG.content, PNG.media_type)
    (asked,) = homeserver.asked
    assert uri == "mxc://hospital.test/1"
    assert str(asked) == UPLOAD
    assert asked.body == PNG.content
    assert asked.headers["Content-Type"] == "image/png"
    assert asked.headers["Authorization"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(413, "M_TOO_LARGE"), Denied),
        (Reply(413, "<html>"), Denied),
        (FORBIDDEN, Denied),
        (BUSY, Unreachable),
        (Reply(200, {}), Unreachable),
        (Reply(200, {"content_uri": "http://elsewhere/x"}), Unreachable),
        (Reply(200, {"content_uri": 7}), Unreachable),
    ],
)
async def test_an_answer_without_a_uri_is_an_error(
    homeserver: ScriptedHomeserver, bot: ActingClient, reply: Reply, error: type[Exception]
) -> None:
    homeserver.answer("POST", "/upload", reply)
    with pytest.raises(error):
        await bot.upload(PNG.content, PNG.media_type)


async def test_an_upload_does_not_last_for_ever(
    homeserver: ScriptedHomeserver, bot: ActingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.matrix.client.UPLOAD_SECONDS", 0.05)
    async with asyncio.timeout(10):
        silent = await asyncio.start_server(lambda *_: asyncio.sleep(5), "127.0.0.1", 0)
        async with silent:
            bot.connection.url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
            with pytest.raises(Unreachable, match="does not answer"):
                await bot.upload(PNG.content, PNG.media_type)


async def test_every_picture_is_uploaded_and_the_bot_puts_on_its_own(
    homeserver: ScriptedHomeserver, bot: ActingClient, memory: Memory
) -> None:
    avatars = Avatars(bot, {MATRIX: BADGE, "muc": PNG}, memory)
    await provide(avatars)
    assert homeserver.log == [
        UPLOAD,
        UPLOAD,
        f"GET profile/{BOT}/avatar_url",
        f"PUT profile/{BOT}/avatar_url",
    ]
    assert uploads(homeserver) == [BADGE.render().content, PNG.content]
    assert homeserver.asked[-1].body == {"avatar_url": "mxc://hospital.test/1"}
    assert avatars.uris == {MATRIX: "mxc://hospital.test/1", "muc": "mxc://hospital.test/2"}


async def test_a_restart_uploads_nothing_and_changes_nothing(
    homeserver: ScriptedHomeserver, bot: ActingClient, memory: Memory
) -> None:
    before = Avatars(bot, {MATRIX: BADGE, "muc": PNG}, memory)
    await provide(before)
    homeserver.asked.clear()
    homeserver.answer("GET", "/avatar_url", Reply(200, {"avatar_url": before.uris[MATRIX]}))

    after = Avatars(bot, {MATRIX: BADGE, "muc": PNG}, memory)
    await provide(after)

    assert homeserver.log == [f"GET profile/{BOT}/avatar_url"]
    assert after.uris == before.uris


async def test_a_changed_picture_is_uploaded_anew_and_no_other(
    homeserver: ScriptedHomeserver, bot: ActingClient, memory: Memory
) -> None:
    before = Avatars(bot, {"list": PNG, "muc": PNG}, memory)
    await provide(before)
    homeserver.asked.clear()

    after = Avatars(bot, {"list": PNG, "muc": OTHER}, memory)
    await provide(after)

    assert uploads(homeserver) == [OTHER.content]
    assert after.uris["list"] == before.uris["list"]
    assert memory.kept["muc"] == Uploaded(OTHER.fingerprint, after.uris["muc"])


async def test_a_bot_without_a_profile_is_dressed_too(
    homeserver: ScriptedHomeserver, bot: ActingClient, memory: Memory
) -> None:
    homeserver.answer("GET", "/avatar_url", refusal(404, "M_NOT_FOUND"))
    await provide(Avatars(bot, {MATRIX: BADGE}, memory))
    assert homeserver.log[-1] == f"PUT profile/{BOT}/avatar_url"


# --- when that fails ----------------------------------------------------------------------------


async def test_nothing_is_asked_before_the_homeserver_is_well(
    homeserver: ScriptedHomeserver, bot: ActingClient, memory: Memory
) -> None:
    well = asyncio.Event()
    avatars = Avatars(bot, {"muc": PNG}, memory)
    waiting = asyncio.create_task(avatars.run(well.wait))
    await provide(Avatars(bot, {}, memory))
    assert homeserver.log == []
    well.set()
    await waiting
    assert homeserver.log == [UPLOAD]


async def test_what_fails_for_now_is_told_and_tried_again(
    homeserver: ScriptedHomeserver, bot: ActingClient, memory: Memory
) -> None:
    homeserver.answer("POST", "/upload", BUSY, BUSY)
    homeserver.answer("GET", "/avatar_url", BUSY)
    avatars = Avatars(bot, {MATRIX: BADGE, "muc": PNG}, memory)
    with capture_logs() as logged:
        await provide(avatars)
    told = [(each["event"], each["reason"]) for each in logged if each["log_level"] == "warning"]
    fault = "The homeserver has a fault (status 502)."
    assert told == [
        ("avatar_not_uploaded_yet", fault),
        ("avatar_not_uploaded_yet", fault),
        ("bot_without_avatar_yet", fault),
    ]
    assert set(avatars.uris) == {MATRIX, "muc"}
    assert len(uploads(homeserver)) == 4
    assert homeserver.log[-1] == f"PUT profile/{BOT}/avatar_url"


async def test_what_is_refused_is_told_and_left_until_the_next_start(
    homeserver: ScriptedHomeserver, bot: ActingClient, memory: Memory
) -> None:
    homeserver.answer("POST", "/upload", refusal(413, "M_TOO_LARGE", "Too large"))
    homeserver.answer("PUT", "/avatar_url", FORBIDDEN)
    avatars = Avatars(bot, {"muc": PNG, MATRIX: BADGE}, memory)
    with capture_logs() as logged:
        await provide(avatars)
    told = {each["event"]: each["reason"] for each in logged if each["log_level"] == "warning"}
    assert told == {
        "avatar_refused": "The homeserver refused: Too large (M_TOO_LARGE).",
        "bot_without_avatar": "The homeserver refused: You may not (M_FORBIDDEN).",
    }
    assert set(avatars.uris) == {MATRIX}

    again = Avatars(bot, {"muc": PNG, MATRIX: BADGE}, memory)
    await provide(again)
    assert set(again.uris) == {MATRIX, "muc"}


async def test_a_store_that_fails_is_asked_again(
    homeserver: ScriptedHomeserver, bot: ActingClient, memory: Memory
) -> None:
    memory.broken = True
    avatars = Avatars(bot, {"muc": PNG}, memory)
    with capture_logs() as logged:
        running = asyncio.create_task(avatars.run(at_once))
        async with asyncio.timeout(10):
            while not logged:  # noqa: ASYNC110 - what is logged has no event
                await asyncio.sleep(0.005)
        memory.broken = False
        await running
    assert logged[0]["reason"] == "The disk is full."
    assert set(avatars.uris) == {"muc"}


# --- ghosts -------------------------------------------------------------------------------------


@pytest.fixture
def avatars(bot: ActingClient, memory: Memory) -> Avatars:
    return Avatars(bot, {"muc": PNG}, memory)


@pytest.fixture
def ghosts(homeserver: ScriptedHomeserver, bot: ActingClient, avatars: Avatars) -> Ghosts:
    ids = GhostIds(config(homeserver.url))
    return Ghosts(bot, ids, GhostsInMemory(), avatars.uris)


async def test_a_ghost_does_without_until_the_picture_is_there_and_takes_it_once(
    homeserver: ScriptedHomeserver, avatars: Avatars, ghosts: Ghosts
) -> None:
    homeserver.always("POST", "/upload", BUSY)
    running = asyncio.create_task(avatars.run(at_once))
    await ghosts.ensure(AUTHOR, ROOM)
    assert f"POST join/{ROOM} as {BOB}" in homeserver.log
    assert not any("avatar_url" in line for line in homeserver.log)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    avatars.uris["muc"] = "mxc://hospital.test/late"
    homeserver.asked.clear()
    for _ in range(2):
        await ghosts.ensure(AUTHOR, ROOM)
    (asked,) = homeserver.asked
    assert str(asked) == f"PUT profile/{BOB}/avatar_url as {BOB}"
    assert asked.body == {"avatar_url": "mxc://hospital.test/late"}


async def test_an_authors_own_avatar_goes_before_that_of_the_network(
    homeserver: ScriptedHomeserver, avatars: Avatars, ghosts: Ghosts
) -> None:
    await provide(avatars)
    own = "mxc://elsewhere.test/bob"
    await ghosts.ensure(Author("muc", "bob", "Bob", own), ROOM)
    worn = [asked.body for asked in homeserver.asked if "avatar_url" in asked.path]
    assert worn == [{"avatar_url": own}]
