"""Files on their way between places."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.contract import LocalFile, Refused
from bridge.model import Attachment, Place


class NoFiles:
    """Carries none: each is named in a line, with its link where it is public anyway."""

    carried: LocalFile | None = None

    @asynccontextmanager
    async def fetch(
        self,
        attachment: Attachment,  # noqa: ARG002 - the port names it
        origin: Place,  # noqa: ARG002
        target: Place,  # noqa: ARG002
        limit: int | None,  # noqa: ARG002
    ) -> AsyncIterator[LocalFile]:
        """Refuse."""
        if self.carried:
            yield self.carried
        raise Refused("Files are not carried.")

    def link(self, attachment: Attachment, origin: Place) -> str | None:  # noqa: ARG002
        """Its source, if anyone can fetch it there."""
        return attachment.source if attachment.source.startswith("https://") else None
