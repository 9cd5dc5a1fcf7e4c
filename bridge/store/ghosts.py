"""Facts about ghosts that outlive a restart. Implements `bridge.matrix.ghosts.GhostStore`."""

from sqlalchemy import Connection, delete, insert, select

from bridge.matrix.ghosts import GhostRecord
from bridge.store.database import Database
from bridge.store.tables import ghost_rooms, ghosts


class StoredGhosts:
    """Ghosts in the database; every method raises `StoreError` when that fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, user_id: str) -> GhostRecord | None:
        """A ghost that was saved."""

        def work(connection: Connection) -> GhostRecord | None:
            row = connection.execute(
                select(
                    ghosts.c.user_id,
                    ghosts.c.network,
                    ghosts.c.author_id,
                    ghosts.c.name,
                    ghosts.c.avatar,
                ).where(ghosts.c.user_id == user_id)
            ).one_or_none()
            if row is None:
                return None
            avatar, portrait = _parted(row.avatar)
            return GhostRecord(row.user_id, row.network, row.author_id, row.name, avatar, portrait)

        return await self._database.run(work)

    async def save(self, record: GhostRecord) -> None:
        """Save a new ghost, or what changed."""

        def work(connection: Connection) -> None:
            connection.execute(delete(ghosts).where(ghosts.c.user_id == record.user_id))
            connection.execute(
                insert(ghosts).values(
                    user_id=record.user_id,
                    network=record.network,
                    author_id=record.author_id,
                    name=record.name,
                    avatar=_joined(record),
                )
            )

        await self._database.run(work)

    async def rooms(self, user_id: str) -> frozenset[str]:
        """The ids of the rooms it is in."""

        def work(connection: Connection) -> frozenset[str]:
            query = select(ghost_rooms.c.room_id).where(ghost_rooms.c.user_id == user_id)
            return frozenset(connection.scalars(query))

        return await self._database.run(work)

    async def add_room(self, user_id: str, room_id: str) -> None:
        """It is in this room; harmless when that is known."""

        def work(connection: Connection) -> None:
            _forget_room(connection, user_id, room_id)
            connection.execute(insert(ghost_rooms).values(user_id=user_id, room_id=room_id))

        await self._database.run(work)

    async def remove_room(self, user_id: str, room_id: str) -> None:
        """It is no longer in this room; harmless when that is known."""
        await self._database.run(lambda c: _forget_room(c, user_id, room_id))


def _joined(record: GhostRecord) -> str | None:
    """The avatar, and the mark of its author's own picture: no content URI has a "#"."""
    if record.portrait is None:
        return record.avatar
    return f"{record.avatar or ''}#{record.portrait}"


def _parted(column: str | None) -> tuple[str | None, str | None]:
    avatar, mark, portrait = (column or "").partition("#")
    return avatar or None, portrait if mark else None


def _forget_room(connection: Connection, user_id: str, room_id: str) -> None:
    connection.execute(
        delete(ghost_rooms).where(
            ghost_rooms.c.user_id == user_id, ghost_rooms.c.room_id == room_id
        )
    )
