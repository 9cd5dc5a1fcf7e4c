"""A doctor, a colleague and their portal, for tests of what crosses between two places."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.matrix_user import MatrixEvent, MatrixUser
from sandbox.meeting import Meeting
from sandbox.xmpp_stanzas import RoomMessage
from sandbox.xmpp_user import XmppUser

_SECONDS = 20.0

Fits = Callable[[RoomMessage], bool]
Sees = Callable[[MatrixEvent], bool]


@dataclass(frozen=True)
class Ward:
    """A doctor in the Matrix room, and a colleague in a group linked to it."""

    meeting: Meeting
    doctor_name: str
    colleague_name: str

    @property
    def room(self) -> str:
        """The Matrix room."""
        return self.meeting.room

    @property
    def doctor(self) -> MatrixUser:
        """Who speaks on Matrix."""
        return self.meeting.doctors[self.doctor_name]

    @property
    def group(self) -> str:
        """The colleague's group."""
        return self.meeting.colleagues[self.colleague_name].group

    @property
    def colleague(self) -> XmppUser:
        """Who speaks on XMPP."""
        return self.meeting.colleagues[self.colleague_name].user

    async def doctor_says(self, text: str) -> tuple[str, RoomMessage]:
        """Something said on Matrix: its event id, and its copy in the group."""
        event_id = await self.doctor.send_text(self.room, text)
        return event_id, await self.heard(lambda each: each.body == text)

    async def colleague_says(self, text: str) -> tuple[RoomMessage, MatrixEvent]:
        """Something said on XMPP, as the room gave it back, and its copy on Matrix."""
        self.colleague.say(self.group, text)
        own = await self.heard(lambda each: each.body == text)
        return own, await self.doctor.wait_for_text(self.room, text, timeout=_SECONDS)

    async def heard(self, fits: Fits, *, after: int = 0) -> RoomMessage:
        """The first stanza in the group that fits."""
        return await self.colleague.wait_for(
            lambda each: each.room == self.group and not each.error and fits(each),
            timeout=_SECONDS,
            after=after,
        )

    async def seen(self, fits: Sees) -> MatrixEvent:
        """The first event in the room that fits."""
        return await self.doctor.timeline.wait_for(
            lambda each: each.room == self.room and fits(each), timeout=_SECONDS
        )
