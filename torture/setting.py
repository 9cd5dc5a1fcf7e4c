"""How big and how long a trial is."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Setting:
    """One trial.

    `per_second` messages are said in all, for `seconds`; `kills` is how often the bridge is killed
    meanwhile, `rounds` how often each kind of fault is injected, `long_locks` how often an SQLite
    database is locked for longer than the bridge waits for it; `patience` is how many seconds the
    last message may take after that. `warm` lets everyone be heard everywhere once before it all
    begins: whoever speaks for the first time has to be brought in, which takes its time.
    """

    portals: int = 10
    per_second: float = 20.0
    seconds: float = 600.0
    kills: int = 33
    rounds: int = 5
    long_locks: int = 1
    patience: float = 900.0
    postgresql: bool = False
    dead_network: bool = False
    warm: bool = False

    @property
    def calm(self) -> "Setting":
        """The same without any fault."""
        return replace(self, kills=0, rounds=0, long_locks=0, warm=True)


LONG: Final = Setting()
SHORT: Final = Setting(seconds=30.0, kills=3, rounds=1, long_locks=0, patience=120.0)
