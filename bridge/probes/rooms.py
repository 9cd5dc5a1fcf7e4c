"""Tries the portals' rooms: is the bot in each of them, or can it enter?"""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from bridge.config.load import LoadedConfig
from bridge.contract import Finding
from bridge.matrix.connection import Connection
from bridge.matrix.faults import Denied
from bridge.matrix.raw import text_at
from bridge.wording import counted

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
    names = [portal.room for portal in loaded.config.portals]
    if not names:
        return [_finding("No portal is configured.", ok=True)]
    service = loaded.config.appservice
    async with Connection(loaded.config.homeserver.url, service.as_token.get_secret_value()) as hs:
        inside = await _joined(hs)
        outside = [name for name in names if name not in inside]
        one_of_few = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_closed(hs, name, one_of_few)) for name in outside]
    closed = [name for name, task in zip(outside, asked, strict=True) if task.result()]
    if not closed:
        return [_finding(f"The bot can take part in {counted(len(names), 'room')}.", ok=True)]
    bot = loaded.config.bot_id
    found = [
        _finding(f"The bot can't enter {name}.", f"Check its name, and invite {bot} there.")
        for name in closed[:_TOLD]
    ]
    if len(closed) > _TOLD:
        found.append(_finding(f"Nor {counted(len(closed) - _TOLD, 'more room')}."))
    return found


async def _joined(homeserver: Connection) -> frozenset[str]:
    answer = await homeserver.request("GET", "/_matrix/client/v3/joined_rooms")
    names = answer.get("joined_rooms")
    return frozenset(name for name in (names if isinstance(names, list) else ()) if name)


async def _closed(homeserver: Connection, room: str, one_of_few: asyncio.Semaphore) -> bool:
    """Whether the bot is not in a room and won't get in."""
    async with one_of_few:
        try:
            path = f"/_matrix/client/v1/room_summary/{quote(room, safe='')}"
            summary = await homeserver.request("GET", path)
        except Denied as error:
            # A homeserver older than room summaries can't tell: then the start will
            return error.errcode != "M_UNRECOGNIZED"
    membership = text_at(summary, "membership")
    return membership not in {"join", "invite"} and text_at(summary, "join_rule") != "public"


def _finding(sentence: str, advice: str = "", *, ok: bool = False) -> Finding:
    return Finding(ok=ok, subject="portals", sentence=sentence, advice=advice)
