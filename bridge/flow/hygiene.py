"""What comes from outside is made harmless here, once, before anything is stored.

Texts lose the characters that XML 1.0 forbids (section 2.2) and with them everything that can
break a terminal, a log, a stanza or a database. Names also lose what makes one name look like
another: invisible characters and direction overrides (Unicode TR36, section 2.5). An id can't be
changed without naming something else: an event with an impossible one is refused.
"""

import re
from dataclasses import replace
from typing import Final

import structlog

from bridge.model import Author, Event, Joined, Left, Message, Renamed, Roster, SubjectChanged

log = structlog.get_logger(__name__)

MAX_TEXT: Final = 1_000_000
"""Longest text kept, in characters; what is longer is cut, visibly."""

MAX_NAME: Final = 80
MAX_SUBJECT: Final = 2_000

MAX_ID: Final = 2_000
"""Longest id, in UTF-8 bytes: PostgreSQL indexes no key above 2,704 bytes."""

_MAX_NETWORK = 40
_CUT = " […]"
_FORBIDDEN = re.compile(r"[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
# Joiners shape the scripts from Arabic on, and emoji; elsewhere, and at the end, they only hide.
_IDLE_JOINER = re.compile(
    "(?:^|(?<=[\x00-\u05ff]))[\u200c\u200d]+|[\u200c\u200d]+(?=$|[\x00-\u05ff])"
)
_BLANK = re.compile(r"\s+")


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    """The text without forbidden characters, with newlines as LF, at most `limit` characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isprintable():
        text = _FORBIDDEN.sub("\ufffd", text)
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT


def clean_name(name: str) -> str:
    """The name on one line, without invisible or direction-changing characters."""
    if not name.isascii():
        name = _IDLE_JOINER.sub("", _INVISIBLE.sub("", name))
    return clean_text(_BLANK.sub(" ", name).strip(), MAX_NAME)


def is_sound_id(ident: str) -> bool:
    """Whether an id can be stored, compared and sent as it is."""
    if len(ident) > MAX_ID or (not ident.isprintable() and _FORBIDDEN.search(ident)):
        return False
    return ident.isascii() or len(ident.encode()) <= MAX_ID


def clean_author(author: Author) -> Author:
    """The author with a clean name, and without an avatar that can't be one.

    Raises:
        ValueError: the author's id can't be one.
    """
    if len(author.network) > _MAX_NETWORK or not is_sound_id(author.id):
        msg = "an author's id is too long, or holds forbidden characters"
        raise ValueError(msg)
    name = clean_name(author.name)
    avatar = author.avatar if author.avatar and is_sound_id(author.avatar) else None
    if name == author.name and avatar == author.avatar:
        return author
    return replace(author, name=name, avatar=avatar)


def clean(event: Event) -> Event:
    """The event with every text and name in it made harmless.

    Raises:
        ValueError: an id in it is longer than any network's ids are, or can't be an id.
    """
    if not (is_sound_id(event.id or "") and is_sound_id(event.place.id)):
        msg = "an id is too long, or holds forbidden characters"
        raise ValueError(msg)
    match event:
        case Message():
            return replace(event, author=clean_author(event.author), text=clean_text(event.text))
        case Left():
            reason = clean_text(event.reason, MAX_SUBJECT)
            return replace(event, author=clean_author(event.author), reason=reason)
        case Joined() | Renamed():
            return replace(event, author=clean_author(event.author))
        case SubjectChanged():
            subject = clean_text(event.subject, MAX_SUBJECT)
            return replace(event, author=clean_author(event.author), subject=subject)
        case Roster():
            return replace(event, authors=_clean_authors(event))


def _clean_authors(roster: Roster) -> tuple[Author, ...]:
    """Everyone but those with impossible ids: one of them must not hide all others."""
    authors: list[Author] = []
    for author in roster.authors:
        try:
            authors.append(clean_author(author))
        except ValueError as error:
            log.warning("author_left_out", place=str(roster.place), reason=str(error))
    return tuple(authors)
