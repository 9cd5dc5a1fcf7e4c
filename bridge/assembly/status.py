"""Puts the parts of the status together, for `app`."""

from collections.abc import Callable
from datetime import UTC
from zoneinfo import ZoneInfo

from bridge.bot.permissions import Permissions
from bridge.config.load import LoadedConfig
from bridge.delivery.authors import Authors
from bridge.delivery.retry import Retries
from bridge.health import HealthBoard
from bridge.matrix.client import ActingClient
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.notices import MatrixNotices
from bridge.matrix.retry_reactions import RetryReactions
from bridge.model import Place
from bridge.portals.service import Portals
from bridge.status.picture import Manner
from bridge.status.service import Status, StatusSettings
from bridge.store.database import Database


def make_status(  # noqa: PLR0913 - what it tells, to whom, about what
    loaded: LoadedConfig,
    bot: ActingClient,
    *,
    database: Database,
    portals: Portals,
    board: HealthBoard,
    kept_ms: Callable[[Place], int],
) -> Status:
    """What rooms are told, through `bot`; it watches `board` already."""
    config = loaded.config
    wanted = config.status
    status = Status(
        database=database,
        notifier=MatrixNotices(bot),
        index=lambda: portals.index,
        names={each.id: each.name for each in loaded.networks.values()},
        settings=StatusSettings(
            after_ms=wanted.after.milliseconds,
            away_after_ms=wanted.away_after.milliseconds,
            manner=Manner(wanted.events, f"{config.bot.prefix}retry"),
            zone=UTC if wanted.timezone == "UTC" else ZoneInfo(wanted.timezone),
            kept_ms=kept_ms,
        ),
    )
    board.watch(status.outages.note)
    return status


def make_retry_reactions(  # noqa: PLR0913 - all but three by keyword
    loaded: LoadedConfig,
    bot: ActingClient,
    ids: GhostIds,
    *,
    database: Database,
    portals: Portals,
    retries: Retries,
) -> RetryReactions:
    """What acts on reactions that ask for a retry."""
    config = loaded.config
    return RetryReactions(
        bot,
        ids,
        retries,
        Authors(database, lambda: portals.index).of,
        portals.is_portal,
        Permissions.of(config.permissions, config.homeserver.domain),
    )
