"""What a room says about itself: its name and its picture, and how they are changed."""

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters.xmpp.crew import Crew
from adapters.xmpp.errors import StanzaError, cannot_configure
from adapters.xmpp.features import Features
from adapters.xmpp.vcards import reference_of, vcard
from adapters.xmpp.wire import Wire
from adapters.xmpp.xml import DATA_FORM, MUC_OWNER, text
from bridge.contract import LocalFile, Refused
from bridge.model import (
    Attachment,
    Author,
    Event,
    MediaKind,
    PictureChanged,
    Place,
    TitleChanged,
)

_NAME: Final = "muc#roomconfig_roomname"
_LARGEST: Final = 100_000
"""Bytes of a room's picture: it goes through the stream in one piece, as text."""


class _Expected:
    """What the bridge itself has set and the room has not shown yet."""

    def __init__(self) -> None:
        self._values: deque[str] = deque(maxlen=10)

    def add(self, value: str) -> None:
        self._values.append(value)

    def drop(self, value: str) -> None:
        if value in self._values:
            self._values.remove(value)

    def comes(self, value: str) -> bool:
        """Whether it is one of them; then those before it will not be shown any more."""
        if value not in self._values:
            return False
        while self._values.popleft() != value:
            pass
        return True


class About:
    """Tells changes of one room, and makes them.

    A room does not say who has changed it, nor when: so what it says first is taken for what it
    was, and the room itself is the author of every change.

    Args:
        place: the room.
        crew: the bridge's own occupants.
        emit: where events go.
    """

    def __init__(self, place: Place, crew: Crew, emit: Callable[[Event], None]) -> None:
        self._place = place
        self._crew = crew
        self._emit = emit
        self._title: str | None = None
        self._photo: str | None = None
        self._own_titles = _Expected()
        self._own_photos = _Expected()
        self._glimpses = 0

    @property
    def is_owner(self) -> bool:
        """Whether the bridge may change the room."""
        return self._crew.listener.affiliation == "owner"

    @property
    def glimpses(self) -> int:
        """How often the room has shown its picture by itself."""
        return self._glimpses

    def looked(self, features: Features, glimpses: int) -> None:
        """Take what the room says when it is asked; `glimpses` is how it was when that was."""
        if features.photo is not None and glimpses == self._glimpses:
            self._see(features.photo)
        if features.title is None:
            return
        known, self._title = self._title, features.title
        own = self._own_titles.comes(features.title)
        if known is not None and features.title not in {known, ""} and not own:
            self._emit(TitleChanged(self._place, self._author(), datetime.now(UTC), features.title))

    def picture_seen(self, photo: str) -> None:
        """Take the hash of its picture, empty for none, as the room shows it by itself."""
        self._glimpses += 1
        self._see(photo)

    def _see(self, photo: str) -> None:
        known, self._photo = self._photo, photo
        if self._own_photos.comes(photo) or known is None or known == photo:
            return
        picture = None
        if photo:
            picture = Attachment(MediaKind.IMAGE, reference_of(self._place.id, "", photo))
        self._emit(PictureChanged(self._place, self._author(), datetime.now(UTC), picture))

    def _author(self) -> Author:
        room = self._place.id
        return Author(self._place.network, room, self._title or room.partition("@")[0])

    # --- changing it

    async def set_title(self, wire: Wire, title: str) -> None:
        """Give the room another name (XEP-0045, section 10.2): that field alone of its form.

        Raises:
            Refused: the bridge is no owner of it, or it can't be named.
            Unreachable: not now.
        """
        room = self._place.id
        self._own_titles.add(title)
        try:
            await wire.ask(
                "set",
                room,
                f"<query xmlns='{MUC_OWNER}'><x xmlns='{DATA_FORM}' type='submit'>"
                "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value>"
                f"</field><field var='{_NAME}'><value>{text(title)}</value></field></x></query>",
            )
        except StanzaError as error:
            self._own_titles.drop(title)
            raise cannot_configure(room, "name", error) from error

    async def set_picture(self, wire: Wire, event: PictureChanged, file: LocalFile | None) -> None:
        """Give the room another picture, or none (XEP-0486). Raises as `set_title` does."""
        room = self._place.id
        if event.picture is not None and file is None:
            raise Refused(f"The new picture of the room {room} could not be had.")
        data = b"" if file is None else await self._picture(file)
        photo = hashlib.sha1(data).hexdigest() if data else ""  # noqa: S324 - XEP-0153
        self._own_photos.add(photo)
        mime = "" if file is None else file.mime
        try:
            await wire.ask("set", room, vcard(mime, base64.b64encode(data).decode()))
        except StanzaError as error:
            self._own_photos.drop(photo)
            raise cannot_configure(room, "picture", error) from error

    async def _picture(self, file: LocalFile) -> bytes:
        if file.size > _LARGEST:
            raise Refused(
                f"A picture of the room {self._place.id} may have {_LARGEST // 1000} kB, and this "
                f"one has {file.size // 1000}.",
                "Choose a smaller one.",
            )
        return await asyncio.to_thread(Path.read_bytes, file.path)
