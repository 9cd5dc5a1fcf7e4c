"""The next best way: what a place can't show as it is becomes a message there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from bridge import richtext
from bridge.contract import Copy, Topic
from bridge.flow.changes import EDITED
from bridge.flow.texts import Piece, Worded
from bridge.model import Attachment, Edited, MediaKind, Message, Reacted

_EXCERPT: Final = 120
_KINDS: Final = {
    MediaKind.IMAGE: "image",
    MediaKind.VIDEO: "video",
    MediaKind.AUDIO: "audio",
    MediaKind.VOICE: "voice message",
    MediaKind.FILE: "file",
    MediaKind.STICKER: "sticker",
}
_UNITS: Final = ("bytes", "kB", "MB", "GB")


def excerpt(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1].rstrip() + "…"


def quoting(event: Worded, answered: Copy) -> Worded:
    """A reply: what it answers stands above it."""
    quoted = richtext.with_quote(event.text, event.html, answered.author.name or "?", answered.text)
    return replace(event, text=quoted.plain, html=quoted.html)


def in_topic(message: Message, topic: Topic) -> Message:
    """A message of a topic: what that is about stands above it."""
    if not topic.title:
        return message
    about = richtext.with_quote(message.text, message.html, "re", excerpt(topic.title))
    return replace(message, text=about.plain, html=about.html)


def edited(event: Edited) -> Message:
    """An edit: the new text, marked."""
    led = richtext.with_lead(event.text, event.html, EDITED.strip())
    return Message(
        event.place,
        event.id or event.target,
        event.author,
        event.time,
        led.plain,
        html=led.html,
        mentions=event.mentions,
        emote=event.emote,
    )


def continued(event: Edited, piece: Piece) -> Message:
    """The end of an edited text that has become longer than the first one was."""
    return Message(
        event.place,
        event.id or event.target,
        event.author,
        event.time,
        piece.text,
        html=piece.html,
        mentions=piece.mentions,
        unformatted=piece.unformatted,
    )


def reacted(event: Reacted, target: Copy) -> Message:
    """A reaction: a line that names what it is about."""
    said = excerpt(target.text)
    text = f"reacted with {event.emoji}" + (f" to “{said}”" if said else "")
    ident = event.id or f"{event.emoji} on {event.target}"
    return Message(event.place, ident, event.author, event.time, text, emote=True)


def without_files(message: Message, link: Callable[[Attachment], str | None]) -> Message:
    """A message with files: a line for each, with a link where there is one."""
    return replace(below_files(message, message.attachments, link), attachments=())


def below_files(
    event: Worded, files: Sequence[Attachment], link: Callable[[Attachment], str | None]
) -> Worded:
    """A text below a line for each of these files."""
    lines = [described(each, link(each)) for each in files]
    if event.html is not None:
        led = richtext.with_lead(event.text, event.html, " ".join(lines))
        return replace(event, text=led.plain, html=led.html)
    return replace(event, text="\n".join([*lines, *([event.text] if event.text else [])]))


def announcing(event: Worded, files: Sequence[Attachment]) -> Worded:
    """Files without a word, where only a text can tell who sends them."""
    return replace(event, text="\n".join(described(each) for each in files))


def described(attachment: Attachment, link: str | None = None, why: str = "") -> str:
    """A line that stands for a file."""
    size = "" if attachment.size is None else f" ({_measured(attachment.size)})"
    name = f" {attachment.name}" if attachment.name else ""
    return f"[{_KINDS[attachment.kind]}]{name}{size}{f' {link}' if link else ''}{why}"


def _measured(size: float) -> str:
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError
