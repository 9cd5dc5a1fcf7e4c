"""Files on their way between places: fetched once, cleaned on their way out, lent to outlets."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from bridge.config.load import LoadedConfig
from bridge.contract import LocalFile, MediaSource
from bridge.flow.codec import decode_deliverable
from bridge.media.addresses import Allowed
from bridge.media.depot import Depot, Limits, Rules
from bridge.media.fetcher import Fetcher
from bridge.media.public_links import PublicLinks, Shared, media_doors, signing_key
from bridge.media.sniff import TypePolicy, claims_picture
from bridge.media.sources import Sources
from bridge.model import MATRIX, Attachment, MediaKind, Message, Place
from bridge.pictures.faces import Faces
from bridge.store import references
from bridge.store.database import Database


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
    database: Database
    links: PublicLinks | None

    @classmethod
    async def make(
        cls,
        loaded: LoadedConfig,
        networks: Callable[[str], MediaSource | None],
        database: Database,
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
        links = None
        if media.public_url is not None:
            key = signing_key(media.link_key, config.appservice.as_token)
            links = PublicLinks(media.public_url, key, media.link_ttl.seconds)
        return cls(depot, Faces(sources.of), media.remove_metadata, limits, database, links)

    @property
    def doors(self) -> Sequence[web.RouteDef]:
        """Where those come in who follow a link."""
        if self.links is None:
            return ()
        return media_doors(self.links, self._shared, self.depot, cleaned=self.cleaned)

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

    def link(self, attachment: Attachment, message_id: int, number: int) -> str | None:
        """A link of the bridge's own; without one, the source, where that gives away no more."""
        if self.links is not None:
            return self.links.make(f"{message_id}.{number}", attachment.name or "file")
        public = attachment.source.startswith("https://")
        told_all = not self.cleaned or not _tells_where(attachment)
        return attachment.source if public and told_all else None

    async def _shared(self, reference: str) -> Shared | None:
        """The file that a link stands for; None when its message was deleted, or is not kept."""
        message_id, _, number = reference.partition(".")
        kept = await self.database.run(lambda c: references.kept(c, int(message_id)))
        event = None if kept is None else decode_deliverable(kept.kind, kept.payload)
        if not isinstance(event, Message) or int(number) >= len(event.attachments):
            return None
        return Shared(event.place.network, event.attachments[int(number)])


def _tells_where(attachment: Attachment) -> bool:
    """Whether it may say where it was taken."""
    filmed = attachment.kind is MediaKind.VIDEO or attachment.mime.startswith("video/")
    return filmed or claims_picture(attachment.mime, attachment.name)
