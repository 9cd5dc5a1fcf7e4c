"""Avatars: one picture for each network, shown by its ghosts, and one for the bot.

A picture is uploaded once and remembered, also over restarts. Nothing waits for it: as long as it
is not there, ghosts do without, and take it on when they are next needed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from bridge.errors import ConsiliumError
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.raw import text_at
from bridge.model import MATRIX
from bridge.pictures.picture import Picture

log = structlog.get_logger(__name__)

_FIRST_DELAY: Final = 60.0
_LONGEST_DELAY: Final = 3600.0


class Drawable(Protocol):
    """A picture, drawn already or not."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digits that are others when the picture is."""
        ...

    def render(self) -> Picture:
        """The picture itself; may take its time."""
        ...


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the homeserver has: the fingerprint of a picture, and its content URI (`mxc://…`)."""

    fingerprint: str
    uri: str


class AvatarStore(Protocol):
    """Where it outlives a restart what was uploaded. May raise `StoreError`."""

    async def load(self) -> Mapping[str, Uploaded]:
        """What was uploaded last for each network."""
        ...

    async def save(self, network: str, uploaded: Uploaded) -> None:
        """Put this in place of what was uploaded before."""
        ...


class Avatars:
    """Brings pictures to the homeserver. `uris` is what is there, by network, and grows.

    Args:
        bot: the bot's client, which uploads.
        pictures: by network; the bot's own under `MATRIX`.
        store: remembers what was uploaded.
    """

    def __init__(
        self, bot: ActingClient, pictures: Mapping[str, Drawable], store: AvatarStore
    ) -> None:
        self.uris: dict[str, str] = {}
        self._bot = bot
        self._store = store
        self._missing = dict(pictures)
        self._bot_dressed = False

    async def run(self, homeserver_is_well: Callable[[], Awaitable[None]]) -> None:
        """Wait for the homeserver, then work until everything is there or was refused for good."""
        await homeserver_is_well()
        delay = _FIRST_DELAY
        while not await self._provide():
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)

    async def _provide(self) -> bool:
        """Upload what is missing. False if something has to be tried again later."""
        try:
            known = await self._store.load()
        except ConsiliumError as error:
            log.warning("avatars_not_known", reason=str(error))
            return False
        for network, picture in list(self._missing.items()):
            try:
                self.uris[network] = await self._uri(network, picture, known.get(network))
            except Denied as error:
                log.warning("avatar_refused", network=network, reason=str(error))
            except ConsiliumError as error:
                log.warning("avatar_not_uploaded_yet", network=network, reason=str(error))
                continue
            del self._missing[network]
        return await self._dress_bot() and not self._missing

    async def _uri(self, network: str, picture: Drawable, known: Uploaded | None) -> str:
        if known is not None and known.fingerprint == picture.fingerprint:
            return known.uri
        drawn = await asyncio.to_thread(picture.render)
        uploaded = Uploaded(
            picture.fingerprint, await self._bot.upload(drawn.content, drawn.media_type)
        )
        log.info("avatar_uploaded", network=network, uri=uploaded.uri)
        await self._store.save(network, uploaded)
        return uploaded.uri

    async def _dress_bot(self) -> bool:
        """Give the bot its avatar, unless it wears it. False if that has to be tried again."""
        uri = self.uris.get(MATRIX)
        if uri is None or self._bot_dressed:
            return True
        try:
            if await self._worn_by_bot() != uri:
                await self._bot.set_avatar(uri)
        except Denied as error:
            log.warning("bot_without_avatar", reason=str(error))
        except ConsiliumError as error:
            log.warning("bot_without_avatar_yet", reason=str(error))
            return False
        self._bot_dressed = True
        return True

    async def _worn_by_bot(self) -> str:
        try:
            profile = await self._bot.call(
                "GET", path_of("profile", self._bot.user_id, "avatar_url")
            )
        except Denied as error:
            if not error.missing:
                raise
            return ""
        return text_at(profile, "avatar_url")
