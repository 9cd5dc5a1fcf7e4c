"""Takes what systems post: proves who they are, makes an event of it, and has it stored."""

import asyncio
import time
import uuid
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

import orjson
import structlog
from aiohttp import web

from adapters.web.hook import native
from adapters.web.hook.limit import Limit
from adapters.web.hook.settings import HookSettings, Proof
from adapters.web.hook.signature import UnprovenError, has_token, verify
from adapters.web.hook.template import Template, UnusableError
from adapters.web.listener import body_of, refusal
from bridge.contract import Inlet
from bridge.model import Deleted, Edited, Message, Place, Reacted

log = structlog.get_logger(__name__)

PREFIX: Final = "/hook/"
MAX_BYTES: Final = 1_000_000
_STORE_SECONDS: Final = 25.0
_AGAIN_SECONDS: Final = 30.0
_LONGEST_ID: Final = 500
_TOLD_PER_MINUTE: Final = 6
"""So many lines a stranger can make the log write."""


class Incoming:
    """The handler of requests.

    Args:
        network: the network's id.
        hooks: what is configured, by name.
        linked: the hooks that are linked to a room now.
        inlet: where events go.
        store_seconds: how long storing may take until the system is asked to come again.
    """

    def __init__(
        self,
        network: str,
        hooks: dict[str, HookSettings],
        linked: Collection[str],
        inlet: Inlet,
        store_seconds: float = _STORE_SECONDS,
    ) -> None:
        self._network = network
        self._hooks = {name: _Hook(Place(network, name), hook) for name, hook in hooks.items()}
        self._linked = linked
        self._inlet = inlet
        self._store_seconds = store_seconds

    async def handle(self, request: web.Request) -> web.Response:
        """Answer 202 to what is on disk, and to everything else with what is wrong with it."""
        name = request.path.removeprefix(PREFIX)
        hook = self._hooks.get(name) if request.path.startswith(PREFIX) else None
        if hook is None or hook.settings.secret is None:
            return refusal(404, "There is no such hook.")
        if request.method != "POST":
            return refusal(405, "Hooks are posted to.")
        try:
            ident, body = await hook.proven(request)
        except UnprovenError as error:
            if not hook.told.take():
                log.warning("hook_not_proven", network=self._network, group=name, reason=str(error))
            return refusal(401, f"This is not proven: {error}.")
        return await self._take(hook, ident, body)

    async def _take(self, hook: "_Hook", ident: str, body: bytes) -> web.Response:
        name = hook.place.id
        wait = hook.limit.take()
        if wait:
            return refusal(429, "The hook is called too often.", again=wait)
        if name not in self._linked:
            return refusal(503, "The hook is not linked to a room now.", again=_AGAIN_SECONDS)
        try:
            event = hook.event(orjson.loads(body), ident)
        except (ValueError, UnusableError) as error:
            log.warning("hook_not_understood", network=self._network, group=name)
            return refusal(422, f"This can't be understood: {error}")
        return await self._store(event)

    async def _store(self, event: Message | Edited | Deleted | Reacted) -> web.Response:
        try:
            async with asyncio.timeout(self._store_seconds):
                if not await self._is_own(event):
                    await self._inlet.receive([event])
        except TimeoutError:
            return refusal(503, "It can't be stored now.", again=_AGAIN_SECONDS)
        return web.json_response({"id": event.id}, status=202)

    async def _is_own(self, event: Message | Edited | Deleted | Reacted) -> bool:
        """Whether a system only repeats what was posted to it."""
        if event.id is None:
            return False
        key = native.key_behind(event.id)
        return key in await self._inlet.sent(event.place.id, [key])


class _Hook:
    """One hook, ready to take requests."""

    def __init__(self, place: Place, settings: HookSettings) -> None:
        self.settings = settings
        self.limit = Limit(settings.per_minute)
        self.told = Limit(_TOLD_PER_MINUTE)
        self.place = place
        self._text = _made(settings.text)
        self._author = _made(settings.author)
        self._id = _made(settings.id)
        self._topic = _made(settings.topic)

    async def proven(self, request: web.Request) -> tuple[str, bytes]:
        """The id that the request gives the event, and its body.

        Raises:
            UnprovenError: it does not come from the system.
        """
        secret = self.settings.secret
        if secret is None:
            msg = "the hook takes nothing"
            raise UnprovenError(msg)
        if self.settings.proof is Proof.SIGNATURE:
            body = await body_of(request)
            return verify(self.settings.key, request.headers, body, time.time()), body
        if not has_token(secret.get_secret_value(), request.headers):
            msg = "the token is missing or wrong"
            raise UnprovenError(msg)
        named = request.headers.get("webhook-id") or request.headers.get("Idempotency-Key")
        return (named or "")[:_LONGEST_ID], await body_of(request)

    def event(self, payload: object, ident: str) -> Message | Edited | Deleted | Reacted:
        """The event that a payload is.

        Raises:
            ValueError: it is not in the bridge's format.
            UnusableError: the hook's templates make nothing of it.
        """
        ident = ident or uuid.uuid4().hex
        if self._text is None:
            return native.read(payload, self.place, ident, quiet=self.settings.quiet)
        text = self._text.fill(payload)
        if not text:
            msg = "the template makes no text of it"
            raise UnusableError(msg)
        name = self._author.fill(payload) if self._author else ""
        named = self._id.fill(payload) if self._id else ""
        topic = self._topic.fill(payload) if self._topic else ""
        return Message(
            self.place,
            named[:_LONGEST_ID] or ident,
            native.person(self.place, name),
            datetime.now(UTC),
            text,
            topic=topic[:_LONGEST_ID] or None,
            notice=self.settings.quiet,
        )


def _made(source: str | None) -> Template | None:
    return None if source is None else Template(source)
