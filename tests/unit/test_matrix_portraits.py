"""People's own pictures reach their ghosts, beside what they say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest
from matrix_fakes import (
    FORBIDDEN,
    ROOM,
    GhostsInMemory,
    Reply,
    ScriptedHomeserver,
    acting_bot,
    config,
)

from bridge.contract import Picture, Refused, Unreachable
from bridge.matrix import portraits as portraits_module
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ghosts import GhostRecord, Ghosts
from bridge.matrix.portraits import Portraits, mark_of
from bridge.model import Author

BOB = "@_consilium_muc_bob:hospital.test"
BADGE = "mxc://hospital.test/badge"
PLAIN = Author("muc", "bob", "Bob")
AUTHOR = replace(PLAIN, avatar="sha1:0815")
OTHER = replace(PLAIN, avatar="sha1:4711")
PNG = Picture("image/png", b"\x89PNG")


class Gallery:
    """Where pictures come from, by reference; an error is raised."""

    def __init__(self) -> None:
        self.pictures: dict[str, Picture | Exception | None] = {"sha1:0815": PNG, "sha1:4711": PNG}
        self.asked: list[str] = []
        self.pressed = asyncio.Event()

    async def of(self, author: Author) -> Picture | None:
        self.asked.append(author.avatar or "")
        if len(self.asked) == 3:
            self.pressed.set()
        found = self.pictures[author.avatar or ""]
        if isinstance(found, Exception):
            raise found
        return found


class Scene:
    def __init__(
        self, homeserver: ScriptedHomeserver, ghosts: Ghosts, portraits: Portraits
    ) -> None:
        self.homeserver = homeserver
        self.ghosts = ghosts
        self.portraits = portraits
        self.store = GhostsInMemory()
        self.gallery = Gallery()

    async def said(self, author: Author, *, anew: bool = False) -> None:
        await self.ghosts.ensure(author, ROOM, anew=anew)

    async def brought(self) -> None:
        """Let the portraits work until there is nothing to do."""
        done = asyncio.Event()

        async def wear(author: Author, uri: str | None) -> None:
            await self.ghosts.wear(author, uri)
            done.set()

        task = asyncio.create_task(self.portraits.run(wear))
        async with asyncio.timeout(5):
            await done.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    @property
    def worn(self) -> list[str]:
        return [
            asked.body["avatar_url"]
            for asked in self.homeserver.asked
            if asked.path.endswith("/avatar_url")
        ]


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(portraits_module, "_FIRST_DELAY", 0.01)
    async with ScriptedHomeserver().running() as homeserver:
        configured = config(homeserver.url)
        async with acting_bot(configured) as bot:
            gallery, store = Gallery(), GhostsInMemory()
            portraits = Portraits(bot, gallery.of)
            ghosts = Ghosts(bot, GhostIds(configured), store, {"muc": BADGE}, portraits)
            found = Scene(homeserver, ghosts, portraits)
            found.gallery, found.store = gallery, store
            yield found


async def test_a_picture_of_their_own_takes_the_place_of_the_networks(scene: Scene) -> None:
    await scene.said(AUTHOR)
    assert scene.worn == [BADGE]
    await scene.brought()
    assert scene.worn[1:] == [f"mxc://hospital.test/{len(scene.homeserver.asked) - 1}"]
    uri = scene.worn[1]
    assert scene.store.records[BOB] == GhostRecord(
        BOB, "muc", "bob", "Bob", uri, mark_of("sha1:0815")
    )


async def test_a_picture_is_brought_once(scene: Scene) -> None:
    for _ in range(3):
        await scene.said(AUTHOR)
    await scene.brought()
    scene.homeserver.asked.clear()
    for _ in range(3):
        await scene.said(AUTHOR)
    assert scene.gallery.asked == ["sha1:0815"]
    assert scene.homeserver.asked == []


async def test_after_a_restart_a_picture_is_not_brought_again(scene: Scene) -> None:
    scene.store.records[BOB] = GhostRecord(
        BOB, "muc", "bob", "Bob", "mxc://h.test/1", mark_of("sha1:0815")
    )
    scene.store.room_ids[BOB] = {ROOM}
    await scene.said(AUTHOR)
    assert scene.homeserver.asked == []


async def test_another_picture_is_followed(scene: Scene) -> None:
    for author in (AUTHOR, OTHER):
        await scene.said(author)
        await scene.brought()
    assert scene.gallery.asked == ["sha1:0815", "sha1:4711"]
    assert len(set(scene.worn)) == 3


async def test_a_word_that_tells_of_no_picture_changes_nothing(scene: Scene) -> None:
    await scene.said(AUTHOR)
    await scene.brought()
    scene.homeserver.asked.clear()
    await scene.said(PLAIN)
    assert scene.homeserver.asked == []


async def test_who_has_no_picture_any_more_gets_the_networks(scene: Scene) -> None:
    await scene.said(AUTHOR)
    await scene.brought()
    await scene.said(PLAIN, anew=True)
    assert scene.worn[-1] == BADGE
    assert scene.store.records[BOB].portrait is None


@pytest.mark.parametrize("found", [None, Refused("gone"), Picture("image/png", b"x" * 1_000_001)])
async def test_one_who_has_none_after_all_is_not_asked_for_again(
    scene: Scene, found: Picture | Exception | None
) -> None:
    scene.gallery.pictures["sha1:0815"] = found
    await scene.said(AUTHOR)
    await scene.brought()
    await scene.said(AUTHOR)
    assert scene.worn == [BADGE]
    assert scene.gallery.asked == ["sha1:0815"]


async def test_what_can_not_be_had_now_is_tried_again(scene: Scene) -> None:
    scene.gallery.pictures["sha1:0815"] = Unreachable("not now")
    await scene.said(AUTHOR)

    async def wear(_author: Author, _uri: str | None) -> None:
        raise AssertionError

    task = asyncio.create_task(scene.portraits.run(wear))
    async with asyncio.timeout(5):
        await scene.gallery.pressed.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_homeserver_that_takes_no_pictures_is_not_pressed(scene: Scene) -> None:
    scene.homeserver.always("POST", "/upload", FORBIDDEN)
    await scene.said(AUTHOR)
    await scene.brought()
    await scene.said(AUTHOR)
    assert scene.worn == [BADGE]


async def test_a_profile_that_may_not_be_changed_is_left(scene: Scene) -> None:
    await scene.said(AUTHOR)
    scene.homeserver.always("PUT", "/avatar_url", FORBIDDEN)
    await scene.brought()
    scene.homeserver.asked.clear()
    await scene.said(AUTHOR)
    assert scene.homeserver.asked == []


async def test_nobody_waits_for_a_picture(scene: Scene) -> None:
    scene.homeserver.always("POST", "/upload", Reply(502, ""))
    await scene.said(AUTHOR)
    assert scene.gallery.asked == []
    assert scene.store.room_ids[BOB] == {ROOM}
