"""Who is mentioned in a message: links to users, which clients show as pills."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Final
from urllib.parse import unquote

from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.raw import JsonObject, object_at
from bridge.model import MATRIX, Author, Mention

_PILL: Final = re.compile(
    r"""<a\s[^<>]{0,1000}?href\s*=\s*(?P<q>["'])(?P<href>[^"'<>]{1,2000})(?P=q)[^<>]{0,1000}>"""
    r"""(?P<span>[^<]{1,500})</a""",
    re.IGNORECASE,
)
_HREF: Final = re.compile(
    r"(?:https?://matrix\.to/#/|matrix:(?P<u>u|user)/)(?P<who>[^?]+)(?:\?.*)?", re.IGNORECASE
)
"""Not all clients encode the slashes that a user id may have."""

_MENTIONS_MAX: Final = 200


class People:
    """Tells who the users are that a message names.

    Args:
        ids: tells who is a ghost.
        known: finds the author behind a ghost whose id does not tell it; None where it can't.
    """

    def __init__(self, ids: GhostIds, known: Callable[[str], Author | None] | None = None) -> None:
        self._ids = ids
        self._known = known

    def behind(self, user_id: str) -> tuple[str, str] | None:
        """The network and id of the author whom a user stands for; None for the bot."""
        if not self._ids.owns(user_id):
            return MATRIX, user_id
        found = self._ids.author(user_id)
        if found is None and self._known is not None and (author := self._known(user_id)):
            return author.network, author.id
        return found

    def at(self, href: str) -> tuple[str, str] | None:
        """The network and id of the author to whom a link leads; None if it leads elsewhere.

        https://spec.matrix.org/v1.19/appendices/#uris
        """
        user_id = user_at(href)
        return None if user_id is None else self.behind(user_id)

    def mentioned(self, content: JsonObject, text: str, html: str | None) -> tuple[Mention, ...]:
        """Everyone whom a message names, each once for every way in which they are called.

        A notification for the whole room is no mention: its text says it.
        """
        found: dict[Mention, None] = {}
        if html is not None and ("matrix.to/" in html or "matrix:u" in html):
            found.update(dict.fromkeys(self._pills(html)))
        if "m.mentions" in content:
            found.update(dict.fromkeys(self._written_out(content, text)))
        return tuple(found)[:_MENTIONS_MAX] if found else ()

    def _pills(self, html: str) -> Iterator[Mention]:
        for link in _PILL.finditer(html):
            span = " ".join(unescape(link["span"]).split())
            if span and (who := self.at(unescape(link["href"]))):
                yield Mention(*who, span)

    def _written_out(self, content: JsonObject, text: str) -> Iterator[Mention]:
        """Users whose ids stand in the text, and who are mentioned on purpose."""
        users = object_at(content, "m.mentions").get("user_ids")
        for user_id in (users if isinstance(users, list) else ())[:_MENTIONS_MAX]:
            if isinstance(user_id, str) and _is_user(user_id) and user_id in text:
                who = self.behind(user_id)
                if who is not None:
                    yield Mention(*who, user_id)


def user_at(href: str) -> str | None:
    """The Matrix user to whom a link leads; None if it leads elsewhere."""
    found = _HREF.fullmatch(href.strip())
    if found is None:
        return None
    who = unquote(found["who"])
    user_id = f"@{who.removeprefix('@')}" if found["u"] else who
    return user_id if _is_user(user_id) else None


def _is_user(user_id: str) -> bool:
    return user_id.startswith("@") and ":" in user_id and not user_id.startswith("@:")
