"""The bridge's own JSON, version 1: what it posts, and what systems may post to it.

One object is one event. `type` says which; `docs/networks/web.md` has every field. Fields that are
not known are passed over, so that later versions can have more.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bridge.contract import Outgoing
from bridge.model import (
    Attachment,
    Author,
    Deleted,
    Deliverable,
    Edited,
    Left,
    MediaKind,
    Mention,
    Message,
    PictureChanged,
    Place,
    Reacted,
    SubjectChanged,
    TitleChanged,
)

VERSION: Final = 1

Ident = Annotated[str, Field(min_length=1, max_length=500)]


class NotOursError(ValueError):
    """A payload is not in this format. The text says what is wrong with it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Person(_Part):
    name: Annotated[str, Field(max_length=200)] = ""
    id: Annotated[str, Field(max_length=500)] = ""


class _File(_Part):
    url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=1_900)]
    name: str = ""
    mime: str = ""
    size: int | None = None
    kind: MediaKind = MediaKind.FILE


class _Mention(_Part):
    id: Ident
    span: Ident


class _Event(_Part):
    version: Literal[1] = VERSION
    id: Ident | None = None
    author: _Person = _Person()
    time: AwareDatetime | None = None


class _Said(_Event):
    type: Literal["message"]
    text: str = ""
    html: str | None = None
    emote: bool = False
    reply_to: Ident | None = None
    topic: Ident | None = None
    mentions: tuple[_Mention, ...] = ()
    files: tuple[_File, ...] = ()


class _Edited(_Event):
    type: Literal["edited"]
    target: Ident
    text: str
    html: str | None = None


class _Deleted(_Event):
    type: Literal["deleted"]
    target: Ident
    reason: str = ""
    moderated: bool = False


class _Reacted(_Event):
    type: Literal["reacted"]
    target: Ident
    emoji: Annotated[str, Field(min_length=1, max_length=100)]
    gone: bool = False


_Any = Annotated[_Said | _Edited | _Deleted | _Reacted, Field(discriminator="type")]
_ANY: Final[TypeAdapter[_Said | _Edited | _Deleted | _Reacted]] = TypeAdapter(_Any)


def read(
    payload: object, place: Place, ident: str, *, quiet: bool
) -> Message | Edited | Deleted | Reacted:
    """The event that a payload is.

    Args:
        payload: the JSON.
        place: the hook.
        ident: the event's id, when the payload has none of its own.
        quiet: whether messages are notices.

    Raises:
        NotOursError: it is none.
    """
    if isinstance(payload, dict):
        payload = {"type": "message", **payload}
    try:
        found = _ANY.validate_python(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the payload"
        msg = f"{where}: {first['msg']}"
        raise NotOursError(msg) from None
    now = datetime.now(UTC)
    when = now if found.time is None else min(found.time.astimezone(UTC), now)
    author = person(place, found.author.name, found.author.id)
    ident = found.id or ident
    match found:
        case _Edited():
            return Edited(place, author, when, found.target, found.text, html=found.html, id=ident)
        case _Deleted():
            return Deleted(
                place, author, when, found.target, found.reason,
                moderated=found.moderated, id=ident,
            )  # fmt: skip
        case _Reacted():
            return Reacted(
                place, author, when, found.target, found.emoji, gone=found.gone, id=ident
            )
    if not (found.text.strip() or found.files):
        msg = "text: there is neither a text nor a file"
        raise NotOursError(msg)
    return Message(
        place,
        ident,
        author,
        when,
        found.text,
        emote=found.emote,
        html=found.html,
        mentions=tuple(Mention(place.network, each.id, each.span) for each in found.mentions),
        attachments=tuple(
            Attachment(each.kind, each.url, each.name, each.mime, each.size) for each in found.files
        ),
        reply_to=found.reply_to,
        topic=found.topic,
        notice=quiet,
    )


def person(place: Place, name: str, ident: str = "") -> Author:
    """Who says something; where nobody is named, it is the hook itself."""
    name = " ".join(name.split()) or place.id
    return Author(place.network, ident or name.casefold(), name)


# --- what is posted -------------------------------------------------------------------------------


def shown_id(key: str) -> str:
    """The id under which a copy is posted: ids of webhooks have no full stops."""
    return key.replace(".", "_")


def key_behind(ident: str) -> str:
    """The key of which `shown_id` made an id."""
    return ident.replace("_", ".")


def write(outgoing: Outgoing) -> dict[str, Any]:
    """What is posted of an event.

    Raises:
        ValueError: it can't be told in this format.
    """
    event = outgoing.event
    author = event.author
    return {
        "version": VERSION,
        "type": event.kind.value,
        "id": shown_id(outgoing.key),
        "hook": outgoing.place.id,
        "time": event.time.astimezone(UTC).isoformat(),
        "author": {"network": author.network, "id": author.id, "name": author.name},
        **_rest(event, outgoing),
    }


_FIELDS: Final[Mapping[type, tuple[str, ...]]] = {
    Edited: ("text", "html"),
    Deleted: ("reason", "moderated"),
    Reacted: ("emoji", "gone"),
    Left: ("reason",),
    SubjectChanged: ("subject",),
    TitleChanged: ("title",),
}


def _rest(event: Deliverable, outgoing: Outgoing) -> dict[str, Any]:
    match event:
        case Message():
            return _message(event, outgoing)
        case PictureChanged():
            msg = "A system can't be told of pictures."
            raise ValueError(msg)
    fields = {name: getattr(event, name) for name in _FIELDS.get(type(event), ())}
    if isinstance(event, Edited | Deleted | Reacted):
        fields["target"] = None if outgoing.target is None else outgoing.target.id
    return fields


def _message(event: Message, outgoing: Outgoing) -> dict[str, Any]:
    topic, reply = outgoing.topic, outgoing.reply_to
    return {
        "text": event.text,
        "html": event.html,
        "emote": event.emote,
        "notice": event.notice,
        "reply_to": None if reply is None else reply.id,
        "topic": topic_of(outgoing),
        "topic_title": None if topic is None else topic.title,
        "mentions": [
            {"network": each.network, "id": each.id, "span": each.span} for each in event.mentions
        ],
    }


def topic_of(outgoing: Outgoing) -> str | None:
    """What the system is told that the topic is called: one without a name is named here."""
    topic = outgoing.topic
    if topic is None:
        return None
    root = "" if topic.root is None else topic.root.id
    return topic.id or root or shown_id(outgoing.key)
