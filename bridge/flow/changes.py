"""What an event refers to, and whether its author may do that: edits, deletions, reactions, replies
and topics find the message that they are about here.

Used by the relay, inside its transactions only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bridge.flow.codec import decode_deliverable, encode
from bridge.model import Author, Deleted, Deliverable, Edited, Message, Reacted, Reactions
from bridge.store import reactions, references
from bridge.store.messages import CopyKey
from bridge.store.references import KeptEvent

log = structlog.get_logger(__name__)

EDITED: Final = "(edited) "
"""What stands before the new text of a message where the old one can't be changed."""


@dataclass(frozen=True, slots=True)
class News:
    """Something to carry on. `target_id` is the message that it changes or answers (of a reaction
    that is taken back: that reaction), `topic_id` the message that began its topic.
    """

    event: Deliverable
    target_id: int | None = None
    topic_id: int | None = None


def refers(event: Deliverable | Reactions) -> bool:
    """Whether an event is about another one, so that the store has to be asked."""
    match event:
        case Message():
            return event.reply_to is not None or event.topic is not None
        case Edited() | Deleted() | Reacted() | Reactions():
            return True
    return False


class Unrecorded(Protocol):
    """Knows the copies that were made and are not on disk yet. Asked from any thread."""

    def message_of(self, copy: CopyKey) -> int | None:
        """The message of such a copy; None if there is none."""
        ...

    def root_of(self, topic: CopyKey) -> int | None:
        """The message that began a topic which a place calls so."""
        ...


class NothingUnrecorded:
    """Where all is on disk."""

    def message_of(self, copy: CopyKey) -> int | None:  # noqa: ARG002 - the port names it
        """None."""
        return None

    def root_of(self, topic: CopyKey) -> int | None:  # noqa: ARG002
        """None."""
        return None


class Changes:
    """Finds what events are about.

    Args:
        unrecorded: knows what was made and is not on disk yet.
    """

    def __init__(self, unrecorded: Unrecorded) -> None:
        self._unrecorded = unrecorded

    def read(
        self, connection: Connection, place_id: int, event: Deliverable | Reactions
    ) -> Iterator[News]:
        """What an event that `refers` says; nothing where it is about something unknown."""
        match event:
            case Message():
                yield self._said(connection, place_id, event)
            case Edited():
                yield from self._edited(connection, place_id, event)
            case Deleted():
                yield from self._deleted(connection, place_id, event)
            case Reacted():
                yield from self._reacted(connection, place_id, event)
            case Reactions():
                yield from self._compared(connection, place_id, event)
            case _:
                yield News(event)

    def settle(self, connection: Connection, place_id: int, news: News, message_id: int) -> None:
        """Write down what the news changes, beside the event itself, which has this number."""
        event, target = news.event, news.target_id
        match event:
            case Message() if event.topic is not None and news.topic_id is None:
                references.add_topic(connection, (place_id, event.topic), message_id)
            case Deleted() if target is not None:
                _forget_words(connection, target)
            case Reacted() if target is not None and not event.gone:
                author = event.author
                reaction = reactions.StandingReaction(
                    author.network, author.id, event.emoji, place_id, message_id
                )
                reactions.add(connection, target, reaction)

    # --- replies and topics

    def _said(self, connection: Connection, place_id: int, event: Message) -> News:
        known = topic = None
        if event.reply_to is not None:
            known = self._original(connection, place_id, event.reply_to)
        target = None if known is None else known.id
        if event.topic is not None:
            name = (place_id, event.topic)
            topic = (
                self._unrecorded.root_of(name)
                or references.topic_root(connection, name)
                or self._message_at(connection, name)
            )
        elif known is not None:  # from a program without topics, or that leaves them out
            topic = known.topic_id
        return News(event, target, topic)

    # --- edits and deletions

    def _edited(self, connection: Connection, place_id: int, event: Edited) -> Iterator[News]:
        known = self._original(connection, place_id, event.target)
        if known is None:
            yield News(_as_message(event))
        elif known.deleted:
            log.info("edit_of_deleted", place=str(event.place))
        elif known.place_id != place_id or not _by(known, event.author):
            log.warning("edit_by_another", place=str(event.place), message=known.id)
        else:
            yield News(event, known.id, known.topic_id)

    def _deleted(self, connection: Connection, place_id: int, event: Deleted) -> Iterator[News]:
        known = self._kept_at(connection, place_id, event.target)
        if known is None or known.deleted:
            log.info("deletion_of_unknown", place=str(event.place))
            return
        own = known.place_id == place_id and _by(known, event.author)
        if not (own or event.moderated):
            log.warning("deletion_by_another", place=str(event.place), message=known.id)
            return
        match decode_deliverable(known.kind, known.payload):
            case Message():
                yield News(replace(event, moderated=not own), known.id)
            case Reacted() as reaction:
                gone = replace(reaction, place=event.place, time=event.time, gone=True, id=event.id)
                yield from self._taken_back(connection, known.id, known.target_id, gone)
            case _:
                log.info("deletion_of_unknown", place=str(event.place))

    # --- reactions

    def _reacted(self, connection: Connection, place_id: int, event: Reacted) -> Iterator[News]:
        known = self._original(connection, place_id, event.target)
        if known is None or known.deleted or not event.emoji:
            log.info("reaction_to_unknown", place=str(event.place))
            return
        standing = next(
            (
                each
                for each in reactions.standing(connection, known.id)
                if _is_of(each, event.author) and each.emoji == event.emoji
            ),
            None,
        )
        if event.gone and standing is not None:
            yield from self._taken_back(connection, standing.reaction_id, known.id, event)
        elif not event.gone and standing is None:
            yield News(event, known.id)

    def _compared(self, connection: Connection, place_id: int, event: Reactions) -> Iterator[News]:
        known = self._original(connection, place_id, event.target)
        if known is None or known.deleted:
            log.info("reaction_to_unknown", place=str(event.place))
            return
        before = {
            each.emoji: each
            for each in reactions.standing(connection, known.id)
            if _is_of(each, event.author)
        }
        one = Reacted(event.place, event.author, event.time, event.target, "")
        for emoji, each in before.items():
            if emoji not in event.emojis:
                gone = replace(one, emoji=emoji, gone=True)
                yield from self._taken_back(connection, each.reaction_id, known.id, gone)
        for emoji in event.emojis:
            if emoji not in before:
                yield News(replace(one, emoji=emoji), known.id)

    @staticmethod
    def _taken_back(
        connection: Connection, reaction_id: int, message_id: int | None, gone: Reacted
    ) -> Iterator[News]:
        if message_id is not None and reactions.remove(connection, message_id, reaction_id):
            yield News(gone, reaction_id)

    # --- finding

    def _original(self, connection: Connection, place_id: int, remote_id: str) -> KeptEvent | None:
        """The message behind an id, also where that is the id of one of its edits."""
        found = self._kept_at(connection, place_id, remote_id)
        if found is not None and found.kind == Edited.kind and found.target_id is not None:
            found = references.kept(connection, found.target_id)
        return found if found is not None and found.kind == Message.kind else None

    def _kept_at(self, connection: Connection, place_id: int, remote_id: str) -> KeptEvent | None:
        message_id = self._message_at(connection, (place_id, remote_id))
        return None if message_id is None else references.kept(connection, message_id)

    def _message_at(self, connection: Connection, copy: CopyKey) -> int | None:
        # In this order: what is recorded between the two questions is found by the second
        return self._unrecorded.message_of(copy) or references.message_at(connection, copy)


def _by(known: KeptEvent, author: Author) -> bool:
    event = decode_deliverable(known.kind, known.payload)
    return event is not None and _same(event.author, author)


def _same(one: Author, other: Author) -> bool:
    return (one.network, one.id) == (other.network, other.id)


def _is_of(reaction: reactions.StandingReaction, author: Author) -> bool:
    return (reaction.network, reaction.author_id) == (author.network, author.id)


def _as_message(event: Edited) -> Message:
    """An edit of something that is not known: nothing that was said is lost."""
    ident = event.id or f"edit of {event.target} at {event.time.timestamp()}"
    return Message(event.place, ident, event.author, event.time, EDITED + event.text, old=event.old)


def _forget_words(connection: Connection, message_id: int) -> None:
    """Keep no words of a deleted message: neither its own nor those of its edits."""
    kept = references.kept(connection, message_id)
    events = [*([kept] if kept else []), *references.edits_of(connection, message_id)]
    bare = [(each.id, wordless) for each in events if (wordless := _wordless(each)) is not None]
    references.words_deleted(connection, bare)
    reactions.remove_all(connection, message_id)


def _wordless(kept: KeptEvent) -> bytes | None:
    event = decode_deliverable(kept.kind, kept.payload)
    match event:
        case Message():
            return encode(replace(event, text="", html=None, mentions=(), attachments=()))
        case Edited():
            return encode(replace(event, text="", html=None, mentions=()))
    return None
