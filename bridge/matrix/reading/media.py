"""Files that are sent: images, videos, sounds, voice messages, stickers and all others.

https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes
"""

import re
from collections.abc import Iterator
from typing import Final

import orjson

from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.model import Attachment, MediaKind

_KINDS: Final = {
    "m.image": MediaKind.IMAGE,
    "m.video": MediaKind.VIDEO,
    "m.audio": MediaKind.AUDIO,
    "m.file": MediaKind.FILE,
    "m.sticker": MediaKind.STICKER,
}
_GALLERIES: Final = frozenset({"m.gallery", "dm.filament.gallery"})
"""MSC4274: several files in one message, under `itemtypes`."""

_VOICE: Final = ("org.matrix.msc3245.voice", "org.matrix.msc3245.voice.v2", "m.voice")
_SOUND: Final = ("org.matrix.msc1767.audio", "m.audio")
_CONTENT_URI: Final = re.compile(r"mxc://[^\s/?#]{1,255}/[A-Za-z0-9_-]{1,255}")
_GALLERY_MAX: Final = 50


def is_media(content: JsonObject) -> bool:
    """Whether content is that of a message with a file, or with several."""
    msgtype = content.get("msgtype")
    return isinstance(msgtype, str) and (msgtype in _KINDS or msgtype in _GALLERIES)


def is_content_uri(uri: str) -> bool:
    """https://spec.matrix.org/v1.19/client-server-api/#matrix-content-mxc-uris."""
    return _CONTENT_URI.fullmatch(uri) is not None


def attachments(content: JsonObject) -> tuple[Attachment, ...]:
    """The files of a message; none where it does not say where they are."""
    if content.get("msgtype") in _GALLERIES:
        return tuple(_items(content))
    found = _attachment(content)
    return () if found is None else (found,)


def caption(content: JsonObject) -> str:
    """What is said about the file: since v1.10, `body` is that where there is a `filename` too.

    https://spec.matrix.org/v1.19/client-server-api/#media-captions
    """
    body, name = text_at(content, "body"), text_at(content, "filename")
    if content.get("msgtype") in _GALLERIES:
        return body
    return body if name and body != name and body.strip() else ""


def label(content: JsonObject) -> str:
    """What stands for a file that can't be had, in brackets and with its name."""
    msgtype = text_at(content, "msgtype").rpartition(".")[2]
    name = text_at(content, "filename") or text_at(content, "body")
    return f"[{msgtype}] {name}".rstrip()


def picture(url: str, info: JsonObject) -> Attachment | None:
    """A picture that stands in a room's state; None if there is none."""
    if not is_content_uri(url):
        return None
    return _described(MediaKind.IMAGE, url, "", info)


def _items(content: JsonObject) -> Iterator[Attachment]:
    items = content.get("itemtypes")
    for item in (items if isinstance(items, list) else ())[:_GALLERY_MAX]:
        if isinstance(item, dict):
            found = _attachment({**item, "msgtype": item.get("itemtype")})
            if found is not None:
                yield found


def _attachment(content: JsonObject) -> Attachment | None:
    msgtype = content.get("msgtype")
    kind = _KINDS.get(msgtype) if isinstance(msgtype, str) else None
    if kind is None:
        return None
    if kind is MediaKind.AUDIO and any(mark in content for mark in _VOICE):
        kind = MediaKind.VOICE
    file = object_at(content, "file")
    url = text_at(file or content, "url")
    if not is_content_uri(url):
        return None
    name = text_at(content, "filename") or text_at(content, "body")
    sound = next((object_at(content, key) for key in _SOUND if key in content), {})
    info = {"duration": sound.get("duration"), **object_at(content, "info")}
    return _described(kind, url, name, info, file)


def _described(
    kind: MediaKind, url: str, name: str, info: JsonObject, file: JsonObject | None = None
) -> Attachment:
    return Attachment(
        kind,
        url,
        name,
        text_at(info, "mimetype"),
        _whole(info.get("size")),
        _whole(info.get("w")),
        _whole(info.get("h")),
        _whole(info.get("duration")),
        orjson.dumps(file).decode() if file else None,
    )


def _whole(number: object) -> int | None:
    """A number that is not below zero; some clients send fractions."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return int(number) if 0 <= number < 1 << 53 else None
