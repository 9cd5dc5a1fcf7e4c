"""How each network and group stands, in words, and for how long it has been so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bridge.clock import now_ms
from bridge.contract import Health
from bridge.model import Place

_UNITS: Final = ((86_400, "day"), (3_600, "h"), (60, "min"))


@dataclass(frozen=True, slots=True)
class State:
    """Whether a place can be used; `up` is None when nothing was heard of it yet."""

    up: bool | None
    reason: str = ""
    seconds: float = 0.0

    @property
    def in_words(self) -> str:
        """The state as a part of a sentence."""
        if self.up is None:
            return "not connected yet"
        if self.up:
            return "connected"
        told = f"away for {lasting(self.seconds)}"
        return f"{told}: {self.reason}" if self.reason else told


class Standing:
    """Remembers since when each state has lasted. To be told by `HealthBoard.watch`."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._states: dict[tuple[str, str | None], tuple[Health, int]] = {}

    def note(self, network: str, health: Health) -> None:
        """Take note of a change; see `bridge.health.Watcher`."""
        key = (network, health.group)
        before = self._states.get(key)
        since = self._clock()
        if before is not None and before[0].up == health.up:
            since = before[1]  # the same state for another reason
        self._states[key] = (health, since)

    def of(self, place: Place) -> State:
        """How a group stands: away if its network is, or else as it was last heard of itself."""
        network = self._state(place.network, None)
        group = self._state(place.network, place.id)
        if network.up is False or group.up is None:
            return network
        return group

    def _state(self, network: str, group: str | None) -> State:
        found = self._states.get((network, group))
        if found is None:
            return State(None)
        health, since = found
        return State(health.up, health.reason, (self._clock() - since) / 1000)


def lasting(seconds: float) -> str:
    """A duration for people, in its largest unit: "3 min", "2 days"."""
    for size, unit in _UNITS:
        if (count := int(seconds // size)) >= 1:
            return f"{count} {unit}{'s' if unit == 'day' and count != 1 else ''}"
    return "less than a minute"
