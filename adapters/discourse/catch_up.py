"""What was said in one category while nobody listened, topic by topic."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from adapters.discourse.api import Api, Json
from adapters.discourse.errors import Declined
from adapters.discourse.post import Post
from adapters.discourse.site import Category

_PAGES: Final = 5
"""Of topics, with 30 on each."""
_CHUNK: Final = 20
"""Posts that the forum gives at a time."""
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Posts, in the order of their numbers. `whole`: none is missing that is wanted."""

    posts: tuple[Post, ...]
    whole: bool


async def posts_since(api: Api, category: Category, floor: datetime, most: int) -> Gathered:
    """The posts of a category that were made after a time, no more than about so many.

    Raises:
        Unreachable: not now.
        Declined: the bridge can't see the category.
    """
    found: dict[int, Post] = {}
    whole = False
    for page in range(_PAGES):
        topics = await _topics(api, category, page)
        recent = [topic for topic in topics if _bumped(topic) >= floor]
        for topic in recent:
            found |= {post.id: post for post in await _of_topic(api, category, topic, floor, most)}
        passed = [topic for topic in topics if not topic.get("pinned") and _bumped(topic) < floor]
        if passed or not topics:
            whole = True
            break
        if len(found) >= most:
            break
    return Gathered(tuple(found[number] for number in sorted(found)), whole)


async def latest_posts(api: Api, category: Category, most: int) -> tuple[Post, ...]:
    """About as many of the newest posts of a category.

    Raises:
        Unreachable: not now.
        Declined: the bridge can't see the category.
    """
    found: dict[int, Post] = {}
    for topic in await _topics(api, category, 0):
        newer = sum(1 for post in found.values() if post.created_at > _bumped(topic))
        if newer >= most and not topic.get("pinned"):
            break
        found |= {post.id: post for post in await _of_topic(api, category, topic, _OLDEST, most)}
    return tuple(found[number] for number in sorted(found))[-most:]


async def _topics(api: Api, category: Category, page: int) -> list[Json]:
    """Those of a category itself, not of the ones below it; what was last said in comes first."""
    told = await api.get_patiently(
        f"/c/{category.path}/{category.id}/l/latest.json",
        {"page": page, "no_subcategories": "true"},
    )
    listed = told.get("topic_list")
    topics = listed.get("topics") if isinstance(listed, dict) else None
    if not isinstance(topics, list):
        return []
    return [
        topic
        for topic in topics
        if isinstance(topic, dict)
        and isinstance(topic.get("id"), int)
        and topic.get("category_id", category.id) == category.id
    ]


def _bumped(topic: Json) -> datetime:
    times = [_time(topic.get(key)) for key in ("last_posted_at", "bumped_at", "created_at")]
    return max(times)


def _time(told: Any) -> datetime:  # noqa: ANN401 - JSON
    try:
        found = datetime.fromisoformat(str(told))
    except ValueError:
        return _OLDEST
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def _of_topic(
    api: Api, category: Category, topic: Json, floor: datetime, most: int
) -> list[Post]:
    """The newest posts of a topic: it is read from its end."""
    ident = topic["id"]
    try:
        told = await api.get_patiently(f"/t/{ident}.json", {"include_raw": "true"})
    except Declined:
        return []  # it was deleted, or moved out of sight, just now
    known = {
        "category_id": category.id,
        "topic_title": str(told.get("title") or topic.get("title") or ""),
        "topic_archetype": str(told.get("archetype") or "regular"),
    }
    stream = told.get("post_stream")
    stream = stream if isinstance(stream, dict) else {}
    first = _read(stream.get("posts"), known)
    ids = [number for number in stream.get("stream") or () if isinstance(number, int)]
    found = {post.id: post for post in first if post.created_at >= floor}
    have = {post.id for post in first}
    left = [number for number in ids if number not in have][-most:]
    while left:
        chunk, left = left[-_CHUNK:], left[:-_CHUNK]
        params = [("post_ids[]", str(number)) for number in chunk]
        more = await api.get_patiently(f"/t/{ident}/posts.json", [*params, ("include_raw", "true")])
        inner = more.get("post_stream")
        posts = _read(inner.get("posts") if isinstance(inner, dict) else None, known)
        found |= {post.id: post for post in posts if post.created_at >= floor}
        if not posts or min(post.created_at for post in posts) < floor:
            break
    return list(found.values())


def _read(told: Any, known: Json) -> list[Post]:  # noqa: ANN401 - JSON
    listed = told if isinstance(told, list) else []
    return [post for each in listed if (post := Post.read(each, **known)) is not None]
