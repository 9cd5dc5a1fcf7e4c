"""What the bot needs from the outside: the rooms it is in, and second tries."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bridge.bot.answers import Answer
from bridge.bot.parse import Spoken


@dataclass(frozen=True, slots=True)
class Told:
    """Something that may be meant for the bot, as it was said in a Matrix room.

    Attributes:
        room_id: where it was said.
        event_id: its name there.
        asker: the user who said it.
        text: its plain text.
        spoken: the command in it; None where it takes a private chat to make it one.
        thread: the root of the thread it was said in, if it was.
        reply_to: the event that it replies to, if it does.
    """

    room_id: str
    event_id: str
    asker: str
    text: str
    spoken: Spoken | None
    thread: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A message in a room; `about` is the one that it is a notice about, if the bot wrote it."""

    sender: str
    about: str | None = None


class Rooms(Protocol):
    """The rooms that the bot is in. Each method raises `Unreachable` when it can't be told now."""

    async def people(self, room_id: str) -> int | None:
        """How many are in the room, the bot included; None if the bot is not."""
        ...

    async def moderates(self, room_id: str, user_id: str) -> bool:
        """Whether a user is a moderator of the room, or more than that."""
        ...

    async def look(self, room_id: str, event_id: str) -> Seen | None:
        """A message; None when it is not there."""
        ...

    async def find(self, alias: str) -> str | None:
        """The id of the room that an alias leads to; None when it leads nowhere."""
        ...

    async def answer(self, told: Told, answer: Answer) -> None:
        """Say the answer below what it answers. The same one again is no second answer.

        Raises:
            Unreachable: not now.
            Refused: the bot may not speak there.
        """
        ...


class Retries(Protocol):
    """Second tries for what was set aside. Each returns how many deliveries are tried again.

    Raises:
        StoreError: the database failed.
    """

    async def message(self, room_id: str, event_id: str) -> int:
        """Try one message again, wherever it was set aside."""
        ...

    async def room(self, room_id: str) -> int:
        """Try everything again that was set aside in a portal."""
        ...


Record = Callable[[], Awaitable[None]]
"""Writes down what became of deliveries up to now, so that the database tells of it.

Raises:
    StoreError: the database failed.
"""


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """A network of the configuration.

    `normalise` gives a group's one spelling and raises `ValueError`, with how one looks, if it
    can't be a group there.
    """

    id: str
    name: str
    normalise: Callable[[str], str]
