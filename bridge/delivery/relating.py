"""Looks up what a delivery refers to: copies at its place, its topic, the standing reactions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from bridge.contract import Copy, Topic
from bridge.delivery.recorder import Entry, Recorder
from bridge.flow.codec import decode_deliverable
from bridge.flow.keys import delivery_key
from bridge.flow.naming import shown_name
from bridge.flow.relations import NONE, Relations, Reshaped
from bridge.flow.relay import Duty
from bridge.model import Deleted, Edited, Message, Place, Reacted
from bridge.store import reactions, references
from bridge.store.database import Database
from bridge.store.messages import CopyRow
from bridge.store.references import KeptEvent
from bridge.store.tables import ADDED, ALIAS, GONE

_TITLE_CHARACTERS: Final = 100


class Relating:
    """Finds out what events refer to.

    Args:
        recorder: knows the copies that are not on disk yet.
        network_names: how people call each network.
    """

    def __init__(
        self, database: Database, recorder: Recorder, network_names: Mapping[str, str]
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._network_names = network_names

    async def look(self, duty: Duty, place: Place, *, own_names: bool) -> Relations:
        """What a duty refers to. Costs nothing where it refers to nothing.

        Args:
            duty: the delivery.
            place: where it goes.
            own_names: whether each author has a name of their own at the place, and so reactions
                of their own.

        Raises:
            StoreError: the database failed.
        """
        if duty.target_id is None and duty.topic_id is None:
            return NONE
        # Before the database is asked: what is written down meanwhile is found there
        look = _Look(place, duty.place_id, self._recorder.unrecorded, self._network_names)
        return await self._database.run(lambda c: look.relations(c, duty, own_names=own_names))


class _Look:
    """One look at what is known of a place."""

    def __init__(
        self,
        place: Place,
        place_id: int,
        unrecorded: Sequence[Entry],
        network_names: Mapping[str, str],
    ) -> None:
        self._place = place
        self._place_id = place_id
        self._unrecorded = unrecorded
        self._network_names = network_names
        self._seen: dict[int, KeptEvent | None] = {}
        self._texts: dict[int, str] = {}

    def _kept(self, connection: Connection, message_id: int) -> KeptEvent | None:
        """A message as it is kept; asked for once, however often it is needed."""
        if message_id not in self._seen:
            self._seen[message_id] = references.kept(connection, message_id)
        return self._seen[message_id]

    def relations(self, connection: Connection, duty: Duty, *, own_names: bool) -> Relations:
        event, target_id = duty.event, duty.target_id
        topic = None
        if duty.topic_id is not None and duty.topic_id != duty.message_id:
            topic = self._topic(connection, duty.topic_id)
        if target_id is None:
            return Relations(topic=topic)
        if isinstance(event, Message):
            return Relations(
                reply_to=next(iter(self._copies(connection, target_id)), None), topic=topic
            )
        reaction = None
        if isinstance(event, Reacted) and event.gone:
            reaction = next(iter(self._copies(connection, target_id)), None)
            known = self._kept(connection, target_id)
            target_id = None if known is None else known.target_id
        if target_id is None:
            return Relations(reaction=reaction, topic=topic)
        return Relations(
            targets=self._copies(connection, target_id),
            original=self._present(connection, target_id),
            reshaped=self._reshaped(connection, duty, target_id),
            reply_to=self._answered(connection, duty, target_id),
            reaction=reaction,
            standing=self._standing(connection, duty, target_id, own_names=own_names),
            topic=topic,
        )

    def _copies(self, connection: Connection, message_id: int) -> list[Copy]:
        known = self._kept(connection, message_id)
        event = None if known is None else decode_deliverable(known.kind, known.payload)
        if known is None or event is None:
            return []
        made_here = known.place_id == self._place_id
        key = "" if made_here else delivery_key(event, message_id, self._place)
        author = event.author
        if not made_here:
            author = replace(author, name=shown_name(author, self._network_names))
        text = self._text(connection, known)
        return [
            Copy(
                row.remote_id,
                author,
                event.time,
                text if row.part == 0 else "",
                f"{key}.{row.part}" if key and row.part else key,
            )
            for row in self._rows(connection, message_id)
        ]

    def _answered(self, connection: Connection, duty: Duty, target_id: int) -> Copy | None:
        """What a message that is edited has answered."""
        known = self._kept(connection, target_id) if isinstance(duty.event, Edited) else None
        if known is None or known.kind != Message.kind or known.target_id is None:
            return None
        return next(iter(self._copies(connection, known.target_id)), None)

    def _reshaped(self, connection: Connection, duty: Duty, target_id: int) -> Sequence[Reshaped]:
        if not isinstance(duty.event, Edited | Deleted):
            return ()
        edits = references.edits_of(connection, target_id)
        found = (self._of_edit(connection, each) for each in edits if each.id < duty.message_id)
        return [each for each in found if each.gone or each.added]

    def _of_edit(self, connection: Connection, edit: KeptEvent) -> Reshaped:
        rows = self._rows(connection, edit.id)
        event = decode_deliverable(edit.kind, edit.payload) if rows else None
        if not isinstance(event, Edited):
            return Reshaped((), ())
        author = replace(event.author, name=shown_name(event.author, self._network_names))
        key = delivery_key(event, edit.id, self._place)
        gone = {row.part - GONE for row in rows if row.part >= GONE}
        added = [
            Copy(row.remote_id, author, event.time, "", f"{key}.{number}" if number else key)
            for row in rows
            if (number := row.part - ADDED) >= 0 and row.part < GONE
        ]
        return Reshaped(gone, added)

    def _rows(self, connection: Connection, message_id: int) -> list[CopyRow]:
        rows = {
            row.remote_id: row
            for row in references.copies_at(connection, message_id, self._place_id)
        }
        for entry in self._unrecorded:
            for copy in entry.copies:
                if copy.message_id == message_id and copy.place_id == self._place_id:
                    rows[copy.remote_id] = copy
        return sorted((r for r in rows.values() if r.part != ALIAS), key=lambda row: row.part)

    def _present(self, connection: Connection, message_id: int) -> Message | None:
        """The message with its newest text, under the name it is shown with."""
        known = self._kept(connection, message_id)
        event = None if known is None else decode_deliverable(known.kind, known.payload)
        if known is None or not isinstance(event, Message):
            return None
        name = shown_name(event.author, self._network_names)
        if known.place_id == self._place_id:
            name = event.author.name
        author = replace(event.author, name=name)
        return replace(event, author=author, text=self._text(connection, known))

    def _text(self, connection: Connection, known: KeptEvent) -> str:
        """The newest text of a message; asked for once, too."""
        if known.id not in self._texts:
            self._texts[known.id] = _newest_text(connection, known)
        return self._texts[known.id]

    def _standing(
        self, connection: Connection, duty: Duty, target_id: int, *, own_names: bool
    ) -> tuple[str, ...]:
        """Each reaction once. What was reacted at the place itself stands there anyway."""
        author = None if duty.event is None else (duty.event.author.network, duty.event.author.id)
        return tuple(
            dict.fromkeys(
                each.emoji
                for each in reactions.standing(connection, target_id)
                if each.place_id != self._place_id
                and (not own_names or (each.network, each.author_id) == author)
            )
        )

    def _topic(self, connection: Connection, root_id: int) -> Topic:
        name = references.topic_at(connection, root_id, self._place_id)
        for entry in self._unrecorded:
            if entry.topic and (entry.topic.root_id, entry.topic.place_id) == (
                root_id,
                self._place_id,
            ):
                name = name or entry.topic.remote_id
        copies = self._copies(connection, root_id)
        known = self._kept(connection, root_id)
        text = "" if known is None else self._text(connection, known)
        title = next((line.strip() for line in text.splitlines() if line.strip()), "")
        return Topic(name, copies[0] if copies else None, title[:_TITLE_CHARACTERS])


def _newest_text(connection: Connection, known: KeptEvent) -> str:
    edit = references.last_edit(connection, known.id)
    for each in (edit, known):
        event = None if each is None else decode_deliverable(each.kind, each.payload)
        if isinstance(event, Edited | Message):
            if not event.text and isinstance(event, Message) and event.attachments:
                return event.attachments[0].name
            return event.text
    return ""
