"""What an event relates to: what it edits or answers, and the thread it belongs to."""

from dataclasses import dataclass
from typing import Final

from bridge.matrix.raw import JsonObject, object_at, text_at


@dataclass(frozen=True, slots=True)
class Relation:
    """Ids of events, None where there are none.

    `quotes`: its text may begin with a quotation of what it answers, or of the thread, for clients
    that know neither.
    """

    edits: str | None = None
    reply_to: str | None = None
    topic: str | None = None
    quotes: bool = False


_NONE: Final = Relation()


def relation_of(content: JsonObject) -> Relation:
    """What content relates to.

    In a thread, a reply may be there only for clients that know no threads:
    https://spec.matrix.org/v1.19/client-server-api/#fallback-for-unthreaded-clients
    """
    if "m.relates_to" not in content:
        return _NONE
    relation = object_at(content, "m.relates_to")
    about = text_at(relation, "event_id") or None
    kind = relation.get("rel_type")
    if kind == "m.replace":
        return Relation(edits=about)
    reply_to = text_at(object_at(relation, "m.in_reply_to"), "event_id") or None
    if kind != "m.thread":
        return Relation(reply_to=reply_to, quotes=reply_to is not None)
    falls_back = relation.get("is_falling_back") is True
    return Relation(
        reply_to=None if falls_back else reply_to, topic=about, quotes=reply_to is not None
    )
