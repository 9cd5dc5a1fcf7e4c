"""Who comes and goes, and what the room is called, looks like and is about."""

from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.matrix.reading.findings import Head, Ignored, Unreadable, Why, is_redacted
from bridge.matrix.reading.media import picture
from bridge.model import (
    MATRIX,
    Author,
    Joined,
    Left,
    PictureChanged,
    Renamed,
    SubjectChanged,
    TitleChanged,
)


def membership(
    head: Head, user_id: str, raw: JsonObject, content: JsonObject
) -> Joined | Left | Renamed | Ignored | Unreadable:
    """https://spec.matrix.org/v1.19/client-server-api/#mroommember."""
    before = _previous(raw)
    match content.get("membership"):
        case "join":
            return _arrival(head, user_id, before, content)
        case "leave" | "ban" if text_at(before, "membership") in {"join", ""}:
            author = _member(user_id, before)
            return Left(head.place, author, head.time, _parting(head, user_id, content), head.id)
        case "leave" | "ban" | "invite" | "knock":
            return Ignored(Why.UNCHANGED)
    return head.unreadable("its membership is none of those there are")


def topic(
    head: Head, raw: JsonObject, content: JsonObject
) -> SubjectChanged | Ignored | Unreadable:
    """https://spec.matrix.org/v1.19/client-server-api/#mroomtopic."""
    if is_redacted(raw):
        return Ignored(Why.REDACTED)
    subject = content.get("topic", "")
    if not isinstance(subject, str):
        return head.unreadable("its topic is not text")
    return SubjectChanged(head.place, head.author, head.time, subject, head.id)


def title(head: Head, raw: JsonObject, content: JsonObject) -> TitleChanged | Ignored | Unreadable:
    """https://spec.matrix.org/v1.19/client-server-api/#mroomname."""
    if is_redacted(raw):
        return Ignored(Why.REDACTED)
    name = content.get("name", "")
    if not isinstance(name, str):
        return head.unreadable("its name is not text")
    if name == text_at(_previous(raw), "name"):
        return Ignored(Why.UNCHANGED)
    return TitleChanged(head.place, head.author, head.time, name, head.id)


def avatar(
    head: Head, raw: JsonObject, content: JsonObject
) -> PictureChanged | Ignored | Unreadable:
    """https://spec.matrix.org/v1.19/client-server-api/#mroomavatar."""
    if is_redacted(raw):
        return Ignored(Why.REDACTED)
    url = content.get("url") or ""
    found = picture(url, object_at(content, "info")) if isinstance(url, str) else None
    if url and found is None:
        return head.unreadable("its picture is nowhere")
    if url == text_at(_previous(raw), "url"):
        return Ignored(Why.UNCHANGED)
    return PictureChanged(head.place, head.author, head.time, found, head.id)


def _previous(raw: JsonObject) -> JsonObject:
    """The content that this state event replaced.

    It is in `unsigned` by the specification; Synapse once put it beside the content.
    """
    return object_at(object_at(raw, "unsigned"), "prev_content") or object_at(raw, "prev_content")


def _member(user_id: str, content: JsonObject) -> Author:
    name = text_at(content, "displayname")
    return Author(MATRIX, user_id, name, text_at(content, "avatar_url") or None)


def _arrival(
    head: Head, user_id: str, before: JsonObject, content: JsonObject
) -> Joined | Renamed | Ignored:
    author = _member(user_id, content)
    if text_at(before, "membership") != "join":
        return Joined(head.place, author, head.time, head.id)
    if author == _member(user_id, before):
        return Ignored(Why.UNCHANGED)
    return Renamed(head.place, author, head.time, head.id)


def _parting(head: Head, user_id: str, content: JsonObject) -> str:
    reason = text_at(content, "reason")
    if head.sender == user_id:
        return reason
    banned = content.get("membership") == "ban"
    done = "banned from the room" if banned else "removed from the room"
    return f"{done}: {reason}" if reason else done
