"""What an event of ours relates to, in the form that homeservers and clients know."""

from bridge.contract import Outgoing, Topic
from bridge.matrix.raw import JsonObject


def relation(outgoing: Outgoing) -> JsonObject | None:
    """That of a message: what it answers, and the thread it belongs to; None if neither.

    The first message of a thread relates to nothing: others relate to it. A word in a thread that
    answers none in particular answers the thread's root for clients that know no threads:
    https://spec.matrix.org/v1.19/client-server-api/#fallback-for-unthreaded-clients
    """
    answered = outgoing.reply_to.id if outgoing.reply_to else None
    root = root_of(outgoing.topic)
    if root is None:
        return answer(answered) if answered else None
    return {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": answered is None,
        **answer(answered or root),
    }


def answer(event_id: str) -> JsonObject:
    """https://spec.matrix.org/v1.19/client-server-api/#rich-replies."""
    return {"m.in_reply_to": {"event_id": event_id}}


def replacement(event_id: str) -> JsonObject:
    """https://spec.matrix.org/v1.19/client-server-api/#event-replacements."""
    return {"rel_type": "m.replace", "event_id": event_id}


def annotation(event_id: str, key: str) -> JsonObject:
    """https://spec.matrix.org/v1.19/client-server-api/#mreaction."""
    return {"rel_type": "m.annotation", "event_id": event_id, "key": key}


def root_of(topic: Topic | None) -> str | None:
    """The event that began a thread, which is also what a room calls the thread."""
    if topic is None:
        return None
    return topic.id or (topic.root.id if topic.root else None)
