"""The board on which each network, and each group, says whether it can be used now."""

from collections.abc import Callable, Mapping

import structlog

from bridge.contract import Health

log = structlog.get_logger(__name__)

Watcher = Callable[[str, Health], None]
"""Told of the network's id and its new state."""


class HealthBoard:
    """Keeps the last state of each network and group, logs each change once, and tells others."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str | None], Health] = {}
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Have `watcher` called at every change."""
        self._watchers.append(watcher)

    def report(self, network: str, health: Health) -> None:
        """Put a state on the board; a state that it already shows is not told again."""
        key = (network, health.group)
        if self._states.get(key) == health:
            return
        self._states[key] = health
        if health.up:
            log.info("up", network=network, group=health.group, reason=health.reason or None)
        else:
            log.warning("down", network=network, group=health.group, reason=health.reason)
        for watcher in self._watchers:
            watcher(network, health)

    def states(self) -> Mapping[tuple[str, str | None], Health]:
        """The last state of each network (group None) and group."""
        return dict(self._states)
