"""Makes messages of items."""

import hashlib
from datetime import datetime
from html import escape
from typing import Final

from adapters.web.feed.document import Enclosure, Item
from adapters.web.feed.settings import Show
from bridge.model import Attachment, Author, Edited, MediaKind, Message, Place

_LONGEST_SUMMARY: Final = 3_000
"""Characters. Some feeds put the whole article there."""
_KINDS: Final = {
    "image": MediaKind.IMAGE,
    "audio": MediaKind.AUDIO,
    "video": MediaKind.VIDEO,
}


class Teller:
    """Tells items of one feed.

    Args:
        place: the feed.
        show: how much of an item.
        files: whether its files come along.
        quiet: whether items are notices.
    """

    def __init__(self, place: Place, show: Show, *, files: bool, quiet: bool) -> None:
        self._place = place
        self._show = show
        self._files = files
        self._quiet = quiet

    def message(self, item: Item, feed: str, now: datetime, *, old: bool = False) -> Message:
        """The message that an item is. What has no date, or one to come, is said now."""
        text, html = self._texts(item)
        return Message(
            self._place,
            item.id,
            self._author(item, feed),
            min(item.published or now, now),
            text,
            html=html,
            attachments=tuple(map(_attachment, item.files)) if self._files else (),
            notice=self._quiet,
            old=old,
        )

    def edited(self, item: Item, feed: str, now: datetime) -> Edited:
        """An item that says something else than before. Named so that the same change, found
        again after a restart, is known.
        """
        text, html = self._texts(item)
        when = min(item.updated or now, now)
        return Edited(
            self._place,
            self._author(item, feed),
            when,
            item.id,
            text,
            html=html,
            id=f"{item.id}.{self.digest(item)}.{when:%Y%m%d%H%M%S}",
        )

    def digest(self, item: Item) -> str:
        """The same as long as what is shown is the same."""
        text, html = self._texts(item)
        return hashlib.blake2b(f"{text}\0{html}".encode(), digest_size=8).hexdigest()

    def _author(self, item: Item, feed: str) -> Author:
        name = item.author or feed or self._place.id
        ident = " ".join(name.casefold().split())
        return Author(self._place.network, ident, name)

    def _texts(self, item: Item) -> tuple[str, str]:
        text, html = self._body(item)
        title = item.title or item.link
        lines = [title, item.link if item.link != title else "", f"\n{text}" if text else ""]
        heading = escape(title)
        if item.link:
            heading = f'<a href="{escape(item.link)}">{heading}</a>'
        whole = "\n".join(filter(None, lines)).strip()
        return whole, f"<p><strong>{heading}</strong></p>{html}" if title else html

    def _body(self, item: Item) -> tuple[str, str]:
        if self._show is Show.TITLE and (item.title or item.link):
            return "", ""
        if self._show is Show.FULL and item.content_text:
            return item.content_text, item.content
        text, html = item.summary_text, item.summary
        if not text:
            text, html = item.content_text, item.content
        if len(text) > _LONGEST_SUMMARY and self._show is Show.SUMMARY:
            text = text[:_LONGEST_SUMMARY].rsplit(None, 1)[0] + " …"
            html = "<p>" + escape(text).replace("\n", "<br>") + "</p>"
        return text, html


def _attachment(file: Enclosure) -> Attachment:
    kind = _KINDS.get(file.mime.partition("/")[0], MediaKind.FILE)
    name = file.url.partition("?")[0].rstrip("/").rpartition("/")[2]
    return Attachment(kind, file.url, name, file.mime, file.size)
