"""The port for those who want to know how deliveries fare: status notices, metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bridge.flow.relay import Duty
from bridge.model import Place
from bridge.store.tables import DeliveryState


class Watcher(Protocol):
    """Called on the event loop, for every delivery; must be quick and must not raise."""

    def stuck(self, place: Place, duty: Duty, reason: str) -> None:
        """An attempt failed and will be repeated; everything behind it in the lane waits too."""
        ...

    def moving(self, place: Place) -> None:
        """The lane that was stuck goes on."""
        ...

    def settled(self, place: Place, duty: Duty, state: DeliveryState, reason: str | None) -> None:
        """A delivery is done or was set aside, with the reason why."""
        ...


@dataclass(frozen=True, slots=True)
class Watchers:
    """Several watchers as one."""

    each: Sequence[Watcher] = ()

    def stuck(self, place: Place, duty: Duty, reason: str) -> None:
        """See `Watcher.stuck`."""
        for watcher in self.each:
            watcher.stuck(place, duty, reason)

    def moving(self, place: Place) -> None:
        """See `Watcher.moving`."""
        for watcher in self.each:
            watcher.moving(place)

    def settled(self, place: Place, duty: Duty, state: DeliveryState, reason: str | None) -> None:
        """See `Watcher.settled`."""
        for watcher in self.each:
            watcher.settled(place, duty, state, reason)


NOBODY: Final = Watchers()
"""Nobody watches."""
