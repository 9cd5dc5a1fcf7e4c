"""People who are called by name in a text: by XEP-0372, or as people in rooms do it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import quote, unquote

from adapters.xmpp.fallback import span
from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.nick import LONGEST
from adapters.xmpp.xml import REFERENCE, attribute
from bridge.model import Author, Mention

_ENDS: Final = ":,"
_MOST: Final = 20
_CALLS_MAX: Final = 10

Who = Callable[[str], Author | None]
"""The person who has a nick now."""


def may_call(text: str) -> bool:
    """Whether anyone could be called in it; quickly, since mostly nobody is."""
    start = text[: LONGEST + 1]
    return ":" in start or "," in start or "@" in text


def read(said: Said, room: str, text: str, who: Who, nicks: Iterable[str]) -> tuple[Mention, ...]:
    """Who is called, each once.

    Args:
        said: the message.
        room: the room's address.
        text: what is left of its words.
        who: tells who has a nick.
        nicks: all nicks there are; asked for only where the text has an "@".
    """
    found: dict[tuple[str, str], Mention] = {}
    for call, person in (*_referred(said, room, who), *_called(text, who, nicks)):
        if person is not None and call and call in text:
            found.setdefault((person.network, person.id), Mention(person.network, person.id, call))
    return tuple(found.values())[:_MOST]


def _referred(said: Said, room: str, who: Who) -> Iterator[tuple[str, Author | None]]:
    body = said.body or ""
    for reference in said.all(Part.REFERENCE):
        place = span(reference.get("begin"), reference.get("end"), len(body))
        if reference.get("type") != "mention" or place is None:
            continue
        address, _, nick = reference.get("uri", "").removeprefix("xmpp:").partition("/")
        if unquote(address) == room:
            yield body[place[0] : place[1]], who(unquote(nick))


def _called(text: str, who: Who, nicks: Iterable[str]) -> Iterator[tuple[str, Author | None]]:
    start = text[: LONGEST + 1]
    for mark in _ENDS:
        end = start.find(mark)
        if end > 0 and start[0] != "@":
            yield start[:end], who(start[:end])
    at = text.find("@")
    if at < 0:
        return
    longest_first = sorted(nicks, key=len, reverse=True)
    for _ in range(_CALLS_MAX):
        if at < 0:
            return
        if at == 0 or not text[at - 1].isalnum():
            yield from _called_at(text, at, longest_first, who)
        at = text.find("@", at + 1)


def _called_at(
    text: str, at: int, nicks: list[str], who: Who
) -> Iterator[tuple[str, Author | None]]:
    for nick in nicks:
        end = at + 1 + len(nick)
        if text.startswith(nick, at + 1) and not text[end : end + 1].isalnum():
            yield text[at:end], who(nick)
            return


def elements(
    text: str,
    mentions: Iterable[Mention],
    room: str,
    nick_of: Callable[[Mention], str | None],
    offset: int,
) -> str:
    """What tells clients who is called where in a text, which `offset` characters precede."""
    written = []
    for mention in mentions:
        nick = nick_of(mention)
        begin = text.find(mention.span) if mention.span else -1
        if nick is not None and begin >= 0:
            uri = attribute(f"xmpp:{room}/{quote(nick, safe='')}")
            begin += offset
            written.append(
                f"<reference xmlns='{REFERENCE}' type='mention' begin='{begin}' "
                f"end='{begin + len(mention.span)}' uri='{uri}'/>"
            )
    return "".join(written)
