"""A doctor who does not give up: what could not be sent is sent again, under the same id."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from sandbox.matrix_user import MatrixError, MatrixUser
from torture.cast import Side
from torture.ears import Ears, Spot
from torture.words import Utterance

_AGAIN_SECONDS: Final = 0.3
_PATIENCE_SECONDS: Final = 30.0
_SYNC: Final = (
    '{"room":{"timeline":{"limit":1000,"types":["m.room.message"]},"state":{"types":[]},'
    '"ephemeral":{"types":[]},"account_data":{"types":[]}},"presence":{"types":[]},'
    '"account_data":{"types":[]}}'
)


class Doctor:
    """Speaks in the rooms, and may listen.

    Args:
        user: the account, which must not listen by itself.
        rooms: each portal's room.
        ears: told of what is heard.
    """

    def __init__(self, user: MatrixUser, rooms: Mapping[int, str], ears: Ears) -> None:
        self.user = user
        self._rooms = rooms
        self._ears = ears

    async def say(self, utterance: Utterance) -> None:
        """Say it; returns when the homeserver has it. Repeating is harmless: the id is the same."""
        room = quote(self._rooms[utterance.portal])
        path = f"/rooms/{room}/send/m.room.message/{quote(utterance.text)}"
        await self.request("PUT", path, {"msgtype": "m.text", "body": utterance.text})

    async def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Any request that may be repeated, until it is answered.

        Raises:
            MatrixError: the homeserver refuses it.
        """
        while True:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    return await self.user.request(method, path, body, query=query)
            except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError):
                await asyncio.sleep(_AGAIN_SECONDS)
            except MatrixError as error:
                if error.status < 500:
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)

    async def listen(self) -> None:
        """Hear what is said in the rooms, until cancelled."""
        portals = {room: portal for portal, room in self._rooms.items()}
        query = {"filter": _SYNC, "timeout": "0"}
        while True:
            answer = await self.request("GET", "/sync", query=query)
            query |= {"since": answer["next_batch"], "timeout": "10000"}
            for room, update in answer.get("rooms", {}).get("join", {}).items():
                for raw in update["timeline"]["events"]:
                    body = raw["content"].get("body")
                    if room in portals and isinstance(body, str):
                        self._ears.hear(Spot(portals[room], Side.MATRIX), body)
