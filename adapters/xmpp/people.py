"""The colleagues in one room: everyone in it who is not the bridge's own."""

from datetime import UTC, datetime

from adapters.xmpp.identity import colleague_id
from adapters.xmpp.incoming import BANNED, KICKED, RENAMED, Seen
from bridge.model import Author, Event, Joined, Left, Place, Renamed, Roster

_BANNED, _KICKED = PUT_OUT = ("banned", "kicked")
"""How the reason of a leave begins that was not the person's own wish."""


class People:
    """Keeps who is present, by nick, and tells what changes.

    Args:
        place: the room.
    """

    def __init__(self, place: Place) -> None:
        self.trusts_occupant_ids = False
        """Whether the room announces XEP-0421: only then can nobody forge the ids."""
        self._place = place
        self._present: dict[str, Author] = {}
        self._renaming: dict[str, str] = {}

    def clear(self) -> None:
        """The bridge is not in the room any more, and knows nothing of who is."""
        self._present.clear()
        self._renaming.clear()

    def roster(self) -> Roster:
        """Everyone present."""
        authors = {author.id: author for author in self._present.values()}
        return Roster(self._place, tuple(authors.values()), datetime.now(UTC))

    def author(self, nick: str, occupant_id: str | None, real_jid: str | None) -> Author:
        """Who said something under this nick."""
        if not self.trusts_occupant_ids:
            occupant_id = None
        present = self._present.get(nick)
        if present is not None and occupant_id in {None, present.id}:
            return present
        return Author(self._place.network, colleague_id(nick, occupant_id, real_jid), nick)

    def saw(self, seen: Seen) -> Event | None:
        """Take a presence, and tell what it changes."""
        return self._here(seen) if seen.here else self._gone(seen)

    def disown(self, nick: str) -> Event | None:
        """One who was taken for a colleague is the bridge's own."""
        author = self._present.pop(nick, None)
        return None if author is None else Left(self._place, author, datetime.now(UTC))

    def _here(self, seen: Seen) -> Event | None:
        old_nick = self._renaming.pop(seen.nick, None)
        old = self._present.pop(old_nick, None) if old_nick else self._present.get(seen.nick)
        author = self.author(seen.nick, seen.occupant_id, seen.real_jid)
        if old is not None and (old_nick or old.id == author.id):
            # Without ids of its own a person is their nick; a rename keeps the id all the same.
            author = Author(old.network, old.id, seen.nick)
        known = old is not None or self._is_present(author.id)
        self._present[seen.nick] = author
        now = datetime.now(UTC)
        if not known:
            return Joined(self._place, author, now)
        if old is None:
            return None
        return Renamed(self._place, author, now) if old.name != author.name else None

    def _gone(self, seen: Seen) -> Event | None:
        if seen.nick not in self._present:
            return None
        if RENAMED in seen.codes and seen.new_nick:
            self._renaming[seen.new_nick] = seen.nick
            return None
        author = self._present.pop(seen.nick)
        if self._is_present(author.id):
            return None
        return Left(self._place, author, datetime.now(UTC), _reason(seen))

    def _is_present(self, author_id: str) -> bool:
        """Whether this person is here, be it under another nick (of a second device, say)."""
        return any(author.id == author_id for author in self._present.values())


def _reason(seen: Seen) -> str:
    how = _BANNED if BANNED in seen.codes else _KICKED if KICKED in seen.codes else ""
    if not how:
        return seen.reason
    return f"{how}: {seen.reason}" if seen.reason else how
