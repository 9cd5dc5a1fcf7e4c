"""Takes the forum's webhooks, once they prove that they are the forum's.

`X-Discourse-Event-Signature: sha256=…` is HMAC-SHA256 over the body (Jobs::EmitWebHookEvent of
discourse/discourse). They carry no time; what is sent again is known by its post. Answered is when
it is stored. What is not taken is told again by few forums only (retry_web_hook_events), and found
by asking; a webhook that is answered 404 or 410 too often is switched off, so these are not used.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from adapters.web.hook.limit import Limit
from adapters.web.listener import body_of, refusal

log = structlog.get_logger(__name__)

MAX_BYTES: Final = 2_000_000
_SECONDS: Final = 15.0
_TOLD_PER_MINUTE: Final = 6

Told = Callable[[str, dict[str, Any]], Awaitable[bool]]


class Hooks:
    """The handler of requests.

    Args:
        network: the forum's id.
        path: where the forum posts to.
        secret: what it signs with.
        told: takes an event and what comes with it; False when that is not possible now.
        seconds: how long that may take.
    """

    def __init__(
        self, network: str, path: str, secret: str, told: Told, seconds: float = _SECONDS
    ) -> None:
        self._network = network
        self._path = path
        self._key = secret.encode()
        self._told = told
        self._seconds = seconds
        self._loud = Limit(_TOLD_PER_MINUTE)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer 200 to what is stored, and to what need not be."""
        if request.path.rstrip("/") != self._path.rstrip("/") or request.method != "POST":
            return refusal(400, "Webhooks of the forum are posted elsewhere.")
        body = await body_of(request)
        if not self._is_signed(request.headers.get("X-Discourse-Event-Signature", ""), body):
            if not self._loud.take():
                reason = "the signature is missing or wrong"
                log.warning("forum_hook_not_proven", network=self._network, reason=reason)
            return refusal(403, "The signature is missing or wrong.")
        try:
            payload = orjson.loads(body)
        except ValueError:
            payload = None
        if not isinstance(payload, dict):
            return refusal(422, "This is no JSON object; choose application/json in the webhook.")
        event = request.headers.get("X-Discourse-Event", "")
        try:
            async with asyncio.timeout(self._seconds):
                taken = await self._told(event, payload)
        except TimeoutError:
            taken = False
        if not taken:
            return refusal(503, "The bridge can't take it now.", again=60)
        return web.json_response({"taken": True})

    def _is_signed(self, signature: str, body: bytes) -> bool:
        right = "sha256=" + hmac.new(self._key, body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(signature.encode(), right.encode())
