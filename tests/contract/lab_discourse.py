"""The stand-in for a Discourse forum, and people who write in it."""

import itertools
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
from aiohttp import web
from discourse_lab import settings
from discourse_stand_in import SECRET, Forum, Written

from adapters.discourse.network import DiscourseNetwork, Timing
from bridge.contract import Inlet
from bridge.testing import NETWORK, Lab, Shown, Words
from sandbox.ports import LOOPBACK, free_port

_QUICK = Timing(ask=0.05, answer=3.0, first_delay=0.05)
_UNSEEN = re.compile(r"<!--.*?-->|<small>from the room .*?</small>", re.DOTALL)
_UPLOAD = re.compile(r"!?\[[^\]]*\]\(upload://([\w.]+)\)")


class DiscourseLab(Lab):
    """Categories of a forum that tells the bridge by webhooks, and is asked as well."""

    emoji = "❤️"

    def __init__(self, _directory: Path) -> None:
        self._forum = Forum()
        self._forum.people["cora"].name = self.colleague
        self._forum.people["consilium"].staff = True
        self._port, self._hook_port = free_port(), free_port()
        self._forum.url = f"http://{LOOPBACK}:{self._port}"
        self._forum.hook = f"http://{LOOPBACK}:{self._hook_port}/discourse"
        self._numbers = itertools.count(1_000)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        if self._runner is not None:
            return
        app = web.Application(client_max_size=50_000_000)
        app.router.add_route("*", "/{any:.*}", self._forum.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def network(self, inlet: Inlet) -> DiscourseNetwork:
        told = settings(self._forum, webhook_secret=SECRET, webhook_port=self._hook_port)
        return DiscourseNetwork(NETWORK, "The forum", told, inlet, _QUICK)

    async def new_group(self) -> str:
        number = next(self._numbers)
        self._forum.category(number, f"Category {number}", f"category-{number}")
        return str(number)

    def missing_group(self) -> str:
        return "999999"

    # --- what people do

    async def say(self, group: str, words: Words) -> str:
        raw = f"**{words.text}**" if words.bold else words.text
        raw += ", @ann" if words.mention else ""
        if words.file is not None:
            file = words.file
            name = f"{len(self._forum.uploads)}{file.name.replace('-', '')}"
            self._forum.uploads[name] = (file.name, file.mime, file.data)
            raw = f"![{file.name.partition('.')[0]}|1x1](upload://{name})"
        before = (
            self._post(words.reply_to or words.topic) if words.reply_to or words.topic else None
        )
        topic = before.topic if before else self._forum.topic(words.text, int(group))
        answers = before.number if before and words.reply_to else None
        post = await self._forum.write("cora", raw, topic, reply_to=answers, hooks=False)
        async with self._hooks():
            await self._forum.emit("post_created", "post", self._forum.hook_post(post))
        return str(post.id)

    async def edit(self, group: str, ident: str, text: str) -> None:
        async with self._hooks():
            await self._forum.edit(self._post(ident), text)

    async def delete(self, group: str, ident: str) -> None:
        async with self._hooks():
            await self._forum.delete(self._post(ident), "cora")

    async def moderate(self, group: str, ident: str) -> None:
        async with self._hooks():
            await self._forum.delete(self._post(ident), "system")

    async def react(self, group: str, ident: str, emoji: str, *, gone: bool = False) -> None:
        if gone:
            del self._post(ident).likes["ann"]
            return
        async with self._hooks():
            await self._forum.like(self._post(ident), "ann")

    async def set_avatar(self, group: str, picture: bytes) -> None:
        """Everybody has a picture in a forum, if only a letter."""

    @asynccontextmanager
    async def _hooks(self) -> AsyncIterator[None]:
        """Webhooks are posted; where nobody listens, the forum goes on all the same."""
        async with aiohttp.ClientSession() as session:
            self._forum._session = session
            before = len(self._forum.hooked)
            with suppress(aiohttp.ClientConnectionError):
                yield
        assert 500 not in [*self._forum.hooked][before:], "the bridge breaks over a webhook"

    def _post(self, ident: str) -> Written:
        return self._forum.posts[int(ident)]

    # --- what is to be seen

    async def shown(self, group: str) -> Sequence[Shown]:
        posts = [
            post for post in self._forum.posts.values()
            if post.topic.category == int(group) and post.deleted is None and not post.user_deleted
        ]  # fmt: skip
        return [self._as_seen(post) for post in sorted(posts, key=lambda post: post.id)]

    def _as_seen(self, post: Written) -> Shown:
        topic = [each for each in self._forum.posts.values() if each.topic is post.topic]
        by_number = {each.number: str(each.id) for each in topic}
        upload = _UPLOAD.search(post.raw)
        return Shown(
            str(post.id),
            post.author.name or post.author.username,
            _UNSEEN.sub("", post.raw).strip(),
            reply_to=by_number.get(post.reply_to or 0),
            topic=None if post.number == 1 else by_number[1],
            mentions=tuple(
                self._forum.people[name].name
                for name in re.findall(r"@(\w+)", post.raw)
                if name in self._forum.people
            ),
            reactions=(self.emoji,) if post.likes else (),
            file=None if upload is None else self._forum.uploads[upload[1]][2],
        )
