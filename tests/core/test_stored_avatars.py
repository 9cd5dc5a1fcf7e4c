"""What was uploaded is remembered, one picture for each network."""

from bridge.matrix.avatars import Uploaded
from bridge.model import MATRIX
from bridge.store import runs
from bridge.store.avatars import StoredAvatars
from bridge.store.database import Database

FIRST = Uploaded("a" * 64, "mxc://hospital.test/first")
SECOND = Uploaded("b" * 64, "mxc://hospital.test/second")
LONGEST_ID = "x" * 31


async def test_nothing_was_uploaded_yet(database: Database) -> None:
    await database.run(runs.begin)  # has its note in the same table
    assert await StoredAvatars(database).load() == {}


async def test_the_last_picture_of_each_network_is_remembered(database: Database) -> None:
    avatars = StoredAvatars(database)
    await avatars.save(MATRIX, FIRST)
    await avatars.save(LONGEST_ID, FIRST)
    await avatars.save(LONGEST_ID, SECOND)
    assert await StoredAvatars(database).load() == {MATRIX: FIRST, LONGEST_ID: SECOND}
