"""How far a room's archive is read back for a copy that a crash has left in doubt."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.xmpp.archive import Page
from adapters.xmpp.incoming import Said
from adapters.xmpp.lookback import Lookback

ROOM = "ward@muc.a.example"
NOW = datetime.now(UTC).replace(microsecond=0)


def said(number: int, when: datetime) -> Said:
    """What the archive holds of the copy with this number."""
    return Said(
        nick="Ann",
        id=f"key-{number}",
        origin_id=None,
        stanza_id=f"archive-{number}",
        occupant_id=None,
        real_jid=None,
        body="x",
        subject=None,
        delay=when,
        archived=True,
    )


class Room:
    """An archive of pages of one copy each, the newest last; and what the core has on record."""

    def __init__(self, copies: int) -> None:
        self.said = [said(n, NOW - timedelta(seconds=copies - n)) for n in range(copies)]
        self.pages_read = 0
        self.on_record: dict[str, datetime] = {}

    async def before(self, _wire: object, before: str) -> Page:
        self.pages_read += 1
        names = [each.stanza_id for each in self.said]
        at = names.index(before) if before else len(self.said)
        return Page((self.said[at - 1],), names[at - 1], names[at - 1], complete=at == 1)

    async def recorded(self, group: str, ids: Collection[str]) -> Mapping[str, datetime]:
        assert group == ROOM
        return {each: self.on_record[each] for each in ids if each in self.on_record}

    def may_be_of(self, _said: Said, _name: str) -> bool:
        return True


def lookback(room: Room) -> Lookback:
    anything: Any = room
    return Lookback(ROOM, anything, anything, anything)


@pytest.fixture
def room() -> Room:
    return Room(copies=40)


async def find(where: Lookback, number: int, when: datetime) -> str | None:
    wire: Any = None
    return await where.find(wire, f"key-{number}", when, "Ann")


async def test_it_is_read_no_further_than_a_copy_on_record_that_was_said_earlier(
    room: Room,
) -> None:
    room.on_record = {"archive-37": NOW - timedelta(seconds=3)}
    where = lookback(room)
    assert await find(where, 99, NOW) is None
    assert room.pages_read == 3
    assert await find(where, 98, NOW) is None
    assert room.pages_read == 3


async def test_what_was_said_before_the_record_is_looked_for_further_back(room: Room) -> None:
    room.on_record = {"archive-37": NOW}
    assert await find(lookback(room), 30, NOW - timedelta(seconds=60)) == "archive-30"


async def test_what_is_in_doubt_is_found_before_the_record(room: Room) -> None:
    room.on_record = {"archive-30": NOW - timedelta(seconds=30)}
    assert await find(lookback(room), 38, NOW) == "archive-38"
    assert room.pages_read == 2
