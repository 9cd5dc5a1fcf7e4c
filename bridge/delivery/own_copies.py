"""Tells by their keys what the bridge has sent to a place, or may have in a run that crashed."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bridge.clock import now_ms
from bridge.contract import Sent
from bridge.delivery.recorder import UNRECORDED_MAX
from bridge.flow.codec import decode_deliverable
from bridge.flow.hygiene import is_sound_id
from bridge.flow.keys import delivery_key
from bridge.flow.naming import shown_name
from bridge.model import MATRIX, Deliverable, Message, Place
from bridge.portals.service import PortalIndex
from bridge.store import deliveries, messages
from bridge.store.database import Database
from bridge.store.tables import ALIAS

_KEY: Final = re.compile(r"([a-z2-7]{26})(?:\.([0-9]{1,4}))?(?:\.x)?")


class OwnCopies:
    """Looks keys up among the copies that are recorded, and the deliveries whose outcome is not.

    Args:
        index: the portals as they are now.
        network_names: how people call each network.
    """

    def __init__(
        self,
        database: Database,
        index: Callable[[], PortalIndex],
        network_names: Mapping[str, str],
    ) -> None:
        self._database = database
        self._index = index
        self._network_names = network_names

    async def among(
        self, place: Place, ids: Collection[str] | Mapping[str, Sent]
    ) -> Mapping[str, str | None]:
        """Which of these ids are own keys, with the name that was shown; see `Inlet.sent`.

        Raises:
            StoreError: the database failed.
        """
        keys = {found[0]: found for each in ids if (found := _KEY.fullmatch(each))}
        spot = self._index().at(place)
        if not keys or spot is None:
            return {}
        number = spot.place_id
        names = ids if isinstance(ids, Mapping) else {}
        return await self._database.run(lambda c: self._look(c, place, number, keys, names))

    async def recorded(self, room_id: str, event_ids: Sequence[str]) -> Collection[str]:
        """Which of these events of a portal's room are copies that are on record as made.

        Raises:
            StoreError: the database failed.
        """
        spot = self._index().at(Place(MATRIX, room_id))
        if spot is None or not event_ids:
            return ()
        number, now = spot.place_id, now_ms()
        return await self._database.run(
            lambda c: messages.known_before(c, number, event_ids, received=0, made=now)
        )

    async def made(self, place: Place, ids: Collection[str]) -> Mapping[str, datetime]:
        """Which of these ids are copies on record at a place, and when each was said at its origin.

        Raises:
            StoreError: the database failed.
        """
        spot = self._index().at(place)
        if spot is None or not ids:
            return {}
        number = spot.place_id
        rows = await self._database.run(lambda c: messages.made(c, number, list(ids)))
        events = {each: decode_deliverable(kind, data) for each, (kind, data) in rows.items()}
        return {each: event.time for each, event in events.items() if event is not None}

    def _look(
        self,
        connection: Connection,
        place: Place,
        place_id: int,
        keys: Mapping[str, re.Match[str]],
        names: Mapping[str, Sent],
    ) -> Mapping[str, str | None]:
        """`keys` are given with their parts: all pieces of one message begin alike."""
        found = {
            key: None if kind is None or payload is None else self._name(kind, payload)
            for key, (kind, payload) in messages.copied(connection, place_id, list(keys)).items()
        }
        missing = {key: parts for key, parts in keys.items() if key not in found}
        if not missing:
            return found
        starts = {parts[1] for parts in missing.values()}
        pending: dict[str, tuple[int, Deliverable]] = {}
        for row in deliveries.page(connection, place_id, after=0, limit=UNRECORDED_MAX):
            event = decode_deliverable(row.kind, row.payload)
            if event is not None:
                start = delivery_key(event, row.message_id, place)
                if start in starts:
                    pending[start] = row.message_id, event
        copies: list[messages.CopyRow] = []
        for key, parts in missing.items():
            if parts[1] not in pending:
                continue
            message_id, event = pending[parts[1]]
            found[key] = shown_name(event.author, self._network_names)
            if isinstance(event, Message) and key in names:
                copies += _rows(place_id, message_id, int(parts[2] or 0), names[key])
        if copies:
            messages.add_copies(connection, copies)
        return found

    def _name(self, kind: str, payload: bytes) -> str | None:
        event = decode_deliverable(kind, payload)
        return None if event is None else shown_name(event.author, self._network_names)


def _rows(place_id: int, message_id: int, part: int, sent: Sent) -> Iterator[messages.CopyRow]:
    """What is written down of a copy."""
    if sent.id and is_sound_id(sent.id):
        yield messages.CopyRow(place_id, sent.id, message_id, part)
        for alias in filter(is_sound_id, sent.aliases):
            yield messages.CopyRow(place_id, alias, message_id, ALIAS)
