"""Which avatars the homeserver has. Implements `bridge.matrix.avatars.AvatarStore`."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from bridge.matrix.avatars import Uploaded
from bridge.store.database import Database
from bridge.store.tables import meta

_PREFIX = "avatar:"


class StoredAvatars:
    """Avatars in the database; every method raises `StoreError` when that fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Mapping[str, Uploaded]:
        """What was uploaded last for each network."""

        def work(connection: Connection) -> Mapping[str, Uploaded]:
            query = select(meta.c.key, meta.c.value).where(meta.c.key.startswith(_PREFIX))
            return {
                key.removeprefix(_PREFIX): Uploaded(*value.split(" ", 1))
                for key, value in connection.execute(query)
            }

        return await self._database.run(work)

    async def save(self, network: str, uploaded: Uploaded) -> None:
        """Put this in place of what was uploaded before."""

        def work(connection: Connection) -> None:
            key = f"{_PREFIX}{network}"
            connection.execute(delete(meta).where(meta.c.key == key))
            value = f"{uploaded.fingerprint} {uploaded.uri}"
            connection.execute(insert(meta).values(key=key, value=value))

        await self._database.run(work)
