"""What a feed says, as far as it is shown."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Enclosure(_Frozen):
    """A file that belongs to an item, as the feed claims it to be."""

    url: str
    mime: str = ""
    size: int | None = None


class Item(_Frozen):
    """One item. `id` is a digest of what the feed calls it; times are aware, in UTC.

    `summary` and `content` are HTML, `summary_text` and `content_text` the same without marks.
    """

    id: str
    title: str = ""
    link: str = ""
    author: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    summary: str = ""
    summary_text: str = ""
    content: str = ""
    content_text: str = ""
    files: tuple[Enclosure, ...] = ()


class Document(_Frozen):
    """A whole feed, its items in the order in which it has them."""

    title: str = ""
    items: tuple[Item, ...] = ()
