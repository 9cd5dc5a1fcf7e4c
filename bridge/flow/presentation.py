"""How an event is shown at a place: under which name, with which by-line, in how many pieces."""

import base64
import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bridge.contract import Capabilities, Feature, Outgoing
from bridge.flow.hygiene import clean_name
from bridge.model import MATRIX, Author, Deliverable, Message, Place, SubjectChanged


def shown_name(author: Author, network_names: Mapping[str, str]) -> str:
    """The name under which an author appears away from home.

    People of another network carry its name, "Anna (Hospital B)", so nobody can pass for a
    doctor of this homeserver or for a member of a third network. A claim to such a suffix that
    is part of a person's own name is taken away first, however its letters are dressed up.
    """
    name = _without_claims(author.name, network_names) or _without_claims(
        clean_name(author.id), network_names
    )
    if author.network == MATRIX:
        return name or "?"
    return f"{name or '?'} ({network_names.get(author.network, author.network)})"


def _without_claims(name: str, network_names: Mapping[str, str]) -> str:
    while start := _start_of_claim(name, network_names):
        name = name[: start - 1].rstrip()
    return name


def _start_of_claim(name: str, network_names: Mapping[str, str]) -> int:
    """Where in the name a network's suffix begins, counted from 1; 0 when it ends with none."""
    if not unicodedata.normalize("NFKC", name).endswith(")"):
        return 0
    suffixes = {_folded(f"({word})") for names in network_names.items() for word in names if word}
    # A change of case or dress may change the length: so the ends are compared one by one.
    return next((n for n in range(len(name), 0, -1) if _folded(name[n - 1 :]) in suffixes), 0)


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def delivery_key(event: Deliverable, fallback: int, target: Place) -> str:
    """The name of one delivery: the same at each attempt and after any restart.

    Made from what is shown and where, so that even a bridge that lost its database names it the
    same; `fallback` tells apart events that their network gave no id.
    """
    identity = event.id or f"#{fallback}@{event.time.timestamp()}"
    parts = (*event.place, event.kind.value, identity, *target)
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).digest()
    return base64.b32encode(digest).decode("ascii").rstrip("=").lower()


def present(
    event: Deliverable,
    *,
    key: str,
    target: Place,
    capabilities: Capabilities,
    network_names: Mapping[str, str],
) -> Iterator[Outgoing]:
    """What to send to `target` so that it shows `event`; several for a long text."""
    name = shown_name(event.author, network_names)
    event = replace(event, author=replace(event.author, name=name))
    match event:
        case Message():
            for number, piece in enumerate(_pieces(event, capabilities)):
                yield Outgoing(target, key if number == 0 else f"{key}.{number}", piece)
        case SubjectChanged():
            subject = next(split(event.subject, capabilities.max_text), "")
            yield Outgoing(target, key, replace(event, subject=subject))
        case _:
            yield Outgoing(target, key, event)


def _pieces(message: Message, capabilities: Capabilities) -> Iterator[Message]:
    emote = message.emote and capabilities.does(Feature.EMOTE) and capabilities.own_names
    limit = capabilities.max_text
    byline = _byline(message, capabilities)
    if byline:
        byline = next(split(byline, limit // 2), "") + " "
    for piece in split(message.text, limit - len(byline.encode())):
        yield replace(message, text=byline + piece, emote=emote)


def _byline(message: Message, capabilities: Capabilities) -> str:
    """What stands before every piece: a long text must not lose its author halfway."""
    if not capabilities.own_names:
        name = message.author.name
        return f"* {name}" if message.emote else f"{name}:"
    return "*" if message.emote and not capabilities.does(Feature.EMOTE) else ""


def split(text: str, limit: int) -> Iterator[str]:
    """Cut a text into pieces of at most `limit` UTF-8 bytes, at paragraph, line or word ends.

    Pieces of nothing but white space are left out.

    Raises:
        ValueError: the limit is below the four bytes that one character may need.
    """
    if limit < 4:
        msg = f"no text fits into {limit} bytes"
        raise ValueError(msg)
    start = 0
    while len(text) - start > limit // 4:
        # No more characters than bytes fit, and decoding drops the one that is cut in half.
        window = text[start : start + limit].encode()
        if len(window) <= limit and start + limit >= len(text):
            break
        head = window[:limit].decode("utf-8", "ignore")
        end = _end_of_piece(head, text, start)
        if piece := head[:end].rstrip():
            yield piece
        start = _skip_blank(text, start + end)
    if (rest := text[start:]) and not rest.isspace():
        yield rest


def _end_of_piece(head: str, text: str, start: int) -> int:
    """Where to cut in `head`, which is the text from `start` on as far as it fits."""
    for mark in ("\n\n", "\n"):
        if (end := head.rfind(mark)) > len(head) // 2:
            return end
    if text[start + len(head)] not in "\n " and (end := head.rfind(" ")) > 0:
        return end
    return len(head)


def _skip_blank(text: str, start: int) -> int:
    while start < len(text) and text[start] in "\n ":
        start += 1
    return start
