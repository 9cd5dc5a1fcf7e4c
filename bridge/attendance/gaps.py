"""What was said and could not be fetched afterwards: logged, and told to whoever shows it."""

from collections.abc import Callable

import structlog

from bridge.contract import Missed
from bridge.model import Place

log = structlog.get_logger(__name__)

Watcher = Callable[[Place, Missed], None]
"""Told of the place, and what is missing of what was said there; must not wait."""


class Gaps:
    """Takes reports from every network, and from the Matrix side."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Have `watcher` called at every report."""
        self._watchers.append(watcher)

    def report(self, network: str, missed: Missed) -> None:
        """Something is missing."""
        place = Place(network, missed.group)
        log.warning(
            "messages_not_fetched", place=str(place), about=missed.count, reason=missed.reason
        )
        for watcher in self._watchers:
            watcher(place, missed)
