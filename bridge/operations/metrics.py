"""Figures for Prometheus, https://prometheus.io/docs/concepts/metric_types/.

They name networks, and no people, rooms or messages. What happens for each message is counted in
plain numbers, which cost a tenth of the library's counters, and read off when somebody asks.
docs/operations.md tells what each figure means.
"""

import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from bridge.clock import now_ms
from bridge.flow.relay import Arrival, Duty, Unreadable
from bridge.model import Place
from bridge.store.tables import DeliveryState

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format"""

_LATENCY: Final = (
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0, 21_600.0,
    86_400.0,
)  # fmt: skip
_COMMIT_EVENTS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
_DATABASE: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_BY_NETWORK: Final = ("network",)


_COUNTERS: Final = {
    "received": "Events taken over from a network.",
    "unreadable": "Events that could not be understood.",
    "relayed": "Deliveries made for events of a network.",
    "delivered": "Deliveries that arrived at a network.",
    "failed": "Deliveries to a network that were set aside.",
    "retried": "Attempts to deliver to a network that failed.",
}


@dataclass(slots=True)
class _OfNetwork:
    """What was counted for one network; counted on the event loop only, so without a lock."""

    latency: Histogram
    received: int = 0
    unreadable: int = 0
    relayed: int = 0
    delivered: int = 0
    failed: int = 0
    retried: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Counters(Collector):
    networks: Mapping[str, _OfNetwork]

    def collect(self) -> Iterator[CounterMetricFamily]:
        for name, meaning in _COUNTERS.items():
            family = CounterMetricFamily(f"consilium_{name}", meaning, labels=_BY_NETWORK)
            for network, counted in self.networks.items():
                family.add_metric((network,), getattr(counted, name))
            yield family


class Metrics:
    """Counts what happens; a `delivery.watch.Watcher` and a `flow.intake.IntakeWatcher`.

    Args:
        networks: the ids of all that are configured, so that their figures begin with 0.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        # When a counter was made is nobody's question here, and would double the answer's length.
        # The library has no narrower switch than this one.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._make_histograms()
        self._pruned = Counter(
            "consilium_pruned_rows", "Rows deleted because they are old and dealt with.",
            ("table",), registry=self._registry,
        )  # fmt: skip
        self._introduce()
        self._networks: dict[str, _OfNetwork] = {}
        self._registry.register(_Counters(self._networks))
        for network in networks:
            self._of(network)
        for table in ("deliveries", "inbox"):
            self._pruned.labels(table)

    def _make_histograms(self) -> None:
        self._latency = Histogram(
            "consilium_delivery_seconds", "From being taken over to being delivered.",
            _BY_NETWORK, buckets=_LATENCY, registry=self._registry,
        )  # fmt: skip
        self._commit_events = Histogram(
            "consilium_intake_events", "Events in one commit of the intake.",
            buckets=_COMMIT_EVENTS, registry=self._registry,
        )  # fmt: skip
        self._commit_seconds = Histogram(
            "consilium_intake_seconds", "Duration of one commit of the intake.",
            buckets=_DATABASE, registry=self._registry,
        )  # fmt: skip
        self._database_seconds = Histogram(
            "consilium_database_seconds", "Duration of one transaction, its wait included.",
            buckets=_DATABASE, registry=self._registry,
        )  # fmt: skip

    def _introduce(self) -> None:
        build = Gauge(
            "consilium_build_info", "Always 1; which version runs.",
            ("version", "python"), registry=self._registry,
        )  # fmt: skip
        build.labels(own_version(), platform.python_version()).set(1)
        # Not the process collector's: under systemd's ProcSubset=pid it can't know the boot time
        started = Gauge(
            "consilium_start_time_seconds", "When this run began, since the Unix epoch.",
            registry=self._registry,
        )  # fmt: skip
        started.set(time.time())
        ProcessCollector(registry=self._registry)

    def add(self, collector: Collector) -> None:
        """Have figures read off by `collector` whenever somebody asks."""
        self._registry.register(collector)

    def render(self) -> bytes:
        """All figures, in Prometheus's text format."""
        return generate_latest(self._registry)

    # --- what happens --------------------------------------------------------------------------

    def stored(self, arrivals: Sequence[Arrival], duties: Sequence[Duty], seconds: float) -> None:
        """See `bridge.flow.intake.IntakeWatcher.stored`."""
        for arrival in arrivals:
            network = self._of(arrival.place.network)
            network.received += 1
            if isinstance(arrival, Unreadable):
                network.unreadable += 1
        for duty in duties:
            if duty.event is not None:
                self._of(duty.event.place.network).relayed += 1
        self._commit_events.observe(len(arrivals))
        self._commit_seconds.observe(seconds)

    def stuck(self, place: Place, duty: Duty, reason: str) -> None:  # noqa: ARG002
        """See `bridge.delivery.watch.Watcher.stuck`."""
        self._of(place.network).retried += 1

    def moving(self, place: Place) -> None:
        """See `bridge.delivery.watch.Watcher.moving`."""

    def settled(self, place: Place, duty: Duty, state: DeliveryState, reason: str | None) -> None:  # noqa: ARG002
        """See `bridge.delivery.watch.Watcher.settled`."""
        network = self._of(place.network)
        if state is DeliveryState.DONE:
            network.delivered += 1
            network.latency.observe(max(0, now_ms() - duty.created_at) / 1_000)
        else:
            network.failed += 1

    def transacted(self, seconds: float) -> None:
        """A transaction took this long, whether or not it failed."""
        self._database_seconds.observe(seconds)

    def pruned(self, table: str, rows: int) -> None:
        """So many rows were deleted."""
        self._pruned.labels(table).inc(rows)

    def _of(self, network: str) -> _OfNetwork:
        found = self._networks.get(network)
        if found is None:
            found = _OfNetwork(self._latency.labels(network))
            self._networks[network] = found
        return found


def own_version() -> str:
    """The version of the bridge that runs."""
    try:
        return version("consilium-bridge")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
