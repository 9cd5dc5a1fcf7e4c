"""A Matrix client that encrypts, on matrix-nio's machine: apart from the bridge's encryption."""

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from nio import (  # type: ignore[import-untyped]
    AsyncClient,
    AsyncClientConfig,
    LoginResponse,
    MegolmEvent,
    RoomRedactResponse,
    RoomSendResponse,
    UploadResponse,
)
from nio.crypto import decrypt_attachment  # type: ignore[import-untyped]
from nio.event_builders import ToDeviceMessage  # type: ignore[import-untyped]

from sandbox.journal import Journal

_SYNC_MS = 20_000
_FILTER = {"room": {"timeline": {"limit": 1000}}, "presence": {"not_types": ["*"]}}


class EncryptedUserError(Exception):
    """The homeserver or the machine refused something."""


@dataclass(frozen=True)
class Seen:
    """An event as this user sees it. Without `encrypted` it came in the clear; what could not be
    decrypted has the type `m.room.encrypted`.
    """

    room: str
    id: str
    type: str
    sender: str
    content: dict[str, Any] = field(repr=False)
    encrypted: bool
    device: str = ""
    session: str = ""

    @property
    def body(self) -> str:
        """The plain text, empty if it has none."""
        body = self.content.get("body", "")
        return body if isinstance(body, str) else ""


class EncryptedUser:
    """One device of a user; `timeline` grows with every event of the rooms they are in."""

    def __init__(self, homeserver_url: str, user_id: str, directory: Path, device_id: str) -> None:
        """Stand for a device whose keys are kept in a directory of its own; `log_in` begins."""
        directory.mkdir(parents=True, exist_ok=True)
        config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=False)
        self.user_id = user_id
        self.timeline: Journal[Seen] = Journal(f"the decrypted timeline of {user_id}")
        self._client = AsyncClient(
            homeserver_url, user_id, device_id=device_id, store_path=str(directory), config=config
        )
        self._locked: list[tuple[str, MegolmEvent]] = []
        self._first_keys: dict[str, str] = {}
        self._stepped = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    @classmethod
    async def log_in(
        cls,
        homeserver_url: str,
        user_id: str,
        password: str,
        directory: Path,
        device_id: str = "NIODEVICE",
    ) -> Self:
        """Log in, upload keys, and listen."""
        user = cls(homeserver_url, user_id, directory, device_id)
        answer = await user._client.login(password)
        if not isinstance(answer, LoginResponse):
            await user._client.close()
            raise EncryptedUserError(str(answer))
        await user.start()
        return user

    async def start(self) -> None:
        """Listen; what happened before in the user's rooms comes first."""
        await self._step(0)
        self._listener = asyncio.create_task(self._listen(), name=f"nio sync of {self.user_id}")

    async def close(self) -> None:
        """Stop listening, and tell if that had ended in an error before."""
        outcome: object = None
        if self._listener is not None:
            self._listener.cancel()
            (outcome,) = await asyncio.gather(self._listener, return_exceptions=True)
        await self._client.close()
        if isinstance(outcome, Exception):
            raise outcome

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- saying

    async def create_room(self, name: str, *, invite: list[str], encrypted: bool = True) -> str:
        """Create a room and return its id."""
        state = [{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]
        answer = await self._client.room_create(
            name=name, invite=invite, initial_state=state if encrypted else []
        )
        await self.until(lambda: answer.room_id in self._client.rooms)
        return str(answer.room_id)

    async def turn_on_encryption(self, room: str) -> None:
        """Turn on encryption in a room."""
        content = {"algorithm": "m.megolm.v1.aes-sha2"}
        await self._client.room_put_state(room, "m.room.encryption", content)
        await self.until(lambda: bool(self._client.rooms[room].encrypted))

    async def join(self, room: str) -> None:
        """Join a room."""
        await self._client.join(room)
        await self.until(lambda: room in self._client.rooms)

    async def invite(self, room: str, user_id: str) -> None:
        """Invite somebody."""
        await self._client.room_invite(room, user_id)

    async def send_text(self, room: str, body: str, **more: Any) -> str:  # noqa: ANN401
        """Say something and return the event's id."""
        return await self.send(room, "m.room.message", {"msgtype": "m.text", "body": body, **more})

    async def send(self, room: str, event_type: str, content: dict[str, Any]) -> str:
        """Send an event, encrypted where the room is."""
        answer = await self._client.room_send(
            room, event_type, content, ignore_unverified_devices=True
        )
        if not isinstance(answer, RoomSendResponse):
            raise EncryptedUserError(str(answer))
        return str(answer.event_id)

    async def send_without_key(self, room: str, body: str) -> None:
        """Say something by a new session whose key nobody is given, as when its sending fails."""
        olm = self._client.olm
        olm.create_outbound_group_session(room)
        session = olm.outbound_group_sessions[room]
        self._first_keys[session.id] = session.session_key
        session.mark_as_shared()
        await self.send_text(room, body)

    async def give_key(self, room: str) -> None:
        """Give the key of the present session to everybody, from its beginning on."""
        olm = self._client.olm
        session = olm.outbound_group_sessions[room]
        await self._client.keys_claim(olm.get_missing_sessions(list(self.members(room))))
        for user_id in self.members(room):
            for device in self._client.device_store.active_user_devices(user_id):
                channel = olm.session_store.get(device.curve25519)
                if channel is None or device.id == self._client.device_id:
                    continue
                content = {
                    "algorithm": "m.megolm.v1.aes-sha2",
                    "room_id": room,
                    "session_id": session.id,
                    "session_key": self._first_keys[session.id],
                }
                sealed = olm._olm_encrypt(  # noqa: SLF001 -- nio never gives a key late
                    channel, device, "m.room_key", content
                )
                message = ToDeviceMessage("m.room.encrypted", user_id, device.id, sealed)
                await self._client.to_device(message)

    async def edit(self, room: str, event_id: str, body: str) -> str:
        """Change what was said."""
        new = {"msgtype": "m.text", "body": body}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        return await self.send_text(
            room, f"* {body}", **{"m.new_content": new, "m.relates_to": relation}
        )

    async def react(self, room: str, event_id: str, sign: str) -> str:
        """React to an event."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": sign}
        return await self.send(room, "m.reaction", {"m.relates_to": relation})

    async def reply(self, room: str, event_id: str, body: str) -> str:
        """Answer a message."""
        relation = {"m.in_reply_to": {"event_id": event_id}}
        return await self.send_text(room, body, **{"m.relates_to": relation})

    async def say_in_thread(self, room: str, root: str, body: str) -> str:
        """Write in the thread that an event begins."""
        relation = {
            "rel_type": "m.thread",
            "event_id": root,
            "is_falling_back": True,
            "m.in_reply_to": {"event_id": root},
        }
        return await self.send_text(room, body, **{"m.relates_to": relation})

    async def redact(self, room: str, event_id: str) -> None:
        """Delete an event."""
        answer = await self._client.room_redact(room, event_id)
        if not isinstance(answer, RoomRedactResponse):
            raise EncryptedUserError(str(answer))

    async def send_file(  # noqa: PLR0913 - what a file is
        self,
        room: str,
        name: str,
        data: bytes,
        media_type: str,
        *,
        caption: str = "",
        msgtype: str = "m.file",
    ) -> str:
        """Send an encrypted file."""
        answer, keys = await self._client.upload(
            io.BytesIO(data),
            content_type=media_type,
            filename=name,
            encrypt=True,
            filesize=len(data),
        )
        if not isinstance(answer, UploadResponse):
            raise EncryptedUserError(str(answer))
        content = {
            "msgtype": msgtype,
            "body": caption or name,
            "filename": name,
            "info": {"mimetype": media_type, "size": len(data)},
            "file": {"url": answer.content_uri, **keys},
        }
        return await self.send(room, "m.room.message", content)

    async def download(self, file: dict[str, Any]) -> bytes:
        """The content of an encrypted file."""
        sealed = await self.download_sealed(file["url"])
        key, hashes, iv = file["key"]["k"], file["hashes"]["sha256"], file["iv"]
        return bytes(decrypt_attachment(sealed, key, hashes, iv))

    async def download_sealed(self, uri: str) -> bytes:
        """A file as the homeserver has it."""
        server, _, media_id = uri.removeprefix("mxc://").partition("/")
        # nio knows the way without a token only, which homeservers have closed
        path = f"{self._client.homeserver}/_matrix/client/v1/media/download/{server}/{media_id}"
        headers = {"Authorization": f"Bearer {self._client.access_token}"}
        async with aiohttp.ClientSession() as http, http.get(path, headers=headers) as answer:
            if answer.status != HTTPStatus.OK:
                raise EncryptedUserError(f"the file can't be fetched: {answer.status}")
            return await answer.read()

    async def leave(self, room: str) -> None:
        """Leave a room."""
        await self._client.room_leave(room)

    def lose_keys_of(self, room: str) -> None:
        """Begin a new session with the next message."""
        self._client.invalidate_outbound_session(room)

    # --- seeing

    async def wait_for_text(self, room: str, body: str, *, timeout: float = 20.0) -> Seen:
        """The message with exactly this text, decrypted or in the clear."""
        return await self.timeline.wait_for(
            lambda seen: seen.room == room and seen.type == "m.room.message" and seen.body == body,
            timeout=timeout,
        )

    async def until(self, condition: Callable[[], bool], *, timeout: float = 20.0) -> None:
        """Return once something holds, looked at after each step of the sync."""
        async with asyncio.timeout(timeout):
            while not condition():
                stepped = self._stepped
                await stepped.wait()

    def members(self, room: str) -> set[str]:
        """Who is in a room, by this user's view."""
        seen = self._client.rooms[room]
        return set(seen.users) - set(seen.invited_users)

    def knows_device_of(self, user_id: str) -> bool:
        """Whether this client knows a device of somebody, to which it can send keys."""
        return any(self._client.device_store.active_user_devices(user_id))

    async def _listen(self) -> None:
        while True:
            await self._step(_SYNC_MS)

    async def _step(self, timeout_ms: int) -> None:
        client = self._client
        answer = await client.sync(timeout_ms, sync_filter=_FILTER)
        if not hasattr(answer, "rooms"):
            await asyncio.sleep(0.1)  # the homeserver is being restarted
            return
        if client.should_upload_keys:
            await client.keys_upload()
        if client.should_query_keys:
            await client.keys_query()
        if client.should_claim_keys:
            await client.keys_claim(client.get_users_for_key_claiming())
        await client.send_to_device_messages()
        for room, update in answer.rooms.join.items():
            for event in update.timeline.events:
                if isinstance(event, MegolmEvent):
                    event.room_id = room
                    self._locked.append((room, event))
                else:
                    self._add(room, event)
        locked, self._locked = self._locked, []
        for room, event in locked:
            found = client.olm.decrypt_event(event, room)
            if found is None:
                self._locked.append((room, event))
            else:
                self._add(room, found, device=event.device_id)
        stepped, self._stepped = self._stepped, asyncio.Event()
        stepped.set()

    def _add(self, room: str, event: Any, device: str = "") -> None:  # noqa: ANN401 -- nio's
        source = event.source
        self.timeline.add(
            Seen(
                room,
                event.event_id,
                source.get("type", ""),
                event.sender,
                source.get("content", {}),
                bool(getattr(event, "decrypted", False)),
                device,
                getattr(event, "session_id", None) or "",
            )
        )

    @property
    def locked(self) -> list[str]:
        """The ids of events that can't be decrypted so far."""
        return [event.event_id for _, event in self._locked]
