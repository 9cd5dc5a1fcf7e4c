"""What is known about ghosts outlives a restart."""

import pytest

from bridge.matrix.ghosts import GhostRecord
from bridge.store.database import Database
from bridge.store.ghosts import StoredGhosts

BOB = "@_consilium_muc_bob:hospital.test"


@pytest.mark.parametrize("avatar", [None, "mxc://hospital.test/1"])
@pytest.mark.parametrize("portrait", [None, "0815"])
async def test_a_ghost_is_what_it_was(
    database: Database, avatar: str | None, portrait: str | None
) -> None:
    store = StoredGhosts(database)
    assert await store.load(BOB) is None
    record = GhostRecord(BOB, "muc", "bob", "Bob", avatar, portrait)
    await store.save(GhostRecord(BOB, "muc", "bob"))
    await store.save(record)
    assert await store.load(BOB) == record


async def test_a_ghost_is_where_it_was(database: Database) -> None:
    store = StoredGhosts(database)
    for room in ("!a:hospital.test", "!b:hospital.test", "!a:hospital.test"):
        await store.add_room(BOB, room)
    await store.remove_room(BOB, "!b:hospital.test")
    assert await store.rooms(BOB) == {"!a:hospital.test"}
