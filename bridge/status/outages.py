"""Tells rooms that a network or a group is away, and in the same notice that it is back.

One notice for each outage and room, changed in place. What goes away again within ten minutes is
the same outage; so a network that comes and goes does not fill the room.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from bridge.contract import Health, Refused
from bridge.model import MATRIX, Place
from bridge.portals.service import Link, Portal, PortalIndex
from bridge.status import words
from bridge.status.notifier import Notifier
from bridge.store import room_notices
from bridge.store.database import Database
from bridge.store.room_notices import RoomNoticeKey, RoomNoticeRow, Stage

log = structlog.get_logger(__name__)

_SAME_OUTAGE_MS: Final = 600_000
_STEP_SECONDS: Final = 5.0
_NETWORK: Final = "network"
_GROUP: Final = "group"

Spot = tuple[str, str | None]
"""A network, or one group of it."""


@dataclass(frozen=True, slots=True)
class State:
    """Whether a network or group can be used, and since when, in milliseconds."""

    up: bool
    since: int
    reason: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Concern:
    """What a network or group is to one portal: its links there."""

    portal: Portal
    links: Sequence[Link]
    name: str

    @property
    def outward(self) -> Sequence[int]:
        """The numbers of the places that something is sent to."""
        return [link.place_id for link in self.links if link.direction.outward]


class Outages:
    """Watches the health board for rooms.

    Args:
        database: where what was told is kept.
        notifier: tells it.
        index: the portals as they are now.
        names: how people call each network.
        clock: tells times.
        after_ms: how long something must be away before it is told.
        retry: the command that has something tried again.
        kept_ms: how long deliveries are tried for a place.
        now: milliseconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - all by keyword
        self,
        *,
        database: Database,
        notifier: Notifier,
        index: Callable[[], PortalIndex],
        names: Mapping[str, str],
        clock: words.Clock,
        after_ms: int,
        retry: str,
        kept_ms: Callable[[Place], int],
        now: Callable[[], int],
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._index = index
        self._names = names
        self._clock = clock
        self._after_ms = after_ms
        self._retry = retry
        self._kept_ms = kept_ms
        self._now = now
        self._states: dict[Spot, State] = {}
        self._rows: dict[RoomNoticeKey, RoomNoticeRow] = {}
        self.changed = asyncio.Event()

    @property
    def pause(self) -> float:
        """Seconds between two steps."""
        return min(_STEP_SECONDS, self._after_ms / 4000)

    def note(self, network: str, health: Health) -> None:
        """Hear from the health board."""
        if network == MATRIX:
            return
        spot, now = (network, health.group), self._now()
        before = self._states.get(spot)
        since = before.since if before is not None and before.up == health.up else now
        self._states[spot] = State(health.up, since, health.reason, health.lasting)
        self.changed.set()

    def away(self) -> frozenset[Place]:
        """The places of links that can't be used now."""
        down = [spot for spot, state in self._states.items() if not state.up]
        return frozenset(
            link.place
            for spot in down
            for concern in self._concerns(spot)
            for link in concern.links
        )

    async def resume(self) -> None:
        """Know what was told before this run.

        Raises:
            StoreError: the database failed.
        """
        rows = await self._database.run(room_notices.load)
        self._rows = {key: row for key, row in rows.items() if row.stage is not Stage.SAID}

    async def step(self) -> bool:
        """Tell what there is to tell.

        Returns:
            False: there is never more to do at once.

        Raises:
            StoreError: the database failed.
            Unreachable: nothing can be told now; it is kept.
        """
        await self._tell_who_is_away()
        for row in list(self._rows.values()):
            await self._review(row)
        return False

    # --- away

    async def _tell_who_is_away(self) -> None:
        """Tell of what is away long enough, or will stay so until someone helps."""
        now = self._now()
        for spot, state in list(self._states.items()):
            if state.up or not (state.lasting or now - state.since >= self._after_ms):
                continue
            network = self._states.get((spot[0], None))
            if spot[1] is not None and network is not None and not network.up:
                continue  # all of the network is away, which is told
            concerns = [c for c in self._concerns(spot) if self._is_news(spot, state, c)]
            if not concerns:
                continue
            peopled = await self._peopled(concerns)
            for concern in concerns:
                if concern.portal.room_place_id in peopled:
                    await self._tell_away(spot, state, concern)

    async def _peopled(self, concerns: Sequence[Concern]) -> set[int]:
        """The rooms, by number, in which there is anyone to be told."""
        numbers = [each.portal.room_place_id or 0 for each in concerns]
        return await self._database.run(lambda c: room_notices.rooms_with_people(c, numbers))

    def _is_news(self, spot: Spot, state: State, concern: Concern) -> bool:
        row = self._rows.get(_key(concern, spot))
        if row is None or row.stage is not Stage.AWAY:
            return True
        return row.event_id is None or (
            state.lasting and row.text != self._away_text(state, concern, row.since)
        )

    async def _tell_away(self, spot: Spot, state: State, concern: Concern) -> None:
        key = _key(concern, spot)
        row = self._rows.get(key)
        if row is not None and row.stage is Stage.OVER and self._is_past(row):
            row = None
        since = state.since if row is None or row.stage is not Stage.AWAY else row.since
        text = self._away_text(state, concern, since)
        if row is None:
            row = RoomNoticeRow(*key, Stage.AWAY, text, since)
        await self._show(concern, replace(row, stage=Stage.AWAY, since=since, until=None), text)

    def _away_text(self, state: State, concern: Concern, since: int) -> str:
        reason = state.reason if state.lasting else ""
        told = words.Away(
            concern.name, bool(concern.outward), self._clock.time(since, self._now()), reason
        )
        patience = min((self._kept_ms(link.place) for link in concern.links), default=0)
        return words.away(told, words.lasted(patience))

    # --- back

    async def _review(self, row: RoomNoticeRow) -> None:
        """Tell that what was away is back, that all is sent, and forget it in the end."""
        found = self._concern(row)
        if found is None:
            await self._forget_link(row)
            return
        spot, concern = found
        if row.stage is Stage.AWAY and (back := self._back_since(spot)) is not None:
            row = replace(row, stage=Stage.BACK, until=max(back, row.since))
            await self._tell_back(concern, row)
        elif row.stage is Stage.BACK:
            await self._tell_back(concern, row)
        elif row.stage is Stage.OVER and self._is_past(row):
            await self._forget(row)

    def _back_since(self, spot: Spot) -> int | None:
        """When it came back; None while it is away, or it is not known, or that is too fresh."""
        state, network = self._states.get(spot), self._states.get((spot[0], None))
        if network is None or not network.up:
            return None
        if state is None:
            state = network  # this network does not tell about its groups one by one
        settled = self._now() - state.since >= self.pause * 1000
        return state.since if state.up and settled else None

    async def _tell_back(self, concern: Concern, row: RoomNoticeRow) -> None:
        until = row.until or self._now()
        places = list(concern.outward)
        kept = await self._database.run(lambda c: room_notices.kept(c, places, until))
        duration = words.lasted(until - row.since)
        span = self._clock.span(row.since, until)
        if kept:
            text = words.back(concern.name, duration, span)
        else:
            lost = await self._database.run(
                lambda c: room_notices.set_aside(c, places, row.since, until)
            )
            end = words.not_all_sent(lost, self._retry) if lost else words.ALL_SENT
            text = words.was_away(concern.name, duration, span, end if places else "")
            row = replace(row, stage=Stage.OVER)
        await self._show(concern, row, text)

    def _is_past(self, row: RoomNoticeRow) -> bool:
        return self._now() - (row.until or 0) >= _SAME_OUTAGE_MS

    async def _forget_link(self, row: RoomNoticeRow) -> None:
        """The link is gone: say so where it was said to be away."""
        portal = next((p for p in self._index().portals if p.room_place_id == row.place_id), None)
        if row.stage is not Stage.OVER and portal is not None:
            await self._show(Concern(portal, (), ""), row, words.not_linked_any_more())
        await self._forget(row)

    async def _forget(self, row: RoomNoticeRow) -> None:
        await self._database.run(lambda c: room_notices.drop(c, [row.key]))
        self._rows.pop(row.key, None)

    # --- telling

    async def _show(self, concern: Concern, row: RoomNoticeRow, text: str) -> None:
        """Have the notice of `row` say `text`; what is about to be said is written down first."""
        if concern.portal.room is None:
            return
        room_id = concern.portal.room.id
        if row.event_id is None:
            row = replace(row, text=text)
            await self._keep(row)
            event_id = await self._say(room_id, row)
            await self._keep(replace(row, event_id=event_id))
            return
        before = self._rows.get(row.key)
        if row.event_id and (before is None or before.text != text):
            row = replace(row, revision=row.revision + 1)
            await self._change(room_id, row.event_id or "", replace(row, text=text))
        if before != (row := replace(row, text=text)):
            await self._keep(row)

    async def _say(self, room_id: str, row: RoomNoticeRow) -> str:
        try:
            return await self._notifier.say(room_id, row.text, _transaction(row))
        except Refused as error:
            log.warning("not_told", room=room_id, reason=str(error))
            return ""

    async def _change(self, room_id: str, event_id: str, row: RoomNoticeRow) -> None:
        try:
            await self._notifier.change(room_id, event_id, row.text, _transaction(row))
        except Refused as error:
            log.warning("not_told", room=room_id, reason=str(error))

    async def _keep(self, row: RoomNoticeRow) -> None:
        await self._database.run(lambda c: room_notices.save(c, [row]))
        self._rows[row.key] = row

    # --- whom it concerns

    def _concerns(self, spot: Spot) -> Iterator[Concern]:
        """The portals with links to a network, or to one group of it."""
        network, group = spot
        by_portal: dict[int, tuple[Portal, list[Link]]] = {}
        for portal, link in self._index().links(network):
            if group is None or link.place.id == group:
                by_portal.setdefault(portal.id, (portal, []))[1].append(link)
        for portal, links in by_portal.values():
            if portal.room_place_id is not None:
                yield Concern(portal, links, self._name(spot, portal))

    def _concern(self, row: RoomNoticeRow) -> tuple[Spot, Concern] | None:
        """What a notice is about; None when that is not linked to its room any more."""
        kind, _, ident = row.subject.partition(":")
        for portal in self._index().portals:
            if portal.room_place_id != row.place_id:
                continue
            links = [
                link
                for link in portal.links
                if (
                    link.place.network == ident if kind == _NETWORK else str(link.place_id) == ident
                )
            ]
            if links:
                place = links[0].place
                spot = place.network, None if kind == _NETWORK else place.id
                return spot, Concern(portal, links, self._name(spot, portal))
        return None

    def _name(self, spot: Spot, portal: Portal) -> str:
        network, group = spot
        name = self._names.get(network, network)
        several = sum(link.place.network == network for link in portal.links) > 1
        return f"{name} ({group})" if group is not None and several else name


def _key(concern: Concern, spot: Spot) -> RoomNoticeKey:
    network, group = spot
    subject = f"{_NETWORK}:{network}" if group is None else f"{_GROUP}:{concern.links[0].place_id}"
    return concern.portal.room_place_id or 0, subject


def _transaction(row: RoomNoticeRow) -> str:
    return f"outage.{row.place_id}.{row.subject}.{row.since}.{row.revision}"
