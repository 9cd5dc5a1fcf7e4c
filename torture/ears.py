"""When what was heard live: for the delays only. What counts as arrived is in the archives."""

import time
from typing import NamedTuple

from torture.cast import Side
from torture.words import Utterance


class Spot(NamedTuple):
    """One place of one portal."""

    portal: int
    side: Side


class Ears:
    """The first time, in seconds since the epoch, at which a place showed an utterance."""

    def __init__(self) -> None:
        self._first: dict[tuple[Spot, Utterance], float] = {}

    def hear(self, spot: Spot, body: str) -> None:
        """Take a text that a place shows now."""
        if (read := Utterance.read(body)) is not None:
            self._first.setdefault((spot, read[0]), time.time())

    def first(self, spot: Spot, utterance: Utterance) -> float | None:
        """When it was heard there; None if nobody listened then."""
        return self._first.get((spot, utterance))
