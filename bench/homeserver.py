"""The scripted homeserver: what a bridge needs of Synapse, in memory and as cheap as can be.

It answers as Synapse does, also where it refuses: a user must be registered, must be invited to
join and be in a room to speak, and a repeated transaction id makes no second event. What the
bridge's own users do is pushed back to the bridge, as Synapse does.

    python -m bench.homeserver SCRIPT.json
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import orjson
import uvloop
from aiohttp import web

from bench.orders import Speech, order_routes, query_route, serve
from bench.pusher import Pusher
from bench.rooms import Content, MatrixError, Memory, Room, localpart_to_user
from bench.script import Script
from bench.talk import Ears, speak, utterance

_CLIENT: Final = "/_matrix/client/{version:v3|v1|r0|unstable}"
_ROOM: Final = _CLIENT + "/rooms/{room}"
_BODY_MAX: Final = 4 * 2**20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Homeserver:
    """The handlers, by the part of the client-server API they stand for."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._memory = Memory(script)
        self._pusher = Pusher(script.service_url, script.hs_token)
        self._ears = Ears()
        self._transactions: dict[tuple[str, str, str], str] = {}
        self.repeats = 0
        self._uploads = 0
        self.unknown: Counter[str] = Counter()

    def app(self) -> web.Application:
        """The application: the busiest routes first, as they are tried in order."""
        app = web.Application(middlewares=[self._guard], client_max_size=_BODY_MAX)
        app.add_routes(
            [
                web.put(_ROOM + "/send/{kind}/{txn}", self._send),
                web.put(_ROOM + "/redact/{event}/{txn}", self._redact),
                web.put(_ROOM + "/typing/{user}", self._nothing),
                web.post(_ROOM + "/invite", self._invite),
                web.post(_CLIENT + "/join/{room}", self._join),
                web.post(_ROOM + "/join", self._join),
                web.post(_ROOM + "/leave", self._leave),
                web.get(_ROOM + "/joined_members", self._joined_members),
                web.get(_ROOM + "/members", self._members),
                web.get(_ROOM + "/state", self._state),
                web.get(_ROOM + "/state/{kind}{slash:/?}{key:.*}", self._state_event),
                web.put(_ROOM + "/state/{kind}{slash:/?}{key:.*}", self._put_state),
                web.post(_CLIENT + "/register", self._register),
                web.get(_CLIENT + "/profile/{user}", self._profile),
                web.get(_CLIENT + "/profile/{user}/{field}", self._profile),
                web.put(_CLIENT + "/profile/{user}/{field}", self._put_profile),
                web.get("/_matrix/client/versions", self._versions),
                web.get(_CLIENT + "/account/whoami", self._whoami),
                web.get(_CLIENT + "/joined_rooms", self._joined_rooms),
                web.post(_CLIENT + "/appservice/{id}/ping", self._ping),
                web.post("/_matrix/media/v3/upload", self._upload),
                *order_routes(self._speak, self._ears),
                query_route("counts", self._counts),
            ]
        )
        app.cleanup_ctx.append(self._pushing)
        return app

    async def _pushing(self, _app: web.Application) -> Any:
        pushing = asyncio.create_task(self._pusher.run())
        yield
        pushing.cancel()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except MatrixError as error:
            return _json({"errcode": error.code, "error": str(error)}, error.status)
        except web.HTTPNotFound:
            self.unknown[f"{request.method} {request.path}"] += 1
            return _json({"errcode": "M_UNRECOGNIZED", "error": "Unrecognized request"}, 404)

    # --- orders of the benchmark ---

    async def _speak(self, speech: Speech) -> list[int]:
        room = self._memory.room(speech.place)
        members = [user for user in room.joined() if user.startswith("@doctor-")]

        def say(number: int) -> None:
            content = {"msgtype": "m.text", "body": utterance(speech.run, number), "m.mentions": {}}
            sender = members[number % len(members)]
            self._pusher.push(self._memory.event(room, sender, "m.room.message", content))

        return await speak(speech.count, speech.per_second, say)

    async def _counts(self) -> dict[str, Any]:
        return {
            "transactions": self._pusher.transactions,
            "failures": self._pusher.failures,
            "repeats": self.repeats,
            "unknown": dict(self.unknown),
        }

    # --- who asks ---

    def _user(self, request: web.Request) -> str:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = given or request.query.get("access_token")
        if not token:
            raise MatrixError(401, "M_MISSING_TOKEN", "Missing access token")
        if token != self._script.as_token:
            raise MatrixError(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
        user = request.query.get("user_id", self._memory.bot)
        if user not in self._memory.users:
            sentence = "Application service has not registered this user"
            raise MatrixError(403, "M_FORBIDDEN", sentence)
        return user

    def _room(self, request: web.Request) -> Room:
        return self._memory.room(request.match_info["room"])

    # --- rooms ---

    async def _send(self, request: web.Request) -> web.Response:
        user, room = self._user(request), self._room(request)
        self._memory.require_joined(room, user)
        content = await _body(request)
        key = (user, room.id, request.match_info["txn"])
        event_id = self._transactions.get(key)
        if event_id is None:
            self._ears.hear(str(content.get("body", "")))
            event = self._memory.event(room, user, request.match_info["kind"], content)
            event_id = self._transactions[key] = event["event_id"]
            self._pusher.push(event)
        else:
            self.repeats += 1
        return _json({"event_id": event_id})

    async def _redact(self, request: web.Request) -> web.Response:
        user, room = self._user(request), self._room(request)
        event = self._memory.event(room, user, "m.room.redaction", await _body(request))
        self._pusher.push(event | {"redacts": request.match_info["event"]})
        return _json({"event_id": event["event_id"]})

    async def _invite(self, request: web.Request) -> web.Response:
        sender, room = self._user(request), self._room(request)
        invited = str((await _body(request))["user_id"])
        if room.membership(invited) == "join":
            raise MatrixError(403, "M_FORBIDDEN", f"{invited} is already in the room.")
        content = {"membership": "invite"} | self._memory.users.get(invited, {})
        event = self._memory.set_state(room, sender, "m.room.member", invited, content)
        self._pusher.push(event)
        return _json({})

    async def _join(self, request: web.Request) -> web.Response:
        user, room = self._user(request), self._room(request)
        if room.membership(user) != "join":
            self._pusher.push(self._memory.join(room, user))
        return _json({"room_id": room.id})

    async def _leave(self, request: web.Request) -> web.Response:
        user, room = self._user(request), self._room(request)
        content = {"membership": "leave"}
        self._pusher.push(self._memory.set_state(room, user, "m.room.member", user, content))
        return _json({})

    async def _joined_members(self, request: web.Request) -> web.Response:
        self._user(request)
        joined = {
            user: {
                "display_name": content.get("displayname"),
                "avatar_url": content.get("avatar_url"),
            }
            for user, content in self._room(request).joined().items()
        }
        return _json({"joined": joined})

    async def _members(self, request: web.Request) -> web.Response:
        self._user(request)
        state = self._room(request).state
        return _json({"chunk": [e for (kind, _), e in state.items() if kind == "m.room.member"]})

    async def _state(self, request: web.Request) -> web.Response:
        self._user(request)
        return _json(list(self._room(request).state.values()))

    async def _state_event(self, request: web.Request) -> web.Response:
        self._user(request)
        key = (request.match_info["kind"], request.match_info["key"])
        event = self._room(request).state.get(key)
        if event is None:
            raise MatrixError(404, "M_NOT_FOUND", "Event not found.")
        return _json(event["content"])

    async def _put_state(self, request: web.Request) -> web.Response:
        user, room = self._user(request), self._room(request)
        kind, key = request.match_info["kind"], request.match_info["key"]
        event = self._memory.set_state(room, user, kind, key, await _body(request))
        self._pusher.push(event)
        return _json({"event_id": event["event_id"]})

    # --- users and the server itself ---

    async def _register(self, request: web.Request) -> web.Response:
        self._user(request)
        body = await _body(request)
        user = localpart_to_user(str(body.get("username")))
        if user in self._memory.users:
            raise MatrixError(400, "M_USER_IN_USE", "User ID already taken.")
        self._memory.users[user] = {}
        answer = {"user_id": user, "home_server": user.partition(":")[2]}
        return _json(answer)

    async def _profile(self, request: web.Request) -> web.Response:
        profile = self._memory.users.get(unquote(request.match_info["user"]))
        if profile is None:
            raise MatrixError(404, "M_NOT_FOUND", "Profile was not found")
        field = request.match_info.get("field")
        return _json({field: profile.get(field)} if field else profile)

    async def _put_profile(self, request: web.Request) -> web.Response:
        user, field = self._user(request), request.match_info["field"]
        self._memory.users[user][field] = (await _body(request)).get(field)
        for room in self._memory.rooms.values():
            # Synapse renews the membership in every room
            if room.membership(user) == "join":
                self._pusher.push(self._memory.join(room, user))
        return _json({})

    async def _upload(self, request: web.Request) -> web.Response:
        await request.read()
        self._uploads += 1
        return _json({"content_uri": f"mxc://bench/{self._uploads}"})

    async def _versions(self, _request: web.Request) -> web.Response:
        return _json({"versions": ["r0.6.1", *(f"v1.{n}" for n in range(1, 13))]})

    async def _whoami(self, request: web.Request) -> web.Response:
        return _json({"user_id": self._user(request), "is_guest": False})

    async def _joined_rooms(self, request: web.Request) -> web.Response:
        user = self._user(request)
        rooms = self._memory.rooms.values()
        return _json({"joined_rooms": [r.id for r in rooms if r.membership(user) == "join"]})

    async def _ping(self, request: web.Request) -> web.Response:
        self._user(request)
        status, answer = await self._pusher.ping((await _body(request)).get("transaction_id"))
        if status == 0:
            raise MatrixError(502, "M_CONNECTION_FAILED", answer)
        if status != 200:
            raise MatrixError(502, "M_BAD_STATUS", f"HTTP {status} {answer}")
        return _json({"duration_ms": 1})

    async def _nothing(self, request: web.Request) -> web.Response:
        self._user(request)
        return _json({})


async def _body(request: web.Request) -> Content:
    raw = await request.read()
    try:
        body = orjson.loads(raw or b"{}")
    except ValueError:
        raise MatrixError(400, "M_NOT_JSON", "Content not JSON.") from None
    if not isinstance(body, dict):
        raise MatrixError(400, "M_BAD_JSON", "Content must be a JSON object.")
    return body


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def _main(script: Script) -> None:
    await serve(Homeserver(script).app(), script.port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main(Script.read(Path(sys.argv[1]))))
