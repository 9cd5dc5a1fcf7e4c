"""The rooms that the bot is in, as commands need them: implements `bridge.bot.ports.Rooms`."""

import base64
import hashlib
from typing import Final

from bridge.bot.answers import Answer
from bridge.bot.ports import Seen, Told
from bridge.contract import Refused
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.matrix.rights import rights_in

_MODERATOR: Final = 50


class BotRooms:
    """Asks the homeserver, and speaks as the bot.

    Args:
        bot: the bot's client.
    """

    def __init__(self, bot: ActingClient) -> None:
        self._bot = bot

    async def people(self, room_id: str) -> int | None:
        """See `bridge.bot.ports.Rooms.people`."""
        try:
            answer = await self._bot.call("GET", path_of("rooms", room_id, "joined_members"))
        except Denied:
            return None
        return len(object_at(answer, "joined"))

    async def moderates(self, room_id: str, user_id: str) -> bool:
        """Whether a user has the power of a moderator: 50, or more where setting the state of the
        room takes more.
        """
        try:
            rights = await rights_in(room_id, self._bot)
        except Denied:
            return False
        return rights.of(user_id) >= max(_MODERATOR, rights.for_state(""))

    async def look(self, room_id: str, event_id: str) -> Seen | None:
        """See `bridge.bot.ports.Rooms.look`."""
        try:
            event = await self._bot.call("GET", path_of("rooms", room_id, "event", event_id))
        except Denied:
            return None
        sender = text_at(event, "sender")
        about = _subject(object_at(event, "content")) if sender == self._bot.user_id else None
        return Seen(sender, about)

    async def find(self, alias: str) -> str | None:
        """See `bridge.bot.ports.Rooms.find`."""
        try:
            answer = await self._bot.call("GET", path_of("directory", "room", alias))
        except Denied as error:
            if error.missing or error.errcode in {"M_INVALID_PARAM", "M_FORBIDDEN"}:
                return None
            raise
        return text_at(answer, "room_id") or None

    async def answer(self, told: Told, answer: Answer) -> None:
        """See `bridge.bot.ports.Rooms.answer`."""
        content: JsonObject = {
            "msgtype": "m.notice",
            "body": answer.text,
            "format": "org.matrix.custom.html",
            "formatted_body": answer.html,
            "m.mentions": {},
            "m.relates_to": _below(told),
        }
        try:
            await self._bot.send_event(told.room_id, "m.room.message", content, _key(told.event_id))
        except Denied as error:
            raise Refused(f"The bot can't answer in the room {told.room_id}: {error}") from error


def _subject(content: JsonObject) -> str | None:
    """What a notice of the bot is about: the root of its thread, or what it replies to."""
    relation = object_at(content, "m.relates_to")
    if relation.get("rel_type") == "m.thread":
        return text_at(relation, "event_id") or None
    return text_at(object_at(relation, "m.in_reply_to"), "event_id") or None


def _below(told: Told) -> JsonObject:
    """A reply, in the thread of what it replies to.

    https://spec.matrix.org/v1.19/client-server-api/#threading
    """
    reply: JsonObject = {"m.in_reply_to": {"event_id": told.event_id}}
    if told.thread is None:
        return reply
    thread = {"rel_type": "m.thread", "event_id": told.thread, "is_falling_back": False}
    return {**thread, **reply}


def _key(event_id: str) -> str:
    """The transaction id of the answer to an event: the same at every attempt."""
    digest = hashlib.blake2b(event_id.encode("utf-8", "replace"), digest_size=16).digest()
    return "answer-" + base64.b32encode(digest).decode("ascii").rstrip("=").lower()
