"""What the bridge says in one room: sent, and seen to have arrived."""

import asyncio

from adapters.xmpp import outgoing, reactions, retractions
from adapters.xmpp.about import About
from adapters.xmpp.composing import Composer
from adapters.xmpp.errors import (
    NOT_INSIDE,
    StanzaError,
    cannot_moderate,
    cannot_say,
    cannot_set_subject,
)
from adapters.xmpp.features import Features
from adapters.xmpp.hearing import Hearing
from adapters.xmpp.lookback import Lookback
from adapters.xmpp.occupant import Occupant
from adapters.xmpp.timing import Timing
from adapters.xmpp.uploads import Uploads
from adapters.xmpp.wire import Wire
from bridge.contract import Copy, LocalFile, Outgoing, Refused, Sent, Unreachable
from bridge.model import (
    Author,
    Deleted,
    Edited,
    Joined,
    Left,
    Message,
    PictureChanged,
    Reacted,
    Renamed,
    SubjectChanged,
    TitleChanged,
)


class Saying:
    """Sends, and waits until the room shows the copy to everyone, the listener included.

    Args:
        composer: puts it into words.
        about: changes the room itself.
        uploads: where files go.
        timing: how long to wait for the room.
        own_names: whether there is an occupant for each doctor.
    """

    def __init__(
        self, composer: Composer, about: About, uploads: Uploads, timing: Timing, *, own_names: bool
    ) -> None:
        self.features = Features()
        """What the room can do."""
        self._room = composer.scene.room
        self._crew = composer.scene.crew
        self._composer = composer
        self._about = about
        self._uploads = uploads
        self._own_names = own_names
        self._timing = timing
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._subjects: dict[str, str] = {}

    # --- told by the room

    def acknowledge(self, key: str, id_: str) -> None:
        """An own copy was seen."""
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(id_)

    def own_subject(self, subject: str) -> None:
        """A subject set by one of the bridge's own was seen; rooms don't keep its id."""
        for key, wanted in self._subjects.items():
            if wanted == subject:
                self.acknowledge(key, "")

    def refused(self, key: str | None, error: StanzaError) -> None:
        """The room answered a message with an error."""
        waiting = self._waiting.get(key or "")
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def lost(self, why: str) -> None:
        """The room or the connection is gone: what is under way may have arrived or not."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unreachable(why, doubtful=True))

    # --- asked by the bridge

    async def send(self, wire: Wire, outgoing_: Outgoing, hearing: Hearing) -> Sent:
        """Show it in the room. Raises as `Outlet.send` does."""
        event = outgoing_.event
        match event:
            case Message():
                return await self._say(wire, outgoing_, event)
            case Edited():
                return await self._edit(wire, outgoing_, event)
            case Deleted():
                return await self._delete(wire, outgoing_, event)
            case Reacted():
                return await self._react(wire, outgoing_, event)
            case SubjectChanged():
                return await self._set_subject(wire, outgoing_.key, event, hearing)
            case TitleChanged():
                await self._about.set_title(wire, event.title)
            case PictureChanged():
                await self._about.set_picture(wire, event, outgoing_.file)
            case Joined() | Renamed() | Left():
                await self._attend(wire, event)
        return Sent()

    async def find(
        self, wire: Wire, outgoing_: Outgoing, hearing: Hearing, lookback: Lookback | None
    ) -> Sent | None:
        """Look up a copy. Raises as `Outlet.find` does."""
        event = outgoing_.event
        if isinstance(event, SubjectChanged):
            return Sent() if hearing.subject == event.subject else None
        if not isinstance(event, Message | Edited | Deleted | Reacted):
            return None  # to do it once more does no harm
        key = outgoing_.key
        id_ = hearing.copies.get(key)
        if id_ is None and lookback is not None:
            try:
                id_ = await lookback.find(wire, key, event.time, _speaker(outgoing_).name)
            except StanzaError as error:
                raise cannot_say(self._room, "The bridge", error) from error
        return None if id_ is None else self._sent(outgoing_, id_)

    def _sent(self, outgoing_: Outgoing, id_: str) -> Sent:
        aliases = self._composer.scene.naming.aliases_of_own(outgoing_.key)
        return Sent(id_, aliases, self._composer.topic(outgoing_))

    # --- words

    async def _say(self, wire: Wire, outgoing_: Outgoing, event: Message) -> Sent:
        occupant = await self._crew.bring(wire, event.author)
        if outgoing_.file is None:
            contents = self._composer.message(outgoing_, event)
        else:
            contents = await self._upload(wire, outgoing_, outgoing_.file)
        return await self._post(wire, outgoing_, occupant, contents)

    async def _upload(self, wire: Wire, outgoing_: Outgoing, file: LocalFile) -> str:
        url = await self._uploads.put(wire, file)
        return self._composer.file(outgoing_, url, file)

    async def _edit(self, wire: Wire, outgoing_: Outgoing, event: Edited) -> Sent:
        target = self._own(outgoing_)
        occupant = await self._bring_author(wire, target, event.author)
        contents = self._composer.edit(outgoing_, event, target.key)
        return await self._post(wire, outgoing_, occupant, contents)

    async def _delete(self, wire: Wire, outgoing_: Outgoing, event: Deleted) -> Sent:
        target = self._known(outgoing_)
        is_author = _is_same(target.author, event.author)
        if not target.own:
            return await self._moderate(wire, target, event.reason)
        present = self._crew.occupant_of(target.author)
        if present is None and not is_author and self.can_moderate:
            return await self._moderate(wire, target, event.reason)
        occupant = await self._bring_author(wire, target, event.author)
        contents = retractions.payload(self._composer.scene.naming.reference(target))
        try:
            return await self._post(wire, outgoing_, occupant, contents)
        finally:
            if present is None and not is_author:
                await self._crew.dismiss(wire, target.author, "")

    @property
    def can_moderate(self) -> bool:
        """Whether the bridge may delete what others wrote."""
        return self.features.moderation is not None and self._crew.listener.role == "moderator"

    async def _moderate(self, wire: Wire, target: Copy, reason: str) -> Sent:
        if self.features.moderation is None:
            raise Refused(f"The room {self._room} lets nobody delete what others wrote (XEP-0425).")
        reference = self._composer.scene.naming.reference(target)
        try:
            await wire.ask(
                "set",
                self._room,
                retractions.moderation(reference, reason, self.features.moderation),
            )
        except StanzaError as error:
            raise cannot_moderate(self._room, error) from error
        return Sent()

    async def _react(self, wire: Wire, outgoing_: Outgoing, event: Reacted) -> Sent:
        target = self._known(outgoing_)
        occupant = await self._crew.bring(wire, event.author)
        reference = self._composer.scene.naming.reference(target)
        contents = reactions.payload(reference, outgoing_.standing)
        return await self._post(wire, outgoing_, occupant, contents)

    def _known(self, outgoing_: Outgoing) -> Copy:
        if outgoing_.target is None:
            raise Refused(f"The room {self._room} does not know the message that this is about.")
        return outgoing_.target

    def _own(self, outgoing_: Outgoing) -> Copy:
        target = self._known(outgoing_)
        if not target.own:
            raise Refused(f"In the room {self._room} only its author can change that message.")
        return target

    async def _bring_author(self, wire: Wire, target: Copy, author: Author) -> Occupant:
        """Whoever has sent a copy: nobody else may change it."""
        if _is_same(target.author, author):
            return await self._crew.bring(wire, author)
        present = self._crew.occupant_of(target.author)
        return present or await self._crew.bring(wire, target.author)

    async def _post(
        self, wire: Wire, outgoing_: Outgoing, occupant: Occupant, contents: str
    ) -> Sent:
        stanza = self._composer.stanza(occupant.jid, outgoing_.key, contents)
        try:
            return self._sent(outgoing_, await self._until_seen(wire, outgoing_.key, stanza))
        except StanzaError as error:
            self._note_absence(occupant, error)
            raise cannot_say(self._room, _shown(occupant), error) from error

    # --- all else

    async def _attend(self, wire: Wire, event: Joined | Renamed | Left) -> None:
        if not self._own_names:
            raise Refused(f"The room {self._room} shows no doctors one by one.")
        if isinstance(event, Left):
            await self._crew.dismiss(wire, event.author, event.reason)
        elif isinstance(event, Joined) or self._crew.is_in(event.author):
            await self._crew.bring(wire, event.author)
        if isinstance(event, Renamed):
            self._renew(wire, event.author)

    def _renew(self, wire: Wire, author: Author) -> None:
        """A doctor may have another picture, or none any more."""
        occupant = self._crew.occupant_of(author)
        if occupant is not None and occupant.author is not None:
            before = occupant.photo
            self._crew.portray(occupant, author)
            if occupant.photo not in {None, before}:
                occupant.show(wire, occupant.photo or "")

    async def _set_subject(
        self, wire: Wire, key: str, event: SubjectChanged, hearing: Hearing
    ) -> Sent:
        """Under the author's name if the room lets them, or else under the listener's."""
        if hearing.subject == event.subject:
            return Sent()
        author = await self._crew.bring(wire, event.author)
        tried = [author] if author is self._crew.listener else [author, self._crew.listener]
        self._subjects[key] = event.subject
        try:
            for occupant in tried:
                try:
                    stanza = outgoing.set_subject(occupant.jid, self._room, key, event.subject)
                    await self._until_seen(wire, key, stanza)
                except StanzaError as error:
                    self._note_absence(occupant, error)
                    if error.condition != "forbidden" or occupant is tried[-1]:
                        raise cannot_set_subject(self._room, error) from error
                else:
                    return Sent()
        finally:
            del self._subjects[key]
        raise AssertionError("the last one tried returns or raises")

    async def _until_seen(self, wire: Wire, key: str, stanza: str) -> str:
        seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[key] = seen
        try:
            wire.post(stanza)
            async with asyncio.timeout(self._timing.answer):
                return await seen
        except TimeoutError:
            raise Unreachable(
                f"The room {self._room} did not show the message in time.", doubtful=True
            ) from None
        finally:
            del self._waiting[key]

    def _note_absence(self, occupant: Occupant, error: StanzaError) -> None:
        """A room that has forgotten a doctor will be entered again with the next message."""
        if error.condition == NOT_INSIDE:
            occupant.forget()


def _shown(occupant: Occupant) -> str:
    return occupant.nick or occupant.name


def _is_same(one: Author, other: Author) -> bool:
    return (one.network, one.id) == (other.network, other.id)


def _speaker(outgoing_: Outgoing) -> Author:
    """Under whose name it is sent."""
    target = outgoing_.target
    if target is not None and target.own and isinstance(outgoing_.event, Edited | Deleted):
        return target.author
    return outgoing_.event.author
