"""Who is in one room: every presence is told to whom it concerns, and colleagues' to the bridge."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

import structlog

from adapters.xmpp import outgoing
from adapters.xmpp.crew import Crew
from adapters.xmpp.errors import StanzaError
from adapters.xmpp.farewells import Farewells
from adapters.xmpp.incoming import SHUTDOWN, Seen, is_about_oneself, read_presence
from adapters.xmpp.occupant import Occupant
from adapters.xmpp.people import PUT_OUT, People
from adapters.xmpp.wire import Wire
from bridge.model import Event, Joined, Left, Renamed

log = structlog.get_logger()


class Attendance:
    """Tells the bridge's own from the colleagues, whatever the room shows of them.

    Args:
        room: the room's address.
        crew: the bridge's own occupants.
        people: the others.
        emit: where events go.
        farewell: seconds for which a leave is held back.
    """

    def __init__(
        self,
        room: str,
        crew: Crew,
        people: People,
        emit: Callable[[Event], None],
        farewell: float,
    ) -> None:
        self._room = room
        self._crew = crew
        self._people = people
        self._emit = emit
        self._farewells = Farewells(farewell, emit)
        self._wire: Wire | None = None
        self._telling = False
        self._undecided: dict[str, Seen] = {}
        self._expelled: set[str] = set()

    def begin(self, wire: Wire) -> None:
        """The room is being entered: presences are noted, and not yet told."""
        self._wire = wire
        self._expelled.clear()

    def tell(self) -> None:
        """Tell the bridge who is there, and from now on every change."""
        self._telling = True
        self._emit(self._people.roster())

    def end(self) -> None:
        """The bridge is out, and knows nothing of who is in."""
        self._telling = False
        self._crew.forget_all()
        self._people.clear()
        self._farewells.forget()
        self._undecided.clear()

    def hush(self) -> None:
        """The bridge is being put out: that others go, too, is not their leaving."""
        self._telling = False

    def presence(self, stanza: Element, nick: str, to: str) -> None:
        """Take a presence, to the listener or to a doctor."""
        occupant, kind = self._crew.at(to), stanza.get("type")
        if kind == "error":
            if occupant is not None:
                occupant.failed(StanzaError.of(stanza), stanza.get("id"))
                self._decide()
        elif kind not in {None, "unavailable"}:
            return
        elif occupant is None:
            if kind is None:
                self._expel(to)
        elif is_about_oneself(stanza):
            self._about_own(occupant, read_presence(stanza, nick))
        elif occupant is self._crew.listener:
            self._about_other(read_presence(stanza, nick))

    def overheard(self, to: str) -> None:
        """A copy for a doctor went by: should the doctor not be in, let their ghost out."""
        if self._crew.at(to) is None:
            self._expel(to)

    def _about_own(self, occupant: Occupant, seen: Seen) -> None:
        occupant.saw(seen)
        if seen.occupant_id:
            self._crew.ids.add(seen.occupant_id)
        if seen.here:
            self._undecided.pop(seen.nick, None)
            self._report(self._people.disown(seen.nick))

    def _about_other(self, seen: Seen) -> None:
        nick = seen.nick
        if not nick or nick in self._crew.nicks or self._is_own(seen):
            return
        if self._crew.claims(nick) and seen.here:
            self._undecided[nick] = seen  # a doctor's, unless the nick turns out to be taken
            return
        if seen.destroyed or SHUTDOWN in seen.codes:
            return  # everyone goes, the listener too: nobody has left
        self._report(self._people.saw(seen))

    def _is_own(self, seen: Seen) -> bool:
        if self._people.trusts_occupant_ids and seen.occupant_id in self._crew.ids:
            return True
        return seen.real_jid is not None and self._crew.is_own_address(seen.real_jid)

    def _decide(self) -> None:
        """A nick was refused: whoever was seen under it is somebody else."""
        for nick in list(self._undecided):
            seen = self._undecided.pop(nick)
            if nick not in self._crew.nicks:
                self._report(self._people.saw(seen))

    def _report(self, event: Event | None) -> None:
        if event is None or not self._telling:
            return
        if isinstance(event, Left) and not event.reason.startswith(PUT_OUT):
            self._farewells.hold(event)
            return
        if isinstance(event, Joined):
            left = self._farewells.withdraw(event.author)
            if left is not None:
                if left.author.name == event.author.name:
                    return
                event = Renamed(event.place, event.author, event.time)
        self._emit(event)

    def _expel(self, jid: str) -> None:
        """Let an occupant out that an earlier run of the bridge has left in the room."""
        if self._wire is None or jid in self._expelled or not self._crew.is_own_address(jid):
            return
        self._expelled.add(jid)
        log.info("ghost_let_out", room=self._room)
        self._wire.post(outgoing.leave(jid, self._room, "ghost"))
