"""What people say: texts, files with or without a caption, and edits of either."""

from typing import Final

from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.matrix.reading.findings import Head, Ignored, Unreadable, Why, is_redacted
from bridge.matrix.reading.media import attachments, caption, is_media, label
from bridge.matrix.reading.mentions import People
from bridge.matrix.reading.places import location_text
from bridge.matrix.reading.relations import Relation, relation_of
from bridge.matrix.reading.wording import formatted_text, plain_text
from bridge.model import Attachment, Edited, Message

_VERIFICATION: Final = "m.key.verification.request"
_EDIT_MARK: Final = "* "


def message(
    head: Head, raw: JsonObject, content: JsonObject, people: People
) -> Message | Edited | Ignored | Unreadable:
    """What a message says."""
    if is_redacted(raw):
        return Ignored(Why.REDACTED)
    if raw.get("type") == "m.sticker":
        content = {**content, "msgtype": "m.sticker"}
    elif content.get("msgtype") == _VERIFICATION:
        return Ignored(Why.BETWEEN_CLIENTS)
    relation = relation_of(content)
    if relation.edits is not None:
        return _edited(head, relation.edits, content, people)
    files = attachments(content) if is_media(content) else ()
    text, html = _words(content, relation, files)
    if not (text.strip() or files):
        return head.unreadable("it has no text")
    msgtype = content.get("msgtype")
    return Message(
        head.place,
        head.id,
        head.author,
        head.time,
        text,
        emote=msgtype == "m.emote",
        html=html,
        mentions=people.mentioned(content, text, html),
        attachments=files,
        reply_to=relation.reply_to,
        topic=relation.topic,
        notice=msgtype == "m.notice",
    )


def _edited(head: Head, target: str, content: JsonObject, people: People) -> Edited | Unreadable:
    """https://spec.matrix.org/v1.19/client-server-api/#event-replacements.

    Without new content, what stands there for clients that know no edits is taken.
    """
    fresh = object_at(content, "m.new_content")
    if not fresh:
        fresh = {**content, "body": text_at(content, "body").removeprefix(_EDIT_MARK)}
    files = attachments(fresh) if is_media(fresh) else ()
    text, html = _words(fresh, Relation(quotes=True), files)
    if not (text.strip() or files):
        return head.unreadable("it has no text")
    mentions = people.mentioned(fresh, text, html)
    emote = fresh.get("msgtype") == "m.emote"
    return Edited(
        head.place, head.author, head.time, target, text, html, mentions, head.id, emote=emote
    )


def _words(
    content: JsonObject, relation: Relation, files: tuple[Attachment, ...]
) -> tuple[str, str | None]:
    """The text, plain and formatted. Types that are not known have a fallback in their body."""
    if files or is_media(content):
        text = caption(content)
        if files:
            return text, formatted_text(content) if text else None
        return "\n".join(filter(None, (label(content), text))), None
    if content.get("msgtype") == "m.location":
        return location_text(content), None
    return plain_text(content, quotes=relation.quotes), formatted_text(content)
