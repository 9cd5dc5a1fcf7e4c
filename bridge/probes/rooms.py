"""Tries the portals' rooms: is the bot in each of them, or can it enter?"""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import structlog

from bridge.config.load import LoadedConfig
from bridge.contract import Finding
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.connection import Connection
from bridge.matrix.faults import Denied
from bridge.matrix.raw import text_at
from bridge.wording import counted

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 8
_TOLD: Final = 20


async def rooms(loaded: LoadedConfig) -> Sequence[Finding]:
    """Look at every portal's room with the bot's eyes; nothing is entered.

    Asks once for the rooms that the bot is in, and for a summary of each other one
    (https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias).

    Raises:
        Refused: the homeserver does not let the bot ask.
        Unreachable: the homeserver can't be asked now.
    """
    config = loaded.config
    names = [portal.room for portal in config.portals]
    if not names:
        return [_finding("No portal is configured.", ok=True)]
    token = config.appservice.as_token.get_secret_value()
    async with Connection(config.homeserver.url, token) as homeserver:
        bot = ActingClient(homeserver, config.bot_id, config.sender_id)
        if not await _exists(bot):
            return [_finding("The rooms can be tried once the bot has been started.", ok=True)]
        inside = await _joined(bot)
        outside = [name for name in names if name not in inside]
        one_of_few = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_closed(bot, name, one_of_few)) for name in outside]
    closed = [name for name, task in zip(outside, asked, strict=True) if task.result()]
    if not closed:
        return [_finding(f"The bot can take part in {counted(len(names), 'room')}.", ok=True)]
    found = [
        _finding(
            f"The bot can't enter {name}.", f"Check its name, and invite {config.bot_id} there."
        )
        for name in closed[:_TOLD]
    ]
    if len(closed) > _TOLD:
        found.append(_finding(f"Nor {counted(len(closed) - _TOLD, 'more room')}."))
    return found


async def _exists(bot: ActingClient) -> bool:
    """Whether the bot was made already, by an earlier start."""
    try:
        await bot.call("GET", path_of("account", "whoami"))
    except Denied as error:
        log.debug("no_bot_yet", reason=error.said)
        return False
    return True


async def _joined(bot: ActingClient) -> frozenset[str]:
    answer = await bot.call("GET", path_of("joined_rooms"))
    names = answer.get("joined_rooms")
    return frozenset(name for name in (names if isinstance(names, list) else ()) if name)


async def _closed(bot: ActingClient, room: str, one_of_few: asyncio.Semaphore) -> bool:
    """Whether the bot is not in a room and won't get in."""
    async with one_of_few:
        try:
            path = f"/_matrix/client/v1/room_summary/{quote(room, safe='')}"
            summary = await bot.call("GET", path)
        except Denied as error:
            # A homeserver older than room summaries can't tell: then the start will
            return error.errcode != "M_UNRECOGNIZED"
    membership = text_at(summary, "membership")
    return membership not in {"join", "invite"} and text_at(summary, "join_rule") != "public"


def _finding(sentence: str, advice: str = "", *, ok: bool = False) -> Finding:
    return Finding(ok=ok, subject="portals", sentence=sentence, advice=advice)
