"""From raw Matrix events to what the bridge can speak of.

Hardened: a raw event may be JSON of any shape, and none makes this raise. Formats are those of
https://spec.matrix.org/v1.19/client-server-api/#room-event-format.
"""

from collections.abc import Callable, Iterator
from typing import Final

from bridge.matrix.encryption.trust import NOT_READ
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.hearing import Hearing
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.matrix.reading import acts, changes, polls, state
from bridge.matrix.reading.findings import (
    Conversion,
    Head,
    Ignored,
    Unreadable,
    Why,
    is_redacted,
    time_of,
)
from bridge.matrix.reading.mentions import People
from bridge.matrix.reading.messages import message
from bridge.matrix.reading.relations import relation_of
from bridge.matrix.reading.signals import Signals
from bridge.model import MATRIX, Author, Edited, Message, Place, Signal

__all__ = ["Conversion", "Converter", "Ignored", "Unreadable", "Why"]

_Read = Callable[[Head, JsonObject, JsonObject], Conversion]

_OF_THE_ROOM: Final[dict[str, _Read]] = {
    "m.room.topic": state.topic,
    "m.room.name": state.title,
    "m.room.avatar": state.avatar,
}
"""State of which a room has one each."""


class Converter:
    """Converts events of rooms, leaving out what the bridge did itself.

    Args:
        ids: tells who is a ghost.
        hearing: tells what is said to the bot; without it, everything is for everyone.
        known: finds the author behind a ghost whose id does not tell it.
    """

    def __init__(
        self,
        ids: GhostIds,
        hearing: Hearing | None = None,
        known: Callable[[str], Author | None] | None = None,
    ) -> None:
        self._ids = ids
        self._hearing = hearing
        self._people = People(ids, known)
        self._polls = polls.Polls()
        self._signals = Signals(ids)
        self._readers: dict[str, _Read] = {
            "m.room.message": self._said,
            "m.sticker": self._said,
            "m.room.member": self._membership,
            "m.reaction": changes.reaction,
            "m.room.redaction": changes.redaction,
            "m.room.encrypted": _encrypted,
            **dict.fromkeys(polls.STARTS, self._poll_started),
            **dict.fromkeys(polls.RESPONSES, self._poll_voted),
            **dict.fromkeys(polls.ENDS, _poll_ended),
        }

    @property
    def people(self) -> People:
        """Tells who the users are that messages name."""
        return self._people

    def convert(self, raw: JsonObject) -> Conversion:
        """What a raw event says."""
        sender = raw.get("sender")
        if isinstance(sender, str) and self._ids.owns(sender) and not _puts_out_another(raw):
            return Ignored(Why.OWN)
        room_id, event_id = text_at(raw, "room_id"), text_at(raw, "event_id")
        time = time_of(raw.get("origin_server_ts"))
        if not (room_id and event_id and isinstance(sender, str) and sender and time):
            return Unreadable(room_id, event_id, "its room, id, sender or time is missing")
        head = Head(Place(MATRIX, room_id), event_id, sender, time)
        kind = text_at(raw, "type")
        read = self._readers.get(kind)
        if read is None and raw.get("state_key") == "":
            read = _OF_THE_ROOM.get(kind)
        if read is not None:
            return read(head, raw, object_at(raw, "content"))
        return _other(head, kind, raw)

    def passing(self, raw: JsonObject) -> Iterator[Signal]:
        """What a raw ephemeral event tells."""
        return self._signals.read(raw)

    def _said(self, head: Head, raw: JsonObject, content: JsonObject) -> Conversion:
        """What was said, to everyone or to the bot."""
        found = message(head, raw, content, self._people)
        if self._hearing is None:
            return found
        match found:
            case Message():
                return self._hearing.told(found, content) or found
            case Edited():
                said = Message(head.place, head.id, head.author, head.time, found.text)
                told = self._hearing.was_told(said, content)
                return Ignored(Why.COMMAND_EDITED) if told else found
        return found

    def _membership(self, head: Head, raw: JsonObject, content: JsonObject) -> Conversion:
        user_id = raw.get("state_key")
        if not isinstance(user_id, str) or not user_id:
            return head.unreadable("it does not say whose membership it is")
        if self._ids.owns(user_id):
            return Ignored(Why.OWN)
        return state.membership(head, user_id, raw, content)

    def _poll_started(self, head: Head, raw: JsonObject, content: JsonObject) -> Conversion:
        if is_redacted(raw):
            return Ignored(Why.REDACTED)
        relation = relation_of(content)
        if relation.edits is not None:
            fresh = object_at(content, "m.new_content")
            text = self._polls.started(relation.edits, fresh)
        else:
            text = self._polls.started(head.id, content)
        if not text:
            return head.unreadable("it has no question")
        if relation.edits is not None:
            return Edited(head.place, head.author, head.time, relation.edits, text, id=head.id)
        return Message(
            head.place, head.id, head.author, head.time, text,
            reply_to=relation.reply_to, topic=relation.topic,
        )  # fmt: skip

    def _poll_voted(self, head: Head, raw: JsonObject, content: JsonObject) -> Conversion:
        poll_id = polls.poll_of(content)
        if is_redacted(raw):
            return Ignored(Why.REDACTED)
        if poll_id is None:
            return head.unreadable("it does not say which poll it is about")
        return head.act(self._polls.voted(poll_id, content), poll_id)


def _encrypted(head: Head, raw: JsonObject, _content: JsonObject) -> Conversion:
    if is_redacted(raw):
        return Ignored(Why.REDACTED)
    reason = text_at(raw, NOT_READ)
    return head.unreadable(reason or "it is encrypted, and the bridge can't read encrypted rooms")


def _poll_ended(head: Head, raw: JsonObject, content: JsonObject) -> Conversion:
    if is_redacted(raw):
        return Ignored(Why.REDACTED)
    text = polls.ended(content)
    poll_id = polls.poll_of(content)
    return Message(head.place, head.id, head.author, head.time, text, reply_to=poll_id)


def _other(head: Head, kind: str, raw: JsonObject) -> Conversion:
    if kind in acts.BETWEEN_CLIENTS:
        return Ignored(Why.BETWEEN_CLIENTS)
    tell = acts.TOLD.get(kind)
    if tell is None:
        return Ignored(Why.OTHER_TYPE)
    if is_redacted(raw):
        return Ignored(Why.REDACTED)
    line = tell(object_at(raw, "content"))
    return Ignored(Why.OTHER_TYPE) if line is None else head.act(line)


def _puts_out_another(raw: JsonObject) -> bool:
    """Whether someone else's membership is changed: if the bot removes a doctor, they are gone."""
    return raw.get("type") == "m.room.member" and raw.get("state_key") != raw.get("sender")
