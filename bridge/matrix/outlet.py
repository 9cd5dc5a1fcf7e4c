"""The Matrix side's outlet: shows in rooms what happened elsewhere, each author as a ghost."""

from datetime import datetime
from typing import Final

from bridge.contract import Capabilities, Feature, Level, Outgoing, Refused, Sent, Unreachable
from bridge.errors import StoreError
from bridge.matrix.client import ActingClient
from bridge.matrix.copies import KEY, Copies, Recorded
from bridge.matrix.faults import Denied
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.raw import JsonObject, text_at
from bridge.matrix.rights import WHERE_TO_CHANGE, Rights, bot_missing, rights_in, shown_level
from bridge.model import Joined, Left, Message, Renamed, SubjectChanged

_MAX_TEXT: Final = 30_000
"""An event may have 65,536 bytes (https://spec.matrix.org/v1.19/client-server-api/#size-limits),
and JSON can double a text of quotes and newlines.
"""

_CAPABILITIES: Final = Capabilities(
    own_names=True,
    max_text=_MAX_TEXT,
    shows={
        Feature.EMOTE: Level.FULL,
        Feature.MEMBERSHIP: Level.FULL,
        Feature.SUBJECT: Level.FULL,
    },
)


class MatrixOutlet:
    """Implements `bridge.contract.Outlet` for all rooms. A place's id is a room id.

    Args:
        bot: the bot's client.
        ghosts: who speaks.
        recorded: tells which copies need not be looked for; see `bridge.matrix.copies`.
    """

    def __init__(self, bot: ActingClient, ghosts: Ghosts, recorded: Recorded | None = None) -> None:
        self._bot = bot
        self._ghosts = ghosts
        self._copies = Copies(bot) if recorded is None else Copies(bot, recorded)

    def capabilities(self, place_id: str) -> Capabilities:  # noqa: ARG002 - all rooms are alike
        """What every room can show."""
        return _CAPABILITIES

    async def send(self, outgoing: Outgoing) -> Sent:
        """Show it there; see `bridge.contract.Outlet.send`."""
        room_id, event = outgoing.place.id, outgoing.event
        try:
            match event:
                case Message():
                    return Sent(await self._say(room_id, outgoing.key, event))
                case Joined() | Renamed():
                    await self._ghosts.ensure(event.author, room_id)
                case Left():
                    await self._ghosts.leave(event.author, room_id, event.reason)
                case SubjectChanged():
                    return Sent(await self._set_topic(room_id, event))
        except StoreError as error:
            raise Unreachable("The bridge's own database has a fault.") from error
        return Sent()

    async def find(self, outgoing: Outgoing) -> Sent | None:
        """Look the copy up; see `bridge.contract.Outlet.find`. All but messages may be repeated."""
        event = outgoing.event
        if not isinstance(event, Message):
            return None
        ghost, said_at = self._ghosts.id_of(event.author), _milliseconds(event.time)
        event_id = await self._copies.find(outgoing.place.id, ghost, outgoing.key, said_at)
        return None if event_id is None else Sent(event_id)

    # --- messages -------------------------------------------------------------------------------

    async def _say(self, room_id: str, key: str, message: Message) -> str:
        """Send a message by its author's ghost: one request, when the ghost is there already."""
        content: JsonObject = {
            "msgtype": "m.emote" if message.emote else "m.text",
            "body": message.text,
            "m.mentions": {},  # without it, "@room" in the text would ring for everyone
            KEY: key,
        }
        ts = _milliseconds(message.time)
        try:
            ghost = await self._ghosts.ensure(message.author, room_id)
            try:
                return await self._post(ghost, room_id, content, key, ts)
            except Denied as error:
                if not error.forbidden:
                    raise
            await self._ghosts.expelled(ghost, room_id)
            await self._ghosts.ensure(message.author, room_id)
            return await self._post(ghost, room_id, content, key, ts)
        except Denied as error:
            if error.forbidden:
                raise await self._silenced(room_id, message, error) from error
            raise
        except BaseException:
            # Whatever the reason, a cancellation included: it may have come through
            self._copies.outdated(room_id)
            raise

    async def _post(self, ghost: str, room_id: str, content: JsonObject, key: str, ts: int) -> str:
        client = self._bot.acting_as(ghost)
        return await client.send_event(room_id, "m.room.message", content, key, ts=ts)

    async def _silenced(
        self, room_id: str, message: Message, error: Denied
    ) -> Refused | Unreachable:
        """What to tell about a ghost that is in the room and may not write there."""
        try:
            rights = await rights_in(room_id, self._bot)
        except Denied:
            return bot_missing(self._bot.user_id, room_id)
        has, needs = rights.of(self._ghosts.id_of(message.author)), rights.for_message()
        if has < needs:
            return Refused(
                "People of other networks may not write in this room.",
                f"Let a power level of {shown_level(has)} send messages, {WHERE_TO_CHANGE};"
                f" it takes {shown_level(needs)} now.",
            )
        return error

    # --- topic ----------------------------------------------------------------------------------

    async def _set_topic(self, room_id: str, event: SubjectChanged) -> str | None:
        """Set the topic, by the author's ghost if it has the power, or else by the bot."""
        try:
            present = await self._bot.state(room_id, "m.room.topic")
            rights = await rights_in(room_id, self._bot)
        except Denied as error:
            if not error.forbidden:
                raise
            raise bot_missing(self._bot.user_id, room_id) from error
        if text_at(present or {}, "topic") == event.subject:
            return None
        client = self._bot.acting_as(await self._who_may(rights, room_id, event))
        content = {"topic": event.subject}
        return await client.put_state(
            room_id, "m.room.topic", content, ts=_milliseconds(event.time)
        )

    async def _who_may(self, rights: Rights, room_id: str, event: SubjectChanged) -> str:
        bot, needs = self._bot.user_id, rights.for_state("m.room.topic")
        ghost = self._ghosts.id_of(event.author)
        if rights.of(ghost) >= needs:
            return await self._ghosts.ensure(event.author, room_id)
        if rights.of(bot) >= needs:
            return bot
        raise Refused(
            f"{bot} may not change the topic of this room.",
            f"Give it a power level of at least {shown_level(needs)}, {WHERE_TO_CHANGE};"
            f" it has {shown_level(rights.of(bot))}.",
        )


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
