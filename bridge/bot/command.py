"""What a command is. To add one, write it in a file of its own and name it in `registry`."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from bridge.bot.answers import Answer
from bridge.bot.permissions import Rank
from bridge.errors import ConsiliumError
from bridge.portals.service import Portal


class Unfit(ConsiliumError):  # noqa: N818 - said to whoever gave the command, no fault of ours
    """A command can't be done as it was given: why, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it was given.

    Attributes:
        asker: who gave it.
        rank: what they may do in this room.
        room_id: where it was given.
        portal: the portal of that room, if it has one.
        private: whether nobody else is there.
        arguments: the words after the command.
        about: the message that it is said about: replied to, or at the root of the thread.
    """

    asker: str
    rank: Rank
    room_id: str
    portal: Portal | None = None
    private: bool = False
    arguments: tuple[str, ...] = ()
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Manual:
    """What people read about a command.

    Attributes:
        name: the word that calls it.
        summary: what it does, in a few words.
        needs: the rank that it takes.
        arguments: what may follow, as `<network> <group>`; empty for nothing.
        most: how many words may follow.
        details: what else is worth knowing, a sentence each.
    """

    name: str
    summary: str
    needs: Rank = Rank.USER
    arguments: str = ""
    most: int = 0
    details: tuple[str, ...] = ()

    def usage(self, prefix: str) -> str:
        """How to write it."""
        return f"{prefix}{self.name} {self.arguments}".rstrip()


class Command(Protocol):
    """One thing that the bot can be asked for."""

    manual: ClassVar[Manual]

    async def run(self, request: Request) -> Answer:
        """Do it, and tell what was done.

        Only called for those whose rank is enough, and with no more words than fit.

        Raises:
            ConsiliumError: it can't be done; its sentence and advice are the answer.
        """
        ...
