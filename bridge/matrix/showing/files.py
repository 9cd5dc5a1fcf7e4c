"""Files: brought to the homeserver piece by piece, and put into messages."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from bridge.contract import LocalFile, Outgoing, Unreachable
from bridge.matrix.encryption.attachments import encrypt_file
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.media_repository import MediaRepository
from bridge.matrix.raw import JsonObject
from bridge.model import MediaKind, Message

log = structlog.get_logger(__name__)

_PIECE: Final = 65_536
_HELD: Final = 500
_MSGTYPES: Final = {
    MediaKind.IMAGE: "m.image",
    MediaKind.VIDEO: "m.video",
    MediaKind.AUDIO: "m.audio",
    MediaKind.VOICE: "m.audio",
    MediaKind.FILE: "m.file",
    MediaKind.STICKER: "m.sticker",
}
_ENCRYPTED_TYPE: Final = "application/octet-stream"


Encrypted = Callable[[str], Awaitable[bool]]
"""Tells whether a room is encrypted.

Raises:
    Unreachable: it can't be told now.
"""


async def _never(_room_id: str) -> bool:
    return False


class Files:
    """Uploads files, each once for its delivery however often that is tried.

    Args:
        repository: the homeserver's store of files.
        ghosts: whose files they are.
        encrypted: tells where files are to be encrypted; without it, nowhere.
    """

    def __init__(
        self, repository: MediaRepository, ghosts: Ghosts, encrypted: Encrypted = _never
    ) -> None:
        self._repository = repository
        self._ghosts = ghosts
        self._encrypted = encrypted
        self._uploaded: OrderedDict[str, JsonObject] = OrderedDict()

    async def attach(self, content: JsonObject, outgoing: Outgoing, message: Message) -> None:
        """Make the content of a message that of one with its file; its text becomes the caption.

        https://spec.matrix.org/v1.19/client-server-api/#media-captions

        Raises:
            Refused: the homeserver won't take the file.
            Unreachable: not now.
            StoreError: the store failed.
        """
        file = outgoing.file
        if file is None:
            return
        room_id = outgoing.place.id
        where = self._uploaded.get(outgoing.key)
        if where is None:
            ghost = await self._ghosts.ensure(message.author, room_id)
            where = await self._bring(ghost, room_id, file)
            self._uploaded[outgoing.key] = where
            if len(self._uploaded) > _HELD:
                self._uploaded.popitem(last=False)
        name = file.name or file.kind.value
        kind = file.kind
        if kind is MediaKind.STICKER and message.text:
            kind = MediaKind.IMAGE  # stickers have no captions
        content["msgtype"] = _MSGTYPES[kind]
        content["filename"] = name
        content["info"] = _info(file)
        content.update(where)
        if not message.text:
            content["body"] = name
        if kind is MediaKind.VOICE:
            content["org.matrix.msc3245.voice"] = {}
            content["org.matrix.msc1767.audio"] = {"duration": file.duration_ms or 0}

    async def upload_picture(self, key: str, user_id: str, file: LocalFile) -> str:
        """Bring a picture there that is not encrypted; its content URI.

        Raises:
            Refused: the homeserver won't take it.
            Unreachable: not now.
        """
        if key not in self._uploaded:
            self._uploaded[key] = await self._plain(user_id, file)
        return str(self._uploaded[key]["url"])

    async def _bring(self, ghost: str, room_id: str, file: LocalFile) -> JsonObject:
        """Upload a file: where it is, as it stands in the content of a message."""
        if not await self._encrypted(room_id):
            return await self._plain(ghost, file)
        try:
            sealed, key = await encrypt_file(file.path)
        except OSError as error:
            log.error("file_not_encrypted", reason=str(error))
            raise Unreachable("The bridge has no space to encrypt a file.") from error
        try:
            uri = await self._repository.upload(
                ghost, _read(sealed), size=file.size, media_type=_ENCRYPTED_TYPE
            )
        finally:
            await asyncio.to_thread(sealed.unlink, missing_ok=True)
        return {"file": {**key, "url": uri}}

    async def _plain(self, user_id: str, file: LocalFile) -> JsonObject:
        uri = await self._repository.upload(
            user_id, _read(file.path), size=file.size, media_type=file.mime, name=file.name
        )
        return {"url": uri}


async def _read(path: Path) -> AsyncIterator[bytes]:
    """A file, piece by piece, read beside the event loop."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


def _info(file: LocalFile) -> JsonObject:
    info: JsonObject = {"mimetype": file.mime, "size": file.size}
    for key, value in (("w", file.width), ("h", file.height), ("duration", file.duration_ms)):
        if value is not None:
            info[key] = value
    return info
