"""The Matrix side's outlet: shows in rooms what happened elsewhere, each author as a ghost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import orjson

from bridge.contract import Capabilities, Copy, Outgoing, Refused, Sent, Unreachable
from bridge.errors import StoreError
from bridge.matrix.client import ActingClient
from bridge.matrix.copies import Copies, Recorded
from bridge.matrix.encryption.attachments import decrypting
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.media_repository import MediaRepository
from bridge.matrix.portraits import PictureOf
from bridge.matrix.showing.abilities import abilities
from bridge.matrix.showing.deletions import Deletions
from bridge.matrix.showing.edits import Edits
from bridge.matrix.showing.files import Encrypted, Files
from bridge.matrix.showing.mentions import Pills
from bridge.matrix.showing.messages import Messages, sent
from bridge.matrix.showing.reactions import Reactions
from bridge.matrix.showing.recent import Recent
from bridge.matrix.showing.room_state import RoomState
from bridge.matrix.showing.signals import Passing
from bridge.matrix.showing.speaking import Speaker, milliseconds
from bridge.matrix.showing.wording import Wording
from bridge.model import (
    Attachment,
    Deleted,
    Edited,
    Joined,
    Left,
    Message,
    PictureChanged,
    Reacted,
    Renamed,
    Signal,
    SubjectChanged,
    TitleChanged,
)

_FAULTY_STORE: Final = "The bridge's own database has a fault."


class MatrixOutlet:
    """Implements `Outlet`, `Signalling` and `MediaSource` of `bridge.contract` for all rooms.

    A place's id is a room id.

    Args:
        bot: the bot's client.
        ghosts: who speaks.
        recorded: tells which copies need not be looked for; see `bridge.matrix.copies`.
        repository: the homeserver's store of files.
        encrypted: tells which rooms are encrypted; without it, none is.
        encrypts: whether any room may be encrypted.
        picture_of: finds the pictures of groups, and of people; without it, there are none.
    """

    def __init__(  # noqa: PLR0913 - what showing takes
        self,
        bot: ActingClient,
        ghosts: Ghosts,
        recorded: Recorded | None = None,
        *,
        repository: MediaRepository | None = None,
        encrypted: Encrypted | None = None,
        encrypts: bool = False,
        picture_of: PictureOf | None = None,
    ) -> None:
        self._ghosts = ghosts
        self._repository = repository or MediaRepository(bot)
        self._copies = Copies(bot) if recorded is None else Copies(bot, recorded)
        self._encrypts = encrypts
        self._abilities = abilities(None, encrypts=encrypts)
        pills, recent = Pills(ghosts.ids), Recent(bot)
        wording = Wording(pills)
        files = Files(self._repository, ghosts, *(() if encrypted is None else (encrypted,)))
        speaker = Speaker(bot, ghosts, self._copies)
        self._messages = Messages(speaker, wording, pills, files, recent)
        self._edits = Edits(speaker, wording, pills, recent)
        self._deletions = Deletions(bot, ghosts)
        self._reactions = Reactions(bot, ghosts, speaker, self._deletions)
        self._room = RoomState(bot, ghosts, files, picture_of)
        self._passing = Passing(bot, ghosts)

    def capabilities(self, place_id: str) -> Capabilities:  # noqa: ARG002 - all rooms are alike
        """What every room can show."""
        if self._abilities.max_file != self._repository.largest:
            self._abilities = abilities(self._repository.largest, encrypts=self._encrypts)
        return self._abilities

    async def send(self, outgoing: Outgoing) -> Sent:
        """Show it there; see `bridge.contract.Outlet.send`."""
        try:
            return await self._show(outgoing)
        except StoreError as error:
            raise Unreachable(_FAULTY_STORE) from error

    async def find(self, outgoing: Outgoing) -> Sent | None:
        """Look the copy up; see `bridge.contract.Outlet.find`. What may be repeated is not."""
        event, room_id = outgoing.event, outgoing.place.id
        match event:
            case Message() | Edited():
                ghost, said_at = self._ghosts.id_of(event.author), milliseconds(event.time)
                event_id = await self._copies.find(room_id, ghost, outgoing.key, said_at)
                return None if event_id is None else sent(outgoing, event_id)
            case Reacted(gone=False) if outgoing.target is not None:
                return await self._reactions.find(outgoing, event, outgoing.target)
        return None

    async def signal(self, place_id: str, signal: Signal) -> None:
        """Show something passing; see `bridge.contract.Signalling`."""
        try:
            await self._passing.show(place_id, signal)
        except StoreError as error:
            raise Unreachable(_FAULTY_STORE) from error

    @asynccontextmanager
    async def download(self, attachment: Attachment) -> AsyncIterator[AsyncIterator[bytes]]:
        """A file of the Matrix side; see `bridge.contract.MediaSource`."""
        async with self._repository.download(attachment.source, attachment.size) as download:
            if attachment.key is None:
                yield download.pieces
            else:
                yield decrypting(download.pieces, orjson.loads(attachment.key))

    async def _show(self, outgoing: Outgoing) -> Sent:
        room_id, event = outgoing.place.id, outgoing.event
        match event:
            case Message():
                return await self._messages.show(outgoing, event)
            case Edited():
                return await self._edits.show(outgoing, event, _target(outgoing))
            case Deleted():
                return await self._deletions.show(outgoing, event, _target(outgoing))
            case Reacted():
                return await self._reactions.show(outgoing, event, _target(outgoing))
            case Joined() | Renamed():
                await self._ghosts.ensure(event.author, room_id, anew=True)
            case Left():
                await self._ghosts.leave(event.author, room_id, event.reason)
            case SubjectChanged() | TitleChanged() | PictureChanged():
                return await self._room.show(outgoing, event)
        return Sent()


def _target(outgoing: Outgoing) -> Copy:
    if outgoing.target is None:
        raise Refused("What it is about is not in this room.")
    return outgoing.target
