"""Who is in a room, and what things are called there."""

from dataclasses import dataclass

from adapters.xmpp.crew import Crew
from adapters.xmpp.naming import Naming
from adapters.xmpp.people import People
from bridge.model import Author, Place


@dataclass(frozen=True, slots=True)
class Scene:
    """One room as the bridge knows it: its own occupants, the others, and the names in use."""

    place: Place
    crew: Crew
    people: People
    naming: Naming

    @property
    def room(self) -> str:
        """The room's address."""
        return self.place.id

    def who(self, nick: str) -> Author | None:
        """The colleague or doctor who has a nick now."""
        return self.people.present(nick) or self.crew.doctor(nick)

    def nick_of(self, network: str, author_id: str) -> str | None:
        """The nick of a colleague or doctor who is there."""
        return self.crew.nick_of(network, author_id) or self.people.nick_of(network, author_id)
