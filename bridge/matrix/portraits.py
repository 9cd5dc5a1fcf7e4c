"""Portraits: pictures that people of other networks have there, brought to their ghosts.

Nothing waits for a picture. Each is brought once, and a ghost remembers which one it wears, also
over restarts; so a person who takes another picture gets it here as well.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final

import structlog

from bridge.contract import Picture, Refused, Unreachable
from bridge.errors import ConsiliumError
from bridge.matrix.client import ActingClient
from bridge.matrix.faults import Denied
from bridge.model import Author

log = structlog.get_logger(__name__)

PictureOf = Callable[[Author], Awaitable[Picture | None]]
"""Finds the picture of a person; None if there is none to have.

Raises:
    Unreachable: it can't be had now.
"""

Wear = Callable[[Author, str | None], Awaitable[None]]
"""Has an author's ghost wear what is at a content URI; None if the author has no picture after all.

Raises:
    ConsiliumError: not now.
"""

_WAITING_MAX: Final = 2_000
_AT_ONCE: Final = 2
_SECONDS: Final = 60.0
_LARGEST: Final = 1_000_000
_FIRST_DELAY: Final = 30.0
_TRIES: Final = 6


@lru_cache(maxsize=8_192)
def mark_of(reference: str) -> str:
    """What a ghost remembers of the reference to the picture that it wears."""
    return hashlib.blake2b(reference.encode("utf-8", "replace"), digest_size=8).hexdigest()


class Portraits:
    """Fetches pictures and uploads them, a few at once.

    Args:
        bot: the bot's client, which uploads.
        picture_of: finds pictures.
    """

    def __init__(self, bot: ActingClient, picture_of: PictureOf) -> None:
        self._bot = bot
        self._picture_of = picture_of
        self._wanted: asyncio.Queue[tuple[Author, int]] = asyncio.Queue()
        self._pending: set[tuple[str, str, str]] = set()

    def want(self, author: Author) -> None:
        """Have an author's ghost wear their picture as soon as that can be."""
        ticket = _ticket(author)
        if ticket in self._pending or len(self._pending) >= _WAITING_MAX:
            return  # whoever is not noted now will be when they speak again
        self._pending.add(ticket)
        self._wanted.put_nowait((author, 1))

    async def run(self, wear: Wear) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(self._work(wear))

    async def _work(self, wear: Wear) -> None:
        while True:
            author, tries = await self._wanted.get()
            try:
                async with asyncio.timeout(_SECONDS):
                    await self._bring(author, wear)
            except (ConsiliumError, TimeoutError) as error:
                reason = str(error) or "It takes too long."
                log.info("portrait_not_brought_yet", author=_ticket(author)[:2], reason=reason)
                if tries < _TRIES:
                    self._again(author, tries + 1)
                    continue
            self._pending.discard(_ticket(author))

    def _again(self, author: Author, tries: int) -> None:
        delay = _FIRST_DELAY * 2.0 ** (tries - 2)
        loop = asyncio.get_running_loop()
        loop.call_later(delay, self._wanted.put_nowait, (author, tries))

    async def _bring(self, author: Author, wear: Wear) -> None:
        await wear(author, await self._uploaded(author))

    async def _uploaded(self, author: Author) -> str | None:
        try:
            picture = await self._picture_of(author)
            if picture is None or len(picture.data) > _LARGEST:
                return None
            return await self._bot.upload(picture.data, picture.mime)
        except Denied as error:
            log.warning("portrait_refused", author=_ticket(author)[:2], reason=str(error))
        except Unreachable:
            raise
        except Refused as error:
            log.info("portrait_not_to_be_had", author=_ticket(author)[:2], reason=str(error))
        return None


def _ticket(author: Author) -> tuple[str, str, str]:
    return author.network, author.id, author.avatar or ""
