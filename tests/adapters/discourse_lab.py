"""The Discourse adapter at work on a stand-in forum, so quickly that nobody waits."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from discourse_stand_in import KEY, SECRET, Forum, Topic, Written, forum
from recording_inlet import RecordingInlet

from adapters.discourse.network import DiscourseNetwork, Timing
from adapters.discourse.settings import DiscourseSettings
from bridge.contract import NEVER_HEARD, CatchUp, Copy, Outgoing
from bridge.contract import Topic as Thread
from bridge.model import Author, Deliverable, Message, Place
from sandbox.ports import LOOPBACK, free_port

NOW = datetime.now(UTC)
DOCTOR = Author("matrix", "@ann:hospital.example", "Dr. Weber")
QUICK = Timing(ask=0.05, answer=3.0, first_delay=0.05)
NEVER_ASKS = Timing(ask=3_600.0, answer=3.0, first_delay=0.05)
"""Between webhooks."""
LONG = "A text that is long enough for a forum"

_keys = itertools.count(1)


def ago(**what: float) -> datetime:
    return NOW - timedelta(**what)


def key() -> str:
    digits = "".join("abcdefghij"[int(digit)] for digit in str(next(_keys)))
    return f"{digits:z>26}"


@pytest.fixture
async def site() -> AsyncIterator[Forum]:
    async with forum() as found:
        yield found


def settings(forum: Forum, **more: object) -> DiscourseSettings:
    return DiscourseSettings.model_validate(
        {"url": forum.url, "username": "consilium", "api_key": KEY, **more}
    )


@dataclass
class Bench:
    """The adapter, the forum, and what was heard."""

    network: DiscourseNetwork
    inlet: RecordingInlet
    forum: Forum

    async def open(self, group: str = "5", catch_up: CatchUp = NEVER_HEARD) -> None:
        after = len(self.inlet.healths)
        await self.network.open(group, (), catch_up)
        await self.inlet.up(group, after=after)

    def outgoing(
        self, make: Callable[[Place], Deliverable], group: str = "5", **more: Any
    ) -> Outgoing:
        return Outgoing(Place("forum", group), key(), make(Place("matrix", "!room:x")), **more)

    def saying(self, text: str = LONG, group: str = "5", **more: Any) -> Outgoing:
        return self.outgoing(
            lambda place: Message(place, "$event", DOCTOR, NOW, f"{DOCTOR.name}: {text}"),
            group,
            **more,
        )

    async def say(self, text: str = LONG, **more: Any) -> Written:
        sent = await self.network.send(self.saying(text, **more))
        assert sent.id is not None
        return self.forum.posts[int(sent.id)]

    async def asked_again(self) -> None:
        """Wait until the forum was asked once more, from begin to end."""
        for _ in range(2):
            await self.forum.asked.wait_for(
                lambda each: each.path == "/posts.json" and each.method == "GET",
                after=len(self.forum.asked),
            )


@asynccontextmanager
async def running(
    forum: Forum, *, hooks: bool = False, timing: Timing | None = None, **more: object
) -> AsyncIterator[Bench]:
    inlet = RecordingInlet()
    if hooks:
        more["webhook_secret"] = SECRET
        more["webhook_port"] = port = free_port()
        forum.hook = f"http://{LOOPBACK}:{port}/discourse"
    timing = timing or (NEVER_ASKS if hooks else QUICK)
    network = DiscourseNetwork("forum", "The forum", settings(forum, **more), inlet, timing)
    task = asyncio.create_task(network.run())
    try:
        await inlet.up(None)
        yield Bench(network, inlet, forum)
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


def copy_of(post: Written, *, own: bool = False) -> Copy:
    return Copy(str(post.id), DOCTOR, NOW, post.raw, key="z" * 26 if own else "")


def thread(topic: Topic) -> Thread:
    return Thread(f"t{topic.id}", None)
