"""What an event refers to: the message behind a copy's id, the copies of a message, topics."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, literal_column, select, update

from bridge.store.messages import CopyKey, CopyRow
from bridge.store.tables import ALIAS, InboxState, copies, inbox, topics


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event as it is kept."""

    id: int
    place_id: int
    kind: str
    payload: bytes
    target_id: int | None
    topic_id: int | None
    state: int

    @property
    def deleted(self) -> bool:
        """Whether its words are gone."""
        return self.state == InboxState.DELETED


_MESSAGE_AT = select(copies.c.message_id).where(
    copies.c.place_id == bindparam("place"), copies.c.remote_id == bindparam("remote")
)


def message_at(connection: Connection, copy: CopyKey) -> int | None:
    """The message that a place calls by this id."""
    found: int | None = connection.scalar(_MESSAGE_AT, {"place": copy[0], "remote": copy[1]})
    return found


_KEPT = select(
    inbox.c.id,
    inbox.c.place_id,
    inbox.c.kind,
    inbox.c.payload,
    inbox.c.target_id,
    inbox.c.topic_id,
    inbox.c.state,
)
_KEPT_ONE = _KEPT.where(inbox.c.id == bindparam("one"))
_LAST_EDIT = (
    _KEPT.where(inbox.c.target_id == bindparam("one"), inbox.c.kind == literal_column("'edited'"))
    .order_by(inbox.c.id.desc())
    .limit(1)
)


def kept(connection: Connection, message_id: int) -> KeptEvent | None:
    """An event by its number; None when it is not kept, or never could be read."""
    return _event(connection.execute(_KEPT_ONE, {"one": message_id}).one_or_none())


def last_edit(connection: Connection, message_id: int) -> KeptEvent | None:
    """The newest edit of a message."""
    return _event(connection.execute(_LAST_EDIT, {"one": message_id}).one_or_none())


def _event(row: Row[*tuple[Any, ...]] | None) -> KeptEvent | None:
    found = None if row is None else KeptEvent(*row)
    return None if found is None or found.state == InboxState.UNREADABLE else found


_COPIES_AT = (
    select(copies.c.place_id, copies.c.remote_id, copies.c.message_id, copies.c.part)
    .where(
        copies.c.message_id == bindparam("one"),
        copies.c.place_id == bindparam("place"),
        copies.c.part != literal_column(str(ALIAS)),
    )
    .order_by(copies.c.part)
)


def copies_at(connection: Connection, message_id: int, place_id: int) -> list[CopyRow]:
    """The copies of a message at a place, in the order of their parts."""
    rows = connection.execute(_COPIES_AT, {"one": message_id, "place": place_id})
    return [CopyRow(*row) for row in rows]


def words_deleted(connection: Connection, payloads: Iterable[tuple[int, bytes]]) -> None:
    """Put events without their words in the place of those that were deleted."""
    rows = [{"one": message_id, "bare": payload} for message_id, payload in payloads]
    if rows:
        connection.execute(
            update(inbox)
            .where(inbox.c.id == bindparam("one"))
            .values(payload=bindparam("bare"), state=int(InboxState.DELETED)),
            rows,
        )


def edits_of(connection: Connection, message_id: int) -> list[KeptEvent]:
    """Every edit of a message that is kept, oldest first."""
    rows = connection.execute(
        _KEPT.where(
            inbox.c.target_id == message_id, inbox.c.kind == literal_column("'edited'")
        ).order_by(inbox.c.id)
    )
    return [event for row in rows if (event := _event(row))]


# --- topics


_TOPIC_ROOT = select(topics.c.message_id).where(
    topics.c.place_id == bindparam("place"), topics.c.remote_id == bindparam("remote")
)
_TOPIC_AT = select(topics.c.remote_id).where(
    topics.c.message_id == bindparam("one"), topics.c.place_id == bindparam("place")
)


def topic_root(connection: Connection, topic: CopyKey) -> int | None:
    """The message that began the topic which a place calls so."""
    found: int | None = connection.scalar(_TOPIC_ROOT, {"place": topic[0], "remote": topic[1]})
    return found


def topic_at(connection: Connection, root_id: int, place_id: int) -> str | None:
    """What a place calls the topic that this message began; None while it has no name there."""
    found: str | None = connection.scalar(_TOPIC_AT.limit(1), {"one": root_id, "place": place_id})
    return found


def add_topic(connection: Connection, topic: CopyKey, root_id: int) -> None:
    """Remember a place's name for a topic; the first one stays."""
    if topic_root(connection, topic) is None:
        connection.execute(
            insert(topics),
            {"place_id": topic[0], "remote_id": topic[1], "message_id": root_id},
        )
