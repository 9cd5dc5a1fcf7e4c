"""Finds in a room's archive what an earlier run of the bridge has said there.

After a crash the first deliveries are in doubt, oldest first. So the archive is read backwards, no
further than needed, and each page once only: what is said from now on is heard anyway. A room is
spoken to in order: what was said later than a copy that is on record is not further back than that.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from adapters.xmpp.archive import Archive
from adapters.xmpp.errors import StanzaError
from adapters.xmpp.hearing import Hearing
from adapters.xmpp.incoming import Said
from adapters.xmpp.wire import Wire
from bridge.contract import Inlet

log = structlog.get_logger()

_CLOCKS_DIFFER: Final = timedelta(hours=1)
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_PAGES_MAX: Final = 60
"""3,000 messages where a server hands out fifty at a time."""


class Lookback:
    """Reads one room's archive backwards.

    Args:
        room: the room's address.
        archive: its archive.
        hearing: tells whether the bridge may have said something: anyone can repeat a key.
        inlet: tells which copies are on record.
    """

    def __init__(self, room: str, archive: Archive, hearing: Hearing, inlet: Inlet) -> None:
        self._room = room
        self._archive = archive
        self._hearing = hearing
        self._inlet = inlet
        self._recorded_at = datetime.max.replace(tzinfo=UTC)
        self._seen: dict[str, list[Said]] = {}
        self._before = ""
        self._read_back_to = datetime.max.replace(tzinfo=UTC)
        self._pages_left = _PAGES_MAX

    async def find(self, wire: Wire, key: str, said_at: datetime, name: str) -> str | None:
        """The archive's id of the message that bears `key`; None if it is not there.

        Args:
            wire: the connection.
            key: the id or origin id it was sent with.
            said_at: when it was said at its origin, so that it can't have been sent before.
            name: under which it was said.

        Raises:
            StanzaError: the room does not answer such questions.
            Unreachable: no answer came.
        """
        earliest = min(said_at, datetime.now(UTC)) - _CLOCKS_DIFFER
        while True:
            for said in self._seen.get(key, ()):
                if self._hearing.may_be_of(said, name):
                    return said.stanza_id
            if not self._pages_left or self._read_back_to <= earliest:
                return None
            if self._recorded_at < said_at:
                return None
            await self._read_page(wire)

    async def _read_page(self, wire: Wire) -> None:
        self._pages_left -= 1
        try:
            page = await self._archive.before(wire, self._before)
        except StanzaError as error:
            if error.condition != "item-not-found" or not self._before:
                raise
            self._read_back_to = _BEGINNING  # the archive has forgotten what is further back
            return
        for said in page.said:
            for name in {said.id, said.origin_id}:
                if name:
                    self._seen.setdefault(name, []).append(said)
            self._read_back_to = min(self._read_back_to, said.delay or self._read_back_to)
        ids = [said.stanza_id for said in page.said if said.stanza_id]
        recorded = await self._inlet.recorded(self._room, ids)
        self._recorded_at = min([self._recorded_at, *recorded.values()])
        if page.complete or page.first is None:
            self._read_back_to = _BEGINNING
        elif not self._pages_left:
            log.warning("archive_too_long", room=self._room)
        else:
            self._before = page.first
