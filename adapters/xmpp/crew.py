"""The bridge's own occupants of one room: the listener, and one for each doctor present."""

from collections.abc import Callable, Iterator

import structlog

from adapters.xmpp.identity import doctor_jid
from adapters.xmpp.incoming import Seen
from adapters.xmpp.nick import FALLBACK, spells
from adapters.xmpp.occupant import Exit, Occupant
from adapters.xmpp.portraits import Portraits
from adapters.xmpp.timing import Timing
from adapters.xmpp.wire import Wire
from bridge.contract import Refused, Unreachable
from bridge.model import Author

log = structlog.get_logger()

Who = tuple[str, str]
"""Network and author id."""


class Crew:
    """Who of the bridge is in the room, and who should be.

    Args:
        room: the room's address.
        domain: the component's domain, or None where one account speaks for all.
        listener: the full address of the occupant that hears for all.
        timing: how long to wait for answers.
        on_out: called when the room puts one of them out, or loses one.
    """

    def __init__(
        self,
        room: str,
        domain: str | None,
        listener: str,
        timing: Timing,
        on_out: Callable[[Occupant, Exit, Seen], None],
    ) -> None:
        self.nicks: dict[str, Occupant] = {}
        """The bridge's own nicks in the room, and whose they are."""
        self.listener = Occupant(listener, room, self.nicks, timing, on_out)
        self.wanted: dict[Who, Author] = {}
        """The doctors that should be in the room, whether they are or not."""
        self.ids: set[str] = set()
        """Every occupant id (XEP-0421) that ever was the bridge's own here."""
        self._on_out = on_out
        self._room = room
        self._domain = domain
        self._timing = timing
        self.portraits: Portraits | None = None
        """What doctors look like, where that is to be shown."""
        self._doctors: dict[Who, Occupant] = {}
        self._by_jid: dict[str, Occupant] = {listener: self.listener}

    def at(self, jid: str) -> Occupant | None:
        """The own occupant with this full address."""
        return self._by_jid.get(jid)

    def claims(self, nick: str) -> bool:
        """Whether one of the bridge's own has just asked for this nick."""
        return any(occupant.claim == nick for occupant in self._by_jid.values())

    def wishes(self, nick: str) -> bool:
        """Whether one of the bridge's own has another nick only because this one was taken."""
        return any(occupant.wish == nick for occupant in self._by_jid.values())

    async def reclaim(self, wire: Wire) -> None:
        """Let everyone who had to take another nick try again to get their own."""
        for occupant in list(self._by_jid.values()):
            try:
                async with occupant.lock:
                    await occupant.reclaim(wire)
            except (Unreachable, Refused) as error:
                log.info("nick_not_had", room=self._room, reason=str(error))

    def may_be_called(self, nick: str, name: str | None) -> bool:
        """Whether what was sent for someone of this name (None: unknown) may bear this nick."""
        name = name if self._domain else self.listener.name
        return name is None or spells(nick, name)

    def is_own_address(self, jid: str) -> bool:
        """Whether this real address can only be the bridge's own."""
        bare = jid.partition("/")[0]
        if self._domain is None:
            return bare == self.listener.jid.partition("/")[0]
        return bare.rpartition("@")[2] == self._domain

    def doctor(self, nick: str) -> Author | None:
        """The author whose occupant has this nick."""
        occupant = self.nicks.get(nick)
        return None if occupant is None else occupant.author

    def nick_of(self, network: str, author_id: str) -> str | None:
        """The nick of this author's occupant, if it is in the room."""
        occupant = self._doctors.get((network, author_id))
        return None if occupant is None else occupant.nick

    def occupant_of(self, author: Author) -> Occupant | None:
        """Whoever speaks for this author and is in the room already."""
        if self._domain is None:
            return self.listener if self.listener.nick else None
        occupant = self._doctors.get((author.network, author.id))
        return None if occupant is None or occupant.nick is None else occupant

    async def bring(self, wire: Wire, author: Author) -> Occupant:
        """The author's occupant, in the room and under their present name.

        Raises:
            Unreachable: not now.
            Refused: the room does not let them in, or not under this name.
        """
        if self._domain is None:
            return self.listener
        who = (author.network, author.id)
        self.wanted[who] = author
        occupant = self._doctors.get(who)
        if occupant is None:
            occupant = Occupant(
                doctor_jid(author, self._domain),
                self._room,
                self.nicks,
                self._timing,
                self._on_doctor_out,
            )
            self._doctors[who] = occupant
            self._by_jid[occupant.jid] = occupant
        if occupant.author is None or author.avatar not in {None, occupant.author.avatar}:
            self.portray(occupant, author)
        name = author.name or FALLBACK
        if occupant.nick is not None and occupant.name == name:
            return occupant
        async with occupant.lock:
            if occupant.nick is None:
                await occupant.enter(wire, name)
                if occupant.photo is not None:  # it may have come meanwhile
                    occupant.show(wire, occupant.photo)
            elif occupant.name != name:
                await occupant.rename(wire, name)
        return occupant

    def portray(self, occupant: Occupant, author: Author) -> None:
        """A doctor has a picture that may not be known yet."""
        occupant.author = author
        if self.portraits is not None:
            occupant.photo = self.portraits.photo_of(author)
            self.portraits.sit(occupant.jid, author)

    def show(self, wire: Wire, author: Author, photo: str) -> None:
        """A doctor's picture is known."""
        occupant = self._doctors.get((author.network, author.id))
        if occupant is not None and occupant.photo != photo:
            occupant.show(wire, photo)

    async def dismiss(self, wire: Wire, author: Author, reason: str) -> None:
        """Let the author's occupant leave the room, if it is in."""
        who = (author.network, author.id)
        self.wanted.pop(who, None)
        occupant = self._doctors.get(who)
        if occupant is None:
            return
        async with occupant.lock:
            await occupant.leave(wire, reason)
        if occupant.nick is None and who not in self.wanted:
            self._doctors.pop(who, None)
            self._by_jid.pop(occupant.jid, None)

    def is_in(self, author: Author) -> bool:
        """Whether the author is to be in the room."""
        return (author.network, author.id) in self.wanted

    def forget_all(self) -> None:
        """The room or the connection is gone: nobody is in any more."""
        for occupant in self._by_jid.values():
            occupant.forget()

    def hears_as(self, jid: str) -> None:
        """An account's address can differ at each connection."""
        self._by_jid.pop(self.listener.jid, None)
        self.listener.jid = jid
        self._by_jid[jid] = self.listener

    def inside(self) -> Iterator[tuple[Occupant, str]]:
        """Everyone of the bridge who is in the room, with their nicks."""
        return ((each, each.nick) for each in list(self._by_jid.values()) if each.nick)

    def _on_doctor_out(self, doctor: Occupant, how: Exit, seen: Seen) -> None:
        """One who was put out comes back with their next message, not by themselves."""
        if how in {Exit.KICKED, Exit.BANNED}:
            log.info("doctor_put_out", room=self._room, how=how.value)
            for who in [who for who, each in self._doctors.items() if each is doctor]:
                self.wanted.pop(who, None)
        self._on_out(doctor, how, seen)
