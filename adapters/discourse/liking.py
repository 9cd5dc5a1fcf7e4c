"""Likes a post for the doctors, who are one user there: at most one reaction is to be seen."""

from adapters.discourse.api import Api
from adapters.discourse.emoji import is_like, named
from adapters.discourse.errors import Declined
from adapters.discourse.post import LIKE, Post
from adapters.discourse.site import Site
from bridge.contract import Refused
from bridge.model import Reacted


class Liking:
    """With the forum's own likes, or with those of its plugin discourse-reactions."""

    def __init__(self, api: Api, site: Site, name: str) -> None:
        self._api = api
        self._site = site
        self._name = name

    async def show(self, post: Post, event: Reacted, standing: tuple[str, ...]) -> None:
        """Show the latest of the reactions that now stand, as far as the forum has it.

        Args:
            post: of somebody else.
            event: what happened.
            standing: all that doctors now give to it.

        Raises:
            Unreachable: not now.
            Refused: the forum has no such reaction, or keeps what it has.
        """
        given = standing if event.gone or event.emoji in standing else (*standing, event.emoji)
        wanted = next(filter(None, map(self._name_of, reversed(given))), None)
        if not event.gone and self._name_of(event.emoji) is None:
            known = "likes" if not self._site.reactions else "a few reactions"
            raise Refused(f"{self._name} only knows {known}, and not {event.emoji}.")
        if self._site.reactions:
            await self._with_plugin(post.id, wanted)
        else:
            await self._like(post.id, wanted=wanted is not None)

    def _name_of(self, emoji: str) -> str | None:
        if not self._site.reactions:
            return "heart" if is_like(emoji) else None
        among = (self._site.like, *self._site.reactions)
        return named(emoji, among) or (self._site.like if is_like(emoji) else None)

    async def _like(self, number: int, *, wanted: bool) -> None:
        """app/controllers/post_actions_controller.rb of discourse/discourse."""
        told = await self._api.get(f"/posts/{number}.json")
        actions = told.get("actions_summary")
        listed = actions if isinstance(actions, list) else []
        liked = any(
            each.get("id") == LIKE and each.get("acted")
            for each in listed
            if isinstance(each, dict)
        )
        if liked is wanted:
            return
        if wanted:
            body = {"id": number, "post_action_type_id": LIKE}
            await self._api.change("POST", "/post_actions.json", body)
            return
        params = {"post_action_type_id": LIKE}
        try:
            await self._api.change("DELETE", f"/post_actions/{number}.json", params=params)
        except Declined as error:
            if error.status != 404:
                raise

    async def _with_plugin(self, number: int, wanted: str | None) -> None:
        """Giving a reaction takes the last one away; giving the same one again does, too."""
        told = await self._api.get(f"/posts/{number}.json")
        current = told.get("current_user_reaction")
        given = current.get("id") if isinstance(current, dict) else None
        if given == wanted:
            return
        path = f"/discourse-reactions/posts/{number}/custom-reactions/{wanted or given}/toggle.json"
        await self._api.change("PUT", path)
