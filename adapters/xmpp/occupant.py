"""One occupant of one room that is the bridge's own: a doctor's, or the listener."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from adapters.xmpp import nick as nicks
from adapters.xmpp import outgoing
from adapters.xmpp.errors import StanzaError, cannot_join
from adapters.xmpp.incoming import BANNED, FAULT, KICKED, RENAMED, Seen
from adapters.xmpp.timing import Timing
from adapters.xmpp.wire import Wire
from bridge.contract import Unreachable
from bridge.model import Author


class Exit(StrEnum):
    """Why an occupant is not in the room any more."""

    LEFT = "left"
    KICKED = "kicked"
    BANNED = "banned"
    DESTROYED = "destroyed"
    LOST = "lost"


class Occupant:
    """Enters, renames and leaves; and is told what the room answers.

    Args:
        jid: its full address.
        room: the room's address.
        nicks: the bridge's own nicks in this room, which it keeps up to date for itself.
        timing: how long to wait for answers.
        on_exit: called when the room puts it out, or forgets it.
    """

    def __init__(
        self,
        jid: str,
        room: str,
        nicks: dict[str, "Occupant"],
        timing: Timing,
        on_exit: Callable[["Occupant", Exit, Seen], None],
    ) -> None:
        self.jid = jid
        self.name = ""
        """The name that was asked for; the nick may differ from it."""
        self.author: Author | None = None
        """Whom it stands for; None for the listener."""
        self.photo: str | None = None
        """The hash of its picture (XEP-0153): "" for none, None while it is not known."""
        self._shown: str | None = None
        self.role = ""
        self.affiliation = ""
        self.claim: str | None = None
        """The nick it has asked for and not got yet."""
        self.occupant_id: str | None = None
        self.lock = asyncio.Lock()
        """Held by whoever makes it enter, rename or leave."""
        self._nick: str | None = None
        self._wish = ""
        self._own_nicks = nicks
        self._room = room
        self._timing = timing
        self._on_exit = on_exit
        self._asked = ""
        self._answer: asyncio.Future[Seen] | None = None
        self._leaving = False

    @property
    def nick(self) -> str | None:
        """Its nick in the room; None while it is not in."""
        return self._nick

    @property
    def wish(self) -> str | None:
        """The nick that it would have, were it not taken by somebody else; None if it has it."""
        return None if self._nick in {None, self._wish} else self._wish

    def _set_nick(self, nick: str | None) -> None:
        if self._nick is not None and self._own_nicks.get(self._nick) is self:
            del self._own_nicks[self._nick]
        self._nick = nick
        if nick is not None:
            self._own_nicks[nick] = self

    async def enter(self, wire: Wire, name: str, history: str = outgoing.NO_HISTORY) -> Seen:
        """Go into the room under the nearest nick to `name` that is free.

        Raises:
            Unreachable: not now.
            Refused: the room does not let it in.
        """

        def request(spelling: str, id_: str) -> str:
            return outgoing.join(
                self.jid, f"{self._room}/{spelling}", id_, history, self._picture()
            )

        return await self._take_nick(wire, name, request)

    async def rename(self, wire: Wire, name: str) -> None:
        """Take another nick. Raises as `enter` does."""
        if nicks.prepare(name) == nicks.prepare(self.name):
            self.name = name
            return
        await self._take_nick(wire, name, self._renaming)

    async def reclaim(self, wire: Wire) -> None:
        """Take the nick it wishes for, which may be free by now. Raises as `enter` does."""
        if self.wish is not None:
            await self._take_nick(wire, self.name, self._renaming)

    def _renaming(self, spelling: str, id_: str) -> str:
        return outgoing.rename(self.jid, f"{self._room}/{spelling}", id_, self._picture())

    def _picture(self) -> str:
        self._shown = self.photo
        return outgoing.picture(self.photo) if self.author is not None else ""

    def show(self, wire: Wire, photo: str) -> None:
        """Let the room know of another picture."""
        self.photo = photo
        if self._nick is not None and self._shown != photo:
            wire.post(self._renaming(self._nick, wire.new_number()))

    async def leave(self, wire: Wire, reason: str = "") -> None:
        """Go out of the room, and wait until it has noticed (but not for ever)."""
        if self.nick is None:
            return
        gone = self._expect(wire)
        self._leaving = True
        try:
            wire.post(outgoing.leave(self.jid, self._room, self.nick, reason))
            await asyncio.wait({gone}, timeout=self._timing.answer)
            if gone.done():
                gone.exception()  # lost in between is gone, too
        finally:
            self._leaving = False
            self._answer = None
            self._set_nick(None)

    def forget(self) -> None:
        """The connection is gone, and so is the occupant."""
        self._set_nick(None)
        self.claim = None
        self._fail(Unreachable("The connection was lost.", doubtful=True))
        self._answer = None

    def saw(self, seen: Seen) -> None:
        """Take a presence about this occupant."""
        if seen.here:
            self._set_nick(seen.nick)
            self.claim = None
            self.occupant_id = seen.occupant_id or self.occupant_id
            self.role, self.affiliation = seen.role, seen.affiliation
            self._settle(seen)
        elif RENAMED in seen.codes:
            self._set_nick(self.claim or seen.new_nick)  # the presence under the new nick follows
        elif self.nick is not None:
            self._set_nick(None)
            if self._leaving:
                self._settle(seen)
                return
            self._fail(Unreachable(f"{self.name} was put out of the room {self._room}."))
            self._on_exit(self, _exit(seen), seen)

    def failed(self, error: StanzaError, id_: str | None) -> None:
        """Take an error presence."""
        if id_ in {self._asked, None}:
            self._fail(error)

    async def _take_nick(self, wire: Wire, name: str, request: Callable[[str, str], str]) -> Seen:
        base, number = nicks.prepare(name), 1
        try:
            while number <= nicks.SPELLINGS:
                self.claim = nicks.numbered(base, number)
                try:
                    seen = await self._request(wire, request)
                except StanzaError as error:
                    if error.condition == "conflict":
                        number += 1
                    elif error.condition == "jid-malformed" and base != nicks.strict(base):
                        base = nicks.strict(base)
                    else:
                        raise cannot_join(self._room, name, error) from error
                else:
                    self.name, self._wish = name, base
                    return seen
        finally:
            self.claim = None
        raise Unreachable(f'Every spelling of the nick "{base}" is taken in {self._room}.')

    async def _request(self, wire: Wire, request: Callable[[str, str], str]) -> Seen:
        answer = self._expect(wire)
        try:
            wire.post(request(self.claim or "", self._asked))
            async with asyncio.timeout(self._timing.answer):
                return await answer
        except TimeoutError:
            raise Unreachable(f"The room {self._room} does not answer.", doubtful=True) from None
        finally:
            self._answer = None

    def _expect(self, wire: Wire) -> "asyncio.Future[Seen]":
        self._asked = wire.new_number()
        self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    def _settle(self, seen: Seen) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(seen)

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _exit(seen: Seen) -> Exit:
    if seen.destroyed:
        return Exit.DESTROYED
    if BANNED in seen.codes:
        return Exit.BANNED
    if KICKED in seen.codes and FAULT not in seen.codes:
        return Exit.KICKED
    return Exit.LOST
