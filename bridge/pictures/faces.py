"""Pictures of people, fetched from where the people are."""

from collections.abc import Callable
from typing import Final

from bridge.contract import MediaSource, Picture, Refused
from bridge.model import Attachment, Author, MediaKind
from bridge.pictures.picture import media_type_of

LARGEST: Final = 1_000_000
"""Bytes; a larger picture is not taken."""


class Faces:
    """Finds people's pictures.

    Args:
        sources: where a network's files come from.
    """

    def __init__(self, sources: Callable[[str], MediaSource]) -> None:
        self._sources = sources

    async def of(self, author: Author) -> Picture | None:
        """The picture of a person; None when there is none to have.

        Raises:
            Unreachable: it can't be had now.
        """
        if not author.avatar:
            return None
        attachment = Attachment(MediaKind.IMAGE, author.avatar)
        content = bytearray()
        try:
            async with self._sources(author.network).download(attachment) as pieces:
                async for piece in pieces:
                    content += piece
                    if len(content) > LARGEST:
                        return None
        except Refused:
            return None
        media_type = media_type_of(bytes(content[:16]))
        return None if media_type is None else Picture(media_type, bytes(content))
