"""One incoming event becomes deliveries for every other place of its portal.

`Relay.accept` is one unit of work: what arrived, the copies it is known by, who is present and the
duties it makes are on disk together or not at all. It knows places and links, no network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Final

from sqlalchemy import Connection

from bridge.clock import milliseconds, now_ms
from bridge.contract import Capabilities, Sent
from bridge.flow.changes import Changes, News, NothingUnrecorded, Unrecorded, refers
from bridge.flow.codec import decode_deliverable, encode
from bridge.flow.directory import Directory
from bridge.flow.features import is_due
from bridge.model import Deliverable, Edited, Event, Kind, Message, Place, Reactions, Roster
from bridge.portals.policy import EVERYTHING, Policy
from bridge.portals.service import PortalIndex, Spot
from bridge.store import deliveries, messages, portals
from bridge.store.tables import ALIAS


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that arrived at a place and could not be understood; kept as a trace.

    `id` is what the place calls it, where that can be told: so a repetition leaves no second trace.
    """

    place: Place
    raw: bytes
    reason: str
    id: str | None = None


Arrival = Event | Unreadable

_KEPT: Final = frozenset({Kind.MESSAGE, Kind.EDITED, Kind.REACTED})
"""Events that later ones may be about."""


@dataclass(slots=True)
class Duty:
    """A delivery on its way: the row in the store together with what a lane needs to know.

    `event` is None when it can't be read any more. `doubtful` means that an earlier attempt may
    have arrived; `sent` is what became of the parts that did, `noted` of them are recorded;
    `faults` counts how often the adapter broke. `target_id` and `topic_id` are as in `News`.
    `withdrawn`: it was deleted since, and its words are gone. `marks` tells which parts of an edit
    are `ADDED` or `GONE` (see `bridge.store.tables`).
    `together` are those that go with it in one message, with times in `zone`.
    Times in milliseconds since the epoch.
    """

    id: int
    message_id: int
    place_id: int
    event: Deliverable | None
    created_at: int
    attempts: int = 0
    faults: int = 0
    doubtful: bool = False
    sent: list[Sent] = field(default_factory=list)
    noted: int = 0
    target_id: int | None = None
    topic_id: int | None = None
    withdrawn: bool = False
    marks: dict[int, int] = field(default_factory=dict)
    together: list["Duty"] = field(default_factory=list)
    zone: tzinfo = UTC


@dataclass(slots=True)
class _Rows:
    """What is to be written. `written` are the duties that are already."""

    inbox: list[messages.InboxRow] = field(default_factory=list)
    unreadable: list[messages.UnreadableRow] = field(default_factory=list)
    copies: list[messages.CopyRow] = field(default_factory=list)
    aliases: list[messages.CopyRow] = field(default_factory=list)
    duties: list[Duty] = field(default_factory=list)
    heard: dict[int, int] = field(default_factory=dict)
    written: list[Duty] = field(default_factory=list)

    def clear(self) -> None:
        """All of it is written."""
        self.written += self.duties
        for rows in (self.inbox, self.unreadable, self.copies, self.aliases, self.duties):
            rows.clear()
        self.heard.clear()


class Relay:
    """Turns arrivals into rows and duties.

    Args:
        index: the portals as they are now.
        capabilities: what a place can show.
        policies: what a link asks for.
        unrecorded: knows what was made and is not on disk yet, and so may come back unknown.
    """

    def __init__(
        self,
        index: Callable[[], PortalIndex],
        capabilities: Callable[[Place], Capabilities],
        unrecorded: Unrecorded | None = None,
        policies: Callable[[Place], Policy] = lambda _: EVERYTHING,
    ) -> None:
        self._index = index
        self._capabilities = capabilities
        self._unrecorded = unrecorded or NothingUnrecorded()
        self._policies = policies
        self._changes = Changes(self._unrecorded)
        self._followed: PortalIndex | None = None
        self._directory = Directory()
        self._last_message = 0
        self._last_delivery = 0

    def resume(self, connection: Connection) -> None:
        """Go on counting where the database stands. To be run once, before any `accept`."""
        self._last_message = messages.last_id(connection)
        self._last_delivery = deliveries.last_id(connection)

    def accept(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Duty]:
        """Write down arrivals, in order, and what is to be done about each.

        Returns the new duties, in the order of their ids. Arrivals of places outside of every
        portal, from links that do not carry inwards, and those known already, are dropped.
        """
        index, now, rows = self._index(), now_ms(), _Rows()
        if index is not self._followed:
            self._directory.forget()  # a link that is new, or moved, starts with nobody present
            self._followed = index
        spots = [(arrival, spot) for arrival in arrivals if (spot := index.at(arrival.place))]
        keys = [(spot.place_id, arrival.id) for arrival, spot in spots if arrival.id]
        # In this order: what is recorded between the two questions is found by the second
        seen = {key for key in keys if self._unrecorded.message_of(key) is not None}
        seen |= messages.known(connection, keys)
        for arrival, spot in spots:
            if isinstance(arrival, Roster) and spot.link is not None:
                rows.heard[spot.place_id] = milliseconds(arrival.time)
            if spot.link is not None and not spot.link.direction.inward:
                continue
            if arrival.id:
                if (key := (spot.place_id, arrival.id)) in seen:
                    continue
                seen.add(key)
            if isinstance(arrival, Unreadable):
                self._note(rows, arrival, spot, now)
            else:
                self._take(connection, rows, arrival, spot, now)
        self._write(connection, rows)
        return rows.written

    def revive(
        self, connection: Connection, failed: Sequence[deliveries.FailedDelivery]
    ) -> list[Duty]:
        """Try again what was set aside: as new duties at the end of their lanes.

        Each keeps its key, so a copy that did arrive is not made twice.
        """
        now, duties = now_ms(), []
        ids: list[tuple[int, int]] = []
        for row in failed:
            event = decode_deliverable(row.kind, row.payload)
            if event is None:
                continue  # it can't be read any more, which is why it was set aside
            self._last_delivery += 1
            ids.append((row.id, self._last_delivery))
            duty = Duty(self._last_delivery, row.message_id, row.place_id, event, now)
            duty.doubtful = True
            duty.target_id, duty.topic_id = row.target_id, row.topic_id
            duties.append(duty)
        deliveries.revive(connection, ids, now)
        return duties

    def forget(self) -> None:
        """Drop caches, after a unit of work that was undone."""
        self._directory.forget()

    def _note(self, rows: _Rows, arrival: Unreadable, spot: Spot, now: int) -> None:
        self._last_message += 1
        rows.unreadable.append(
            messages.UnreadableRow(
                self._last_message, spot.place_id, arrival.raw, now, arrival.reason
            )
        )
        if arrival.id:
            rows.copies.append(messages.CopyRow(spot.place_id, arrival.id, self._last_message))

    def _take(
        self, connection: Connection, rows: _Rows, event: Event, spot: Spot, now: int
    ) -> None:
        first = self._last_message + 1
        for news in self._news(connection, rows, spot, event):
            self._last_message += 1
            self._carry(rows, spot, news, now)
            if refers(news.event):
                self._changes.settle(connection, spot.place_id, news, self._last_message)
        if event.id:
            # Also of what turned out to be no news: repeated later, it must not become some
            self._last_message = max(self._last_message, first)
            rows.copies.append(messages.CopyRow(spot.place_id, event.id, first))
        if isinstance(event, Message | Edited) and event.aliases:
            rows.aliases += [
                messages.CopyRow(spot.place_id, alias, first, ALIAS) for alias in event.aliases
            ]

    def _news(
        self, connection: Connection, rows: _Rows, spot: Spot, event: Event
    ) -> Iterator[News]:
        for named in self._directory.apply(connection, spot.place_id, event):
            if refers(named):
                self._write(connection, rows)  # it may be about one of those
                yield from self._changes.read(connection, spot.place_id, named)
            elif not isinstance(named, Reactions):
                yield News(named)

    def _carry(self, rows: _Rows, spot: Spot, news: News, now: int) -> None:
        event = news.event
        targets = list(self._targets(spot, event))
        if targets or event.kind in _KEPT:
            rows.inbox.append(
                messages.InboxRow(
                    self._last_message,
                    spot.place_id,
                    event.kind,
                    encode(event),
                    now,
                    news.target_id,
                    news.topic_id,
                )
            )
        for place_id in targets:
            self._last_delivery += 1
            duty = Duty(self._last_delivery, self._last_message, place_id, event, now)
            duty.target_id, duty.topic_id = news.target_id, news.topic_id
            rows.duties.append(duty)

    def _targets(self, spot: Spot, event: Deliverable) -> Iterator[int]:
        portal = spot.portal
        room, number = portal.room, portal.room_place_id
        if spot.link and not self._policies(spot.link.place).carries(event.kind):
            return
        if spot.link and room and number is not None and self._can_show(room, event):
            yield number
        if isinstance(event, Message) and event.old:
            return
        for link in portal.links:
            if (
                link is not spot.link
                and link.direction.outward
                and self._policies(link.place).carries(event.kind)
                and self._can_show(link.place, event)
            ):
                yield link.place_id

    def _can_show(self, place: Place, event: Deliverable) -> bool:
        return is_due(self._capabilities(place), event.kind)

    def _write(self, connection: Connection, rows: _Rows) -> None:
        messages.add_inbox(connection, rows.inbox)
        messages.add_unreadable(connection, rows.unreadable)
        messages.add_new_copies(connection, rows.copies)
        if rows.aliases:
            messages.add_copies(connection, rows.aliases)
        portals.note_heard(connection, rows.heard)
        self._directory.write(connection)
        deliveries.add(
            connection,
            [
                deliveries.NewDelivery(duty.id, duty.message_id, duty.place_id, duty.created_at)
                for duty in rows.duties
            ],
        )
        rows.clear()
