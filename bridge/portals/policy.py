"""What a link asks for beyond its direction."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bridge.model import Kind


class Carried(StrEnum):
    """What can cross a link; an admin writes these words."""

    MESSAGES = "messages"
    EDITS = "edits"
    DELETIONS = "deletions"
    REACTIONS = "reactions"
    PEOPLE = "people"
    ROOM = "room"


_OF_KIND: Final = {
    Kind.MESSAGE: Carried.MESSAGES,
    Kind.EDITED: Carried.EDITS,
    Kind.DELETED: Carried.DELETIONS,
    Kind.REACTED: Carried.REACTIONS,
    Kind.JOINED: Carried.PEOPLE,
    Kind.LEFT: Carried.PEOPLE,
    Kind.RENAMED: Carried.PEOPLE,
    Kind.SUBJECT: Carried.ROOM,
    Kind.TITLE: Carried.ROOM,
    Kind.PICTURE: Carried.ROOM,
}
BYLINE: Final = "{name}:"


@dataclass(frozen=True, slots=True)
class Policy:
    """`carry`: what crosses, either way. `byline`: what stands before each text where one account
    speaks for all; `{name}` in it is the author's.
    """

    carry: frozenset[Carried] = frozenset(Carried)
    byline: str = BYLINE

    def carries(self, kind: Kind) -> bool:
        """Whether events of this kind cross."""
        needed = _OF_KIND.get(kind)
        return needed is None or needed in self.carry


EVERYTHING: Final = Policy()
