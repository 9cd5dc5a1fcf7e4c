"""Where commands come in, one after the other, and where they are answered.

A command is taken at most once: it is written down as heard before it is run, so that a repeated
transaction does not run it again. One that a crash cuts off is not run at the next start; whoever
gave it sees that there is no answer. Nothing here holds up what is said to others.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

import structlog

from bridge.bot.answers import Answer, code, words
from bridge.bot.command import Command, Request
from bridge.bot.pace import Leave, Pace
from bridge.bot.parse import Grammar, Spoken
from bridge.bot.permissions import Permissions, Rank
from bridge.bot.ports import Rooms, Told
from bridge.contract import Unreachable
from bridge.errors import ConsiliumError, StoreError
from bridge.model import MATRIX, Place
from bridge.portals.service import Portal, PortalIndex
from bridge.store import heard
from bridge.store.database import Database
from bridge.wording import listed

log = structlog.get_logger(__name__)

_WAITING: Final = 100
_COMMAND_SECONDS: Final = 60.0
_ANSWER_DELAYS: Final = (0.5, 2.0, 8.0)
_LONGEST_DELAY: Final = 30.0
_PRIVATE: Final = 2
_FOREIGN_SECONDS: Final = 60.0
_FOREIGN_HELD: Final = 500
_ADMINS_NAMED: Final = 3
_FAULT: Final = "My database has a fault, so I can't do that now. Try it again later."
_TOO_FAST: Final = "These are too many commands at once, so I left this one out. Wait a minute."


class Desk:
    """Takes what may be commands, and runs those that are.

    Args:
        database: keeps which commands were given.
        index: the portals as they are now.
        grammar: reads what is said in private chats.
        permissions: who may do what.
        commands: by name.
        rooms: where to answer.
        prefix: what commands begin with.
        pace: how fast each user may give them.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each a part of its own
        self,
        database: Database,
        index: Callable[[], PortalIndex],
        grammar: Grammar,
        permissions: Permissions,
        commands: Mapping[str, Command],
        rooms: Rooms,
        prefix: str,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._database = database
        self._index = index
        self._grammar = grammar
        self._permissions = permissions
        self._commands = commands
        self._rooms = rooms
        self._prefix = prefix
        self._queue: asyncio.Queue[Told] = asyncio.Queue(_WAITING)
        self._foreign: OrderedDict[str, float] = OrderedDict()

    def offer(self, told: Told) -> None:
        """Take something over that may be a command; returns at once."""
        try:
            self._queue.put_nowait(told)
        except asyncio.QueueFull:
            log.warning("command_dropped", room=told.room_id, event_id=told.event_id)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            told = await self._queue.get()
            try:
                await self._handle(told)
            except Exception as error:
                if not isinstance(error, ConsiliumError):
                    log.exception("command_not_answered", event_id=told.event_id)
                    continue
                log.warning(
                    "command_not_answered",
                    room=told.room_id,
                    event_id=told.event_id,
                    reason=str(error),
                )

    async def _handle(self, told: Told) -> None:
        spot = self._index().at(Place(MATRIX, told.room_id))
        portal = spot.portal if spot is not None else None
        private = False
        spoken = told.spoken
        if portal is None and spoken is None and self._is_foreign(told.room_id):
            return
        leave = self._pace.take(told.asker)
        if leave is Leave.DROP:
            log.warning("command_dropped", room=told.room_id, event_id=told.event_id)
            return
        if portal is None:
            people = await self._rooms.people(told.room_id)
            private = people == _PRIVATE
            if private:
                spoken = self._grammar.in_private(told.text)
            if people is None or spoken is None:
                self._remember_foreign(told.room_id)
                return
        if spoken is None:
            return
        try:
            if not await self._is_new(told):
                return
        except StoreError as error:
            log.error("command_failed", command=spoken.command, reason=str(error))
            await self._answer(told, Answer.of(_FAULT))
            return
        if leave is Leave.WARN:
            await self._answer(told, Answer.of(_TOO_FAST))
        else:
            await self._answer(told, await self._run(told, spoken, portal, private=private))

    async def _is_new(self, told: Told) -> bool:
        return await self._database.run(
            lambda connection: heard.first_time(connection, told.room_id, told.event_id)
        )

    # --- running --------------------------------------------------------------------------------

    async def _run(
        self, told: Told, spoken: Spoken, portal: Portal | None, *, private: bool
    ) -> Answer:
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                return await self._obey(told, spoken, portal, private=private)
        except StoreError as error:
            log.error("command_failed", command=spoken.command, reason=str(error))
            return Answer.of(_FAULT)
        except ConsiliumError as error:
            return Answer.of(str(error))
        except TimeoutError:
            log.error("command_failed", command=spoken.command, reason="it took too long")
            return Answer.of("That took too long. Look with a status command whether it was done.")
        except Exception:
            log.exception("command_failed", command=spoken.command, event_id=told.event_id)
            return Answer.of("Something went wrong in me. Tell whoever runs the bridge.")

    async def _obey(
        self, told: Told, spoken: Spoken, portal: Portal | None, *, private: bool
    ) -> Answer:
        rank = await self._rank(told, portal)
        if not rank.covers(Rank.USER):
            return self._refusal(Rank.USER)
        command = self._commands.get(spoken.command)
        if command is None:
            return self._not_known(spoken, portal)
        manual = command.manual
        if not rank.covers(manual.needs):
            return self._refusal(manual.needs)
        if len(spoken.arguments) > manual.most:
            usage = words("Write it as ", code(manual.usage(self._prefix)), ".")
            return Answer.of(usage, _withheld(portal))
        request = Request(
            told.asker,
            rank,
            told.room_id,
            portal,
            private,
            spoken.arguments,
            told.reply_to or told.thread,
        )
        log.info("command", command=manual.name, asker=told.asker, event_id=told.event_id)
        return await command.run(request)

    async def _rank(self, told: Told, portal: Portal | None) -> Rank:
        rank = self._permissions.rank(told.asker)
        if portal is None or rank.covers(Rank.MODERATOR):
            return rank
        moderates = await self._rooms.moderates(told.room_id, told.asker)
        return self._permissions.rank(told.asker, moderates=moderates)

    def _refusal(self, needed: Rank) -> Answer:
        if needed is Rank.MODERATOR:
            return Answer.of("Only a moderator of this room can do that.")
        admins = self._permissions.admins()
        named = f": {listed(admins[:_ADMINS_NAMED])}" if admins else ""
        if needed is Rank.ADMIN:
            return Answer.of(f"Only an admin of the bridge can do that{named}.")
        return Answer.of(f"Only those whom an admin of the bridge lets can give commands{named}.")

    def _not_known(self, spoken: Spoken, portal: Portal | None) -> Answer:
        ask = code(f"{self._prefix}help")
        if not spoken.written:
            return Answer.of(words("Yes? What you can ask me: ", ask))
        written = spoken.written.removeprefix(self._prefix)
        if spoken.meant is None:
            return Answer.of(words(f"I don't know {written}. What I do know: ", ask))
        meant = code(f"{self._prefix}{spoken.meant}")
        hint = words(f"I don't know {written}. Did you mean ", meant, "?")
        return Answer.of(hint, _withheld(portal))

    # --- answering ------------------------------------------------------------------------------

    async def _answer(self, told: Told, answer: Answer) -> None:
        for delay in _ANSWER_DELAYS:
            try:
                await self._rooms.answer(told, answer)
            except Unreachable as error:
                await asyncio.sleep(min(error.retry_after or delay, _LONGEST_DELAY))
            else:
                return
        await self._rooms.answer(told, answer)

    def _is_foreign(self, room_id: str) -> bool:
        """Whether this is a room of others, in which ghosts may be, as was seen a moment ago."""
        return self._foreign.get(room_id, 0.0) > monotonic()

    def _remember_foreign(self, room_id: str) -> None:
        self._foreign[room_id] = monotonic() + _FOREIGN_SECONDS
        self._foreign.move_to_end(room_id)
        while len(self._foreign) > _FOREIGN_HELD:
            self._foreign.popitem(last=False)


def _withheld(portal: Portal | None) -> str:
    if portal is None:
        return ""
    return (
        "I took this for a command and did not pass it on. If it is for your colleagues, write it "
        "again without the sign at its start."
    )
