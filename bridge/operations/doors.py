"""The doors for those who watch: `/live`, `/ready` and `/metrics`.

They are open to whoever reaches the port. So they tell what is wrong, but not where the database is
or who is bridged.
"""

from collections.abc import Awaitable, Callable, Sequence

import orjson
from aiohttp import web

Reasons = Callable[[], Awaitable[Sequence[str]]]
"""Why not, in plain sentences; nothing when all is well."""


def doors(
    live: Reasons, ready: Reasons, metrics: Callable[[], Awaitable[bytes]] | None, kind: str = ""
) -> list[web.RouteDef]:
    """The routes, for aiohttp.

    Args:
        live: why the process should be ended and started anew.
        ready: why it can't do its work now.
        metrics: makes the answer of `/metrics`; None for no such door.
        kind: the content type of that answer.
    """

    async def on_live(_request: web.Request) -> web.Response:
        return _answer("live", await live())

    async def on_ready(_request: web.Request) -> web.Response:
        return _answer("ready", await ready())

    routes = [web.get("/live", on_live), web.get("/ready", on_ready)]
    if metrics is not None:
        make = metrics

        async def on_metrics(_request: web.Request) -> web.Response:
            return web.Response(body=await make(), headers={"Content-Type": kind})

        routes.append(web.get("/metrics", on_metrics))
    return routes


def _answer(what: str, why_not: Sequence[str]) -> web.Response:
    content: dict[str, object] = {what: not why_not}
    if why_not:
        content["why"] = list(why_not)
    return web.Response(
        body=orjson.dumps(content),
        status=503 if why_not else 200,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
