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

from bridge.model import (
    Attachment,
    Author,
    Deleted,
    Deliverable,
    Edited,
    Event,
    Joined,
    Left,
    Mention,
    Message,
    PictureChanged,
    Reacted,
    Reactions,
    Renamed,
    Roster,
    SubjectChanged,
    TitleChanged,
)

log = structlog.get_logger(__name__)

MAX_TEXT: Final = 1_000_000
"""Longest text kept, in characters; what is longer is cut, visibly."""

MAX_NAME: Final = 80
MAX_SUBJECT: Final = 2_000
MAX_EMOJI: Final = 100
"""Longest reaction, in characters: some are words."""

MAX_REACTIONS: Final = 50
"""So many different reactions of one person on one message are kept."""

MAX_ATTACHMENTS: Final = 50
MAX_MENTIONS: Final = 500
MAX_ALIASES: Final = 8

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
    if isinstance(event, Roster):
        return replace(event, authors=_clean_authors(event))
    author = clean_author(event.author)
    # What is clean already, nearly everything, is not made anew: that would be most of the cost
    return _clean_rest(event if author is event.author else replace(event, author=author))


def _clean_rest(event: Deliverable | Reactions) -> Event:
    match event:
        case Message():
            return _clean_message(event)
        case Edited() | Deleted() | Reacted() | Reactions():
            _expect_sound(event.target)
            return _clean_change(event)
        case Left():
            return replace(event, reason=clean_text(event.reason, MAX_SUBJECT))
        case Joined() | Renamed():
            return event
    return _clean_room(event)


def _clean_change(event: Edited | Deleted | Reacted | Reactions) -> Event:
    match event:
        case Edited():
            _expect_sound(*event.aliases)
            html = None if event.html is None else clean_text(event.html)
            mentions = _clean_mentions(event.mentions)
            return replace(event, text=clean_text(event.text), html=html, mentions=mentions)
        case Deleted():
            return replace(event, reason=clean_text(event.reason, MAX_SUBJECT))
        case Reacted():
            return replace(event, emoji=clean_emoji(event.emoji))
        case Reactions():
            emojis = tuple(dict.fromkeys(filter(None, map(clean_emoji, event.emojis))))
            return replace(event, emojis=emojis[:MAX_REACTIONS])


def _clean_room(event: SubjectChanged | TitleChanged | PictureChanged) -> Event:
    match event:
        case SubjectChanged():
            return replace(event, subject=clean_text(event.subject, MAX_SUBJECT))
        case TitleChanged():
            return replace(event, title=clean_name(event.title))
        case PictureChanged():
            found = _clean_attachments((event.picture,)) if event.picture else ()
            return replace(event, picture=found[0] if found else None)


def clean_emoji(emoji: str) -> str:
    """The reaction on one line. Joiners and variation selectors stay: they are part of emoji."""
    return clean_text(_BLANK.sub(" ", emoji).strip(), MAX_EMOJI)


def _clean_message(message: Message) -> Message:
    text = clean_text(message.text)
    if not (message.html or message.attachments or message.mentions or message.aliases) and (
        message.reply_to is None and message.topic is None
    ):
        return message if text == message.text else replace(message, text=text)
    _expect_sound(message.reply_to or "", message.topic or "", *message.aliases)
    return replace(
        message,
        text=text,
        html=None if message.html is None else clean_text(message.html),
        mentions=_clean_mentions(message.mentions),
        attachments=_clean_attachments(message.attachments),
        aliases=message.aliases[:MAX_ALIASES],
    )


def _clean_mentions(mentions: tuple[Mention, ...]) -> tuple[Mention, ...]:
    """Those that name someone; the text stays as it is without the others."""
    return tuple(
        replace(mention, span=clean_text(mention.span, MAX_NAME))
        for mention in mentions[:MAX_MENTIONS]
        if len(mention.network) <= _MAX_NETWORK and is_sound_id(mention.id) and mention.span
    )


def _clean_attachments(attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """Each with a name and type that can be shown, and no impossible measures."""
    return tuple(
        replace(
            attachment,
            source=clean_text(attachment.source, MAX_ID),
            name=clean_text(_BLANK.sub(" ", attachment.name).strip(), MAX_SUBJECT),
            mime=clean_text(attachment.mime.strip(), MAX_NAME),
            size=_natural(attachment.size),
            width=_natural(attachment.width),
            height=_natural(attachment.height),
            duration_ms=_natural(attachment.duration_ms),
        )
        for attachment in attachments[:MAX_ATTACHMENTS]
    )


def _natural(number: int | None) -> int | None:
    return number if number is not None and 0 <= number < 1 << 53 else None


def _expect_sound(*idents: str) -> None:
    if not all(is_sound_id(ident) for ident in idents):
        msg = "an id that it refers to is too long, or holds forbidden characters"
        raise ValueError(msg)


def _clean_authors(roster: Roster) -> tuple[Author, ...]:
    """Everyone but those with impossible ids: one of them must not hide all others."""
    authors: list[Author] = []
    for author in roster.authors:
        try:
            authors.append(clean_author(author))
        except ValueError as error:
            log.warning("author_left_out", place=str(roster.place), reason=str(error))
    return tuple(authors)
