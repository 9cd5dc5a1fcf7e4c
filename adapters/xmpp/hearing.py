"""What colleagues say in one room: each message once, in order, whatever happens in between."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

from adapters.xmpp import outgoing
from adapters.xmpp.crew import Crew
from adapters.xmpp.incoming import Said
from adapters.xmpp.people import People
from bridge.model import Event, Message, Place, SubjectChanged

_REMEMBERED: Final = 500
_OVERLAP: Final = timedelta(minutes=5)
"""How much further back history is asked for than needed: clocks differ, and stamps are coarse."""

Fingerprint = tuple[str, str]


class Echoes(Protocol):
    """Who waits for own copies to come back."""

    def acknowledge(self, key: str, id_: str) -> None:
        """A copy was seen: the key it was sent with, and the id it has here."""

    def own_subject(self, subject: str) -> None:
        """A subject was seen that one of the bridge's own has set."""


class Hearing:
    """Turns what the room says into events, and own copies into acknowledgements.

    Args:
        place: the room.
        crew: the bridge's own occupants.
        people: the others.
        emit: where events go.
        echoes: who is told of own copies.
    """

    def __init__(
        self,
        place: Place,
        crew: Crew,
        people: People,
        emit: Callable[[Event], None],
        echoes: Echoes,
    ) -> None:
        self.trusts_stanza_ids = False
        """Whether the room announces XEP-0359: only then can nobody forge the ids."""
        self.subject: str | None = None
        """The subject as last known; None before the room has told it once."""
        self.mark: str | None = None
        """The archive's id of the newest message that was heard; "" when the archive was empty,
        None when it was never asked."""
        self.heard_at: datetime | None = None
        """When the newest message was said; None before the room was first entered."""
        self.copies: OrderedDict[str, str] = OrderedDict()
        """The last own copies seen: key, and the id each has here."""
        self._place = place
        self._crew = crew
        self._people = people
        self._emit = emit
        self._echoes = echoes
        self._recent: deque[Fingerprint] = deque(maxlen=_REMEMBERED)
        self._held: list[Said] | None = None
        self._overlap: Counter[Fingerprint] = Counter()
        self._replayed: set[str] = set()
        self._subject_due = False

    # --- entering

    def history(self, *, from_archive: bool) -> str:
        """What to ask of the room's memory at entry: what was missed, unless the archive has it."""
        self._subject_due = True
        self._overlap = Counter(self._recent)
        since = self.since()
        if since is None or from_archive:
            return outgoing.NO_HISTORY
        return outgoing.history_since(since)

    def since(self) -> datetime | None:
        """From when on something may have been missed; None at the first entry: nothing counts."""
        return None if self.heard_at is None else self.heard_at - _OVERLAP

    def entered(self) -> None:
        """The listener is in the room."""
        if self.heard_at is None:
            self.heard_at = datetime.now(UTC)

    def hold(self) -> None:
        """Keep what is said from now on until the archive has told what was said before."""
        self._held = []
        self._replayed.clear()

    def release(self) -> None:
        """Hand over what was kept, but for what the archive has told already."""
        held, self._held = self._held or [], None
        for said in held:
            if said.stanza_id not in self._replayed:
                self._take(said, said.stanza_id if self.trusts_stanza_ids else None)
        self._replayed.clear()

    def drop_held(self) -> None:
        """The connection is gone: what was kept comes again, from the archive."""
        self._held = None
        self._replayed.clear()

    def replay(self, said: Said) -> None:
        """Take a message from the archive."""
        if said.stanza_id:
            self._replayed.add(said.stanza_id)
        if said.body is not None:
            self._take(said, said.stanza_id)

    # --- hearing

    def message(self, said: Said) -> None:
        """Take a message with a body."""
        if said.delay is not None and self._is_known(said):
            return
        stanza_id = said.stanza_id if self.trusts_stanza_ids else None
        if self._held is not None and not self._is_own(said):
            self._held.append(said)
            return
        self._take(said, stanza_id)

    def set_subject(self, said: Said) -> None:
        """Take a subject: a change, or the present one, which every room tells at entry."""
        new = said.subject or ""
        known, self.subject = self.subject, new
        due, self._subject_due = self._subject_due, False
        if said.nick in self._crew.nicks:
            self._echoes.own_subject(new)
            return
        if known == new or (due and known is None):
            return
        author = self._people.author(said.nick, said.occupant_id, said.real_jid)
        time = said.delay or datetime.now(UTC)
        self._emit(SubjectChanged(self._place, author, time, new, self._name(said, None)))

    def _take(self, said: Said, stanza_id: str | None) -> None:
        time = said.delay or datetime.now(UTC)
        if self._held is None or said.stanza_id in self._replayed:
            # Not from an own copy that overtakes what the archive has still to tell.
            self.mark = stanza_id or self.mark
        self.heard_at = max(time, self.heard_at or time)
        self._recent.append(_fingerprint(said))
        name = self._name(said, stanza_id)
        if self._is_own(said):
            self._note_copy(said, stanza_id)
            return
        body = said.body or ""
        emote = body.startswith("/me ")
        author = self._people.author(said.nick, said.occupant_id, said.real_jid)
        self._emit(
            Message(self._place, name, author, time, body[4:] if emote else body, emote=emote)
        )

    def _note_copy(self, said: Said, stanza_id: str | None) -> None:
        for key in {said.id, said.origin_id}:
            if key:
                self.copies[key] = stanza_id or key
                self._echoes.acknowledge(key, stanza_id or key)
        while len(self.copies) > _REMEMBERED:
            self.copies.popitem(last=False)

    def _is_own(self, said: Said) -> bool:
        if self._people.trusts_occupant_ids and said.occupant_id in self._crew.ids:
            return True
        if said.delay is None:
            return said.nick in self._crew.nicks
        if self._people.trusts_occupant_ids and said.occupant_id and self._crew.ids:
            return False
        return said.nick in self._crew.nicks or said.nick in self._crew.former

    def _is_known(self, said: Said) -> bool:
        """Whether a message from the room's memory was heard before. Each one heard covers one."""
        fingerprint = _fingerprint(said)
        if self._overlap[fingerprint] <= 0:
            return False
        self._overlap[fingerprint] -= 1
        return True

    def _name(self, said: Said, stanza_id: str | None) -> str:
        """The id of a message here. One that its sender chose is theirs alone: anyone could choose
        the same (or another's), so it goes with the sender's.
        """
        if stanza_id:
            return stanza_id
        sender = self._people.author(said.nick, said.occupant_id, said.real_jid).id
        return f"{sender}/{said.id or said.origin_id or uuid4().hex}"


def _fingerprint(said: Said) -> Fingerprint:
    own_name = said.id or said.origin_id
    return (said.nick, own_name) if own_name else (said.nick, f"\0{said.body}")
