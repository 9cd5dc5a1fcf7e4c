"""What colleagues say in one room: each message once, in order, whatever happens in between."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from adapters.xmpp.incoming import Said
from adapters.xmpp.meaning import Meaning
from adapters.xmpp.naming import given_names
from adapters.xmpp.scene import Scene
from bridge.contract import Sent
from bridge.model import Event, SubjectChanged

log = structlog.get_logger()

_REMEMBERED: Final = 500

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
        scene: the room.
        emit: where events go.
        echoes: who is told of own copies.
    """

    def __init__(
        self,
        scene: Scene,
        emit: Callable[[Event], None],
        echoes: Echoes,
    ) -> None:
        self.subject: str | None = None
        """The subject as last known; None before the room has told it once."""
        self.mark: str | None = None
        """The archive's id of the newest message that was heard; "" when the archive was empty,
        None when it was never asked."""
        self.heard_at: datetime | None = None
        """When the newest message was said; None before the room was first entered."""
        self.reached_back = False
        """Whether the room's memory has told something that was known, so that nothing is missing
        between that and the rest."""
        self.copies: OrderedDict[str, str] = OrderedDict()
        """The last own copies seen: key, and the id each has here."""
        self._place = scene.place
        self._crew = scene.crew
        self._people = scene.people
        self._naming = scene.naming
        self._meaning = Meaning(scene)
        self._emit = emit
        self._echoes = echoes
        self._recent: deque[Fingerprint] = deque(maxlen=_REMEMBERED)
        self._held: list[Said] | None = None
        self._overlap: Counter[Fingerprint] = Counter()
        self._replayed: set[str] = set()
        self._sent: dict[str, str | None] = {}
        self._known_until: datetime | None = None
        self._subject_due = False

    # --- entering

    def entering(self) -> None:
        """The room is about to be entered: it tells its subject, and may repeat what is known."""
        self._subject_due = True
        self._overlap = Counter(self._recent)
        self._known_until = self.heard_at
        self.reached_back = False

    def entered(self) -> None:
        """The listener is in the room."""
        if self.heard_at is None:
            self.heard_at = datetime.now(UTC)

    def hold(self) -> None:
        """Keep what is heard from now on until all that was said before has been told."""
        self._held = []
        self._replayed.clear()

    @property
    def has_heard(self) -> bool:
        """Whether anything was heard yet in this run."""
        return bool(self._recent)

    @property
    def held(self) -> Sequence[Said]:
        """What is kept."""
        return tuple(self._held or ())

    def age(self, some: Iterable[Said]) -> None:
        """Some of what is kept was said before the room was linked."""
        old = {id(said) for said in some}
        self._held = [
            replace(said, old=True) if id(said) in old else said for said in self._held or ()
        ]

    def leave_out(self, unwanted: Iterable[Said]) -> None:
        """Forget some of what is kept."""
        gone = {id(said) for said in unwanted}
        self._held = [said for said in self._held or () if id(said) not in gone]

    def release(self) -> None:
        """Hand over what was kept, but for what the archive has told already."""
        held, self._held = self._held or [], None
        for said in held:
            if not said.tells:
                self.set_subject(said)
            elif said.stanza_id not in self._replayed:
                self._take(said, said.stanza_id if self._naming.trusts_stanza_ids else None)
        self._replayed.clear()

    def drop_held(self) -> None:
        """The connection is gone: what was kept comes again, from the archive."""
        self._held = None
        self._replayed.clear()

    def replay(self, said: Said) -> None:
        """Take a message from the archive."""
        if said.stanza_id:
            self._replayed.add(said.stanza_id)
        if said.tells:
            self._take(said, said.stanza_id)

    # --- hearing

    def message(self, said: Said) -> None:
        """Take something said or done."""
        if said.delay is not None and self._is_known(said):
            self.reached_back = True
            return
        if self._held is not None and (said.delay is not None or not self.is_own(said)):
            self._held.append(replace(said, heard=datetime.now(UTC)))
            return
        self._take(said, said.stanza_id if self._naming.trusts_stanza_ids else None)

    def set_subject(self, said: Said) -> None:
        """Take a subject: a change, or the present one, which every room tells at entry."""
        if self._held is not None:
            self._held.append(replace(said, heard=datetime.now(UTC)))
            return
        new = said.subject or ""
        known, self.subject = self.subject, new
        due, self._subject_due = self._subject_due, False
        if said.nick in self._crew.nicks:
            self._echoes.own_subject(new)
            return
        if known == new or (due and known is None and not self._was_changed_meanwhile(said)):
            return
        author = self._people.author(said.nick, said.occupant_id, said.real_jid)
        time = said.delay or said.heard or datetime.now(UTC)
        self._emit(SubjectChanged(self._place, author, time, new, self._name_of_subject(said)))

    def _take(self, said: Said, stanza_id: str | None) -> None:
        time = said.delay or said.heard or datetime.now(UTC)
        if self._held is None or said.stanza_id in self._replayed:
            # Not from an own copy that overtakes what the archive has still to tell.
            self.mark = stanza_id or self.mark
        self.heard_at = max(time, self.heard_at or time)
        self._recent.append(_fingerprint(said))
        if self.is_own(said):
            self._note_copy(said, stanza_id)
            return
        try:
            event = self._meaning.of(said, self._naming.name(said, stanza_id), time)
        except Exception:  # or one stanza in an archive could keep the room from ever opening again
            log.exception("stanza_not_handled", sender=f"{self._place.id}/{said.nick}")
            return
        if event is not None:
            self._emit(event)

    def _note_copy(self, said: Said, stanza_id: str | None) -> None:
        for key in given_names(said):
            self.copies[key] = stanza_id or key
            self._echoes.acknowledge(key, stanza_id or key)
        while len(self.copies) > _REMEMBERED:
            self.copies.popitem(last=False)

    # --- whose it is

    def in_doubt(self, some: Iterable[Said]) -> Mapping[str, Sent]:
        """The ids of those messages that may be own ones of an earlier run, with what they are
        called here. Of some, only their id can tell whose they are.
        """
        return {
            key: self._called(said, key)
            for said in some
            if said.tells and said.nick and self._tell_own(said) is not False
            for key in given_names(said)
            if key not in self._sent and key not in self.copies
        }

    def _called(self, said: Said, key: str) -> Sent:
        trusted = said.archived or self._naming.trusts_stanza_ids
        id_ = said.stanza_id if trusted else None
        return Sent(id_ or key, self._naming.aliases_of_own(key))

    def learn(self, sent: Mapping[str, str | None]) -> None:
        """Take note of ids that the bridge has given, and to whose words."""
        self._sent.update(sent)

    def forget_learned(self) -> None:
        """They have served."""
        self._sent.clear()

    def is_own(self, said: Said) -> bool:
        """Whether the bridge said this, now or in an earlier run."""
        if not said.nick:
            return self._meaning.moderator_is_own(said)
        own = self._tell_own(said)
        return (
            any(self._names_own(said, name) for name in given_names(said)) if own is None else own
        )

    def may_be_of(self, said: Said, name: str) -> bool:
        """Whether the bridge may have said this for a doctor of this name."""
        own = self._tell_own(said)
        return self._crew.may_be_called(said.nick, name) if own is None else own

    def _tell_own(self, said: Said) -> bool | None:
        """The same, as far as the room tells who it was; None if it does not."""
        if self._people.trusts_occupant_ids and said.occupant_id in self._crew.ids:
            return True
        if said.delay is None:
            return said.nick in self._crew.nicks
        if said.archived and said.real_jid is not None:
            return self._crew.is_own_address(said.real_jid)
        return None

    def _names_own(self, said: Said, name: str) -> bool:
        return name in self._sent and self._crew.may_be_called(said.nick, self._sent[name])

    def is_news(self, said: Said) -> bool:
        """Whether it is a colleague's message, said after all that are known: to the second, which
        is as exactly as rooms tell.
        """
        if said.body is None or said.delay is None or self.is_own(said):
            return False
        until = self._known_until
        return until is not None and said.delay >= until.replace(microsecond=0)

    def name(self, said: Said) -> str:
        """The id of a message from the room's memory."""
        return self._naming.name(said, said.stanza_id if self._naming.trusts_stanza_ids else None)

    def _was_changed_meanwhile(self, said: Said) -> bool:
        until = self._known_until
        return said.delay is not None and until is not None and said.delay > until

    def _is_known(self, said: Said) -> bool:
        """Whether a message from the room's memory was heard before. Each one heard covers one."""
        fingerprint = _fingerprint(said)
        if self._overlap[fingerprint] <= 0:
            return False
        self._overlap[fingerprint] -= 1
        return True

    def _name_of_subject(self, said: Said) -> str:
        """The same at each entry: rooms give subjects no id."""
        if said.delay is None:
            return self._naming.name(said, None)
        return f"{self._naming.sender(said)}/subject@{said.delay.isoformat()}"


def _fingerprint(said: Said) -> Fingerprint:
    own_name = said.id or said.origin_id
    return (said.nick, own_name) if own_name else (said.nick, f"\0{said.body}")
