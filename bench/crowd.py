"""Puts ghosts into the bridge's database before it starts, as if it had met them long ago.

They are in their rooms on the Matrix side, and not present in their groups: a start then has to
know them, and nothing to do for them.
"""

from pathlib import Path

from sqlalchemy import Connection

from bench.script import room_id
from bench.setting import NETWORK, Setting
from bridge.store import migrate
from bridge.store.database import open_database
from bridge.store.tables import ghost_rooms, ghosts
from sandbox.appservice import AppService


async def fill(path: Path, setting: Setting, service: AppService) -> None:
    """Make the database at `path`, with the setting's ghosts known."""

    def work(connection: Connection) -> None:
        migrate.upgrade(connection)
        for number in range(setting.portals):
            users = setting.ghosts_of(number, service)
            if not users:
                return
            connection.execute(ghosts.insert(), [_ghost(user) for user in users])
            connection.execute(
                ghost_rooms.insert(),
                [{"user_id": user, "room_id": room_id(number)} for user in users],
            )

    async with open_database(f"sqlite:///{path}") as database:
        await database.run(work)


def _ghost(user: str) -> dict[str, object]:
    author = user.partition(f"{NETWORK}_")[2].partition(":")[0]
    return {"user_id": user, "network": NETWORK, "author_id": author, "name": f"Dr. {author}"}
