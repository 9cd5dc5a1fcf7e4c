"""What people do in Element beside writing: each as that client does it.

Formats are those of https://spec.matrix.org/v1.19/client-server-api/, written down here a second
time, apart from the bridge.
"""

from html import escape
from typing import Any
from urllib.parse import quote

from sandbox.matrix_user import MatrixUser

_MESSAGE = "m.room.message"


def formatted(html: str) -> dict[str, str]:
    """What goes beside a plain text."""
    return {"format": "org.matrix.custom.html", "formatted_body": html}


def pill(user_id: str, name: str) -> str:
    """A link that clients show as a pill."""
    return f'<a href="https://matrix.to/#/{user_id}">{escape(name)}</a>'


async def edit(doctor: MatrixUser, room: str, event_id: str, text: str, html: str = "") -> str:
    """Change an own message."""
    fresh = {"msgtype": "m.text", "body": text, **(formatted(html) if html else {})}
    content = {
        "msgtype": "m.text",
        "body": f"* {text}",
        "m.new_content": {**fresh, "m.mentions": {}},
        "m.mentions": {},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
    }
    return await doctor.send_event(room, _MESSAGE, content)


async def reply(doctor: MatrixUser, room: str, event_id: str, text: str) -> str:
    """Answer a message."""
    relation = {"m.in_reply_to": {"event_id": event_id}}
    return await doctor.send_text(room, text, **{"m.relates_to": relation})


async def say_in_thread(
    doctor: MatrixUser, room: str, root: str, text: str, answering: str | None = None
) -> str:
    """Write in the thread that an event begins, as an answer to one in there or to none."""
    relation = {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": answering is None,
        "m.in_reply_to": {"event_id": answering or root},
    }
    return await doctor.send_text(room, text, **{"m.relates_to": relation})


async def react(doctor: MatrixUser, room: str, event_id: str, key: str) -> str:
    """Put a reaction on a message; `doctor.redact` takes it back."""
    relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
    return await doctor.send_event(room, "m.reaction", {"m.relates_to": relation})


async def mention(doctor: MatrixUser, room: str, user_id: str, name: str, text: str) -> str:
    """Call somebody by name, before a text."""
    return await doctor.send_text(
        room,
        f"{name}: {text}",
        **formatted(f"{pill(user_id, name)}: {escape(text)}"),
        **{"m.mentions": {"user_ids": [user_id]}},
    )


async def send_file(  # noqa: PLR0913 - what a file is
    doctor: MatrixUser,
    room: str,
    data: bytes,
    *,
    name: str,
    mime: str,
    caption: str = "",
    msgtype: str = "m.file",
    info: dict[str, Any] | None = None,
    **more: Any,  # noqa: ANN401 - further content
) -> str:
    """Upload a file and send it."""
    content = {
        "msgtype": msgtype,
        "body": caption or name,
        "filename": name,
        "url": await doctor.upload(data, mime, name),
        "info": {"mimetype": mime, "size": len(data), **(info or {})},
        **more,
    }
    return await doctor.send_event(room, _MESSAGE, content)


async def type_(doctor: MatrixUser, room: str, *, typing: bool = True) -> None:
    """Begin or stop to type."""
    path = f"/rooms/{quote(room)}/typing/{quote(doctor.user_id)}"
    await doctor.request("PUT", path, {"typing": typing, "timeout": 30_000})


async def read(doctor: MatrixUser, room: str, event_id: str) -> None:
    """Say that everything up to an event is read."""
    await doctor.request("POST", f"/rooms/{quote(room)}/receipt/m.read/{quote(event_id)}", {})


async def name_room(doctor: MatrixUser, room: str, name: str) -> str:
    """Give a room another name."""
    return await doctor.send_state(room, "m.room.name", {"name": name})


async def picture_room(doctor: MatrixUser, room: str, uri: str) -> str:
    """Give a room another picture."""
    return await doctor.send_state(room, "m.room.avatar", {"url": uri})


async def upgrade(doctor: MatrixUser, room: str, version: str) -> str:
    """Have a room replaced by one of another version; the id of that one."""
    path = f"/rooms/{quote(room)}/upgrade"
    return str((await doctor.request("POST", path, {"new_version": version}))["replacement_room"])
