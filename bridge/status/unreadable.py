"""Tells a room that something could not be passed on: once for each cause and hour, at most.

The trace in the store says more; this only keeps silence from being taken for success.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from bridge.contract import Missed, Refused
from bridge.flow.relay import Arrival, Duty, Unreadable
from bridge.model import MATRIX, Place
from bridge.portals.service import Portal, PortalIndex
from bridge.status import words
from bridge.status.notifier import Notifier
from bridge.store import room_notices
from bridge.store.database import Database
from bridge.store.room_notices import RoomNoticeKey, RoomNoticeRow, Stage

log = structlog.get_logger(__name__)

_QUIET_MS: Final = 3_600_000
_CAUSES_MAX: Final = 3
"""In one room and hour: somebody may send nonsense of a new kind every second."""

_WAITING_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class _News:
    room_id: str
    row: RoomNoticeRow


class UnreadableNotices:
    """Hears of what could not be understood, and tells the room.

    Args:
        database: where it is kept what rooms were told, and when.
        notifier: tells it.
        index: the portals as they are now.
        names: how people call each network.
        now: milliseconds since the epoch.
    """

    pause: Final = 60.0
    """Seconds between two steps, if nothing happens."""

    def __init__(
        self,
        *,
        database: Database,
        notifier: Notifier,
        index: Callable[[], PortalIndex],
        names: Mapping[str, str],
        now: Callable[[], int],
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._index = index
        self._names = names
        self._now = now
        self._rows: dict[RoomNoticeKey, RoomNoticeRow] = {}
        self._waiting: dict[RoomNoticeKey, _News] = {}
        self.changed = asyncio.Event()

    def stored(
        self,
        arrivals: Sequence[Arrival],
        duties: Sequence[Duty],  # noqa: ARG002 - the port's
        seconds: float,  # noqa: ARG002
    ) -> None:
        """Hear of what is on disk, as a `bridge.flow.intake.IntakeWatcher`."""
        for arrival in arrivals:
            if isinstance(arrival, Unreadable):
                self._note(arrival)

    def _note(self, arrival: Unreadable) -> None:
        spot = self._index().at(arrival.place)
        if spot is None or (spot.link is not None and not spot.link.direction.inward):
            return
        network = arrival.place.network
        if network == MATRIX:
            text = words.unreadable(arrival.reason)
        else:
            text = words.unreadable_there(self._names.get(network, network))
        self._tell(spot.portal, text)

    def missed(self, place: Place, missed: Missed) -> None:
        """Hear of something that was said at a place and could not be fetched afterwards."""
        spot = self._index().at(place)
        if spot is None or (spot.link is not None and not spot.link.direction.inward):
            return
        name = None if spot.link is None else self._names.get(place.network, place.network)
        self._tell(spot.portal, words.missed(name, missed.reason, missed.count))

    def _tell(self, portal: Portal, text: str) -> None:
        """Have a room told, if it was not told the same within an hour, or too much at all."""
        if portal.room is None or portal.room_place_id is None:
            return
        cause = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
        row = RoomNoticeRow(
            portal.room_place_id, f"unreadable:{cause}", Stage.SAID, text, self._now()
        )
        known = self._rows.get(row.key)
        if (known is not None and not self._is_past(known)) or row.key in self._waiting:
            return
        if self._causes(row.place_id) < _CAUSES_MAX and len(self._waiting) < _WAITING_MAX:
            self._waiting[row.key] = _News(portal.room.id, row)
            self.changed.set()

    async def resume(self) -> None:
        """Know what was told before this run.

        Raises:
            StoreError: the database failed.
        """
        rows = await self._database.run(room_notices.load)
        self._rows = {key: row for key, row in rows.items() if row.stage is Stage.SAID}

    async def step(self) -> bool:
        """Tell one thing.

        Returns:
            Whether there may be more to do at once.

        Raises:
            StoreError: the database failed.
            Unreachable: nothing can be told now; it is kept.
        """
        if not self._waiting:
            await self._forget_past()
            return False
        key, news = next(iter(self._waiting.items()))
        row = news.row
        # Written down first: whatever happens then, it is not told twice
        await self._database.run(lambda c: room_notices.save(c, [row]))
        self._rows[key] = row
        try:
            told = await self._notifier.say(
                news.room_id, row.text, f"{row.subject}.{row.place_id}.{row.since}"
            )
        except Refused as error:
            log.warning("not_told", room=news.room_id, reason=str(error))
            told = ""
        del self._waiting[key]
        self._rows[key] = replace(row, event_id=told)
        return True

    async def _forget_past(self) -> None:
        past = [key for key, row in self._rows.items() if self._is_past(row)]
        if past:
            await self._database.run(lambda c: room_notices.drop(c, past))
            for key in past:
                del self._rows[key]

    def _is_past(self, row: RoomNoticeRow) -> bool:
        return self._now() - row.since >= _QUIET_MS

    def _causes(self, place_id: int) -> int:
        said = {key for key, row in self._rows.items() if not self._is_past(row)}
        return sum(key[0] == place_id for key in said | self._waiting.keys())
