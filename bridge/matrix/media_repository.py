"""The homeserver's store of files, written and read piece by piece.

https://spec.matrix.org/v1.19/client-server-api/#content-repository
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote, urlencode

import structlog

from bridge.contract import Refused, Unreachable
from bridge.errors import ConsiliumError
from bridge.matrix.client import ActingClient
from bridge.matrix.connection import Download
from bridge.matrix.faults import Denied
from bridge.matrix.raw import text_at
from bridge.matrix.reading.media import is_content_uri

log = structlog.get_logger(__name__)

_UPLOAD: Final = "/_matrix/media/v3/upload"
_API: Final = "/_matrix/client/v1/media"
_SHORTEST_SECONDS: Final = 60.0
_SLOWEST: Final = 100_000
"""Bytes per second; a slower transfer is given up."""

_LONGEST_SECONDS: Final = 900.0
_ASK_AGAIN_SECONDS: Final = 3_600.0
_RETRY_SECONDS: Final = 60.0
_NAME_MAX: Final = 200


class MediaRepository:
    """Brings files to the homeserver, and gets them from there.

    Args:
        bot: the bot's client.
    """

    def __init__(self, bot: ActingClient) -> None:
        self._bot = bot
        self.largest: int | None = None
        """The largest file it takes, in bytes; None as long as that is not known."""
        self._asked = False

    async def run(self, homeserver_is_well: Callable[[], Awaitable[None]]) -> None:
        """Wait for the homeserver; then find out, now and again, how large a file may be."""
        await homeserver_is_well()
        while True:
            known = await self.ask()
            await asyncio.sleep(_ASK_AGAIN_SECONDS if known else _RETRY_SECONDS)

    async def ask(self) -> bool:
        """Find out how large a file may be. False if that could not be told now."""
        try:
            answer = await self._bot.call("GET", f"{_API}/config")
        except Denied as error:
            log.info("largest_file_not_known", reason=str(error))
            self._asked = True
            return True  # it is an older homeserver
        except ConsiliumError as error:
            log.info("largest_file_not_known_yet", reason=str(error))
            return False
        self._asked = True
        size = answer.get("m.upload.size")
        self.largest = size if isinstance(size, int) and size > 0 else None
        return True

    async def upload(
        self,
        user_id: str,
        pieces: AsyncIterable[bytes],
        *,
        size: int,
        media_type: str,
        name: str = "",
    ) -> str:
        """Hand a file over.

        Args:
            user_id: whose it is: the bot or a ghost.
            pieces: the file.
            size: its length in bytes.
            media_type: what it is.
            name: what it is called; empty for one whose name is not to be known.

        Returns:
            Its content URI, `mxc://…`.

        Raises:
            Refused: the homeserver won't take it.
            Unreachable: it can't now, or can't be reached.
        """
        if not self._asked:
            await self.ask()
        if self.largest is not None and size > self.largest:
            # A homeserver may just break the connection over it
            raise _too_large(size, self.largest)
        query = {"user_id": user_id}
        if name:
            query["filename"] = name[:_NAME_MAX]
        path = f"{_UPLOAD}?{urlencode(query, quote_via=quote)}"
        try:
            answer = await self._bot.connection.send_file(
                path, pieces, size=size, media_type=media_type, timeout=_seconds(size)
            )
        except Denied as error:
            if error.errcode == "M_TOO_LARGE":
                raise _too_large(size, self.largest) from error
            raise
        uri = text_at(answer, "content_uri")
        if not is_content_uri(uri):
            raise Unreachable("The homeserver did not say where it keeps a file.")
        return uri

    @asynccontextmanager
    async def download(self, uri: str, size: int | None = None) -> AsyncIterator[Download]:
        """A file, to be read while the context lasts.

        Args:
            uri: its content URI.
            size: its length in bytes, as far as its sender tells.

        Raises:
            Refused: it is not there any more, or may not be had.
            Unreachable: it can't be had now.
        """
        if not is_content_uri(uri):
            raise Refused("The file is not on any Matrix homeserver.")
        server, _, ident = uri.removeprefix("mxc://").partition("/")
        whose = f"user_id={quote(self._bot.user_id, safe='')}"
        path = f"{_API}/download/{quote(server, safe='')}/{quote(ident, safe='')}?{whose}"
        timeout = _LONGEST_SECONDS if size is None else _seconds(size)
        try:
            async with self._bot.connection.fetch_file(path, timeout=timeout) as download:
                yield download
        except Denied as error:
            if error.missing:
                raise Refused("The file is not on the homeserver any more.") from error
            if error.errcode in _NOT_YET:
                raise Unreachable("The file is not on the homeserver yet.") from error
            raise


_NOT_YET: Final = frozenset({"M_NOT_YET_UPLOADED"})


def _seconds(size: int) -> float:
    return min(_SHORTEST_SECONDS + size / _SLOWEST, _LONGEST_SECONDS)


def _too_large(size: int, largest: int | None) -> Refused:
    limit = f", and takes none above {_megabytes(largest)}" if largest else ""
    return Refused(
        f"The homeserver does not take a file of {_megabytes(size)}{limit}.",
        "Send a smaller one, or a link to it.",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
