"""When what is done to the bridge and its servers: drawn from a seed, to be repeated at will."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from torture.setting import Setting


class Fault(StrEnum):
    """What can be done besides killing the bridge. One at a time; the next one waits."""

    PROSODY_RESTARTS = "Prosody restarts"
    SYNAPSE_RESTARTS = "Synapse restarts"
    PROSODY_PAUSES = "Prosody pauses"
    SYNAPSE_PAUSES = "Synapse pauses"
    DISK_FULL = "disk full"
    DATABASE_LOCKED = "database locked"
    LOCKED_FOR_LONG = "database locked for long"
    POSTGRESQL_RESTARTS = "PostgreSQL restarts"


_BOTH: Final = (
    Fault.PROSODY_RESTARTS, Fault.SYNAPSE_RESTARTS, Fault.PROSODY_PAUSES, Fault.SYNAPSE_PAUSES,
)  # fmt: skip
_OF_SQLITE: Final = (Fault.DISK_FULL, Fault.DATABASE_LOCKED)
_OF_POSTGRESQL: Final = (Fault.POSTGRESQL_RESTARTS,)
_SHORTEST: Final = 1.0
_LONGEST: Final = 6.0
_LONG_LOCK: Final = (35.0, 42.0)
"""The bridge waits for a lock for 30 seconds."""


@dataclass(frozen=True, slots=True)
class Blow:
    """Something that is done at a time, in seconds from the start, and how long it lasts."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Injection(Blow):
    """A fault."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Schedule:
    """The kills, with how long the bridge stays away each time, and the faults, in order."""

    seed: int
    kills: Sequence[Blow]
    faults: Sequence[Injection]

    @classmethod
    def draw(cls, setting: Setting, seed: int) -> "Schedule":
        """The schedule that belongs to a seed.

        Each blow falls at a random moment of its own equal part of the time; so there are as many
        as wanted, some close to each other and some far apart.
        """
        dice = random.Random(seed)  # noqa: S311 - nothing to guard
        kills = [Blow(at, dice.uniform(0, 2.5)) for at in _moments(dice, setting, setting.kills)]
        kinds = (*_BOTH, *(_OF_POSTGRESQL if setting.postgresql else _OF_SQLITE))
        order = [fault for _ in range(setting.rounds) for fault in dice.sample(kinds, len(kinds))]
        longest = min(_LONGEST, setting.seconds / max(1, len(order)) / 2)
        faults = [
            Injection(at, dice.uniform(_SHORTEST, longest), fault)
            for at, fault in zip(_moments(dice, setting, len(order)), order, strict=True)
        ]
        if not setting.postgresql:
            faults += [
                Injection(at, dice.uniform(*_LONG_LOCK), Fault.LOCKED_FOR_LONG)
                for at in _moments(dice, setting, setting.long_locks)
            ]
        return cls(seed, kills, sorted(faults, key=lambda each: each.at))

    def lines(self) -> list[str]:
        """For people to read, in order of time."""
        told = [(kill.at, f"bridge killed, away for {kill.seconds:.1f} s") for kill in self.kills]
        told += [(each.at, f"{each.fault}, {each.seconds:.1f} s") for each in self.faults]
        return [f"{at:6.1f}  {what}" for at, what in sorted(told)]


def _moments(dice: random.Random, setting: Setting, count: int) -> list[float]:
    part = setting.seconds / max(1, count)
    return [(number + dice.random()) * part for number in range(count)]
