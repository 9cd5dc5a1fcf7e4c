"""Who is present where: tells what a report of presence really changes.

A cache over the table `members`, used by the relay inside its transactions only.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from bridge.model import (
    Author,
    Deliverable,
    Event,
    Joined,
    Left,
    Message,
    Reactions,
    Renamed,
    Roster,
)
from bridge.store import members

_PLACES_HELD: Final = 2_000
_ABSENT_HELD: Final = 50


class Directory:
    """Applies events to what is known about presence, and yields those that say something new."""

    def __init__(self) -> None:
        self._held: OrderedDict[int, dict[members.MemberKey, Author]] = OrderedDict()
        self._here: dict[int, dict[members.MemberKey, Author]] = {}
        self._gone: dict[int, dict[members.MemberKey, Author]] = {}
        self._absent: dict[int, dict[members.MemberKey, Author]] = {}

    def apply(
        self, connection: Connection, place_id: int, event: Event
    ) -> Iterator[Deliverable | Reactions]:
        """What `event` says that was not known, with the names that are known filled in."""
        present = self._present(connection, place_id)
        match event:
            case Joined() | Renamed():
                known = present.get((event.author.network, event.author.id))
                if known != event.author:
                    self._put(place_id, event.author)
                    yield _arrival(event, known)
            case Left():
                if known := present.get((event.author.network, event.author.id)):
                    self._take(place_id, known)
                    yield replace(event, author=known)
            case Roster():
                yield from self._compare(place_id, present, event)
            case _:
                if isinstance(event, Message):
                    self._note_absent(place_id, present, event.author)
                yield _named(event, present)

    def _compare(
        self, place_id: int, present: dict[members.MemberKey, Author], roster: Roster
    ) -> Iterator[Joined | Left | Renamed]:
        now = {(author.network, author.id): author for author in roster.authors}
        absent = self._absent.pop(place_id, {})
        if now:  # else it is not known who is there
            for author in [each for key, each in absent.items() if key not in {**now, **present}]:
                yield Left(roster.place, author, roster.time)
        for author in [known for key, known in present.items() if key not in now]:
            self._take(place_id, author)
            yield Left(roster.place, author, roster.time)
        for key, author in now.items():
            known = present.get(key)
            if known != author:
                self._put(place_id, author)
                yield _arrival(Joined(roster.place, author, roster.time), known)

    def _note_absent(
        self, place_id: int, present: dict[members.MemberKey, Author], author: Author
    ) -> None:
        """Who has said something without being there may be seen elsewhere since."""
        if (key := (author.network, author.id)) not in present:
            absent = self._absent.setdefault(place_id, {})
            if len(absent) < _ABSENT_HELD:
                absent[key] = author

    def write(self, connection: Connection) -> None:
        """Store what changed since the last call, in the same transaction as its events."""
        for place_id in self._here.keys() | self._gone.keys():
            members.write(
                connection,
                place_id,
                here=self._here.get(place_id, {}).values(),
                gone=self._gone.get(place_id, {}).values(),
            )
        self._here.clear()
        self._gone.clear()

    def forget(self) -> None:
        """Drop everything held: after a transaction that was undone."""
        self._held.clear()
        self._here.clear()
        self._gone.clear()

    def _present(self, connection: Connection, place_id: int) -> dict[members.MemberKey, Author]:
        held = self._held.get(place_id)
        if held is None:
            held = self._held[place_id] = members.load(connection, place_id)
            held.update(self._here.get(place_id, {}))
            for key in self._gone.get(place_id, {}):
                held.pop(key, None)
            if len(self._held) > _PLACES_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(place_id)
        return held

    def _put(self, place_id: int, author: Author) -> None:
        key = (author.network, author.id)
        self._held[place_id][key] = author
        self._here.setdefault(place_id, {})[key] = author
        self._gone.get(place_id, {}).pop(key, None)

    def _take(self, place_id: int, author: Author) -> None:
        key = (author.network, author.id)
        self._held[place_id].pop(key, None)
        self._gone.setdefault(place_id, {})[key] = author
        self._here.get(place_id, {}).pop(key, None)


def _named(
    event: Deliverable | Reactions, present: dict[members.MemberKey, Author]
) -> Deliverable | Reactions:
    if event.author.name:
        return event
    known = present.get((event.author.network, event.author.id))
    return event if known is None else replace(event, author=known)


def _arrival(event: Joined | Renamed, known: Author | None) -> Joined | Renamed:
    """A change of someone who was here is a renaming, whatever it was reported as."""
    kind = Joined if known is None else Renamed
    return kind(event.place, event.author, event.time, event.id)
