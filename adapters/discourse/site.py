"""What a forum says of itself: who the bridge is there, its categories, and its limits."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

from adapters.discourse.api import Api, Json
from adapters.discourse.errors import Declined
from bridge.contract import Capabilities, Dialect, Feature, Level

_MAX_TEXT: Final = 30_000
"""Bytes. A post has at most 32,000 characters, some of which the bridge adds."""
_STAFF_MAY_CREATE: Final = 1
_NUMBER: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Category:
    """A category. `path` is its slug, after those of the ones above it."""

    id: int
    path: str
    slug: str
    name: str
    can_create: bool


@dataclass(frozen=True, slots=True)
class Site:
    """What is known of it. Sizes in bytes, lengths in characters."""

    username: str
    staff: bool = False
    categories: tuple[Category, ...] = ()
    min_title: int = 15
    max_title: int = 255
    min_body: int = 20
    max_image: int | None = 4_096 * 1024
    max_file: int | None = 4_096 * 1024
    extensions: tuple[str, ...] = ()
    edit_within: timedelta | None = None
    reactions: tuple[str, ...] = ()
    """Names of the reactions that the plugin has; empty without the plugin."""
    like: str = "heart"
    found: dict[str, Category] = field(default_factory=dict, compare=False)

    @classmethod
    async def load(cls, api: Api) -> Self:
        """Ask the forum.

        Raises:
            Unreachable: not now.
            Declined: the bridge is not let in.
        """
        who = await api.get("/session/current.json")
        user = _dict(who, "current_user")
        settings = await api.get("/site/settings.json")
        site = await api.get("/site.json")
        staff = bool(user.get("admin") or user.get("moderator"))
        return cls(
            username=str(user.get("username", "")),
            staff=staff,
            categories=_categories(site.get("categories")),
            min_title=_number(settings, "min_topic_title_length", 15),
            max_title=_number(settings, "max_topic_title_length", 255),
            min_body=max(
                _number(settings, "min_post_length", 20),
                _number(settings, "min_first_post_length", 20),
            ),
            max_image=_number(settings, "max_image_size_kb", 4_096) * 1024,
            max_file=_number(settings, "max_attachment_size_kb", 4_096) * 1024,
            extensions=_listed(settings, "authorized_extensions"),
            edit_within=None if staff else _edit_within(settings, user),
            reactions=_reactions(settings),
            like=str(settings.get("discourse_reactions_reaction_for_like") or "heart"),
        )

    async def category(self, api: Api, group: str) -> Category:
        """The category that a group is.

        Raises:
            Unreachable: not now.
            Declined: there is none, or the bridge can't see it.
        """
        known = self.found.get(group)
        if known is not None:
            return known
        for each in self.categories:
            if group in {str(each.id), each.path}:
                return each
        if not _NUMBER.fullmatch(group):
            raise Declined(
                f"There is no category {group} that {self.username} can see.",
                "Check how it is written, and who may see it.",
                status=404,
            )
        # Forums with very many categories don't list them all
        told = await api.get(f"/c/{group}/show.json")
        category = _category(_dict(told, "category"), {})
        if category is None:
            raise Declined(f"There is no category {group}.", status=404)
        self.found[group] = category
        return category

    def capabilities(self) -> Capabilities:
        """What the forum can show, and the bridge hears of it."""
        level = Level.PARTLY
        return Capabilities(
            own_names=False,
            max_text=_MAX_TEXT,
            knows_own_copies=True,
            dialect=Dialect.MARKDOWN,
            shows={
                Feature.FORMATTING: Level.FULL,
                Feature.EDIT: Level.FULL,
                Feature.DELETE: Level.FULL,
                Feature.MODERATION: level if self.staff else Level.REFUSED,
                Feature.REACTION: level,
                Feature.REPLY: Level.FULL,
                Feature.TOPIC: Level.FULL,
                Feature.FILE: Level.FULL,
                Feature.MENTION: Level.FULL,
            },
            hears={
                Feature.FORMATTING: Level.FULL,
                Feature.EDIT: Level.FULL,
                Feature.DELETE: level,
                Feature.MODERATION: level,
                Feature.REACTION: level,
                Feature.REPLY: Level.FULL,
                Feature.TOPIC: Level.FULL,
                Feature.FILE: Level.FULL,
                Feature.MENTION: Level.FULL,
                Feature.NAME: Level.FULL,
                Feature.AVATAR: Level.FULL,
                Feature.HISTORY: Level.FULL,
            },
            notes={
                Feature.REACTION: "one like for all doctors; of other reactions, those of the "
                "forum's plugin",
                Feature.DELETE: "deletions by others are heard for the latest posts, or by webhook",
                Feature.TOPIC: "the first post of a topic with replies is emptied, not deleted",
            },
            captions=True,
            max_file=self.max_file,
            edit_within=self.edit_within,
        )


def _categories(told: Any) -> tuple[Category, ...]:  # noqa: ANN401 - JSON
    listed = [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    above = {each["id"]: each for each in listed if isinstance(each.get("id"), int)}
    found = (_category(each, above) for each in listed)
    return tuple(each for each in found if each is not None)


def _category(told: Json, above: dict[int, Json]) -> Category | None:
    ident = told.get("id")
    if not isinstance(ident, int):
        return None
    slug = str(told.get("slug") or f"{ident}-category").lower()
    slugs, parent = [slug], above.get(told.get("parent_category_id") or 0)
    while parent is not None and len(slugs) < 4:
        slugs.append(str(parent.get("slug", "")).lower())
        parent = above.get(parent.get("parent_category_id") or 0)
    path = "/".join(reversed(slugs))
    can_create = told.get("permission") == _STAFF_MAY_CREATE
    return Category(ident, path, slug, str(told.get("name", "")), can_create)


def _dict(told: Json, key: str) -> Json:
    found = told.get(key)
    return found if isinstance(found, dict) else {}


def _number(settings: Json, key: str, otherwise: int) -> int:
    found = settings.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else otherwise


def _listed(settings: Json, key: str) -> tuple[str, ...]:
    found = settings.get(key)
    return tuple(filter(None, found.lower().split("|"))) if isinstance(found, str) else ()


def _edit_within(settings: Json, user: Json) -> timedelta | None:
    """app/models/concerns/limited_edit.rb; not every version tells the limits."""
    key = "tl2_post_edit_time_limit" if user.get("trust_level", 0) >= 2 else "post_edit_time_limit"
    minutes = _number(settings, key, 0)
    return timedelta(minutes=minutes) if minutes > 0 else None


def _reactions(settings: Json) -> tuple[str, ...]:
    if not settings.get("discourse_reactions_enabled"):
        return ()
    return _listed(settings, "discourse_reactions_enabled_reactions") or ("heart",)
