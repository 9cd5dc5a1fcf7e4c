"""What carries events from place to place: intake, relay, lanes, files and signals."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Self

from bridge.assembly.files import Carriage
from bridge.assembly.policies import policies, restraints
from bridge.config.load import LoadedConfig
from bridge.contract import Capabilities, Feature, Level, MediaSource, Outlet
from bridge.delivery.lane import KEEP_TRYING_MS, LaneContext
from bridge.delivery.lanes import Lanes
from bridge.delivery.recorder import Recorder
from bridge.delivery.relating import Relating
from bridge.delivery.showing import Tools
from bridge.delivery.signals import Signals
from bridge.delivery.watch import Watchers
from bridge.delivery.withdrawn import Withdrawn
from bridge.flow.intake import Intake
from bridge.flow.relay import Relay
from bridge.flow.texts import reader
from bridge.inlet import Asides
from bridge.model import Place
from bridge.operations.console import Console
from bridge.portals.policy import Policy
from bridge.portals.service import Portals
from bridge.status.service import Status
from bridge.store.database import Database

_UNKNOWN: Final = Capabilities(
    own_names=True, max_text=30_000, shows=dict.fromkeys(Feature, Level.FULL)
)
"""What is taken for granted of a network that is not configured now: its duties wait for it."""


@dataclass(frozen=True, slots=True)
class Outlets:
    """Who sends to which network; grows while the application is put together."""

    by_network: dict[str, Outlet]
    names: Mapping[str, str]

    def capabilities(self, place: Place) -> Capabilities:
        """What a place can show."""
        outlet = self.by_network.get(place.network)
        return _UNKNOWN if outlet is None else outlet.capabilities(place.id)

    def media(self, network: str) -> MediaSource | None:
        """Who resolves what a network calls a file."""
        return _media_source(self.by_network.get(network))


def _media_source(outlet: object) -> MediaSource | None:
    return outlet if isinstance(outlet, MediaSource) else None


@dataclass(frozen=True, slots=True)
class Delivering:
    """The parts on an event's way."""

    outlets: Outlets
    recorder: Recorder
    lanes: Lanes
    relay: Relay
    intake: Intake
    signals: Signals
    files: Carriage
    policies: Callable[[Place], Policy]

    @classmethod
    async def make(  # noqa: PLR0913 - the parts on which these stand
        cls,
        loaded: LoadedConfig,
        stack: AsyncExitStack,
        *,
        outlets: Outlets,
        database: Database,
        recorder: Recorder,
        portals: Portals,
        console: Console,
        status: Status,
        crashed: bool,
    ) -> Self:
        """Put them together.

        Raises:
            ConfigError: the folder for files can't be used.
        """
        names = outlets.names
        asked = policies(loaded)
        files = await Carriage.make(loaded, outlets.media, database, stack)
        tools = Tools(
            outlets.by_network.get,
            Relating(database, recorder, names),
            files,
            Withdrawn(),
            names,
            policies=asked,
        )
        watchers = Watchers((*console.watchers, status.messages))
        context = LaneContext(
            database,
            recorder,
            tools,
            keep_trying(loaded),
            watchers,
            console.backlog.taken,
            restraint=restraints(loaded),
        )
        lanes = Lanes(context, crashed=crashed)
        relay = Relay(lambda: portals.index, outlets.capabilities, recorder, asked)
        intake = Intake(
            database,
            relay,
            lanes.take,
            (*console.intake_watchers, status.unreadable),
            reader(outlets.capabilities),
        )
        signals = Signals(
            database,
            recorder,
            lambda: portals.index,
            outlets.by_network.get,
            names,
            policies=asked,
        )
        return cls(outlets, recorder, lanes, relay, intake, signals, files, asked)

    @property
    def asides(self) -> Asides:
        """What adapters are given beside the intake."""
        return Asides(self.signals.take, self.files.faces.of)


def keep_trying(loaded: LoadedConfig) -> Callable[[Place], int]:
    """How long to try for a place, in milliseconds."""
    spans = {link.place: link.keep_trying.milliseconds for link in loaded.config.links}
    return lambda place: spans.get(place, KEEP_TRYING_MS)
