"""Hears what happens on a forum: by asking, again and again, and by what the forum itself says.

`/posts.json` has the latest posts of all categories (lib/latest_posts_query.rb of
discourse/discourse): one question for a whole forum. Webhooks make it quick; asking makes it sure,
for a webhook that was not taken is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from adapters.discourse.api import Api
from adapters.discourse.catch_up import Gathered, latest_posts, posts_since
from adapters.discourse.errors import Declined
from adapters.discourse.hearing import Hearing, Linked
from adapters.discourse.likes import Likes
from adapters.discourse.post import Post, User
from adapters.discourse.site import Category, Site
from bridge.contract import CatchUp, Inlet, Missed
from bridge.model import Deleted, Event, Message, Place, Roster

log = structlog.get_logger(__name__)

_PAGES: Final = 10
_PAGE: Final = 50
"""Posts; a shorter page is the last one."""
_OVERLAP: Final = timedelta(minutes=2)
"""How much further back is looked than needed: clocks differ."""
_LOOKED_FOR: Final = 5
"""Posts in one round that are not where they were."""
_CATCH_UP_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Group:
    """A category that is to be heard."""

    place: Place
    catch_up: CatchUp
    opened: datetime
    chat: int | None = None


class Listening:
    """One run on one forum, as one user.

    Args:
        network: the forum's id.
        site: what the forum says of itself.
        inlet: where events go.
    """

    def __init__(self, network: str, site: Site, inlet: Inlet) -> None:
        self._network = network
        self.hearing = Hearing(network, site.username)
        self.site = site
        self._inlet = inlet
        self._likes = Likes(self.hearing)
        self._cursor: int | None = None
        self._asked = datetime.now(UTC)
        self._there: set[int] = set()

    # --- coming in

    async def begin(self, api: Api) -> None:
        """Note where the forum is now.

        Raises:
            Unreachable: not now.
            Declined: the bridge is not let in.
        """
        page = await _latest(api, None)
        self._cursor = max((post.id for post in page), default=0)
        self._asked = datetime.now(UTC)

    async def welcome(self, api: Api, group: Group) -> None:
        """Hand over what was missed in a category, and hear it from then on.

        Raises:
            Unreachable: not now.
            Declined: there is no such category, or it is heard already.
        """
        category = await self.site.category(api, group.place.id)
        other = self.hearing.linked.get(category.id)
        if other is not None and other.place != group.place:
            raise Declined(
                f"{group.place.id} is the category {other.place.id}, which is linked already.",
                "Unlink one of them.",
                status=409,
            )
        self.hearing.linked[category.id] = Linked(group.place, group.chat)
        try:
            events = await self._missed(api, category, group)
        except BaseException:
            self.hearing.forget_place(group.place)
            raise
        roster = Roster(group.place, (), datetime.now(UTC))
        await self._inlet.receive([*events, roster])

    async def _missed(self, api: Api, category: Category, group: Group) -> list[Event]:
        catch_up, floor, most = group.catch_up, group.opened, _CATCH_UP_MOST
        old: list[Message] = []
        if catch_up.since is None and catch_up.history:
            before = await latest_posts(api, category, catch_up.history)
            old = self.hearing.old(post for post in before if post.created_at < floor)
        elif catch_up.since is not None and catch_up.wanted:
            floor = max(catch_up.since - _OVERLAP, datetime.now(UTC) - catch_up.max_age)
            most = catch_up.max_messages
        gathered = await posts_since(api, category, floor, most)
        self._tell_gap(group.place, gathered, most)
        self.hearing.note(gathered.posts[:-most])
        events: list[Event] = [*old, *self.hearing.of(gathered.posts[-most:], since=floor)]
        # What was changed in older posts meanwhile, and what was said while that was asked
        newest = max((post.id for post in gathered.posts), default=0)
        page = [post for post in await _latest(api, None) if post.category_id == category.id]
        left_out = [post for post in page if post.created_at > floor and post.id < newest]
        self.hearing.note(left_out)
        return [*events, *self.hearing.of(page, since=floor)]

    def _tell_gap(self, place: Place, gathered: Gathered, most: int) -> None:
        if len(gathered.posts) > most or not gathered.whole:
            reason = "More was said than is wanted, or than can be fetched at once."
            self._inlet.missed(Missed(place.id, reason))

    # --- asking

    async def ask(self, api: Api) -> None:
        """Ask what is new, and hand it over.

        Raises:
            Unreachable: not now.
            Declined: the bridge is not let in any more.
        """
        began = datetime.now(UTC)
        cursor = self._cursor or 0
        posts, reached = await _since(api, cursor)
        if not reached:
            posts += await self._by_category(api)
        fresh = [post for post in posts if post.id > cursor or self.hearing.known(post.id)]
        self.hearing.note(
            post for post in posts if post.id <= cursor and not self.hearing.known(post.id)
        )
        events: list[Event] = [*self.hearing.of(fresh)]
        events += await self._vanished(api, posts)
        events += await self._likes.of(posts, api, self.site)
        if events:
            await self._inlet.receive(events)
        self._cursor = max((cursor, *(post.id for post in posts)))
        self._asked = began

    async def _by_category(self, api: Api) -> list[Post]:
        """A forum with very much going on is asked about what matters here alone."""
        found: list[Post] = []
        for number, linked in list(self.hearing.linked.items()):
            category = await self.site.category(api, linked.place.id)
            gathered = await posts_since(api, category, self._asked - _OVERLAP, _CATCH_UP_MOST)
            self._tell_gap(linked.place, gathered, _CATCH_UP_MOST)
            found += [post for post in gathered.posts if post.category_id == number]
        return found

    async def _vanished(self, api: Api, posts: Sequence[Post]) -> list[Event]:
        """Posts that were among the latest, and are not any more: most were deleted."""
        seen = {post.id for post in posts}
        lowest = min(seen) if len(seen) >= _PAGE else 0
        known = self.hearing.between(lowest, max((self._cursor or 0, *seen)))
        gone = [number for number in known if number not in seen and number not in self._there]
        self._there &= set(known)
        events: list[Event] = []
        for number in gone[:_LOOKED_FOR]:
            events += await self._look_for(api, number)
        return events

    async def _look_for(self, api: Api, number: int) -> list[Event]:
        known = self.hearing.known(number)
        if known is None:
            return []
        try:
            post = Post.read(await api.get(f"/posts/{number}.json"))
        except Declined as error:
            if error.status not in {403, 404}:
                raise
            post = None
        if post is not None and post.is_public and not post.is_gone:
            self._there.add(number)  # only unlisted, or by a moderator
            return []
        self.hearing.forget(number)
        by = None if post is None else post.deleted_by
        if by is not None and self.hearing.is_me(by.username):
            return []
        author = known.author if by is None else self.hearing.author(by)
        moderated = known.own or author.id != known.author.id
        ident = f"{number}.gone"
        now = datetime.now(UTC)
        return [Deleted(known.place, author, now, str(number), moderated=moderated, id=ident)]

    # --- being told

    async def told(self, event: str, payload: dict[str, Any]) -> None:
        """Hand over what a webhook says (config/initializers/012-web_hook_events.rb).

        Args:
            event: as `post_created`.
            payload: the JSON.
        """
        events = self._of_hook(event, payload)
        if events:
            await self._inlet.receive(events)

    def _of_hook(self, event: str, payload: dict[str, Any]) -> Sequence[Event]:
        if event == "post_liked":
            like = payload.get("like")
            like = like if isinstance(like, dict) else {}
            post, user = Post.read(like.get("post")), _user(like.get("user"))
            return [] if post is None or user is None else self._likes.liked(post, user)
        told = payload.get("post")
        if not event.startswith("post_") or not isinstance(told, dict):
            return []
        if event == "post_destroyed" and not told.get("deleted_at"):
            told = {**told, "deleted_at": datetime.now(UTC)}
        post = Post.read(told)
        if post is None:
            log.warning("post_not_understood", network=self._network, kind=event)
            return []
        return self.hearing.changed(post) if event == "post_edited" else self.hearing.of([post])


async def _since(api: Api, cursor: int) -> tuple[list[Post], bool]:
    """The latest posts down to one that was met already, and whether that was reached."""
    found: list[Post] = []
    before: int | None = None
    for _ in range(_PAGES):
        page = await _latest(api, before)
        found += page
        lowest = min((post.id for post in page), default=0)
        if lowest <= cursor:
            return found, True
        before = lowest
    return found, False


async def _latest(api: Api, before: int | None) -> list[Post]:
    told = await api.get("/posts.json", None if before is None else {"before": str(before)})
    listed = told.get("latest_posts")
    posts = listed if isinstance(listed, list) else []
    return [post for each in posts if (post := Post.read(each)) is not None]


def _user(told: Any) -> User | None:  # noqa: ANN401 - JSON
    if not isinstance(told, dict) or not isinstance(told.get("username"), str):
        return None
    name = told.get("name")
    return User(
        username=told["username"],
        name=name if isinstance(name, str) else None,
        avatar_template=str(told.get("avatar_template") or ""),
    )
