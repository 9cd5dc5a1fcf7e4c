"""Posts what is said elsewhere to systems."""

import asyncio
import time
from typing import Final

import aiohttp
import orjson

from adapters.web.fetching import USER_AGENT, in_words
from adapters.web.hook import native
from adapters.web.hook.settings import HookSettings
from adapters.web.hook.signature import signed_headers
from adapters.web.waiting import retry_after
from bridge.contract import Outgoing, Refused, Sent, Unreachable
from bridge.model import Edited, Message, Reacted

_SECONDS: Final = 20.0
_LONGEST_ANSWER: Final = 65_536
_LONGEST_ID: Final = 500
_NOT_NOW: Final = frozenset({408, 425, 429})


class Poster:
    """Posts to systems, to each address as it is configured: redirects are not followed."""

    def __init__(self, name: str, seconds: float = _SECONDS) -> None:
        self._name = name
        self._seconds = seconds

    async def post(
        self, session: aiohttp.ClientSession, hook: HookSettings, outgoing: Outgoing
    ) -> Sent:
        """Post one event.

        Raises:
            Unreachable: not now. Posting it again is harmless, as its id stays the same.
            Refused: the system won't take it.
        """
        if hook.url is None:
            raise Refused(
                f"The hook {outgoing.place.id} only listens.", "Give it a url and a url_secret."
            )
        try:
            body = orjson.dumps(native.write(outgoing))
        except ValueError as error:
            raise Refused(str(error)) from None
        ident = native.shown_id(outgoing.key)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": ident,
            "User-Agent": USER_AGENT,
            **signed_headers(hook.url_key, ident, int(time.time()), body),
        }
        where = f"The system behind the hook {outgoing.place.id}"
        try:
            async with (
                asyncio.timeout(self._seconds),
                session.post(hook.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                _expect_taken(where, answer)
                said = await _read(answer)
        except TimeoutError:
            raise Unreachable(f"{where} does not answer.", doubtful=True) from None
        except aiohttp.ClientConnectionError as error:
            raise Unreachable(f"{where} can't be reached ({in_words(error)}).") from None
        except aiohttp.ClientError as error:
            raise Unreachable(f"{where} fails ({in_words(error)}).", doubtful=True) from None
        if not isinstance(outgoing.event, Message | Edited | Reacted):
            return Sent()
        return Sent(_id_in(said) or ident, topic=native.topic_of(outgoing))


def _expect_taken(where: str, answer: aiohttp.ClientResponse) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    if status >= 500 or status in _NOT_NOW:
        raise Unreachable(
            f"{where} can't take it now ({status}).", retry_after=retry_after(answer.headers)
        )
    if 300 <= status < 400:
        raise Refused(
            f"{where} redirects elsewhere ({status}), which is not followed.",
            "Write the address that it redirects to as the hook's url.",
        )
    raise Refused(f"{where} does not take it ({status}).", "Look into the log of that system.")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """As much of the answer as can hold an id."""
    said = bytearray()
    async for piece in answer.content.iter_chunked(_LONGEST_ANSWER):
        said += piece
        if len(said) > _LONGEST_ANSWER:
            return b""
    return bytes(said)


def _id_in(answer: bytes) -> str | None:
    """What the system calls its copy: the field `id` of its answer."""
    try:
        said = orjson.loads(answer)
    except ValueError:
        return None
    found = said.get("id") if isinstance(said, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= _LONGEST_ID else None
