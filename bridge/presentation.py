"""How an event is shown at a place: under which name, with which by-line, in how many pieces."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bridge.contract import Capabilities, Level, Outgoing
from bridge.model import MATRIX, Author, Deliverable, Message, Place, SubjectChanged


def shown_name(author: Author, network_names: Mapping[str, str]) -> str:
    """The name under which an author appears away from home.

    People of another network carry its name, "Anna (Hospital B)", so nobody can pass for a
    doctor of this homeserver or for a member of a third network. A claim to such a suffix that
    is part of a person's own name is taken away first.
    """
    name = author.name or author.id
    while claim := _claimed_suffix(name, network_names):
        name = name[: -len(claim)].rstrip()
    name = name or author.id
    if author.network == MATRIX:
        return name
    return f"{name} ({network_names.get(author.network, author.network)})"


def _claimed_suffix(name: str, network_names: Mapping[str, str]) -> str:
    folded = name.casefold()
    for network, called in network_names.items():
        for suffix in (f"({called})", f"({network})"):
            if folded.endswith(suffix.casefold()):
                return name[-len(suffix) :]
    return ""


def delivery_key(event: Deliverable, fallback: int, target: Place) -> str:
    """The name of one delivery: the same at each attempt and after any restart.

    Made from what is shown and where, so that even a bridge that lost its database names it the
    same; `fallback` tells apart events that their network gave no id.
    """
    identity = event.id if event.id is not None else f"#{fallback}@{event.time.timestamp()}"
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
    text, emote, name = message.text, message.emote, message.author.name
    if emote and capabilities.emote is not Level.FULL:
        text, emote = (f"* {name} {text}" if not capabilities.own_names else f"* {text}"), False
    elif not capabilities.own_names:
        text, emote = (f"* {name} {text}" if emote else f"{name}: {text}"), False
    for piece in split(text, capabilities.max_text):
        yield replace(message, text=piece, emote=emote)


def split(text: str, limit: int) -> Iterator[str]:
    """Cut a text into pieces of at most `limit` UTF-8 bytes, at paragraph, line or word ends."""
    while len(text) * 4 > limit and len(text.encode()) > limit:
        head = text.encode()[:limit].decode("utf-8", "ignore")
        for mark in ("\n\n", "\n", " "):
            end = head.rfind(mark)
            if end > len(head) // 2:
                head = head[:end]
                break
        yield head.rstrip() or head
        text = text[len(head) :].lstrip("\n ")
    if text:
        yield text
