"""Fetches what there is for the bot's device by `/sync`, which every homeserver can.

https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync, as a device of the
application service: https://spec.matrix.org/v1.19/application-service-api/#identity-assertion
"""

import asyncio
from typing import Final

import orjson
import structlog

from bridge.errors import ConsiliumError
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.encryption.feed import Feed, news_of
from bridge.matrix.raw import JsonObject, object_at

log = structlog.get_logger(__name__)

_NOTHING: Final[JsonObject] = {"types": []}
_FILTER: Final = orjson.dumps(
    {
        "presence": _NOTHING,
        "account_data": _NOTHING,
        "room": {
            "rooms": [],
            "timeline": _NOTHING | {"limit": 1},
            "state": _NOTHING,
            "ephemeral": _NOTHING,
            "account_data": _NOTHING,
        },
    }
).decode()
_WAIT_MS: Final = 25_000
_ANSWER_SECONDS: Final = 60.0
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0


class Syncing:
    """Asks the homeserver again and again.

    Args:
        bot: the bot's client.
        feed: takes what comes.
        since: where an earlier run has come to; empty at the first.
    """

    def __init__(self, bot: ActingClient, feed: Feed, since: str) -> None:
        self._bot = bot
        self._feed = feed
        self._since = since

    async def step(self, wait_ms: int = _WAIT_MS) -> None:
        """Ask once, waiting that long for something to come.

        Raises:
            Denied: the homeserver won't tell.
            Unreachable: not now.
            StoreError: the database failed; new keys were not uploaded.
        """
        query = {
            "filter": _FILTER,
            "timeout": str(wait_ms),
            "set_presence": "offline",
            **self._feed.account.bot.assertion,
        }
        if self._since:
            query["since"] = self._since
        answer = await self._bot.call("GET", path_of("sync"), query=query, timeout=_ANSWER_SECONDS)
        events = object_at(answer, "to_device").get("events")
        found = (
            [each for each in events if isinstance(each, dict)] if isinstance(events, list) else []
        )
        news = news_of(answer, found)
        await self._feed.take(news)
        self._since = news.since or self._since
        await self._feed.top_up(news)

    async def run(self) -> None:
        """Work until cancelled."""
        delay = _FIRST_DELAY
        while True:
            try:
                await self.step()
                delay = _FIRST_DELAY
            except ConsiliumError as error:
                log.warning("keys_not_fetched", reason=str(error))
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY)
