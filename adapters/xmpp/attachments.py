"""Files that colleagues send: a link, and what is said of it (XEP-0066, 0385, 0446, 0447, 0449)."""

import mimetypes
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

from adapters.xmpp import fallback
from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.xml import (
    FILE_METADATA,
    OOB,
    REFERENCE,
    SFS,
    SIMS,
    URL_DATA,
    attribute,
    text,
)
from bridge.contract import LocalFile
from bridge.model import Attachment, MediaKind

_JINGLE_FILE: Final = "urn:xmpp:jingle:apps:file-transfer:5"
_KINDS: Final = {
    "image": MediaKind.IMAGE,
    "video": MediaKind.VIDEO,
    "audio": MediaKind.AUDIO,
}
_VOICE: Final = re.compile("voice[-_ ]?(message|note)", re.IGNORECASE)
"""How clients name what was spoken into a phone; the XEPs have no word for it."""
_MOST: Final = 20


def read(said: Said) -> tuple[Attachment, ...]:
    """The files of a message, each once, the best described first."""
    found: dict[str, Attachment] = {}
    for attachment in _all(said):
        found.setdefault(attachment.source, attachment)
    return tuple(found.values())[:_MOST]


def without_links(words: str, attachments: tuple[Attachment, ...]) -> str:
    """The words that go with the files: what is no more than the link is no caption."""
    links = {attachment.source for attachment in attachments}
    lines = words.split("\n")
    if not any(line.strip() in links for line in lines):
        return words
    return "\n".join(line for line in lines if line.strip() not in links).strip("\n")


def elements(url: str, file: LocalFile) -> str:
    """What tells clients that a message is a file, and which; `url` is its text."""
    link = attribute(url)
    size = "" if not (file.width and file.height) else (
        f"<width>{file.width}</width><height>{file.height}</height>"
    )  # fmt: skip
    length = f"<length>{file.duration_ms}</length>" if file.duration_ms else ""
    disposition = "attachment" if file.kind is MediaKind.FILE else "inline"
    return (
        f"<x xmlns='{OOB}'><url>{text(url)}</url></x>"
        f"<file-sharing xmlns='{SFS}' disposition='{disposition}'>"
        f"<file xmlns='{FILE_METADATA}'><media-type>{text(file.mime)}</media-type>"
        f"<name>{text(file.name)}</name><size>{file.size}</size>{size}{length}</file>"
        f"<sources><url-data xmlns='{URL_DATA}' target='{link}'/></sources></file-sharing>"
        f"{fallback.mark(SFS)}"
    )


def _all(said: Said) -> Iterator[Attachment]:
    sticker = said.part(Part.STICKER) is not None
    for sharing in said.all(Part.FILE):
        target = sharing.find(f"{{*}}sources/{{{URL_DATA}}}url-data")
        url = None if target is None else target.get("target")
        yield from _described(sharing.find(f"{{{FILE_METADATA}}}file"), url, sticker=sticker)
    for reference in said.all(Part.REFERENCE):
        media = reference.find(f"{{{SIMS}}}media-sharing")
        if media is not None:
            target = media.find(f"{{{SIMS}}}sources/{{{REFERENCE}}}reference")
            url = None if target is None else target.get("uri")
            yield from _described(media.find(f"{{{_JINGLE_FILE}}}file"), url, sticker=sticker)
    for oob in said.all(Part.OOB):
        yield from _described(None, oob.findtext(f"{{{OOB}}}url"), sticker=sticker)


def _described(file: Element | None, url: str | None, *, sticker: bool) -> Iterator[Attachment]:
    url = (url or "").strip()
    if not is_link(url):
        return
    told = {} if file is None else {child.tag.rpartition("}")[2]: child.text for child in file}
    name = told.get("name") or unquote(urlsplit(url).path.rpartition("/")[2])
    mime = (told.get("media-type") or mimetypes.guess_type(name)[0] or "").lower()
    width, height = _number(told.get("width")), _number(told.get("height"))
    if dimensions := re.fullmatch(r"(\d{1,6})x(\d{1,6})", told.get("dimensions") or ""):
        width, height = (int(each) for each in dimensions.groups())
    yield Attachment(
        MediaKind.STICKER if sticker else _kind(mime, name), url, name, mime,
        _number(told.get("size")), width, height, _number(told.get("length")),
    )  # fmt: skip


def is_link(url: str) -> bool:
    """Whether it is an http(s) URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in url


def _kind(mime: str, name: str) -> MediaKind:
    kind = _KINDS.get(mime.partition("/")[0], MediaKind.FILE)
    return MediaKind.VOICE if kind is MediaKind.AUDIO and _VOICE.search(name) else kind


def _number(told: str | None) -> int | None:
    told = (told or "").strip()
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 16 else None
