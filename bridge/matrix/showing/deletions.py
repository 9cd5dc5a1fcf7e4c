"""Deletions, and reactions that are taken back: both are redactions.

https://spec.matrix.org/v1.19/client-server-api/#redactions
"""

import structlog

from bridge.contract import Copy, Outgoing, Refused, Sent
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.raw import text_at
from bridge.matrix.rights import WHERE_TO_CHANGE, bot_missing, rights_in, shown_level
from bridge.model import Author, Deleted

log = structlog.get_logger(__name__)


class Deletions:
    """Deletes events. Doing it twice is harmless.

    Args:
        bot: the bot's client.
        ghosts: who sent what is deleted.
    """

    def __init__(self, bot: ActingClient, ghosts: Ghosts) -> None:
        self._bot = bot
        self._ghosts = ghosts

    async def show(self, outgoing: Outgoing, deleted: Deleted, target: Copy) -> Sent:
        """Delete `target`: what a ghost sent by that ghost, what a doctor sent by the bot.

        Raises:
            Refused: the bot may not.
            Unreachable: not now.
            StoreError: the store failed.
        """
        if not target.own:
            return Sent(await self._by_bot(outgoing, deleted, target.id))
        reason = deleted.reason
        if (deleted.author.network, deleted.author.id) != (
            target.author.network, target.author.id,
        ):  # fmt: skip
            reason = _by(deleted)
        return Sent(
            await self.take_back(target.author, outgoing.place.id, target.id, outgoing.key, reason)
        )

    async def take_back(
        self, author: Author, room_id: str, event_id: str, key: str, reason: str = ""
    ) -> str | None:
        """Delete what an author's ghost has sent.

        Returns:
            The id of what deleted it; None if it was not there any more.

        Raises:
            Refused: the homeserver won't.
            Unreachable: not now.
            StoreError: the store failed.
        """
        ghost = await self._ghosts.inside(author, room_id)
        if ghost is not None:
            try:
                return await self._redact(
                    self._bot.acting_as(ghost), room_id, event_id, key, reason
                )
            except Denied as error:
                if error.missing:
                    log.info("deleted_before", room=room_id, event_id=event_id)
                    return None
                if not error.forbidden:
                    raise
        # A ghost that has left may delete nothing: then it is for the bot
        return await self._as_moderator(room_id, event_id, key, reason)

    async def _by_bot(self, outgoing: Outgoing, deleted: Deleted, event_id: str) -> str | None:
        return await self._as_moderator(outgoing.place.id, event_id, outgoing.key, _by(deleted))

    async def _as_moderator(self, room_id: str, event_id: str, key: str, reason: str) -> str | None:
        try:
            return await self._redact(self._bot, room_id, event_id, key, reason)
        except Denied as error:
            if error.missing:
                log.info("deleted_before", room=room_id, event_id=event_id)
                return None
            if not error.forbidden:
                raise
            raise await self._powerless(room_id, error) from error

    async def _powerless(self, room_id: str, error: Denied) -> Exception:
        bot = self._bot.user_id
        try:
            rights = await rights_in(room_id, self._bot)
        except Denied:
            return bot_missing(bot, room_id)
        has, needs = rights.of(bot), rights.for_deleting()
        if has >= needs:
            return error
        return Refused(
            f"{bot} may not remove messages of others in this room.",
            f"Give it a power level of at least {shown_level(needs)}, {WHERE_TO_CHANGE};"
            f" it has {shown_level(has)}.",
        )

    @staticmethod
    async def _redact(
        client: ActingClient, room_id: str, event_id: str, key: str, reason: str
    ) -> str | None:
        path = path_of("rooms", room_id, "redact", event_id, key)
        body = {"reason": reason} if reason else {}
        return text_at(await client.call("PUT", path, body), "event_id") or None


def _by(deleted: Deleted) -> str:
    """The reason, with the name of the moderator: nobody would know it otherwise."""
    name = f"by {deleted.author.name}"
    return f"{name}: {deleted.reason}" if deleted.reason else name
