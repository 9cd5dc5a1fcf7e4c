"""Finds posts on the forum: where one is, and whether an earlier attempt made one."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeVar

from adapters.discourse.api import Api
from adapters.discourse.errors import Declined
from adapters.discourse.post import Post
from adapters.discourse.writing import key_in

_REMEMBERED: Final = 2_000
_LOOKED_THROUGH: Final = 60
_CHUNK: Final = 20
_TOPIC: Final = re.compile(r"/t/(?:[^/?#]+/)?([0-9]+)(?:/[0-9]+)?(?:\.json)?(?:[?#]|$)")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a post is: the number of its topic, and its own in there."""

    topic: int
    number: int


class Finder:
    """Looks things up, and remembers where posts are."""

    def __init__(self) -> None:
        self._spots: OrderedDict[int, Spot] = OrderedDict()
        self._topics: OrderedDict[str, int] = OrderedDict()

    def note(self, post: Post, key: str) -> None:
        """Remember where a post of the bridge is."""
        _keep(self._spots, post.id, Spot(post.topic_id, post.post_number))
        _keep(self._topics, key, post.topic_id)

    async def spot(self, api: Api, number: int) -> Spot | None:
        """Where a post is; None when it is not there any more.

        Raises:
            Unreachable: it can't be told now.
        """
        if number not in self._spots:
            post = await self.post(api, number)
            if post is None:
                return None
            _keep(self._spots, number, Spot(post.topic_id, post.post_number))
        return self._spots[number]

    async def post(self, api: Api, number: int) -> Post | None:
        """A post with its text; None when it is not there any more.

        Raises:
            Unreachable: it can't be told now.
        """
        try:
            post = Post.read(await api.get(f"/posts/{number}.json"))
        except Declined as error:
            if error.status in {403, 404}:
                return None
            raise
        return None if post is None or post.is_gone else post

    async def topic_of(self, api: Api, key: str) -> int | None:
        """The topic that the bridge began under a key, if it did.

        Raises:
            Unreachable: it can't be told now.
        """
        if key not in self._topics:
            where = await api.redirect(f"/t/external_id/{external_id(key)}.json")
            found = _TOPIC.search(where or "")
            if found is None:
                return None
            _keep(self._topics, key, int(found[1]))
        return self._topics[key]

    async def own(self, api: Api, topic: int, key: str, username: str) -> Post | None:
        """The post that the bridge made under a key, among the first and the latest of a topic.

        Raises:
            Unreachable: it can't be told now.
        """
        try:
            told = await api.get(f"/t/{topic}.json", {"include_raw": "true"})
        except Declined as error:
            if error.status in {403, 404}:
                return None
            raise
        stream = told.get("post_stream")
        stream = stream if isinstance(stream, dict) else {}
        posts = _read(stream.get("posts"))
        have = {post.id for post in posts}
        ids = [number for number in stream.get("stream") or () if isinstance(number, int)]
        left = [number for number in ids if number not in have][-_LOOKED_THROUGH:]
        while True:
            for post in posts:
                if key_in(post.raw or "") == key and post.username.lower() == username.lower():
                    return post
            if not left:
                return None
            chunk, left = left[-_CHUNK:], left[:-_CHUNK]
            params = [("post_ids[]", str(number)) for number in chunk]
            more = await api.get(f"/t/{topic}/posts.json", [*params, ("include_raw", "true")])
            inner = more.get("post_stream")
            posts = _read(inner.get("posts") if isinstance(inner, dict) else None)


def external_id(key: str) -> str:
    """What a topic of the bridge is called for others (`external_id` in docs.discourse.org)."""
    return f"consilium-{key.replace('.', '-')}"


def _read(told: object) -> list[Post]:
    listed = told if isinstance(told, list) else []
    return [post for each in listed if (post := Post.read(each)) is not None]


K = TypeVar("K")
V = TypeVar("V")


def _keep(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)
