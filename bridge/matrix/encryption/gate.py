"""Keeps what is said in an encrypted room from going where it is not encrypted, until an admin has
confirmed that once, by the command or in the configuration.

No network that the bridge knows so far is encrypted from end to end: so each link is asked about.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager
from typing import Final

from bridge.contract import (
    Capabilities,
    MediaSource,
    Outgoing,
    Outlet,
    Refused,
    Sent,
    Signalling,
    Unreachable,
)
from bridge.errors import StoreError
from bridge.matrix.encryption.rooms import EncryptedRooms
from bridge.model import (
    MATRIX,
    Attachment,
    Joined,
    Left,
    PictureChanged,
    Place,
    Renamed,
    Signal,
    SubjectChanged,
    TitleChanged,
)
from bridge.store import crypto_confirmed
from bridge.store.database import Database

_AGAIN_SECONDS: Final = 5.0
_NEVER_ENCRYPTED: Final = (Joined, Left, Renamed, SubjectChanged, TitleChanged, PictureChanged)
"""What is state of a room, which Matrix leaves readable in encrypted ones, too."""


class Confirmations:
    """Which links of encrypted rooms were confirmed.

    Args:
        by_config: the places that the configuration confirms.
        database: knows those that were confirmed by a command.
    """

    def __init__(self, by_config: Collection[Place], database: Database) -> None:
        self._by_config = frozenset(by_config)
        self._confirmed: set[tuple[str, Place]] = set()
        self._database = database

    async def has(self, room_id: str, place: Place) -> bool:
        """Whether a link was confirmed.

        Raises:
            StoreError: the database failed.
        """
        if place in self._by_config or (room_id, place) in self._confirmed:
            return True
        if await self._database.run(lambda c: crypto_confirmed.has(c, room_id, place)):
            self._confirmed.add((room_id, place))
            return True
        return False


class GatedOutlet:
    """Implements `Outlet`, `Signalling` and `MediaSource` of `bridge.contract` before another one.

    Args:
        outlet: the network's.
        network: its id.
        name: how people call it.
        command: what an admin has to write.
        rooms: tells which are encrypted.
        confirmations: tells what was confirmed.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands before, and what it asks
        self,
        outlet: Outlet,
        network: str,
        name: str,
        command: str,
        rooms: EncryptedRooms,
        confirmations: Confirmations,
    ) -> None:
        self._outlet = outlet
        self._network = network
        self._name = name
        self._command = command
        self._rooms = rooms
        self._confirmations = confirmations

    def capabilities(self, place_id: str) -> Capabilities:
        """What the network itself can show there."""
        return self._outlet.capabilities(place_id)

    async def send(self, outgoing: Outgoing) -> Sent:
        """Show it there, if that may be; see `bridge.contract.Outlet.send`."""
        origin = outgoing.event.place
        secret = origin.network == MATRIX and not isinstance(outgoing.event, _NEVER_ENCRYPTED)
        if secret and await self._is_encrypted(origin.id):
            await self._check(origin.id, outgoing.place)
        return await self._outlet.send(outgoing)

    async def find(self, outgoing: Outgoing) -> Sent | None:
        """Look a copy up; see `bridge.contract.Outlet.find`."""
        return await self._outlet.find(outgoing)

    async def signal(self, place_id: str, signal: Signal) -> None:
        """Show something passing, if that may be; see `bridge.contract.Signalling`."""
        shows: object = self._outlet
        if not isinstance(shows, Signalling):
            return
        origin = signal.place
        if origin.network == MATRIX and await self._is_encrypted(origin.id):
            await self._check(origin.id, Place(self._network, place_id))
        await shows.signal(place_id, signal)

    def download(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A file of the network; see `bridge.contract.MediaSource`."""
        source: object = self._outlet
        if not isinstance(source, MediaSource):
            raise Refused("The file can't be found.")
        return source.download(attachment)

    async def _is_encrypted(self, room_id: str) -> bool:
        try:
            return await self._rooms.find(room_id) is not None
        except Refused as error:
            raise Unreachable(
                "The homeserver does not say whether this room is encrypted."
            ) from error

    async def _check(self, room_id: str, place: Place) -> None:
        try:
            confirmed = await self._confirmations.has(room_id, place)
        except StoreError as error:
            raise Unreachable("The bridge's own database has a fault.") from error
        if not confirmed:
            raise Unreachable(
                f"This room is encrypted and {self._name} is not: an admin has to allow it with"
                f" {self._command}.",
                retry_after=_AGAIN_SECONDS,
            )
