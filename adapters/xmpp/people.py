"""The colleagues in one room: everyone in it who is not the bridge's own."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from adapters.xmpp.identity import NO_ID, colleague_id
from adapters.xmpp.incoming import BANNED, KICKED, RENAMED, Said, Seen
from adapters.xmpp.vcards import reference_of
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
        self._stays: dict[str, int] = {}
        self._photos: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._renaming: dict[str, str] = {}

    def clear(self) -> None:
        """The bridge is not in the room any more, and knows nothing of who is."""
        self._present.clear()
        self._stays.clear()
        self._photos.clear()
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

    def present(self, nick: str) -> Author | None:
        """Who has this nick now."""
        return self._present.get(nick)

    def nicks(self) -> Iterator[str]:
        """The nicks of everyone present."""
        return iter(self._present)

    def nick_of(self, network: str, author_id: str) -> str | None:
        """The nick under which this person is present."""
        if network != self._place.network:
            return None
        return next((nick for nick, each in self._present.items() if each.id == author_id), None)

    def nick_with(self, photo: str) -> str | None:
        """The nick of someone present whose picture has this hash."""
        return next((seen for seen, has in self._photos.items() if has == photo), None)

    def proof(self, said: Said) -> str | None:
        """What tells who said this, for good: an occupant id, or an address that the room shows."""
        if self.trusts_occupant_ids:
            return said.occupant_id
        if said.archived:
            return said.real_jid and colleague_id("", None, said.real_jid)
        present = None if said.delay else self._present.get(said.nick)
        return None if present is None or present.id.startswith(NO_ID) else present.id

    def stay(self, said: Said) -> int | None:
        """Which uninterrupted stay in the room this was said in; None when that can't be told."""
        return None if said.delay else self._stays.get(said.nick)

    def saw(self, seen: Seen) -> Event | None:
        """Take a presence, and tell what it changes."""
        return self._here(seen) if seen.here else self._gone(seen)

    def disown(self, nick: str) -> Event | None:
        """One who was taken for a colleague is the bridge's own."""
        author = self._present.pop(nick, None)
        self._stays.pop(nick, None)
        return None if author is None else Left(self._place, author, datetime.now(UTC))

    def _here(self, seen: Seen) -> Event | None:
        nick = seen.nick
        old_nick = self._renaming.pop(nick, None)
        old = self._present.pop(old_nick, None) if old_nick else self._present.get(nick)
        stay = self._stays.pop(old_nick or nick, None)
        photo = self._photos.pop(old_nick or nick, None)
        author = self.author(nick, seen.occupant_id, seen.real_jid)
        if old is not None and (old_nick or old.id == author.id):
            # Without ids of its own a person is their nick; a rename keeps the id all the same.
            author = Author(old.network, old.id, nick, old.avatar)
        else:
            stay = None
        if photo is not None:
            self._photos[nick] = photo
        author = self._pictured(author, seen)
        known = old is not None or self._is_present(author.id)
        self._present[nick] = author
        self._stays[nick] = stay or next(self._numbers)
        now = datetime.now(UTC)
        if not known:
            return Joined(self._place, author, now)
        if old is None or old.id != author.id or old == author:
            return None
        return Renamed(self._place, author, now)

    def _pictured(self, author: Author, seen: Seen) -> Author:
        """With the picture that the presence tells of; without a word on it, with the old one."""
        if seen.photo is None:
            return author
        self._photos[seen.nick] = seen.photo
        avatar = reference_of(self._place.id, seen.nick, seen.photo) if seen.photo else None
        return replace(author, avatar=avatar)

    def _gone(self, seen: Seen) -> Event | None:
        if seen.nick not in self._present:
            return None
        if RENAMED in seen.codes and seen.new_nick:
            self._renaming[seen.new_nick] = seen.nick
            return None
        author = self._present.pop(seen.nick)
        self._stays.pop(seen.nick, None)
        self._photos.pop(seen.nick, None)
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
