"""The colleague on XMPP: the sandbox's plain client in a process of its own.

It hears its own words too, as every occupant does: that tells what Prosody alone costs in time.

    python -m bench.colleague ORDER_PORT XMPP_PORT JID PASSWORD ROOM...

It makes the rooms, stays in the last and leaves the others.
"""

import asyncio
import sys
from typing import Any, Final

import uvloop
from aiohttp import web
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

from bench.orders import Speech, order_routes, query_route, serve
from bench.talk import Ears, speak, utterance
from sandbox.xmpp_user import XmppUser

_NICK: Final = "Dr. Remote"
_AT_ONCE: Final = 20
_BODY: Final = "{jabber:client}body"


class Colleague:
    """Speaks and hears for the benchmark."""

    def __init__(self, user: XmppUser) -> None:
        self._user = user
        self._ears = Ears()
        self._room = ""
        path = StanzaPath("message@type=groupchat")
        user.client.register_handler(Callback("hear", path, self._hear))

    async def make_rooms(self, rooms: list[str]) -> None:
        """Make rooms, which are persistent, and stay in the last of them."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def make(room: str) -> None:
            async with gate:
                await self._user.create_room(room, _NICK)
                if room != rooms[-1]:
                    await self._user.leave(room)

        async with asyncio.TaskGroup() as group:
            for room in rooms:
                group.create_task(make(room))
        self._room = rooms[-1]

    def app(self) -> web.Application:
        """Takes orders."""
        app = web.Application()
        app.add_routes(
            [*order_routes(self._speak, self._ears), query_route("occupants", self._occupants)]
        )
        return app

    def _hear(self, stanza: Any) -> None:
        body = stanza.xml.find(_BODY)
        if body is not None and body.text:
            self._ears.hear(body.text)

    async def _speak(self, speech: Speech) -> list[int]:
        return await speak(
            speech.count,
            speech.per_second,
            lambda number: self._user.say(speech.place, utterance(speech.run, number)),
        )

    async def _occupants(self) -> int:
        return len(self._user.occupants(self._room))


async def _main(order_port: int, xmpp_port: int, jid: str, password: str, rooms: list[str]) -> None:
    async with XmppUser(jid, password, xmpp_port) as user:
        colleague = Colleague(user)
        await colleague.make_rooms(rooms)
        await serve(colleague.app(), order_port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    _order, _xmpp, _jid, _password, *_rooms = sys.argv[1:]
    uvloop.run(_main(int(_order), int(_xmpp), _jid, _password, _rooms))
