"""A portal and the people in it: what they say where, and what each place shows of it."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sandbox.hospital import Hospital
from sandbox.matrix_user import MatrixEvent, MatrixUser
from sandbox.xmpp_stanzas import RoomMessage
from sandbox.xmpp_user import XmppUser

MATRIX_ROOM = "Matrix"
"""How the Matrix room is called among the places; a group is called by its address."""

_ME = "/me "
_fences = itertools.count(1)


@dataclass(frozen=True)
class Line:
    """Something said: by whom, as it is shown at one place, or as they are called at home."""

    speaker: str
    text: str
    emote: bool = False


@dataclass(frozen=True)
class Colleague:
    """Someone on XMPP, in one group of a hospital."""

    user: XmppUser
    group: str
    hospital: Hospital


@dataclass(frozen=True)
class Mark:
    """How far each place had come at some time."""

    positions: Mapping[str, int]


@dataclass(frozen=True)
class Meeting:
    """Doctors in one Matrix room and colleagues in the groups linked to it, by their names at home.

    The first doctor has been in the room from its beginning: it is seen through that one's eyes. A
    group is seen through the eyes of the first colleague in it.
    """

    room: str
    doctors: Mapping[str, MatrixUser]
    colleagues: Mapping[str, Colleague]

    @property
    def places(self) -> tuple[str, ...]:
        """The Matrix room and each group."""
        groups = dict.fromkeys(colleague.group for colleague in self.colleagues.values())
        return (MATRIX_ROOM, *groups)

    @property
    def host(self) -> MatrixUser:
        """The doctor who made the room."""
        return next(iter(self.doctors.values()))

    def observer(self, group: str) -> XmppUser:
        """The colleague through whose eyes a group is seen."""
        return next(each.user for each in self.colleagues.values() if each.group == group)

    def links(self, direction: str = "both") -> list[tuple[str, str, str]]:
        """The portal's links to the groups, as the bridge's configuration has them."""
        groups = {each.group: each.hospital.network for each in self.colleagues.values()}
        return [(network, group, direction) for group, network in groups.items()]

    # --- saying

    async def say(self, speaker: str, text: str, *, emote: bool = False) -> None:
        """Say something where the speaker is at home."""
        if doctor := self.doctors.get(speaker):
            await (doctor.send_emote if emote else doctor.send_text)(self.room, text)
        else:
            colleague = self.colleagues[speaker]
            colleague.user.say(colleague.group, _ME + text if emote else text)

    async def arrived(
        self, text: str, places: Iterable[str] | None = None, *, timeout: float = 30.0
    ) -> None:
        """Return once the text has been seen at all places (or those given), as it is or as "/me".

        Raises:
            TimeoutError: it did not arrive somewhere.
        """
        async with asyncio.TaskGroup() as waiting:
            for place in self.places if places is None else places:
                waiting.create_task(self._arrived_at(place, text, timeout))

    async def _arrived_at(self, place: str, text: str, timeout: float) -> None:
        if place == MATRIX_ROOM:
            await self.host.wait_for_text(self.room, text, timeout=timeout)
        else:
            await self.observer(place).wait_for(
                lambda heard: (
                    heard.room == place and not heard.error and heard.body in {text, _ME + text}
                ),
                timeout=timeout,
            )

    async def settle(self, *, timeout: float = 30.0) -> None:
        """Return once everything said before has been everywhere, be it twice or in a circle.

        Everyone says a word that then has to reach every place, where it can't overtake what was
        said before; and once more, for what a loop would bring back.
        """
        for _ in range(2):
            async with asyncio.TaskGroup() as speaking:
                for speaker in (*self.doctors, *self.colleagues):
                    speaking.create_task(self._fence(speaker, timeout))

    async def _fence(self, speaker: str, timeout: float) -> None:
        word = f"{_FENCE}{next(_fences)}"
        await self.say(speaker, word)
        await self.arrived(word, timeout=timeout)

    # --- seeing

    def shown(self, speaker: str, place: str) -> str:
        """The name under which a place has to show a speaker."""
        colleague = self.colleagues.get(speaker)
        if colleague is None or colleague.group == place:
            return speaker
        return f"{speaker} ({colleague.hospital.name})"

    def mark(self) -> Mark:
        """How far each place has come now."""
        return Mark({place: len(self._journal(place)) for place in self.places})

    def seen(self, after: Mark | None = None) -> dict[str, list[Line]]:
        """What each place has shown since, in order, and under which names."""
        positions = after.positions if after else {}
        return {
            place: [
                line
                for line in self._lines(place, positions.get(place, 0))
                if not line.text.startswith(_FENCE)
            ]
            for place in self.places
        }

    async def everyone_is_there(self, *, timeout: float = 30.0) -> None:
        """Return once each place shows everybody: from then on nothing said can be missed."""
        async with asyncio.TaskGroup() as waiting:
            for place in self.places:
                names = [self.shown(name, place) for name in (*self.doctors, *self.colleagues)]
                waiting.create_task(self._present_at(place, names, timeout))

    async def _present_at(self, place: str, names: Iterable[str], timeout: float) -> None:
        if place == MATRIX_ROOM:
            await self.until_members(names, timeout=timeout)
        else:
            for name in names:
                await self.observer(place).wait_for_occupant(place, name, timeout=timeout)

    def members(self) -> dict[str, str]:
        """Who is in the Matrix room, as its timeline tells: user ids with the names shown."""
        present: dict[str, str] = {}
        for event in self._events():
            if event.type == "m.room.member" and event.state_key:
                if event.content.get("membership") == "join":
                    present[event.state_key] = event.content.get("displayname") or event.state_key
                else:
                    present.pop(event.state_key, None)
        return present

    async def until_members(self, names: Iterable[str], *, timeout: float = 10.0) -> None:
        """Return once people of all these names are in the Matrix room."""
        wanted = set(names)
        await self.host.timeline.wait_until(
            lambda: wanted <= set(self.members().values()), timeout=timeout
        )

    async def until_no_member(self, name: str, *, timeout: float = 10.0) -> None:
        """Return once nobody of this name is in the Matrix room."""
        await self.host.timeline.wait_until(
            lambda: name not in self.members().values(), timeout=timeout
        )

    def messages(self, group: str) -> list[RoomMessage]:
        """What was said in a group, as its observer has heard it."""
        heard = self.observer(group).messages
        return [each for each in heard if each.room == group and each.body and not each.error]

    def _journal(self, place: str) -> list[MatrixEvent] | list[RoomMessage]:
        return self._events() if place == MATRIX_ROOM else self.messages(place)

    def _lines(self, place: str, after: int) -> Iterator[Line]:
        if place == MATRIX_ROOM:
            yield from self._lines_of_room(after)
            return
        for heard in self.messages(place)[after:]:
            emote = heard.body.startswith(_ME)
            yield Line(heard.nick, heard.body.removeprefix(_ME), emote)

    def _lines_of_room(self, after: int) -> Iterator[Line]:
        names: dict[str, str] = {}
        for position, event in enumerate(self._events()):
            if event.type == "m.room.member" and event.state_key:
                names[event.state_key] = event.content.get("displayname") or event.state_key
            elif event.type == "m.room.message" and position >= after:
                emote = event.content.get("msgtype") == "m.emote"
                yield Line(names.get(event.sender, event.sender), event.body, emote)

    def _events(self) -> list[MatrixEvent]:
        return [event for event in self.host.timeline if event.room == self.room]


_FENCE = "-- all up to here: "
