"""From raw Matrix events to what the bridge can speak of.

Pure, and hardened: a raw event may be JSON of any shape, and none makes this raise. Formats are
those of https://spec.matrix.org/v1.19/client-server-api/#room-event-format.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from bridge.bot.ports import Told
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.hearing import Hearing, is_edit
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.model import (
    MATRIX,
    Author,
    Joined,
    Left,
    Message,
    Place,
    Renamed,
    SubjectChanged,
)


class Why(StrEnum):
    """Why an event is nothing to carry."""

    OWN = "the bridge itself made it"
    OTHER_TYPE = "events of its type are not carried"
    REDACTED = "it was deleted"
    COMMAND_EDITED = "it is a command that was edited: those are not run again"
    UNCHANGED = "it changes nothing that can be seen elsewhere"


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that is understood and rightly not carried."""

    why: Why


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event that should be carried and can't; it must leave a trace.

    `room_id` and `event_id` are empty where even they can't be told.
    """

    room_id: str
    event_id: str
    reason: str


Conversion = Message | Joined | Left | Renamed | SubjectChanged | Told | Ignored | Unreadable

_LABELS: Final = {
    "m.image": "image",
    "m.file": "file",
    "m.audio": "audio",
    "m.video": "video",
    "m.location": "location",
}
_OLDEST_MS: Final = 0
_LATEST_MS: Final = 253_402_300_799_000
"""The last second of the year 9999, the latest that a datetime can hold."""


class Converter:
    """Converts events of rooms, leaving out what the bridge did itself.

    Args:
        ids: tells who is a ghost.
        hearing: tells what is said to the bot; without it, everything is for everyone.
    """

    def __init__(self, ids: GhostIds, hearing: Hearing | None = None) -> None:
        self._ids = ids
        self._hearing = hearing

    def convert(self, raw: JsonObject) -> Conversion:
        """What a raw event says."""
        sender = raw.get("sender")
        if isinstance(sender, str) and self._ids.owns(sender) and not _puts_out_another(raw):
            return Ignored(Why.OWN)
        room_id, event_id = text_at(raw, "room_id"), text_at(raw, "event_id")
        time = _time(raw.get("origin_server_ts"))
        if not (room_id and event_id and isinstance(sender, str) and sender and time):
            return Unreadable(room_id, event_id, "its room, id, sender or time is missing")
        return self._read(_Head(Place(MATRIX, room_id), event_id, sender, time), raw)

    def _read(self, head: "_Head", raw: JsonObject) -> Conversion:
        content = object_at(raw, "content")
        match raw.get("type"):
            case "m.room.message" | "m.sticker":
                return self._said(_message(head, raw, content), content)
            case "m.room.member":
                return self._membership(head, raw, content)
            case "m.room.topic" if raw.get("state_key") == "":
                return _topic(head, raw, content)
            case "m.room.encrypted":
                return head.unreadable("it is encrypted, and the bridge can't read encrypted rooms")
        return Ignored(Why.OTHER_TYPE)

    def _said(self, found: Conversion, content: JsonObject) -> Conversion:
        """What was said, to everyone or to the bot."""
        if self._hearing is None or not isinstance(found, Message):
            return found
        if is_edit(content):
            edited = self._hearing.was_told(found, content)
            return Ignored(Why.COMMAND_EDITED) if edited else found
        return self._hearing.told(found, content) or found

    def _membership(self, head: "_Head", raw: JsonObject, content: JsonObject) -> Conversion:
        """https://spec.matrix.org/v1.19/client-server-api/#mroommember."""
        user_id = raw.get("state_key")
        if not isinstance(user_id, str) or not user_id:
            return head.unreadable("it does not say whose membership it is")
        if self._ids.owns(user_id):
            return Ignored(Why.OWN)
        before = _previous(raw)
        match content.get("membership"):
            case "join":
                return _arrival(head, user_id, before, content)
            case "leave" | "ban" if text_at(before, "membership") in {"join", ""}:
                author = _member(user_id, before)
                return Left(
                    head.place, author, head.time, _parting(head, user_id, content), head.id
                )
            case "leave" | "ban" | "invite" | "knock":
                return Ignored(Why.UNCHANGED)
        return head.unreadable("its membership is none of those there are")


@dataclass(frozen=True, slots=True)
class _Head:
    """What every event has."""

    place: Place
    id: str
    sender: str
    time: datetime

    @property
    def author(self) -> Author:
        return Author(MATRIX, self.sender)

    def unreadable(self, reason: str) -> Unreadable:
        return Unreadable(self.place.id, self.id, reason)


def _time(given: object) -> datetime | None:
    """Milliseconds since the epoch as a time; a federated server may claim any."""
    if not isinstance(given, int) or isinstance(given, bool):
        return None
    return datetime.fromtimestamp(max(_OLDEST_MS, min(given, _LATEST_MS)) / 1000, UTC)


def _redacted(raw: JsonObject) -> bool:
    return bool(object_at(raw, "unsigned").get("redacted_because"))


# --- messages -----------------------------------------------------------------------------------


def _message(head: _Head, raw: JsonObject, content: JsonObject) -> Conversion:
    if _redacted(raw):
        return Ignored(Why.REDACTED)
    if raw.get("type") == "m.sticker":
        content = {**content, "msgtype": "m.sticker"}
    text = _edited_text(content) or _text(content)
    if not text:
        return head.unreadable("it has no text")
    emote = content.get("msgtype") == "m.emote"
    return Message(head.place, head.id, head.author, head.time, text, emote)


def _edited_text(content: JsonObject) -> str:
    """The new text of an edit, marked as one, until edits themselves can be carried.

    https://spec.matrix.org/v1.19/client-server-api/#event-replacements
    """
    if not is_edit(content):
        return ""
    text = _text(object_at(content, "m.new_content"))
    return f"(edited) {text}" if text else ""


def _text(content: JsonObject) -> str:
    """The text of a message of any type, such that none vanishes.

    What can't be carried yet is named in brackets; since v1.10 `body` is a caption where there is
    a `filename` beside it. Unknown types have a fallback in their body.
    https://spec.matrix.org/v1.19/client-server-api/#media-captions
    """
    body, msgtype = text_at(content, "body"), content.get("msgtype")
    if msgtype == "m.sticker":
        return f"[sticker] {body}".rstrip()
    label = _LABELS.get(msgtype) if isinstance(msgtype, str) else None
    if label is None:
        return body if body.strip() else ""
    name = text_at(content, "filename") or body
    lines = [f"[{label}] {name} {text_at(content, 'geo_uri')}".rstrip()]
    if body and body != name:
        lines.append(body)
    return "\n".join(lines)


# --- state --------------------------------------------------------------------------------------


def _puts_out_another(raw: JsonObject) -> bool:
    """Whether someone else's membership is changed: if the bot removes a doctor, they are gone."""
    return raw.get("type") == "m.room.member" and raw.get("state_key") != raw.get("sender")


def _previous(raw: JsonObject) -> JsonObject:
    """The content that this state event replaced.

    It is in `unsigned` by the specification; Synapse once put it beside the content.
    """
    return object_at(object_at(raw, "unsigned"), "prev_content") or object_at(raw, "prev_content")


def _member(user_id: str, content: JsonObject) -> Author:
    name = text_at(content, "displayname")
    return Author(MATRIX, user_id, name, text_at(content, "avatar_url") or None)


def _arrival(
    head: _Head, user_id: str, before: JsonObject, content: JsonObject
) -> Joined | Renamed | Ignored:
    author = _member(user_id, content)
    if text_at(before, "membership") != "join":
        return Joined(head.place, author, head.time, head.id)
    if author == _member(user_id, before):
        return Ignored(Why.UNCHANGED)
    return Renamed(head.place, author, head.time, head.id)


def _parting(head: _Head, user_id: str, content: JsonObject) -> str:
    reason = text_at(content, "reason")
    if head.sender == user_id:
        return reason
    banned = content.get("membership") == "ban"
    done = "banned from the room" if banned else "removed from the room"
    return f"{done}: {reason}" if reason else done


def _topic(head: _Head, raw: JsonObject, content: JsonObject) -> Conversion:
    """https://spec.matrix.org/v1.19/client-server-api/#mroomtopic."""
    if _redacted(raw):
        return Ignored(Why.REDACTED)
    subject = content.get("topic", "")
    if not isinstance(subject, str):
        return head.unreadable("its topic is not text")
    return SubjectChanged(head.place, head.author, head.time, subject, head.id)
