"""Keeps the bot in the room of every portal, and tells the relay who is in it.

The counterpart of `groups` on the Matrix side. Nothing here is needed to take messages in: while
the homeserver is away, what networks say is stored and waits.
"""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import structlog

from bridge.attendance.upgrades import RoomUpgrades
from bridge.clock import now_ms
from bridge.contract import Health
from bridge.errors import ConsiliumError
from bridge.flow.intake import Intake
from bridge.health import HealthBoard
from bridge.matrix.faults import Denied
from bridge.matrix.homeserver import Homeserver
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.matrix.rooms import Rooms
from bridge.model import MATRIX, Place, Roster
from bridge.portals.service import Portal, PortalIndex, Portals

log = structlog.get_logger(__name__)

Entry = Callable[[str, int], None]
"""Told of a room, and since when events of it may not have been pushed (milliseconds since the
epoch): when the bot went out, or the bridge started.
"""

_RETRY_SECONDS: Final = 15.0
_AT_ONCE: Final = 8
_NEWS_HELD: Final = 1_000


class PortalRooms:
    """Finds and enters the rooms of portals, as soon as the homeserver allows it.

    Args:
        homeserver: waited for, and asked whether it knows the bridge.
        rooms: what the bot can do about a room.
        portals: whose rooms they are.
        intake: takes over who is in a room.
        board: told whether the homeserver, and each room, can be used.
        upgrades: tells of rooms that take the place of others.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a room is to the bridge
        self,
        homeserver: Homeserver,
        rooms: Rooms,
        portals: Portals,
        intake: Intake,
        board: HealthBoard,
        upgrades: RoomUpgrades | None = None,
    ) -> None:
        self._homeserver = homeserver
        self._rooms = rooms
        self._portals = portals
        self._intake = intake
        self._board = board
        self._upgrades = upgrades
        self._changed = asyncio.Event()
        self._looked = asyncio.Event()
        self._news: asyncio.Queue[JsonObject] = asyncio.Queue(_NEWS_HELD)
        self._entered: set[str] = set()
        self._started = now_ms()
        self._out_since: dict[str, int] = {}
        self._entries: list[Entry] = []
        self._well = asyncio.Event()

    def watch(self, entry: Entry) -> None:
        """Have `entry` called whenever the bot is found in a portal's room, or has entered it."""
        self._entries.append(entry)

    def ready(self) -> bool:
        """Whether the homeserver and the bridge know each other."""
        return self._well.is_set()

    async def until_ready(self) -> None:
        """Return once the homeserver and the bridge know each other."""
        await self._well.wait()

    def follow(self, _before: PortalIndex, _after: PortalIndex) -> None:
        """Take note of a change of portals; `run` acts on it."""
        self._changed.set()

    def observe(self, raw: JsonObject) -> None:
        """Look at a raw event: it may invite the bot, or put it out."""
        if raw.get("state_key") != self._rooms.bot_id or raw.get("type") != "m.room.member":
            return
        try:
            self._news.put_nowait(raw)
        except asyncio.QueueFull:
            log.warning("bot_membership_not_seen", room=text_at(raw, "room_id"))

    async def run(self) -> None:
        """Work until cancelled."""
        await self._greet()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._enter_when_changed())
            tasks.create_task(self._watch_bot())

    async def _greet(self) -> None:
        """Wait until the homeserver is up and knows the bridge, telling what is wrong meanwhile."""
        while not self._well.is_set():
            await self._homeserver.wait_until_up()
            try:
                await self._homeserver.ping_through()
                await self._homeserver.ensure_bot()
            except ConsiliumError as error:
                self._board.report(MATRIX, Health(up=False, reason=str(error)))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._well.set()
        self._board.report(MATRIX, Health(up=True))

    # --- entering ------------------------------------------------------------------------------

    async def _enter_when_changed(self) -> None:
        while True:
            self._changed.clear()
            await self._enter_all()
            self._looked.set()
            settled = all(self._settled(portal) for portal in self._portals.index.portals)
            with suppress(TimeoutError):  # then those that are not entered yet are tried again
                async with asyncio.timeout(None if settled else _RETRY_SECONDS):
                    await self._changed.wait()

    def _settled(self, portal: Portal) -> bool:
        return portal.room is not None and portal.room.id in self._entered

    async def _enter_all(self) -> None:
        missing = [each for each in self._portals.index.portals if not self._settled(each)]
        if not missing:
            return
        try:
            inside = await self._rooms.joined()
        except ConsiliumError as error:
            log.warning("rooms_not_known", reason=str(error))
            return
        few = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            for portal in missing:
                tasks.create_task(self._settle(portal, inside, few))

    async def _settle(
        self, portal: Portal, inside: AbstractSet[str], few: asyncio.Semaphore
    ) -> None:
        name = portal.room_name or (portal.room.id if portal.room else "")
        async with few:
            try:
                room_id = await self._present_room(portal, await self._rooms.resolve(name))
                if portal.room is None or portal.room.id != room_id:
                    await self._portals.settle(portal.id, room_id)
                if room_id not in inside:
                    await self._rooms.enter(room_id)
                await self._count_in(room_id)
            except ConsiliumError as error:
                self._board.report(MATRIX, Health(up=False, reason=str(error), group=name))
            else:
                self._board.report(MATRIX, Health(up=True, group=name))

    async def _present_room(self, portal: Portal, named: str) -> str:
        """The room that is a portal's now, where the configuration names `named`: that one, or the
        one that took its place.
        """
        settled = portal.room.id if portal.room else named
        if settled == named or self._upgrades is None:
            return named
        try:
            later = await self._upgrades.is_later(settled, than=named)
        except Denied as error:
            log.info("predecessors_not_known", room=settled, reason=str(error))
            return named
        return settled if later else named

    async def _count_in(self, room_id: str) -> None:
        """The bot is in a room: tell the relay who else is."""
        people = await self._rooms.members(room_id)
        roster = Roster(Place(MATRIX, room_id), people, datetime.now(UTC))
        await self._intake.receive([roster])
        self._entered.add(room_id)
        out_since = self._out_since.pop(room_id, self._started)
        for entry in self._entries:
            entry(room_id, out_since)

    # --- what happens to the bot ---------------------------------------------------------------

    async def _watch_bot(self) -> None:
        await self._looked.wait()
        while True:
            raw = await self._news.get()
            room_id = text_at(raw, "room_id")
            try:
                await self._react(room_id, raw)
            except ConsiliumError as error:
                self._board.report(MATRIX, Health(up=False, reason=str(error), group=room_id))

    async def _react(self, room_id: str, raw: JsonObject) -> None:
        if self._upgrades is not None and await self._upgrades.invited(raw):
            return
        if await self._rooms.invited(raw, self._portals.is_portal):
            await self._count_in(room_id)
            self._board.report(MATRIX, Health(up=True, group=room_id))
        elif text_at(object_at(raw, "content"), "membership") in {"leave", "ban"}:
            self._entered.discard(room_id)
            self._out_since.setdefault(room_id, now_ms())
            if self._portals.is_portal(room_id):
                sentence = f"The bot was put out of the room {room_id}. Invite it again."
                self._board.report(MATRIX, Health(up=False, reason=sentence, group=room_id))
