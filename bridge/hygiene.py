"""What comes from outside is made harmless here, once, before anything is stored.

Texts lose the characters that XML 1.0 forbids (section 2.2) and with them everything that can
break a terminal, a log or a stanza. Names also lose what makes one name look like another:
invisible characters and direction overrides (Unicode TR36, section 2.5).
"""

import re
from dataclasses import replace
from typing import Final

from bridge.model import Author, Event, Joined, Left, Message, Renamed, Roster, SubjectChanged

MAX_TEXT: Final = 1_000_000
"""Longest text kept, in characters; what is longer is cut, visibly."""

MAX_NAME: Final = 80
MAX_SUBJECT: Final = 2_000
MAX_ID: Final = 2_000

_CUT = " […]"
_FORBIDDEN = re.compile(r"[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
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
        name = _INVISIBLE.sub("", name)
    return clean_text(_BLANK.sub(" ", name).strip(), MAX_NAME)


def clean_author(author: Author) -> Author:
    """The author with a clean name."""
    name = clean_name(author.name)
    return author if name == author.name else replace(author, name=name)


def clean(event: Event) -> Event:
    """The event with every text and name in it made harmless.

    Raises:
        ValueError: an id in it is longer than any network's ids are.
    """
    if max(len(event.id or ""), len(event.place.id)) > MAX_ID:
        msg = "an id is too long"
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
            return replace(event, authors=tuple(clean_author(each) for each in event.authors))
