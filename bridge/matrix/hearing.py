"""Tells what is said to the bot from what is said to everyone.

Pure, and hardened as `convert` is: content may be JSON of any shape.
"""

from collections.abc import Callable
from typing import Final

from bridge.bot.parse import Grammar
from bridge.bot.ports import Told
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.model import Message

_QUOTATION: Final = "> "
_FALLBACK_LINES_MAX: Final = 200


class Hearing:
    """Listens to what people say in rooms.

    Args:
        grammar: tells what is a command.
        bot_id: the bot's user id.
        is_portal: whether a room is that of a portal.
    """

    def __init__(self, grammar: Grammar, bot_id: str, is_portal: Callable[[str], bool]) -> None:
        self._grammar = grammar
        self._bot_id = bot_id
        self._is_portal = is_portal

    def told(self, message: Message, content: JsonObject) -> Told | None:
        """What a message tells the bot; None if it is for everyone.

        In rooms that are no portals there is no one to carry it to: then it is for the bot, which
        sees for itself whether it is alone with its author.
        """
        if content.get("msgtype") != "m.text":
            return None
        text = text_at(content, "body")
        portal = self._is_portal(message.place.id)
        if portal and not (self._grammar.may_concern(text) or text.startswith(_QUOTATION)):
            return None
        reply_to, thread = _answered(object_at(content, "m.relates_to"))
        if reply_to is not None or thread is not None:
            text = _without_fallback(text)
        spoken = self._grammar.in_room(text, mentioned=self._mentioned(content))
        if spoken is None and portal:
            return None
        return Told(message.place.id, message.id, message.author.id, text, spoken, thread, reply_to)

    def was_told(self, message: Message, content: JsonObject) -> bool:
        """Whether an edit makes a message one for the bot: it is not run, nor carried."""
        edited = object_at(content, "m.new_content")
        return self.told(message, edited) is not None

    def _mentioned(self, content: JsonObject) -> bool:
        """https://spec.matrix.org/v1.19/client-server-api/#user-and-room-mentions."""
        users = object_at(content, "m.mentions").get("user_ids")
        if isinstance(users, list) and self._bot_id in users:
            return True
        # Older clients only put a link to the user into the HTML
        return f"https://matrix.to/#/{self._bot_id}" in text_at(content, "formatted_body")


def is_edit(content: JsonObject) -> bool:
    """https://spec.matrix.org/v1.19/client-server-api/#event-replacements."""
    return object_at(content, "m.relates_to").get("rel_type") == "m.replace"


def _answered(relation: JsonObject) -> tuple[str | None, str | None]:
    """What is replied to, and the root of the thread.

    In a thread, a reply may be there only for clients that know no threads:
    https://spec.matrix.org/v1.19/client-server-api/#fallback-for-unthreaded-clients
    """
    reply_to = text_at(object_at(relation, "m.in_reply_to"), "event_id") or None
    if relation.get("rel_type") != "m.thread":
        return reply_to, None
    thread = text_at(relation, "event_id") or None
    return (None if relation.get("is_falling_back") is True else reply_to), thread


def _without_fallback(text: str) -> str:
    """The text without the quotation that clients put before replies until v1.13.

    https://spec.matrix.org/v1.12/client-server-api/#fallbacks-for-rich-replies
    """
    if not text.startswith(_QUOTATION):
        return text
    lines = text.split("\n", _FALLBACK_LINES_MAX)
    start = next(
        (at for at, line in enumerate(lines) if not line.startswith(_QUOTATION)), len(lines)
    )
    return "\n".join(lines[start:]).strip("\n")
