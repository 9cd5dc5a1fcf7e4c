"""The Matrix client that acts as the bot or any ghost."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Protocol, Self
from urllib.parse import parse_qsl, quote, urlencode

import orjson
from nio import AsyncClient, AsyncClientConfig, ErrorResponse  # type: ignore[import-untyped]
from nio.responses import EmptyResponse  # type: ignore[import-untyped]

from bridge.contract import Unreachable
from bridge.matrix.connection import Connection
from bridge.matrix.faults import Denied
from bridge.matrix.raw import JsonObject, text_at

V3: Final = "/_matrix/client/v3"

JOIN_SECONDS: Final = 55.0
"""A join of a room on another server can take long; a lane waits for 60 seconds at most."""

UPLOAD_SECONDS: Final = 60.0

_UPLOAD: Final = "/_matrix/media/v3/upload"
_CONFIG = AsyncClientConfig(store=None, encryption_enabled=False)
_TOKEN_IS_ELSEWHERE: Final = "in-the-header"  # noqa: S105 - stands where nio wants some token
_UNREADABLE: Final = "The homeserver's answer can't be read."


class Seal(Protocol):
    """Encrypts what is sent to rooms, where they are encrypted."""

    async def seal(
        self, sender: str, room_id: str, event_type: str, content: JsonObject
    ) -> tuple[str, JsonObject]:
        """The type and content to send instead.

        Raises:
            Denied: the homeserver won't have it.
            Refused: it may not be sent there.
            Unreachable: not now.
        """
        ...

    async def encrypts(self, room_id: str) -> bool:
        """Whether what is sent to a room is encrypted, and so has to be its files.

        Raises:
            Denied: the bot may not see.
            Refused: the room is encrypted in a way that nobody knows.
            Unreachable: it can't be told now.
        """
        ...


class ActingClient(AsyncClient):  # type: ignore[misc]
    """matrix-nio's client, acting as one user of the application service.

    See https://spec.matrix.org/v1.19/application-service-api/#identity-assertion. All share one
    `Connection`; one costs a few microseconds, so there is no need to keep them.

    What differs from nio: nothing is retried or slept on here, so that a fault is seen where it
    can be told; errors are raised (`Denied`, `Unreachable`), never returned; the real token is
    known to the connection only; and no room state is held in memory.

    Args:
        connection: shared by all.
        user_id: whom to act as.
        bot_id: the application service's own user, who needs no assertion.
        seal: encrypts; without it, everything is sent as it is.
    """

    def __init__(
        self, connection: Connection, user_id: str, bot_id: str, seal: Seal | None = None
    ) -> None:
        super().__init__(connection.url, user_id, config=_CONFIG)
        self.user_id = user_id
        self.access_token = _TOKEN_IS_ELSEWHERE
        self.connection = connection
        self.seal = seal
        self._bot_id = bot_id
        self._assertion = "" if user_id == bot_id else f"user_id={_quoted(user_id)}"

    def acting_as(self, user_id: str) -> Self:
        """The same, as another user."""
        return type(self)(self.connection, user_id, self._bot_id, self.seal)

    async def call(  # noqa: PLR0913 - what a request is, all but the first two by keyword
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        ts: int | None = None,
        query: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> JsonObject:
        """Any request as this user.

        Args:
            method: GET, PUT, POST or DELETE.
            path: a percent-encoded path; see `path_of`.
            body: what to send as JSON.
            ts: milliseconds since the epoch to give the event instead of now,
                https://spec.matrix.org/v1.19/application-service-api/#timestamp-massaging
            query: further parameters.
            timeout: seconds.

        Raises:
            Denied: the homeserver won't.
            Unreachable: it can't now, or can't be reached.
        """
        parts = [self._assertion] if self._assertion else []
        if ts is not None:
            parts.append(f"ts={ts}")
        if query:
            parts.append(urlencode(query))
        if parts:
            path = f"{path}?{'&'.join(parts)}"
        return await self.connection.request(method, path, body, timeout=timeout)

    async def send_event(
        self, room_id: str, event_type: str, content: JsonObject, key: str, *, ts: int | None = None
    ) -> str:
        """Send an event and return its id. The hot path: it goes past nio.

        Args:
            room_id: where to.
            event_type: the event's type.
            content: the event's content.
            key: the transaction id, the same at every attempt.
            ts: milliseconds since the epoch, see `call`.

        Raises:
            Denied: the homeserver won't.
            Refused: the room is not encrypted as the configuration requires it.
            Unreachable: it can't now, or can't be reached.
        """
        if self.seal is not None:
            event_type, content = await self.seal.seal(self.user_id, room_id, event_type, content)
        path = f"{V3}/rooms/{_quoted(room_id)}/send/{_quoted(event_type)}/{_quoted_once(key)}"
        return _event_id(await self.call("PUT", path, content, ts=ts))

    async def put_state(
        self, room_id: str, event_type: str, content: JsonObject, *, ts: int | None = None
    ) -> str:
        """Set the room state with an empty state key; else as `send_event`."""
        path = path_of("rooms", room_id, "state", event_type, "")
        return _event_id(await self.call("PUT", path, content, ts=ts))

    async def state(self, room_id: str, event_type: str) -> JsonObject | None:
        """The content of a piece of room state with an empty state key, None if there is none.

        Raises:
            Denied: this user may not see it.
            Unreachable: it can't be told now.
        """
        try:
            return await self.call("GET", path_of("rooms", room_id, "state", event_type, ""))
        except Denied as error:
            if error.missing:
                return None
            raise

    async def enter(self, room_id: str) -> None:
        """Join a room; harmless for one who is in it."""
        await self.call("POST", path_of("join", room_id), {}, timeout=JOIN_SECONDS)

    async def leave(self, room_id: str, reason: str = "") -> None:
        """Leave a room, or decline an invitation to it."""
        body = {"reason": reason} if reason else {}
        await self.call("POST", path_of("rooms", room_id, "leave"), body)

    async def register_user(self, localpart: str) -> bool:
        """Make a user of the application service; False if it was there already.

        See https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions.
        Without a login: there is none where accounts are kept by OAuth.

        Raises:
            Denied: with M_EXCLUSIVE, the name is in nobody's or another's namespace.
            Unreachable: it can't now, or can't be reached.
        """
        body = {
            "type": "m.login.application_service",
            "username": localpart,
            "inhibit_login": True,
        }
        try:
            await self.connection.request("POST", path_of("register"), body)
        except Denied as error:
            if error.errcode != "M_USER_IN_USE":
                raise
            return False
        return True

    async def upload(self, content: bytes, media_type: str) -> str:
        """Hand a file to the homeserver, as the application service's own user.

        https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav3upload

        Args:
            content: the file, held in memory: for small ones only.
            media_type: what it is, as "image/png".

        Returns:
            Its content URI, `mxc://…`.

        Raises:
            Denied: the homeserver won't; with M_TOO_LARGE, its own limit is lower.
            Unreachable: it can't now, or can't be reached.
        """
        answer = await self.connection.upload(_UPLOAD, content, media_type, timeout=UPLOAD_SECONDS)
        uri = text_at(answer, "content_uri")
        if not uri.startswith("mxc://"):
            raise Unreachable(_UNREADABLE)
        return uri

    async def _send(  # noqa: PLR0913, PLR0917 - nio's own signature
        self,
        response_class: Any,  # noqa: ANN401
        method: str,
        path: str,
        data: Any = None,  # noqa: ANN401
        response_data: tuple[Any, ...] | None = None,
        content_type: str | None = None,
        **transfer: object,
    ) -> Any:  # noqa: ANN401
        """The door of nio to the network, through which each of its methods goes.

        Raises:
            Denied: the homeserver won't.
            Unreachable: it can't now, can't be reached, or its answer can't be read.
        """
        if content_type is not None or transfer:
            msg = "files do not go through this client"
            raise NotImplementedError(msg)
        bare, _, query = path.partition("?")
        parameters = {key: value for key, value in parse_qsl(query) if key != "access_token"}
        body = None if data is None else orjson.loads(data)
        answer = await self.call(method, bare, body, query=parameters)
        if issubclass(response_class, EmptyResponse):
            answer = {}  # nio takes a key that the specification has added since for an error
        response = response_class.from_dict(answer, *(response_data or ()))
        if isinstance(response, ErrorResponse):
            raise Unreachable(_UNREADABLE)
        return response


def path_of(*segments: str) -> str:
    """The path of an endpoint of the client API, each segment percent-encoded."""
    return "/".join((V3, *(_quoted_once(segment) for segment in segments)))


def _quoted_once(segment: str) -> str:
    return quote(segment, safe="")


_quoted = lru_cache(maxsize=8192)(_quoted_once)


def _event_id(answer: JsonObject) -> str:
    if event_id := text_at(answer, "event_id"):
        return event_id
    raise Unreachable(_UNREADABLE, doubtful=True)
