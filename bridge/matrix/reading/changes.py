"""Deletions and reactions."""

from typing import Final

from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.matrix.reading.findings import Head, Ignored, Unreadable, Why, is_redacted
from bridge.matrix.retry_reactions import asks_for_retry
from bridge.model import Deleted, Reacted

_SHORTCODES: Final = ("shortcode", "com.beeper.reaction.shortcode")
_UNNAMED: Final = "[picture]"


def redaction(head: Head, raw: JsonObject, content: JsonObject) -> Deleted | Unreadable | Ignored:
    """What a redaction deletes.

    Since room version 11 its target stands in the content. The homeserver takes none from those
    who may not: https://spec.matrix.org/v1.19/client-server-api/#redactions
    """
    if is_redacted(raw):
        return Ignored(Why.REDACTED)
    target = text_at(content, "redacts") or text_at(raw, "redacts")
    if not target:
        return head.unreadable("it does not say what is deleted")
    reason = text_at(content, "reason")
    return Deleted(head.place, head.author, head.time, target, reason, moderated=True, id=head.id)


def reaction(head: Head, raw: JsonObject, content: JsonObject) -> Reacted | Unreadable | Ignored:
    """https://spec.matrix.org/v1.19/client-server-api/#mreaction."""
    if is_redacted(raw):
        return Ignored(Why.REDACTED)
    relation = object_at(content, "m.relates_to")
    target, key = text_at(relation, "event_id"), text_at(relation, "key").strip()
    if relation.get("rel_type") != "m.annotation" or not target or not key:
        return head.unreadable("it does not say what it reacts to, and how")
    if asks_for_retry(key):
        return Ignored(Why.RETRY)
    if key.startswith("mxc://"):
        key = next((name for each in _SHORTCODES if (name := text_at(content, each))), _UNNAMED)
    return Reacted(head.place, head.author, head.time, target, key, id=head.id)
