"""A live transcript: what is seen at each of the places, as it is seen there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from rich.console import Console
from rich.text import Text

from sandbox.mailing_list import MailingList
from sandbox.matrix_user import MatrixUser
from sandbox.meeting import MATRIX_ROOM, Meeting
from sandbox.xmpp_user import XmppUser

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue")


class Transcript:
    """Prints each message at each place, with the name its reader sees."""

    def __init__(self, meeting: Meeting, mailing_list: MailingList | None = None) -> None:
        self._meeting = meeting
        self._console = Console(highlight=False)
        self._printed: dict[str, int] = {}
        self._changed = asyncio.Event()
        places = meeting.places
        if mailing_list is not None:
            places = (*places, mailing_list.address)
        self._width = max(map(len, places))
        self._colour = dict(zip(places, _COLOURS, strict=False))

    @classmethod
    @asynccontextmanager
    async def of(
        cls, meeting: Meeting, mailing_list: MailingList | None = None
    ) -> AsyncIterator[Self]:
        """Print until the block ends."""
        transcript = cls(meeting, mailing_list)
        _, *groups = meeting.places
        print()
        following = [
            transcript._follow_room(meeting.host),
            *(transcript._follow_group(meeting.observer(group), group) for group in groups),
        ]
        if mailing_list is not None:
            following.append(transcript._follow_list(mailing_list))
        tasks = [asyncio.create_task(each) for each in following]
        try:
            yield transcript
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def caught_up(self, messages: int) -> None:
        """Return once so many messages were printed for each place."""
        async with asyncio.timeout(30):
            while any(self._printed.get(place, 0) < messages for place in self._colour):
                self._changed.clear()
                await self._changed.wait()

    async def _follow_room(self, doctor: MatrixUser) -> None:
        names: dict[str, str] = {}
        async for event in doctor.timeline.follow():
            if event.room != self._meeting.room:
                continue
            if event.type == "m.room.member" and event.state_key:
                names[event.state_key] = event.content.get("displayname") or event.state_key
            elif event.type == "m.room.message":
                emote = event.content.get("msgtype") == "m.emote"
                name = names.get(event.sender, event.sender)
                self._print(MATRIX_ROOM, name, event.body, emote=emote)

    async def _follow_group(self, colleague: XmppUser, group: str) -> None:
        async for message in colleague.messages.follow():
            if message.room == group and message.body and not message.error:
                emote = message.body.startswith("/me ")
                self._print(group, message.nick, message.body.removeprefix("/me "), emote=emote)

    async def _follow_list(self, mailing_list: MailingList) -> None:
        async for mail in mailing_list.mails.follow():
            name, said = mail.sender.removesuffix(" via Consilium"), mail.text
            self._print(mailing_list.address, name, said.partition("\n____")[0], emote=False)

    def _print(self, place: str, name: str, text: str, *, emote: bool) -> None:
        text = " ".join(text.split())
        said = f"* {name} {text}" if emote else f"{name}: {text}"
        label = Text(place.ljust(self._width), style=self._colour.get(place, ""))
        self._console.print(label, Text(said), sep="  ", soft_wrap=True)
        self._printed[place] = self._printed.get(place, 0) + 1
        self._changed.set()
