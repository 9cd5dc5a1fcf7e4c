"""What the bridge says in one room: sent, and seen to have arrived."""

import asyncio
from typing import Final

from adapters.xmpp import outgoing
from adapters.xmpp.crew import Crew
from adapters.xmpp.errors import NOT_INSIDE, StanzaError, cannot_say, cannot_set_subject
from adapters.xmpp.hearing import Hearing
from adapters.xmpp.lookback import Lookback
from adapters.xmpp.occupant import Occupant
from adapters.xmpp.timing import Timing
from adapters.xmpp.wire import Wire
from bridge.contract import Outgoing, Refused, Sent, Unreachable
from bridge.model import Author, Joined, Left, Message, Renamed, SubjectChanged

_SUBJECT: Final = "subject"


class Saying:
    """Sends, and waits until the room shows the copy to everyone, the listener included.

    Args:
        room: the room's address.
        crew: the bridge's own occupants.
        own_names: whether there is an occupant for each doctor.
        timing: how long to wait for the room.
    """

    def __init__(self, room: str, crew: Crew, timing: Timing, *, own_names: bool) -> None:
        self._room = room
        self._crew = crew
        self._own_names = own_names
        self._timing = timing
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._subjects: dict[str, str] = {}

    # --- told by the room

    def acknowledge(self, key: str, id_: str) -> None:
        """An own copy was seen."""
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(id_)

    def own_subject(self, subject: str) -> None:
        """A subject set by one of the bridge's own was seen; rooms don't keep its id."""
        for key, wanted in self._subjects.items():
            if wanted == subject:
                self.acknowledge(key, "")

    def refused(self, key: str | None, error: StanzaError) -> None:
        """The room answered a message with an error."""
        waiting = self._waiting.get(key or "")
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def lost(self, why: str) -> None:
        """The room or the connection is gone: what is under way may have arrived or not."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unreachable(why, doubtful=True))

    # --- asked by the bridge

    async def send(self, wire: Wire, outgoing_: Outgoing, hearing: Hearing) -> Sent:
        """Show it in the room. Raises as `Outlet.send` does."""
        event = outgoing_.event
        match event:
            case Message():
                return await self._say(wire, outgoing_.key, event)
            case SubjectChanged():
                return await self._set_subject(wire, outgoing_.key, event, hearing)
            case Joined() | Renamed() | Left() if not self._own_names:
                raise Refused(f"The room {self._room} shows no doctors one by one.")
            case Joined():
                await self._crew.bring(wire, event.author)
            case Renamed():
                if self._crew.is_in(event.author):
                    await self._crew.bring(wire, event.author)
            case Left():
                await self._crew.dismiss(wire, event.author, event.reason)
        return Sent()

    async def find(
        self, wire: Wire, outgoing_: Outgoing, hearing: Hearing, lookback: Lookback | None
    ) -> Sent | None:
        """Look up a copy. Raises as `Outlet.find` does."""
        if isinstance(outgoing_.event, SubjectChanged):
            return Sent() if hearing.subject == outgoing_.event.subject else None
        if not isinstance(outgoing_.event, Message):
            return None  # to enter or leave once more does no harm
        key = outgoing_.key
        id_ = hearing.copies.get(key)
        if id_ is None and lookback is not None:
            try:
                id_ = await lookback.find(
                    wire, key, outgoing_.event.time, outgoing_.event.author.name
                )
            except StanzaError as error:
                raise cannot_say(self._room, "The bridge", error) from error
        return None if id_ is None else Sent(id_)

    async def _say(self, wire: Wire, key: str, event: Message) -> Sent:
        occupant = await self._crew.bring(wire, event.author)
        stanza = outgoing.say(occupant.jid, self._room, key, event.text, emote=event.emote)
        try:
            return Sent(await self._until_seen(wire, key, stanza))
        except StanzaError as error:
            self._note_absence(occupant, error)
            raise cannot_say(self._room, _shown(occupant, event.author), error) from error

    async def _set_subject(
        self, wire: Wire, key: str, event: SubjectChanged, hearing: Hearing
    ) -> Sent:
        """Under the author's name if the room lets them, or else under the listener's."""
        if hearing.subject == event.subject:
            return Sent()
        author = await self._crew.bring(wire, event.author)
        tried = [author] if author is self._crew.listener else [author, self._crew.listener]
        self._subjects[key] = event.subject
        try:
            for occupant in tried:
                try:
                    stanza = outgoing.set_subject(occupant.jid, self._room, key, event.subject)
                    await self._until_seen(wire, key, stanza)
                except StanzaError as error:
                    self._note_absence(occupant, error)
                    if error.condition != "forbidden" or occupant is tried[-1]:
                        raise cannot_set_subject(self._room, error) from error
                else:
                    return Sent()
        finally:
            del self._subjects[key]
        raise AssertionError("the last one tried returns or raises")

    async def _until_seen(self, wire: Wire, key: str, stanza: str) -> str:
        seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[key] = seen
        try:
            wire.post(stanza)
            async with asyncio.timeout(self._timing.answer):
                return await seen
        except TimeoutError:
            raise Unreachable(
                f"The room {self._room} did not show the message in time.", doubtful=True
            ) from None
        finally:
            del self._waiting[key]

    def _note_absence(self, occupant: Occupant, error: StanzaError) -> None:
        """A room that has forgotten a doctor will be entered again with the next message."""
        if error.condition == NOT_INSIDE:
            occupant.forget()


def _shown(occupant: Occupant, author: Author) -> str:
    return occupant.nick or occupant.name or author.name
