"""What can become of a raw event, and what every event has."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from bridge.bot.ports import Told
from bridge.matrix.raw import JsonObject, object_at
from bridge.model import (
    MATRIX,
    Author,
    Deleted,
    Edited,
    Joined,
    Left,
    Message,
    PictureChanged,
    Place,
    Reacted,
    Renamed,
    SubjectChanged,
    TitleChanged,
)

_OLDEST_MS: Final = 0
_LATEST_MS: Final = 253_402_300_799_000
"""The last second of the year 9999, the latest that a datetime can hold."""


class Why(StrEnum):
    """Why an event is nothing to carry."""

    OWN = "the bridge itself made it"
    OTHER_TYPE = "events of its type are not carried"
    BETWEEN_CLIENTS = "clients speak among themselves with it"
    REDACTED = "it was deleted"
    COMMAND_EDITED = "it is a command that was edited: those are not run again"
    RETRY = "it asks the bridge to try something again"
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


Said = Message | Edited | Deleted | Reacted | SubjectChanged | TitleChanged | PictureChanged
"""What stands in a room's timeline for ever, so that it can be carried later as well."""

Carried = Said | Joined | Left | Renamed
"""What goes to other places."""

Conversion = Carried | Told | Ignored | Unreadable


@dataclass(frozen=True, slots=True)
class Head:
    """What every event has."""

    place: Place
    id: str
    sender: str
    time: datetime

    @property
    def author(self) -> Author:
        """The sender. Their name is known from their membership."""
        return Author(MATRIX, self.sender)

    def unreadable(self, reason: str) -> Unreadable:
        """Say that the event can't be read."""
        return Unreadable(self.place.id, self.id, reason)

    def act(self, what: str, reply_to: str | None = None) -> Message:
        """Say what the sender does, in words."""
        return Message(
            self.place, self.id, self.author, self.time, what, emote=True, reply_to=reply_to
        )


def time_of(given: object) -> datetime | None:
    """Milliseconds since the epoch as a time; a federated server may claim any."""
    if not isinstance(given, int) or isinstance(given, bool):
        return None
    return datetime.fromtimestamp(max(_OLDEST_MS, min(given, _LATEST_MS)) / 1000, UTC)


def is_redacted(raw: JsonObject) -> bool:
    """Whether all that the event said was deleted."""
    return bool(object_at(raw, "unsigned").get("redacted_because"))
