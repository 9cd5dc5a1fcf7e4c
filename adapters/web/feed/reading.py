"""Reads a feed: a program of its own, with a feed on its input and JSON on its output.

Feeds are hostile. What is read here can hold a processor and memory for as long as it likes, and
the bridge sees no more of it than that this process ended. It imports nothing of the bridge, so
that it starts quickly, and it is given no secrets.

The JSON has the shape of `adapters.web.feed.document.Document`.
"""

import calendar
import hashlib
import json
import re
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Final

import feedparser  # type: ignore[import-untyped]

_CPU_SECONDS: Final = 15
_MEMORY_BYTES: Final = 512 * 1024 * 1024
MAX_ITEMS: Final = 500
MAX_FILES: Final = 5
MAX_TITLE: Final = 500
MAX_HTML: Final = 100_000
MAX_URL: Final = 1_900
NOT_A_FEED: Final = 3
"""The exit status for what is no feed."""

_BLOCK: Final = re.compile(
    "address|article|blockquote|br|d[dlt]|div|figure|h[1-6r]|li|[ou]l|p|pre|section|table|tr"
)
_ONE_BLANK: Final = re.compile(r"\s+")
_UNSHOWN: Final = frozenset({"script", "style", "template", "title"})


class NoFeedError(ValueError):
    """The document is no feed."""


def read(document: bytes, url: str, content_type: str = "") -> dict[str, Any]:
    """A feed in the shape of `Document`.

    Args:
        document: the feed, in whatever encoding.
        url: where it is from; relative links start there.
        content_type: what the server says that it is.

    Raises:
        NoFeedError: it is no feed.
    """
    headers = {"content-location": url}
    if content_type:
        headers["content-type"] = content_type
    parsed = feedparser.parse(document, response_headers=headers)
    if not parsed.get("version") and not parsed.entries:
        raise NoFeedError
    return {
        "title": _line(parsed.feed.get("title", "")),
        "items": [_item(entry) for entry in parsed.entries[:MAX_ITEMS]],
    }


def _item(entry: Any) -> dict[str, Any]:  # noqa: ANN401 - feedparser has no types
    summary = _html(entry.get("summary_detail"))
    content = max((_html(each) for each in entry.get("content", ())), key=len, default="")
    title, link = _line(entry.get("title", "")), _url(entry.get("link"))
    published = _time(entry, "published_parsed") or _time(entry, "created_parsed")
    updated = _time(entry, "updated_parsed")
    return {
        "id": _digest(entry.get("id") or link or f"{title}\n{summary}"),
        "title": title,
        "link": link,
        "author": _line(_author(entry)),
        "published": published or updated,
        "updated": updated,
        "summary": summary,
        "summary_text": plain(summary),
        "content": content,
        "content_text": plain(content),
        "files": list(_files(entry)),
    }


def _author(entry: Any) -> str:  # noqa: ANN401
    detail = entry.get("author_detail")
    name = detail.get("name") if isinstance(detail, Mapping) else None
    return str(name or entry.get("author") or "")


def _files(entry: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    for each in entry.get("enclosures", ())[:MAX_FILES]:
        url = _url(each.get("href"))
        if url:
            length = str(each.get("length", "")).strip()
            size = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else 0
            yield {"url": url, "mime": str(each.get("type", ""))[:100], "size": size or None}


def _html(detail: Any) -> str:  # noqa: ANN401
    """A text of a feed as HTML."""
    if not isinstance(detail, Mapping):
        return ""
    value = _sound(str(detail.get("value") or ""))[:MAX_HTML]
    if detail.get("type") == "text/plain" and "<" not in value:
        return value.replace("&", "&amp;").replace(">", "&gt;").replace("\n", "<br>")
    return value


def _line(text: Any) -> str:  # noqa: ANN401
    """A text of one line; titles have marks, too."""
    return " ".join(plain(_sound(str(text or ""))[: 4 * MAX_TITLE]).split())[:MAX_TITLE]


def _url(text: Any) -> str:  # noqa: ANN401
    url = _sound(str(text or "")).strip()
    fits = url.lower().startswith(("http://", "https://")) and len(url) <= MAX_URL
    return url if fits and not any(character.isspace() for character in url) else ""


def _time(entry: Any, key: str) -> str | None:  # noqa: ANN401
    # Asked for by feedparser's own `get`, a missing date is stood in for by another one
    parts: Any = dict.get(entry, key)
    try:
        return datetime.fromtimestamp(calendar.timegm(parts), UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _digest(name: str) -> str:
    return hashlib.blake2b(_sound(name).encode(), digest_size=16).hexdigest()


def _sound(text: str) -> str:
    """Without half characters, which no output takes."""
    return text.encode("utf-8", "replace").decode()


class _Plain(HTMLParser):
    """Keeps what is between the marks."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unshown = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSHOWN:
            self._unshown += 1
        elif _BLOCK.fullmatch(tag):
            self.pieces.append("\n")
        elif tag == "img":
            self.pieces.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSHOWN:
            self._unshown = max(0, self._unshown - 1)
        elif _BLOCK.fullmatch(tag):
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unshown:
            self.pieces.append(_ONE_BLANK.sub(" ", data))


def plain(html: str) -> str:
    """HTML without its marks, in lines."""
    if "<" not in html and "&" not in html:
        return html.strip()
    parser = _Plain()
    parser.feed(html)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.pieces).splitlines())
    return "\n".join(line for line in lines if line)


def main() -> int:
    """Read the feed on the input; its address and media type are the arguments."""
    _limit()
    document = sys.stdin.buffer.read()
    try:
        found = read(document, *sys.argv[1:3])
    except NoFeedError:
        return NOT_A_FEED
    sys.stdout.write(json.dumps(found))
    return 0


def _limit() -> None:
    for what, most in (
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        # A service under systemd may not change limits. Then the bridge's clock ends this process.
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    sys.exit(main())
