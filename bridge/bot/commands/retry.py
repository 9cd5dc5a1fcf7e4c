"""!retry: what was set aside is tried again."""

from typing import ClassVar

from bridge.bot.answers import Answer
from bridge.bot.command import Manual, Request, Unfit
from bridge.bot.permissions import Rank
from bridge.bot.ports import Record, Retries, Rooms


class Retry:
    """Tries one message again, or everything of a room."""

    manual: ClassVar[Manual] = Manual(
        "retry",
        "try again what did not get through",
        details=(
            "Below a message, as a reply or in its thread: that one. For author and moderators.",
            "By itself: all that was not delivered in this room. For its moderators.",
            "What still waits is tried at once as well.",
        ),
    )

    def __init__(self, retries: Retries, rooms: Rooms, record: Record) -> None:
        self._retries = retries
        self._rooms = rooms
        self._record = record

    async def run(self, request: Request) -> Answer:
        """See `Command.run`."""
        if request.portal is None:
            raise Unfit(
                "No group is linked to this room.", "Write it in the room that it is about."
            )
        await self._record()
        if request.about is not None:
            return await self._message(request, request.about)
        if not request.rank.covers(Rank.MODERATOR):
            raise Unfit(
                "Only a moderator of this room can have everything tried again.",
                "Reply with it to a message of your own to have that one tried again.",
            )
        return _told(await self._retries.room(request.room_id))

    async def _message(self, request: Request, event_id: str) -> Answer:
        seen = await self._rooms.look(request.room_id, event_id)
        if seen is not None and seen.about is not None:
            event_id = seen.about
            seen = await self._rooms.look(request.room_id, event_id)
        if seen is None:
            raise Unfit("I can't find the message that you reply to.")
        if seen.sender != request.asker and not request.rank.covers(Rank.MODERATOR):
            raise Unfit(
                "Only its author or a moderator of this room can have a message tried again."
            )
        return _told(await self._retries.message(request.room_id, event_id))


def _told(count: int) -> Answer:
    if not count:
        return Answer.of("Nothing was set aside. What still waits, if anything, is tried now.")
    deliveries = "1 delivery" if count == 1 else f"{count:,} deliveries"
    return Answer.of(f"Trying again now: {deliveries}.")
