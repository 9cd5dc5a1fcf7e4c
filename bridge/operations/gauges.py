"""What can be read off the running parts at any moment, whenever Prometheus asks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bridge.contract import Health
from bridge.model import MATRIX
from bridge.operations.backlog import Backlog
from bridge.operations.vitals import Vitals


@dataclass(frozen=True, slots=True, eq=False)
class Gauges(Collector):
    """Reads off; `networks` are the ids of all that are configured, Matrix included."""

    networks: Iterable[str]
    states: Callable[[], Mapping[tuple[str, str | None], Health]]
    backlog: Backlog
    vitals: Vitals
    unrecorded: Callable[[], int]
    ghosts: Callable[[], int]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All of them, with a value for each network."""
        yield from self._reachable()
        yield from self._waiting()
        yield GaugeMetricFamily(
            "consilium_unrecorded", "Outcomes that are known only in memory.", self.unrecorded()
        )
        yield GaugeMetricFamily("consilium_ghosts_held", "Ghosts kept in memory.", self.ghosts())
        yield GaugeMetricFamily(
            "consilium_database_up", "Whether the last transaction worked.",
            float(self.vitals.database_works),
        )  # fmt: skip
        yield GaugeMetricFamily(
            "consilium_loop_lag_seconds", "How late the event loop was, the last time it looked.",
            self.vitals.lag,
        )  # fmt: skip

    def _reachable(self) -> Iterator[GaugeMetricFamily]:
        states = self.states()
        matrix = states.get((MATRIX, None))
        yield GaugeMetricFamily(
            "consilium_homeserver_up", "Whether the homeserver answers.",
            float(matrix is not None and matrix.up),
        )  # fmt: skip
        up = _by_network("consilium_network_up", "Whether a network can be reached.")
        groups = GaugeMetricFamily(
            "consilium_groups", "Groups, or rooms, that can be used or can't.",
            labels=("network", "state"),
        )  # fmt: skip
        counts = {(network, state): 0 for network in self.networks for state in ("up", "down")}
        for (network, group), health in states.items():
            key = (network, "up" if health.up else "down")
            if group is not None and key in counts:
                counts[key] += 1
        for network in self.networks:
            if network != MATRIX:
                state = states.get((network, None))
                up.add_metric((network,), float(state is not None and state.up))
        for key, count in counts.items():
            groups.add_metric(key, count)
        yield from (up, groups)

    def _waiting(self) -> Iterator[GaugeMetricFamily]:
        waiting = _by_network("consilium_undelivered", "Deliveries that wait.")
        oldest = _by_network(
            "consilium_oldest_undelivered_seconds", "Since when the one that waits longest does."
        )
        stuck = _by_network(
            "consilium_lanes_stuck", "Places for which the last attempt to deliver failed."
        )
        counts, ages = self.backlog.waiting(), self.backlog.oldest_age()
        places = self.backlog.stuck_places()
        for network in dict.fromkeys((*self.networks, *counts, *places)):
            waiting.add_metric((network,), counts.get(network, 0))
            oldest.add_metric((network,), ages.get(network, 0.0))
            stuck.add_metric((network,), places.get(network, 0))
        yield from (waiting, oldest, stuck)


def _by_network(name: str, meaning: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=("network",))
