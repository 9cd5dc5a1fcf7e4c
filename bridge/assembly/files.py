"""Files on their way between places: fetched once, cleaned on their way out, lent to outlets."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

from bridge.config.load import LoadedConfig
from bridge.contract import LocalFile, MediaSource
from bridge.media.addresses import Allowed
from bridge.media.depot import Depot, Limits, Rules
from bridge.media.fetcher import Fetcher
from bridge.media.sniff import TypePolicy
from bridge.media.sources import Sources
from bridge.model import MATRIX, Attachment, Place
from bridge.pictures.faces import Faces


@dataclass(frozen=True, slots=True)
class Carriage:
    """Implements `bridge.delivery.showing.Files`.

    `cleaned`: whether places and times are taken out of what leaves for a network. `limits` are
    those of links that have one of their own, in bytes.
    """

    depot: Depot
    faces: Faces
    cleaned: bool
    limits: Mapping[Place, int]

    @classmethod
    async def make(
        cls,
        loaded: LoadedConfig,
        networks: Callable[[str], MediaSource | None],
        stack: AsyncExitStack,
    ) -> Self:
        """Open what files need; `stack` closes it.

        Raises:
            ConfigError: the folder for files can't be used.
        """
        config = loaded.config
        media = config.media
        rules = Rules(
            directory=media.spool(config.database.url, config.bot_id),
            max_size=media.max_size.bytes,
            spool_limit=media.spool_limit.bytes,
            keep_seconds=media.keep.seconds,
            types=TypePolicy(media.allow, media.deny),
        )
        fetcher = Fetcher(Allowed(media.allow_hosts), max_size=media.max_size.bytes)
        sources = Sources(networks, fetcher)
        depot = await stack.enter_async_context(Depot(rules, sources.of, fetcher))
        limits = {link.place: link.max_file.bytes for link in config.links if link.max_file}
        return cls(depot, Faces(sources.of), media.remove_metadata, limits)

    @asynccontextmanager
    async def fetch(
        self, attachment: Attachment, origin: Place, target: Place, limit: int | None
    ) -> AsyncIterator[LocalFile]:
        """See `bridge.delivery.showing.Files.fetch`."""
        leaves = target.network != MATRIX
        most = min((each for each in (limit, self.limits.get(target)) if each), default=None)
        async with self.depot.fetch(
            origin.network,
            attachment,
            limits=Limits(most),
            cleaned=self.cleaned and leaves,
        ) as file:
            yield file

    def link(self, attachment: Attachment, origin: Place) -> str | None:  # noqa: ARG002
        """Its source, if anyone can fetch it there."""
        return attachment.source if attachment.source.startswith("https://") else None
