"""Puts together what shows things in rooms, for `app`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Self

from bridge.attendance.upgrades import RoomUpgrades
from bridge.health import HealthBoard
from bridge.matrix.client import ActingClient
from bridge.matrix.copies import Recorded
from bridge.matrix.encryption.service import Encryption
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.media_repository import MediaRepository
from bridge.matrix.outlet import MatrixOutlet
from bridge.matrix.portraits import PictureOf, Portraits
from bridge.matrix.successors import Successors
from bridge.portals.service import Portals
from bridge.store.database import Database
from bridge.store.ghosts import StoredGhosts


@dataclass(frozen=True, slots=True)
class MatrixSide:
    """Ghosts, with their pictures and files, and the rooms in which they speak."""

    ghosts: Ghosts
    outlet: MatrixOutlet
    upgrades: RoomUpgrades
    portraits: Portraits
    repository: MediaRepository

    @classmethod
    def make(  # noqa: PLR0913 - the parts on which these stand
        cls,
        bot: ActingClient,
        ids: GhostIds,
        *,
        database: Database,
        portals: Portals,
        board: HealthBoard,
        avatars: Mapping[str, str],
        picture_of: PictureOf,
        recorded: Recorded,
        encryption: Encryption | None,
    ) -> Self:
        """Put them together, acting through `bot`."""

        async def encrypted(room_id: str) -> bool:
            return encryption is not None and await encryption.rooms.find(room_id) is not None

        repository, portraits = MediaRepository(bot), Portraits(bot, picture_of)
        ghosts = Ghosts(bot, ids, StoredGhosts(database), avatars, portraits)
        outlet = MatrixOutlet(
            bot, ghosts, recorded, repository=repository, encrypted=encrypted,
            encrypts=encryption is not None, picture_of=picture_of,
        )  # fmt: skip
        upgrades = RoomUpgrades(Successors(bot, ids), portals, ghosts, board)
        return cls(ghosts, outlet, upgrades, portraits, repository)

    async def run(self, homeserver_is_well: Callable[[], Awaitable[None]]) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.portraits.run(self.ghosts.wear))
            tasks.create_task(self.repository.run(homeserver_is_well))
            tasks.create_task(self.upgrades.run())
