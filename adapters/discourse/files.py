"""Files, to the forum and from it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from adapters.discourse.api import Api
from adapters.discourse.credentials import Credentials
from adapters.discourse.writing import file_line
from adapters.web.fetching import Fetcher
from adapters.web.waiting import retry_after
from bridge.contract import LocalFile, Refused, Unreachable
from bridge.model import Attachment, MediaKind

MAX_BYTES: Final = 1_000_000_000
SECONDS: Final = 600.0
_SHOWN: Final = {
    MediaKind.IMAGE: "image",
    MediaKind.STICKER: "image",
    MediaKind.VIDEO: "video",
    MediaKind.AUDIO: "audio",
    MediaKind.VOICE: "audio",
}


async def upload(api: Api, file: LocalFile, headers: Mapping[str, str]) -> str:
    """Upload a file, and give the line that shows it in a post.

    Raises:
        Unreachable: not now.
        Refused: the forum does not take it.
    """
    # aiohttp reads the file in a thread, piece by piece, and closes it
    stream = file.path.open("rb")
    try:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("type", "composer")
        form.add_field("synchronous", "true")
        name = "".join(c for c in file.name if c.isprintable() and c not in '"\\/') or "file"
        form.add_field("file", stream, filename=name, content_type=file.mime or None)
        told = await api.upload(form, headers)
    finally:
        stream.close()
    short = told.get("short_url")
    if not isinstance(short, str) or not short.startswith("upload://"):
        raise Refused("The forum took the file, and does not say where it is.")
    shown = _SHOWN.get(file.kind, "file")
    return file_line(file.name, short, shown, file.width, file.height)


class Downloads:
    """Files of a forum, with the bridge's own rights where they are on the forum itself.

    Args:
        url: the forum's.
        credentials: of the bridge.
        fetcher: entered by whoever made it.
    """

    def __init__(self, url: str, credentials: Credentials, fetcher: Fetcher) -> None:
        self._url = url
        self._origin = str(URL(url).origin())
        self._credentials = credentials
        self._fetcher = fetcher

    @asynccontextmanager
    async def open(self, attachment: Attachment) -> AsyncIterator[AsyncIterator[bytes]]:
        """The file, piece by piece; see `bridge.contract.MediaSource`."""
        url = self._where(attachment.source)
        private = self._credentials.relay if url.startswith(f"{self._origin}/") else {}
        async with self._fetcher.open(url, private=private) as opened:
            status = opened.answer.status
            if status == 429 or status >= 500:
                raise Unreachable(
                    f"The forum can't give the file now ({status}).",
                    retry_after=retry_after(opened.answer.headers),
                )
            if status != 200:
                raise Refused(f"The forum does not give the file ({status}).")
            yield opened.pieces()

    def _where(self, source: str) -> str:
        """Uploads are known by short names (app/controllers/uploads_controller.rb).

        Raises:
            Refused: it is no reference to a file.
        """
        if source.startswith("upload://"):
            return f"{self._url}/uploads/short-url/{source.removeprefix('upload://')}"
        if source.startswith("//"):
            return f"{self._url.partition('//')[0]}{source}"
        if source.startswith("/"):
            return f"{self._origin}{source}"
        if not source.startswith(("http://", "https://")):
            raise Refused("The forum has no such file.")
        return source
