"""Who likes what. The forum says how often a post is liked; by whom has to be asked."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from adapters.discourse.api import Api
from adapters.discourse.emoji import shown
from adapters.discourse.errors import Declined
from adapters.discourse.hearing import Hearing, Known
from adapters.discourse.post import LIKE, Post, User
from adapters.discourse.site import Site
from bridge.model import Author, Reactions

_ASKED_AT_ONCE: Final = 5
"""Posts in one round; the others have their turn in the next."""
_MOST: Final = 200
_NOT_COUNTED: Final = (("", 0),)
"""What no forum says: so it is asked again, as a like may be taken back before the next round."""


class Likes:
    """Finds them out.

    Args:
        hearing: knows the posts.
    """

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._given: dict[int, dict[str, Author]] = {}

    async def of(self, posts: Iterable[Post], api: Api, site: Site) -> list[Reactions]:
        """What people now give to posts whose likes have changed since they were last met."""
        found: list[Reactions] = []
        asked = 0
        for post in posts:
            known = self._hearing.known(post.id)
            if known is None or known.liked == post.liked or asked >= _ASKED_AT_ONCE:
                continue
            asked += 1
            try:
                given = await _given(api, site, post.id)
            except Declined:
                given = {}
            known.liked = post.liked
            found += self._changes(post.id, known, given)
        for number in [number for number in self._given if self._hearing.known(number) is None]:
            del self._given[number]
        return found

    def _changes(
        self, number: int, known: Known, given: dict[str, tuple[User, tuple[str, ...]]]
    ) -> list[Reactions]:
        before = self._given.get(number, {})
        now = {
            name: self._hearing.author(user)
            for name, (user, _) in given.items()
            if not self._hearing.is_me(name)
        }
        self._given[number] = now
        when = datetime.now(UTC)
        return [
            Reactions(
                known.place, author, when, str(number), given[name][1] if name in given else ()
            )
            for name, author in {**before, **now}.items()
        ]

    def liked(self, post: Post, user: User) -> list[Reactions]:
        """Somebody likes a post, as a webhook says."""
        known = self._hearing.known(post.id)
        if known is None or self._hearing.is_me(user.username):
            return []
        author = self._hearing.author(user)
        self._given.setdefault(post.id, {})[user.username.lower()] = author
        known.liked = _NOT_COUNTED
        return [Reactions(known.place, author, datetime.now(UTC), str(post.id), (shown("heart"),))]


async def _given(api: Api, site: Site, number: int) -> dict[str, tuple[User, tuple[str, ...]]]:
    """Who gives what to a post, by names in small letters."""
    if site.reactions:
        told = await api.get(f"/discourse-reactions/posts/{number}/reactions-users.json")
        pairs = [
            (user, str(each.get("id", "")))
            for each in _listed(told.get("reaction_users"))
            for user in _listed(each.get("users"))
        ]
    else:
        params = {"id": number, "post_action_type_id": LIKE}
        told = await api.get("/post_action_users.json", params)
        pairs = [(user, site.like) for user in _listed(told.get("post_action_users"))]
    found: dict[str, tuple[User, tuple[str, ...]]] = {}
    for user, name in pairs[:_MOST]:
        if isinstance(user.get("username"), str):
            who = User(
                username=user["username"],
                name=user.get("name") if isinstance(user.get("name"), str) else None,
                avatar_template=str(user.get("avatar_template") or ""),
            )
            before = found.get(who.username.lower(), (who, ()))[1]
            found[who.username.lower()] = (who, (*before, shown(name)))
    return found


def _listed(told: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
