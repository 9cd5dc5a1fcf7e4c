"""Who talks, where each is at home, and under which name every place has to show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sandbox.hospital import HOSPITAL_A, HOSPITAL_B, Hospital


class Side(Enum):
    """The three places of each portal: the room, and a group at each hospital."""

    MATRIX = "Matrix"
    COMPONENT = "Hospital A"
    ACCOUNT = "Hospital B"

    @property
    def hospital(self) -> Hospital | None:
        """Whose group it is; None for the room."""
        return {Side.COMPONENT: HOSPITAL_A, Side.ACCOUNT: HOSPITAL_B}.get(self)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who talks in every portal, at their side of it."""

    key: str
    name: str
    side: Side

    def shown(self, at: Side) -> str:
        """The name under which a place has to show them."""
        hospital = self.side.hospital
        if at is self.side or hospital is None:
            return self.name
        return f"{self.name} ({hospital.name})"


CAST: Final[Sequence[Person]] = (
    Person("alice", "Dr. Alice", Side.MATRIX),
    Person("bram", "Dr. Bram", Side.MATRIX),
    Person("chiara", "Chiara", Side.COMPONENT),
    Person("carlo", "Carlo", Side.COMPONENT),
    Person("dmitri", "Dmitri", Side.ACCOUNT),
    Person("dora", "Dora", Side.ACCOUNT),
)

LISTENER: Final = "Consilium"
"""The nick under which the bridge itself is in the groups."""


def of_side(side: Side) -> Sequence[Person]:
    """Who is at home there; the first of them makes the place."""
    return [person for person in CAST if person.side is side]
