"""A doctor's 🔁 at a message, or at the bot's notice about it, has it tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from bridge.bot.pace import Leave, Pace
from bridge.bot.permissions import Permissions, Rank
from bridge.errors import ConsiliumError
from bridge.matrix.client import ActingClient
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.matrix.rights import rights_in

log = structlog.get_logger(__name__)

_SIGNS: Final = frozenset({"🔁", "🔄"})
_VARIATION: Final = "\ufe0f"
_MODERATOR: Final = 50
_HELD: Final = 200


def asks_for_retry(sign: str) -> bool:
    """Whether a reaction with this sign is for the bridge."""
    return sign.replace(_VARIATION, "") in _SIGNS


class Retrying(Protocol):
    """What tries again; see `bridge.delivery.retry.Retries`."""

    async def message(self, room_id: str, event_id: str) -> int:
        """Try one message again; how many deliveries were put back."""
        ...


@dataclass(frozen=True, slots=True)
class _Wish:
    room_id: str
    event_id: str
    sender: str


AuthorOf = Callable[[str, str], Awaitable[str | None]]
"""The Matrix user who wrote a message, found by room and its event id, or a notice's about it."""


class RetryReactions:
    """Sees reactions go by, and acts on those that ask for a retry.

    Only the message's author and the room's moderators may ask, of those who may give commands.

    Args:
        bot: the bot's client.
        ids: tells who is a ghost or the bot.
        retries: tries again.
        author_of: tells whose message it is.
        is_portal: whether a room id is that of a portal.
        permissions: who may give commands: this is one.
        pace: how fast each user may ask.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each a part of its own
        self,
        bot: ActingClient,
        ids: GhostIds,
        retries: Retrying,
        author_of: AuthorOf,
        is_portal: Callable[[str], bool],
        permissions: Permissions,
        pace: Pace | None = None,
    ) -> None:
        self._permissions = permissions
        self._pace = pace or Pace()
        self._bot = bot
        self._ids = ids
        self._retries = retries
        self._author_of = author_of
        self._is_portal = is_portal
        self._wishes: asyncio.Queue[_Wish] = asyncio.Queue(_HELD)

    def observe(self, raw: JsonObject) -> None:
        """Look at a raw event, of any shape."""
        if raw.get("type") != "m.reaction":
            return
        relation = object_at(object_at(raw, "content"), "m.relates_to")
        if relation.get("rel_type") != "m.annotation":
            return
        if not asks_for_retry(text_at(relation, "key")):
            return
        wish = _Wish(text_at(raw, "room_id"), text_at(relation, "event_id"), text_at(raw, "sender"))
        if not (wish.event_id and wish.sender) or self._ids.owns(wish.sender):
            return
        if not self._is_portal(wish.room_id):
            return
        if self._pace.take(wish.sender) is not Leave.RUN:
            log.warning("retry_not_seen", room=wish.room_id, event_id=wish.event_id)
            return
        try:
            self._wishes.put_nowait(wish)
        except asyncio.QueueFull:
            log.warning("retry_not_seen", room=wish.room_id, event_id=wish.event_id)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            wish = await self._wishes.get()
            try:
                await self._fulfil(wish)
            except ConsiliumError as error:
                log.warning("not_tried_again", event_id=wish.event_id, reason=str(error))

    async def _fulfil(self, wish: _Wish) -> None:
        author = await self._author_of(wish.room_id, wish.event_id)
        if not await self._may(wish, author):
            log.info("retry_not_allowed", event_id=wish.event_id, sender=wish.sender)
            return
        count = await self._retries.message(wish.room_id, wish.event_id)
        log.info("retry_asked", event_id=wish.event_id, sender=wish.sender, deliveries=count)

    async def _may(self, wish: _Wish, author: str | None) -> bool:
        rank = self._permissions.rank(wish.sender)
        if rank.covers(Rank.MODERATOR) or (author == wish.sender and rank.covers(Rank.USER)):
            return True
        moderating = self._permissions.rank(wish.sender, moderates=True)
        return moderating.covers(Rank.MODERATOR) and await self._moderates(wish)

    async def _moderates(self, wish: _Wish) -> bool:
        rights = await rights_in(wish.room_id, self._bot)
        return rights.of(wish.sender) >= _MODERATOR
