"""Moves a portal into the room that takes the place of its own.

Only where whoever replaced the room may do so, and where the new room says the same: else anyone
who may write could lead a portal away. The links stay; the bot and the ghosts go along.
"""

import asyncio
from typing import Final

import structlog

from bridge.contract import Health, Unreachable
from bridge.errors import ConsiliumError
from bridge.health import HealthBoard
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.raw import JsonObject, text_at
from bridge.matrix.successors import (
    TOMBSTONE,
    Succession,
    Successors,
    predecessor_of_invited,
    successor_in,
)
from bridge.model import MATRIX
from bridge.portals.service import Portals

log = structlog.get_logger(__name__)

_RETRY_SECONDS: Final = 15.0
_HELD: Final = 1_000
_GENERATIONS_MAX: Final = 10
_AT_ONCE: Final = 4
_NOT_BACK: Final = "This room does not say that it takes the place of the other one."


class RoomUpgrades:
    """Watches for rooms that are replaced.

    Args:
        successors: what the homeserver says about it.
        portals: whose rooms they are.
        ghosts: who goes along.
        board: told of a room into which the bot can't follow.
    """

    def __init__(
        self, successors: Successors, portals: Portals, ghosts: Ghosts, board: HealthBoard
    ) -> None:
        self._successors = successors
        self._portals = portals
        self._ghosts = ghosts
        self._board = board
        self._news: asyncio.Queue[str] = asyncio.Queue(_HELD)

    def observe(self, raw: JsonObject) -> None:
        """Look at a raw event: it may tell that a portal's room is replaced."""
        if raw.get("type") != TOMBSTONE or raw.get("state_key") != "" or not successor_in(raw):
            return
        room_id = text_at(raw, "room_id")
        if self._portals.is_portal(room_id):
            self._note(room_id)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            room_id = await self._news.get()
            try:
                await self._follow(room_id)
            except Unreachable as error:
                log.info("upgrade_not_followed_yet", room=room_id, reason=str(error))
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._note, room_id)
            except ConsiliumError as error:
                log.warning("upgrade_not_followed", room=room_id, reason=str(error))
                self._board.report(MATRIX, Health(up=False, reason=str(error), group=room_id))

    async def invited(self, raw: JsonObject) -> bool:
        """Whether an event invites the bot into the room that takes the place of a portal's: then
        it is entered, as soon as `run` comes to it.

        Raises:
            Denied: the homeserver does not tell.
            Unreachable: it can't be told now.
        """
        old = predecessor_of_invited(raw)
        if old is None or not self._portals.is_portal(old):
            return False
        found = await self._successors.of(old)
        if found is None or found.room_id != text_at(raw, "room_id"):
            return False
        self._note(old)
        return True

    async def is_later(self, room_id: str, than: str) -> bool:
        """Whether a room has taken the place of another, be it after several steps.

        Raises:
            Denied: the homeserver does not tell.
            Unreachable: it can't be told now.
        """
        for _ in range(_GENERATIONS_MAX):
            before = await self._successors.predecessor(room_id)
            if before is None or before == than:
                return before == than
            room_id = before
        return False

    def _note(self, room_id: str) -> None:
        try:
            self._news.put_nowait(room_id)
        except asyncio.QueueFull:
            log.warning("upgrade_not_seen", room=room_id)

    async def _follow(self, room_id: str) -> None:
        spot = self._portals.index.room(room_id)
        found = await self._successors.of(room_id) if spot else None
        if spot is None or found is None:
            return
        if not found.rightful:
            log.warning("upgrade_without_right", room=room_id, sender=found.sender)
            return
        await self._successors.enter(found)
        if await self._successors.predecessor(found.room_id) != room_id:
            await self._turn_back(room_id, found)
            return
        await self._portals.settle(spot.portal.id, found.room_id, since=found.time)
        log.info("upgrade_followed", room=room_id, successor=found.room_id, sender=found.sender)
        self._board.report(MATRIX, Health(up=True, group=room_id))
        await self._bring_ghosts(room_id, found.room_id)

    async def _turn_back(self, room_id: str, found: Succession) -> None:
        log.warning("successor_does_not_agree", room=room_id, successor=found.room_id)
        if not self._portals.is_portal(found.room_id):
            await self._successors.leave(found.room_id, _NOT_BACK)

    async def _bring_ghosts(self, room_id: str, successor: str) -> None:
        """Those who can't come now do when they speak."""
        few = asyncio.Semaphore(_AT_ONCE)

        async def bring(user_id: str) -> None:
            async with few:
                try:
                    await self._ghosts.follow(user_id, successor)
                except ConsiliumError as error:
                    log.info("ghost_stayed_behind", user_id=user_id, reason=str(error))

        async with asyncio.TaskGroup() as tasks:
            for user_id in await self._successors.ghosts_in(room_id):
                tasks.create_task(bring(user_id))
