"""The bridge's HTTP server: what the homeserver pushes to, and doors for whoever watches it.

https://spec.matrix.org/v1.19/application-service-api/#homeserver---application-service-api
"""

import asyncio
import errno
import hmac
import json
import math
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, Protocol, Self

import orjson
import structlog
from aiohttp import web

from bridge.config.schema import AppService
from bridge.errors import ConsiliumError
from bridge.matrix.raw import JsonObject
from bridge.matrix.transaction_numbers import TransactionNumbers

log = structlog.get_logger(__name__)

MAX_BODY: Final = 32 * 1024 * 1024
"""Longest request body in bytes, after decompression. Synapse pushes at most 100 events of at most
64 KiB, and ephemeral ones.
"""

_API: Final = "/_matrix/app/"
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_READ_SECONDS: Final = 60.0
_SHUTDOWN_SECONDS: Final = 3.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TransactionSink(Protocol):
    """Where transactions go."""

    async def accept(
        self, txn_id: str, events: Sequence[JsonObject], ephemeral: Sequence[JsonObject]
    ) -> None:
        """Take a transaction over; on disk when it returns. A repeated one must be harmless.

        Args:
            txn_id: the homeserver's name for it.
            events: objects of any shape.
            ephemeral: objects of any shape.

        Raises:
            Exception: it is not taken over; the homeserver will repeat it.
        """
        ...


Keys = Callable[[str, JsonObject], Awaitable[None]]
"""Takes a transaction's name and its body, of any shape, for what else it holds; on disk when it
returns. Raises what `TransactionSink.accept` does.
"""


class _MatrixError(Exception):
    """An answer other than 2xx, https://spec.matrix.org/v1.19/client-server-api/#standard-error-response."""

    def __init__(self, status: int, errcode: str, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.errcode = errcode


class AppserviceServer:
    """Answers the homeserver on the configured address.

    Args:
        appservice: where to listen, and the hs_token.
        sink: where transactions go.
        doors: further routes, for those who watch the bridge. Anyone may come in by them.
        keys: takes what a transaction holds for encryption, before its events.
    """

    def __init__(
        self,
        appservice: AppService,
        sink: TransactionSink,
        doors: Sequence[web.RouteDef] = (),
        keys: Keys | None = None,
    ) -> None:
        self._appservice = appservice
        self._token = appservice.hs_token.get_secret_value().encode()
        self._sink = sink
        self._doors = doors
        self._keys = keys
        self._numbers = TransactionNumbers()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen.

        Raises:
            PortTaken: something listens there already.
            ConsiliumError: the address can't be listened on.
        """
        host, port = self._appservice.host, self._appservice.port
        runner = web.AppRunner(
            self.application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise _cannot_listen(host, port, error) from error
        self._runner = runner

    async def stop(self) -> None:
        """Answer what is in hand, and listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def port(self) -> int:
        """The port it listens on, also when the configured one is 0."""
        if self._runner is None:
            return self._appservice.port
        return int(self._runner.addresses[0][1])

    def application(self) -> web.Application:
        """The routes, for aiohttp."""
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._guard])
        app.add_routes(
            [
                web.put(f"{_API}v1/transactions/{{txn_id}}", self._transaction),
                web.post(f"{_API}v1/ping", self._ping),
                web.get(f"{_API}v1/users/{{user_id}}", _unknown),
                web.get(f"{_API}v1/rooms/{{alias}}", _unknown),
                web.get(f"{_API}v1/thirdparty/protocol/{{protocol}}", _unknown),
                web.get(f"{_API}v1/thirdparty/{{kind:user|location}}", _unknown),
                web.get(f"{_API}v1/thirdparty/{{kind:user|location}}/{{protocol}}", _unknown),
                *self._doors,
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            if request.path.startswith(_API):
                self._authorise(request)
            return await handler(request)
        except _MatrixError as error:
            return _refusal(error.status, error.errcode, str(error))
        except web.HTTPException as error:
            return _refusal(error.status, *_CODES.get(error.status, ("M_UNKNOWN", error.reason)))
        except ConsiliumError as error:
            log.warning("request_refused", path=_route(request), reason=str(error))
        except Exception:
            log.exception("request_failed", path=_route(request))
        return _refusal(500, "M_UNKNOWN", "The bridge could not take this; repeat it.")

    def _authorise(self, request: web.Request) -> None:
        """Check the hs_token.

        https://spec.matrix.org/v1.19/application-service-api/#authorization
        """
        given = request.headers.getall("Authorization", [])
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            raise _MatrixError(401, "M_UNAUTHORIZED", "The hs_token is missing.")
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token):
            log.warning("wrong_hs_token", path=request.path, remote=request.remote)
            raise _MatrixError(403, "M_FORBIDDEN", "This is not the bridge's hs_token.")

    async def _transaction(self, request: web.Request) -> web.Response:
        txn_id = request.match_info["txn_id"]
        body = await _json_object(request)
        events = body.get("events")
        if not isinstance(events, list):
            raise _MatrixError(400, "M_BAD_JSON", "The key events must hold a list.")
        if self._numbers.skips(txn_id):
            log.warning("transaction_left_behind", noticed_at=txn_id)
            raise _MatrixError(503, "M_UNKNOWN", "One before it has not come yet; repeat it then.")
        ephemeral = body.get("ephemeral", body.get("de.sorunome.msc2409.ephemeral"))
        if self._keys is not None:
            await self._keys(txn_id, body)
        await self._sink.accept(
            txn_id, _objects(events, txn_id, "events"), _objects(ephemeral, txn_id, "ephemeral")
        )
        self._numbers.took(txn_id)
        return _json({})

    @staticmethod
    async def _ping(request: web.Request) -> web.Response:
        await _json_object(request)
        return _json({})


class PortTaken(ConsiliumError):  # noqa: N818 - a state of things
    """Something listens already where the bridge should."""


def _route(request: web.Request) -> str:
    """What was asked for: not the path itself, which may hold what opens a file."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


def _cannot_listen(host: str, port: int, error: OSError) -> ConsiliumError:
    kind = PortTaken if error.errno == errno.EADDRINUSE else ConsiliumError
    return kind(
        f"The bridge can't listen on {host} port {port}: {error.strerror or error}.",
        "Stop what listens there, or change host and port under appservice.",
    )


_CODES: Final = {
    404: ("M_UNRECOGNIZED", "There is no such endpoint."),
    405: ("M_UNRECOGNIZED", "This endpoint has no such method."),
    413: ("M_TOO_LARGE", f"The body is longer than {MAX_BODY} bytes."),
}


async def _unknown(_request: web.Request) -> web.Response:
    """Nothing is made on demand: ghosts come with their first word, rooms from the configuration.

    So whatever the homeserver asks about is not there.
    """
    return _refusal(404, "M_NOT_FOUND", "The bridge has no such user, room or protocol.")


async def _json_object(request: web.Request) -> JsonObject:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            content = await request.read()
    except TimeoutError:
        raise _MatrixError(408, "M_UNKNOWN", "The body did not come in time.") from None
    try:
        found = _parsed(content)
    except (ValueError, RecursionError):
        raise _MatrixError(400, "M_NOT_JSON", "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise _MatrixError(400, "M_BAD_JSON", "The body must be a JSON object.")
    return found


def _parsed(content: bytes) -> Any:  # noqa: ANN401 - whatever it holds
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        # One event with what only orjson refuses must not hold up all others for ever
        return _representable(json.loads(content))


def _representable(found: Any) -> Any:  # noqa: ANN401
    """The same without lone surrogates and numbers that no one could pass on."""
    match found:
        case str():
            return found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_representable(key): _representable(each) for key, each in found.items()}
        case list():
            return [_representable(each) for each in found]
        case float() if not math.isfinite(found):
            return None
        case int() if not _INT_MIN <= found <= _INT_MAX:
            return max(_INT_MIN, min(found, _INT_MAX))
    return found


def _objects(found: object, txn_id: str, part: str) -> list[JsonObject]:
    """The objects in a list; what is none is left out and leaves a trace."""
    listed = found if isinstance(found, list) else []
    objects = [each for each in listed if isinstance(each, dict)]
    if len(objects) < len(listed) or not isinstance(found, list | None):
        log.warning(
            "transaction_partly_unreadable",
            txn_id=txn_id,
            part=part,
            unreadable=len(listed) - len(objects),
        )
    return objects


def _json(content: JsonObject, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def _refusal(status: int, errcode: str, error: str) -> web.Response:
    return _json({"errcode": errcode, "error": error}, status)
