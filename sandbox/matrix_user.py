"""A plain Matrix client, written apart from the bridge, to see what really arrived."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from sandbox.journal import Journal

Content = Mapping[str, Any]

_SYNC_FILTER = '{"room":{"timeline":{"limit":1000}},"presence":{"not_types":["*"]}}'
_SYNC_TIMEOUT_MS = 20_000
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=60)
_RECONNECT_SECONDS = 0.1


class MatrixError(Exception):
    """The homeserver refused a request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


@dataclass(frozen=True)
class MatrixEvent:
    """An event of a room's timeline, as the homeserver gave it."""

    room: str
    id: str
    type: str
    sender: str
    content: dict[str, Any]
    timestamp: int
    state_key: str | None = None
    unsigned: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def body(self) -> str:
        """The plain text, empty if it has none."""
        body = self.content.get("body", "")
        return body if isinstance(body, str) else ""

    @classmethod
    def of(cls, room: str, raw: Mapping[str, Any]) -> Self:
        """Read the JSON form."""
        return cls(
            room=room,
            id=raw["event_id"],
            type=raw["type"],
            sender=raw["sender"],
            content=raw["content"],
            timestamp=raw["origin_server_ts"],
            state_key=raw.get("state_key"),
            unsigned=raw.get("unsigned", {}),
        )


@dataclass(frozen=True)
class MatrixPassing:
    """Something passing in a room: who types (`m.typing`), or who has read what (`m.receipt`)."""

    room: str
    type: str
    content: dict[str, Any]

    @property
    def typists(self) -> list[str]:
        """Who types."""
        return list(self.content.get("user_ids", []))

    def read_by(self, user_id: str) -> set[str]:
        """The events that a user has read just now, as far as they say so in public."""
        return {
            event_id
            for event_id, receipts in self.content.items()
            if isinstance(receipts, dict) and user_id in receipts.get("m.read", {})
        }


class MatrixUser:
    """One logged-in user; `timeline` grows with every event of the rooms they are in."""

    def __init__(self, homeserver_url: str, user_id: str, access_token: str) -> None:
        """Stand for an account that is logged in; `start` begins to listen."""
        self.user_id = user_id
        self.timeline: Journal[MatrixEvent] = Journal(f"the timeline of {user_id}")
        self.passing: Journal[MatrixPassing] = Journal(f"what passes before {user_id}")
        self.invites: Journal[str] = Journal(f"the invitations of {user_id}")
        self._url = homeserver_url
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {access_token}"}, timeout=_REQUEST_TIMEOUT
        )
        self._transactions = itertools.count()
        self._transaction_prefix = secrets.token_hex(4)
        self._since: str | None = None
        self._listener: asyncio.Task[None] | None = None

    @property
    def localpart(self) -> str:
        """The name to log in with."""
        return self.user_id[1:].partition(":")[0]

    @classmethod
    async def log_in(cls, homeserver_url: str, localpart: str, password: str) -> Self:
        """Log in with a password and listen."""
        login = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": localpart},
            "password": password,
        }
        async with aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT) as http:
            url = f"{homeserver_url}/_matrix/client/v3/login"
            async with http.post(url, json=login) as response:
                answer = await _answer(response)
        user = cls(homeserver_url, answer["user_id"], answer["access_token"])
        await user.start()
        return user

    async def start(self) -> None:
        """Listen; what happened before in the user's rooms comes first."""
        await self._sync(timeout_ms=0)
        self._listener = asyncio.create_task(self._listen(), name=f"sync of {self.user_id}")

    async def close(self) -> None:
        """Stop listening, and tell if that had ended in an error before."""
        outcome: object = None
        if self._listener is not None:
            self._listener.cancel()
            (outcome,) = await asyncio.gather(self._listener, return_exceptions=True)
        await self._http.close()
        if isinstance(outcome, Exception):
            raise outcome

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def request(
        self,
        method: str,
        path: str,
        body: Content | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Any request, its path relative to `/_matrix/client/v3`."""
        url = f"{self._url}/_matrix/client/v3{path}"
        async with self._http.request(method, url, json=body, params=query) as response:
            return await _answer(response)

    async def upload(self, data: bytes, mime: str, name: str = "") -> str:
        """Hand a file to the homeserver and return its `mxc://` URI."""
        async with self._http.post(
            f"{self._url}/_matrix/media/v3/upload",
            data=data,
            params={"filename": name} if name else {},
            headers={"Content-Type": mime},
        ) as response:
            return str((await _answer(response))["content_uri"])

    async def download(self, uri: str) -> bytes:
        """A file of any homeserver, by its `mxc://` URI."""
        path = uri.removeprefix("mxc://")
        url = f"{self._url}/_matrix/client/v1/media/download/{path}"
        async with self._http.get(url) as response:
            if response.status >= 400:
                await _answer(response)
            return await response.read()

    async def create_room(  # noqa: PLR0913 -- what a room is, all but its name by keyword
        self,
        name: str,
        *,
        alias: str | None = None,
        topic: str | None = None,
        invite: Iterable[str] = (),
        preset: str = "private_chat",
        power_levels: Content | None = None,
        version: str | None = None,
    ) -> str:
        """Create a room and return its id; `power_levels` overrides parts of the preset's."""
        wanted = {
            "name": name,
            "room_alias_name": alias,
            "topic": topic,
            "invite": list(invite),
            "preset": preset,
            "power_level_content_override": power_levels,
            "room_version": version,
        }
        body = {key: value for key, value in wanted.items() if value is not None}
        return str((await self.request("POST", "/createRoom", body))["room_id"])

    async def join(self, room_or_alias: str) -> str:
        """Join and return the room's id."""
        answer = await self.request("POST", f"/join/{quote(room_or_alias)}", {})
        return str(answer["room_id"])

    async def leave(self, room: str) -> None:
        """Leave a room."""
        await self._room_action(room, "leave", {})

    async def invite(self, room: str, user_id: str) -> None:
        """Invite somebody."""
        await self._room_action(room, "invite", {"user_id": user_id})

    async def kick(self, room: str, user_id: str, reason: str = "") -> None:
        """Put somebody out of a room."""
        await self._room_action(room, "kick", {"user_id": user_id, "reason": reason})

    async def send_text(self, room: str, body: str, **more: Any) -> str:  # noqa: ANN401
        """Say something and return the event's id; `more` is added to the content."""
        return await self.send_event(
            room, "m.room.message", {"msgtype": "m.text", "body": body, **more}
        )

    async def send_emote(self, room: str, body: str) -> str:
        """Say it as `/me` does."""
        return await self.send_event(room, "m.room.message", {"msgtype": "m.emote", "body": body})

    async def send_event(self, room: str, type_: str, content: Content) -> str:
        """Send an event of any type and return its id."""
        path = f"{_room(room)}/send/{quote(type_)}/{self._transaction()}"
        return str((await self.request("PUT", path, content))["event_id"])

    async def send_state(self, room: str, type_: str, content: Content, state_key: str = "") -> str:
        """Set a piece of room state and return its event's id."""
        path = f"{_room(room)}/state/{quote(type_)}/{quote(state_key)}"
        return str((await self.request("PUT", path, content))["event_id"])

    async def redact(self, room: str, event_id: str, reason: str = "") -> str:
        """Delete an event's content and return the redaction's id."""
        path = f"{_room(room)}/redact/{quote(event_id)}/{self._transaction()}"
        return str((await self.request("PUT", path, {"reason": reason}))["event_id"])

    async def state(self, room: str, type_: str, state_key: str = "") -> dict[str, Any]:
        """A piece of room state, as it is now."""
        return await self.request("GET", f"{_room(room)}/state/{quote(type_)}/{quote(state_key)}")

    async def event(self, room: str, event_id: str) -> MatrixEvent:
        """One event, as the homeserver has it now."""
        path = f"{_room(room)}/event/{quote(event_id)}"
        return MatrixEvent.of(room, await self.request("GET", path))

    async def set_topic(self, room: str, topic: str) -> str:
        """Set the room's topic."""
        return await self.send_state(room, "m.room.topic", {"topic": topic})

    async def set_power(self, room: str, user_id: str, level: int) -> None:
        """Give somebody rights in a room: 50 makes a moderator."""
        levels = await self.request("GET", f"{_room(room)}/state/m.room.power_levels")
        users = {**levels.get("users", {}), user_id: level}
        await self.send_state(room, "m.room.power_levels", {**levels, "users": users})

    async def set_display_name(self, name: str) -> None:
        """Change the user's name, in all their rooms."""
        path = f"/profile/{quote(self.user_id)}/displayname"
        await self.request("PUT", path, {"displayname": name})

    async def set_avatar(self, uri: str) -> None:
        """Change the user's picture, in all their rooms."""
        path = f"/profile/{quote(self.user_id)}/avatar_url"
        await self.request("PUT", path, {"avatar_url": uri})

    async def wait_for(
        self,
        predicate: Callable[[MatrixEvent], bool],
        *,
        room: str | None = None,
        timeout: float = 10.0,
        after: int = 0,
    ) -> MatrixEvent:
        """The first event that fits, be it seen already or still to come.

        `after=len(user.timeline)`, taken earlier, passes over what was there by then.
        """
        return await self.timeline.wait_for(
            lambda event: room in {None, event.room} and predicate(event),
            timeout=timeout,
            after=after,
        )

    async def wait_for_text(self, room: str, body: str, *, timeout: float = 10.0) -> MatrixEvent:
        """The message with exactly this text."""
        return await self.wait_for(
            lambda event: event.type == "m.room.message" and event.body == body,
            room=room,
            timeout=timeout,
        )

    async def messages(self, room: str, limit: int = 1000) -> list[MatrixEvent]:
        """The room's messages, oldest first, asked from the homeserver."""
        found: list[MatrixEvent] = []
        query = {"dir": "b", "limit": str(limit), "filter": '{"types":["m.room.message"]}'}
        while len(found) < limit:
            page = await self.request("GET", f"{_room(room)}/messages", query=query)
            found.extend(MatrixEvent.of(room, raw) for raw in page["chunk"])
            if "end" not in page:
                break
            query["from"] = page["end"]
        return found[:limit][::-1]

    async def members(self, room: str) -> dict[str, str | None]:
        """Who is joined, each with the name shown in this room."""
        joined = (await self.request("GET", f"{_room(room)}/joined_members"))["joined"]
        return {user_id: member.get("display_name") for user_id, member in joined.items()}

    async def _room_action(self, room: str, action: str, body: Content) -> None:
        await self.request("POST", f"{_room(room)}/{action}", body)

    def _transaction(self) -> str:
        return f"{self._transaction_prefix}.{next(self._transactions)}"

    async def _listen(self) -> None:
        while True:
            try:
                await self._sync(timeout_ms=_SYNC_TIMEOUT_MS)
            except aiohttp.ClientConnectionError:
                # The homeserver is being restarted. It cannot say when it will be back: ask again.
                await asyncio.sleep(_RECONNECT_SECONDS)
            except Exception as error:
                self.timeline.fail(error)
                self.passing.fail(error)
                self.invites.fail(error)
                raise

    async def _sync(self, *, timeout_ms: int) -> None:
        query = {"filter": _SYNC_FILTER, "timeout": str(timeout_ms)}
        if self._since is not None:
            query["since"] = self._since
        answer = await self.request("GET", "/sync", query=query)
        self._since = answer["next_batch"]
        rooms = answer.get("rooms", {})
        for room in rooms.get("invite", {}):
            self.invites.add(room)
        for kind in ("join", "leave"):
            for room, update in rooms.get(kind, {}).items():
                for raw in update.get("timeline", {}).get("events", []):
                    self.timeline.add(MatrixEvent.of(room, raw))
                for raw in update.get("ephemeral", {}).get("events", []):
                    self.passing.add(MatrixPassing(room, raw["type"], raw["content"]))


def _room(room: str) -> str:
    return f"/rooms/{quote(room)}"


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    answer: dict[str, Any] = await response.json()
    if response.status >= 400:
        raise MatrixError(
            response.status, answer.get("errcode", "?"), answer.get("error", str(answer))
        )
    return answer
