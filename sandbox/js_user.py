"""A Matrix user whose client has the crypto of Element: matrix-js-sdk, in a Node process."""

import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.journal import Journal

_SOURCE = Path(__file__).parent / "js_client" / "client.mjs"
INSTALLED = Path(__file__).parent.parent / ".cache" / "js-client"

_OLDEST_NODE = 20
_ANSWER_SECONDS = 60
_LINE_BYTES = 2**22


def node() -> str | None:
    """Where Node is, None if there is none that the client can run on."""
    found = shutil.which("node")
    if found is None:
        return None
    asked = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    major = int(asked.stdout.lstrip("v").partition(".")[0])
    return found if major >= _OLDEST_NODE else None


class JsUserError(Exception):
    """The client is not installed, ended, or could not do what it was asked."""


@dataclass(frozen=True)
class Shown:
    """An event as the client sees it, and the shield that it would show at it.

    `shield` is none, grey or red, and `why` its reason; both are None for what is not encrypted.
    `failure` tells why it can't be read, if so.
    """

    room: str
    id: str
    type: str
    sender: str
    content: dict[str, Any] = field(repr=False)
    encrypted: bool
    failure: str | None
    shield: str | None
    why: str | None

    @property
    def body(self) -> str:
        """The plain text, empty if it has none."""
        body = self.content.get("body", "")
        return body if isinstance(body, str) else ""


class JsUser:
    """One device of a user, which lives as long as its process."""

    def __init__(self) -> None:
        """Nobody yet; `log_in` begins."""
        self.user_id = ""
        self.device_id = ""
        self.timeline: Journal[Shown] = Journal("the timeline of a matrix-js-sdk")
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def log_in(
        cls,
        homeserver_url: str,
        user_id: str,
        password: str,
        *,
        signed: bool = True,
        strict: bool = False,
    ) -> Self:
        """Log in and listen.

        With `signed`, the device is one that its user has signed; with `strict`, it has nothing to
        do with devices that are not: https://github.com/matrix-org/matrix-spec-proposals/pull/4153
        """
        user = cls()
        await user._launch()
        try:
            answer = await user.do(
                "start",
                url=homeserver_url,
                user=user_id,
                password=password,
                signed=signed,
                strict=strict,
            )
        except BaseException:
            await user.close()
            raise
        user.user_id, user.device_id = answer["user"], answer["device"]
        user.timeline.name = f"the timeline of {user.user_id} in matrix-js-sdk"
        return user

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the process, and with it the device's keys."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def do(self, what: str, **options: Any) -> Any:  # noqa: ANN401 -- each has its own
        """Have the client do one of the commands of `client.mjs`."""
        if self._process is None or self._process.stdin is None:
            raise JsUserError("the client does not run")
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "do": what, **options})
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await answer

    async def create_room(self, name: str, *, invite: list[str]) -> str:
        """Make an encrypted room; its id."""
        return str((await self.do("create_room", name=name, invite=invite))["room"])

    async def join(self, room: str) -> None:
        """Join a room."""
        await self.do("join", room=room)

    async def send_text(self, room: str, body: str, **more: Any) -> str:  # noqa: ANN401
        """Say something; the event's id."""
        return await self.send(room, "m.room.message", {"msgtype": "m.text", "body": body, **more})

    async def send(self, room: str, event_type: str, content: Mapping[str, Any]) -> str:
        """Send an event; its id."""
        answer = await self.do("send", room=room, type=event_type, content=dict(content))
        return str(answer["event"])

    async def upload(self, data: bytes, media_type: str) -> str:
        """Put bytes where others can fetch them; the content URI."""
        text = base64.b64encode(data).decode()
        return str((await self.do("upload", data=text, type=media_type))["url"])

    async def download(self, file: Mapping[str, Any]) -> bytes:
        """The content of an encrypted file, decrypted by the client's own means."""
        answer = await self.do("download", file=dict(file))
        return base64.b64decode(answer["data"])

    async def signed_devices(self, user_id: str) -> dict[str, bool]:
        """The devices of somebody, and whether their user has signed them."""
        found = await self.do("devices", user=user_id)
        return {each["id"]: each["signed"] for each in found["devices"]}

    async def wait_for_text(self, room: str, body: str, *, timeout: float = 30.0) -> Shown:
        """The message with exactly this text."""
        return await self.timeline.wait_for(
            lambda shown: shown.room == room and shown.body == body, timeout=timeout
        )

    async def _launch(self) -> None:
        program = node()
        if program is None or not (INSTALLED / "node_modules").exists():
            raise JsUserError(f"matrix-js-sdk is not installed at {INSTALLED}: run `make setup`")
        # Node looks for packages beside the program
        client = INSTALLED / "client.mjs"
        if not client.exists() or client.read_text() != _SOURCE.read_text():
            fresh = client.with_suffix(f".{os.getpid()}")
            fresh.write_text(_SOURCE.read_text())
            fresh.replace(client)
        self._process = await asyncio.create_subprocess_exec(
            program,
            client,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES,
        )
        self._reader = asyncio.create_task(self._read(), name="reads matrix-js-sdk")

    async def _read(self) -> None:
        assert self._process is not None  # noqa: S101 -- just launched
        assert self._process.stdout is not None  # noqa: S101
        async for line in self._process.stdout:
            message = json.loads(line)
            if "seen" in message:
                self.timeline.add(Shown(**message["seen"]))
            elif (answer := self._answers.pop(message["id"], None)) and not answer.done():
                if "error" in message:
                    answer.set_exception(JsUserError(message["error"]))
                else:
                    answer.set_result(message["result"])
        ended = JsUserError("the client has ended")
        self.timeline.fail(ended)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ended)
