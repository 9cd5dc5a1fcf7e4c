"""The port through which rooms are told something."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    """The state of a message for machines, in the words of `com.beeper.message_send_status`."""

    PENDING = "PENDING"
    FAIL_RETRIABLE = "FAIL_RETRIABLE"
    FAIL_PERMANENT = "FAIL_PERMANENT"
    SUCCESS = "SUCCESS"


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a message for machines: `networks` are the ids of those it has not reached."""

    verdict: Verdict
    networks: tuple[str, ...] = ()
    text: str = ""


class Notifier(Protocol):
    """Tells rooms something, in the bot's name, and at a bounded rate.

    `key` is the same at every attempt to tell the same thing, so it is told once. All raise
    `Unreachable` (try again later) and `Refused` (it can't be told in that room).
    """

    async def mark(self, room_id: str, event_id: str, text: str, key: str) -> str:
        """Put a short text at a message, and return its id."""
        ...

    async def unmark(self, room_id: str, mark_id: str, key: str) -> None:
        """Take a mark away again."""
        ...

    async def say(self, room_id: str, text: str, key: str, *, under: str | None = None) -> str:
        """Say something in the room, or under one of its messages, and return its id."""
        ...

    async def change(self, room_id: str, notice_id: str, text: str, key: str) -> None:
        """Change what was said."""
        ...

    async def report(self, room_id: str, event_id: str, report: Report, key: str) -> None:
        """Tell machines about a message."""
        ...
