"""Compares what is shown about messages with what is to be shown, inside one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from bridge.model import Place
from bridge.portals.service import Portal, PortalIndex
from bridge.status import words
from bridge.status.picture import NOTHING, Before, Manner, Picture, Progress, Target, picture
from bridge.store import notices, places
from bridge.store.notices import Fate, NoticeRow, Told
from bridge.store.tables import DeliveryState

Outcome = tuple[DeliveryState, str | None]
"""What became of a delivery, and why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to show about one message of a room; `row` is what is shown so far."""

    row: NoticeRow
    room_id: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class Plans:
    """What follows from a look: `quiet` need no more looks, `stray` belong to no portal."""

    to_tell: list[Plan] = field(default_factory=list)
    quiet: list[int] = field(default_factory=list)
    stray: list[int] = field(default_factory=list)


class Rooms:
    """The portals by the number of their room."""

    def __init__(self, index: PortalIndex) -> None:
        self.index = index
        self.by_number: Mapping[int, Portal] = {
            portal.room_place_id: portal
            for portal in index.portals
            if portal.room is not None and portal.room_place_id is not None
        }


@dataclass(frozen=True, slots=True)
class Look:
    """All that decides what is shown, as it is known on the loop at one moment.

    `outcomes` are those by message and delivery that may not be on disk yet; `trouble` tells why
    lanes wait, `away` which places can't be used; `late_before` is in milliseconds.
    """

    rooms: Rooms
    outcomes: Mapping[int, Mapping[int, Outcome]]
    trouble: Mapping[Place, str]
    away: frozenset[Place]
    names: Mapping[str, str]
    late_before: int
    manner: Manner

    def compare(self, connection: Connection, ids: Sequence[int]) -> Plans:
        """What to change about these messages."""
        found = Plans()
        rows = notices.load(connection, ids)
        said = notices.said(connection, ids)
        fates = notices.fates(connection, ids)
        unlinked: dict[int, Place] = {}
        for message_id in ids:
            row, told = rows.get(message_id), said.get(message_id)
            number = row.place_id if row is not None else told.place_id if told is not None else -1
            portal = self.rooms.by_number.get(number)
            if portal is None or portal.room is None:
                found.stray.append(message_id)
                continue
            known = self._known(message_id, fates.get(message_id, ()))
            if not unlinked and _any_unlinked(portal, known):
                unlinked = {number: place for place, number in places.load(connection).items()}
            wanted = NOTHING if told is None else self._wanted(portal, told, row, known, unlinked)
            if row is None and told is not None:
                row = NoticeRow(message_id, told.place_id, told.event_id, open=False)
            if row is not None and _differs(row, wanted):
                found.to_tell.append(Plan(row, portal.room.id, wanted))
            elif not wanted.waiting:
                found.quiet.append(message_id)
        return found

    def _known(self, message_id: int, fates: Iterable[Fate]) -> list[Fate]:
        """What is on disk, and what lanes have told since."""
        news = self.outcomes.get(message_id, {})
        return [
            replace(fate, state=news[fate.delivery_id][0], last_error=news[fate.delivery_id][1])
            if fate.state is DeliveryState.PENDING and fate.delivery_id in news
            else fate
            for fate in fates
        ]

    def _wanted(
        self,
        portal: Portal,
        told: Told,
        row: NoticeRow | None,
        fates: Sequence[Fate],
        unlinked: Mapping[int, Place],
    ) -> Picture:
        pending = [fate.created_at for fate in fates if fate.state is DeliveryState.PENDING]
        late = bool(pending) and min(pending) <= self.late_before
        before = Before()
        if row is not None:
            before = Before(
                row.mark_text is not None, row.notice_text is not None, row.reported is not None
            )
        progress = Progress(fates, self._targets(portal, fates, unlinked))
        return picture(told.kind, progress, before, self.manner, late=late)

    def _targets(
        self, portal: Portal, fates: Sequence[Fate], unlinked: Mapping[int, Place]
    ) -> dict[int, Target]:
        outward = {link.place_id: link.place for link in portal.outward}
        networks = [link.place.network for link in portal.links]
        found: dict[int, Target] = {}
        for fate in fates:
            place = outward.get(fate.place_id) or unlinked.get(fate.place_id) or Place("", "?")
            name = self.names.get(place.network, place.network)
            if networks.count(place.network) > 1:
                name = f"{name} ({place.id})"
            why = words.NOT_REACHABLE if place in self.away else self.trouble.get(place)
            found[fate.place_id] = Target(place.network, name, why, fate.place_id in outward)
        return found


def begun(plan: Plan) -> Plan:
    """The same, with what is about to be sent in its row: after a crash it is not sent twice."""
    row, wanted = plan.row, plan.picture
    if wanted.mark is not None and row.mark_text is None:
        row = replace(row, mark_text=wanted.mark, mark_about=wanted.mark_about, mark_id=None)
    if wanted.notice is not None and row.notice_text is None:
        row = replace(row, notice_text=wanted.notice, notice_id=None)
    return replace(plan, row=replace(row, open=True))


def _any_unlinked(portal: Portal, fates: Iterable[Fate]) -> bool:
    outward = {link.place_id for link in portal.outward}
    return any(fate.place_id not in outward for fate in fates)


def _differs(row: NoticeRow, wanted: Picture) -> bool:
    return (
        row.mark_about != wanted.mark_about
        or (row.mark_text is not None and row.mark_id is None)
        or (row.notice_text is not None and row.notice_id is None)
        or (wanted.notice is not None and wanted.notice != row.notice_text)
        or (wanted.report is not None and wanted.report.verdict != row.reported)
        or (row.open and not wanted.waiting)
    )
