"""Speaks in rooms as the ghosts of those who spoke elsewhere."""

from datetime import datetime

from bridge.contract import Refused, Unreachable
from bridge.matrix.client import ActingClient
from bridge.matrix.copies import KEY, Copies
from bridge.matrix.faults import Denied
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.raw import JsonObject
from bridge.matrix.rights import WHERE_TO_CHANGE, bot_missing, rights_in, shown_level
from bridge.model import Author


class Speaker:
    """Sends events by ghosts, and sees to it that they can.

    Args:
        bot: the bot's client.
        ghosts: who speaks.
        copies: told where an attempt had no clear end.
    """

    def __init__(self, bot: ActingClient, ghosts: Ghosts, copies: Copies) -> None:
        self._bot = bot
        self._ghosts = ghosts
        self._copies = copies

    async def say(  # noqa: PLR0913, PLR0917 - who says what, where and when
        self,
        author: Author,
        room_id: str,
        event_type: str,
        content: JsonObject,
        key: str,
        time: datetime | None,
    ) -> str:
        """Send an event by its author's ghost: one request, when the ghost is there already.

        Args:
            author: who says it.
            room_id: where.
            event_type: the event's type.
            content: the event's content, into which the key is written.
            key: that of the delivery.
            time: when it was said; None for now.

        Returns:
            The event's id.

        Raises:
            Refused: never.
            Unreachable: not now.
            StoreError: the store failed.
        """
        content[KEY] = key
        ts = None if time is None else milliseconds(time)
        try:
            ghost = await self._ghosts.ensure(author, room_id)
            try:
                return await self._send(ghost, room_id, event_type, content, key, ts)
            except Denied as error:
                if not error.forbidden:
                    raise
            await self._ghosts.expelled(ghost, room_id)
            await self._ghosts.ensure(author, room_id)
            return await self._send(ghost, room_id, event_type, content, key, ts)
        except Denied as error:
            if error.forbidden:
                raise await self._silenced(room_id, author, event_type, error) from error
            raise
        except BaseException:
            # Whatever the reason, a cancellation included: it may have come through
            self._copies.outdated(room_id)
            raise

    async def _send(  # noqa: PLR0913, PLR0917
        self,
        ghost: str,
        room_id: str,
        event_type: str,
        content: JsonObject,
        key: str,
        ts: int | None,
    ) -> str:
        client = self._bot.acting_as(ghost)
        return await client.send_event(room_id, event_type, content, key, ts=ts)

    async def _silenced(
        self, room_id: str, author: Author, event_type: str, error: Denied
    ) -> Refused | Unreachable:
        """What to tell about a ghost that is in the room and may not write there."""
        try:
            rights = await rights_in(room_id, self._bot)
        except Denied:
            return bot_missing(self._bot.user_id, room_id)
        has, needs = rights.of(self._ghosts.id_of(author)), rights.for_event(event_type)
        if has < needs:
            what = "react" if event_type == "m.reaction" else "write"
            act = "send reactions" if event_type == "m.reaction" else "send messages"
            return Refused(
                f"People of other networks may not {what} in this room.",
                f"Let a power level of {shown_level(has)} {act}, {WHERE_TO_CHANGE};"
                f" it takes {shown_level(needs)} now.",
            )
        return error


def milliseconds(time: datetime) -> int:
    """Since the epoch, as homeservers count."""
    return int(time.timestamp() * 1000)
