"""Puts together what finds out, and fetches, what was missed while the bridge was down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from bridge.attendance.gaps import Gaps
from bridge.attendance.room_gaps import RoomGaps, Sources
from bridge.config.load import LoadedConfig
from bridge.contract import NEVER_HEARD, CatchUp
from bridge.delivery.own_copies import OwnCopies
from bridge.flow.intake import Intake
from bridge.inlet import Past
from bridge.matrix.client import ActingClient
from bridge.matrix.encryption.service import Encryption
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.timeline import Timeline
from bridge.model import Place
from bridge.portals.service import Portals, Spot
from bridge.store.database import Database
from bridge.transactions import Transactions


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """What the networks, and the Matrix side, need for it."""

    database: Database
    portals: Portals
    past: Past
    limits: Callable[[Place], CatchUp]

    @classmethod
    def make(
        cls,
        loaded: LoadedConfig,
        database: Database,
        portals: Portals,
        network_names: Mapping[str, str],
    ) -> "CatchingUp":
        """For these portals."""
        copies = OwnCopies(database, lambda: portals.index, network_names)
        return cls(database, portals, Past(copies, Gaps()), _limits(loaded))

    def room_gaps(
        self,
        bot: ActingClient,
        ids: GhostIds,
        transactions: Transactions,
        intake: Intake,
        encryption: Encryption | None = None,
    ) -> RoomGaps:
        """The part that looks back in rooms."""
        sources = Sources(Timeline(bot), transactions.read, ids.owns, bot.connection)
        if encryption is not None:
            sources = replace(sources, opened=encryption.opened)
        gaps = RoomGaps(
            sources, self.portals, self.database, intake, self._limits_of_room, self.past.gaps
        )
        transactions.look_back_first(gaps.first)
        return gaps

    def _limits_of_room(self, spot: Spot) -> CatchUp:
        """As far as the most patient of its links."""
        limits = [self.limits(link.place) for link in spot.portal.links] or [NEVER_HEARD]
        return CatchUp(
            max_age=max(each.max_age for each in limits),
            max_messages=max(each.max_messages for each in limits),
        )


def _limits(loaded: LoadedConfig) -> Callable[[Place], CatchUp]:
    limits = {
        link.place: replace(
            NEVER_HEARD,
            max_age=timedelta(days=link.catch_up.days),
            max_messages=link.catch_up.messages,
            history=link.history,
        )
        for link in loaded.config.links
    }
    return lambda place: limits.get(place, NEVER_HEARD)
