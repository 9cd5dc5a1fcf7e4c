"""What was said in one room while the bridge was not in it, because it or the link was down.

The room's archive has it, or else the room's memory, which is short. Live messages wait until it
has been told. The bridge's own words are among it, said before a crash by doctors of whom some may
not be here any more: `Hearing` tells them apart.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from adapters.xmpp import outgoing
from adapters.xmpp.archive import Archive, Page, Stretch
from adapters.xmpp.errors import StanzaError
from adapters.xmpp.hearing import Hearing
from adapters.xmpp.incoming import Said
from adapters.xmpp.wire import Wire
from bridge.contract import CatchUp, Inlet, Missed, Unreachable

log = structlog.get_logger()

_OVERLAP: Final = timedelta(minutes=2)
"""How much further back is asked for by time than needed: clocks differ, and stamps are coarse."""
_COARSE: Final = timedelta(seconds=1)
_TRIES: Final = 3
"""So often an archive is asked that does not answer now, each time from entering the room on."""
_HISTORY_MAX: Final = 5_000
"""Things of a room's history that are looked at; reactions and own words count, too."""
_COUNTED_PAGES: Final = 200
"""How far is counted what is left out."""


class Backlog:
    """Fetches it whenever the room is entered.

    Args:
        room: the room's address.
        hearing: told what was found.
        archive: the room's archive.
        catch_up: where to begin, and how much is wanted.
        inlet: asked about own words, and told what can't be had.
    """

    def __init__(
        self, room: str, hearing: Hearing, archive: Archive, catch_up: CatchUp, inlet: Inlet
    ) -> None:
        self._room = room
        self._hearing = hearing
        self._archive = archive
        self._catch_up = catch_up
        self._inlet = inlet
        self._archived = False
        self._since: datetime | None = None
        self._floor = datetime.now(UTC)
        self._begun = catch_up.begun
        self._failures = 0
        self._history_due = catch_up.since is None and catch_up.history > 0
        hearing.heard_at = catch_up.since
        hearing.mark = catch_up.last_id

    def entering(self, *, archived: bool) -> str:
        """The room is about to be entered: what to ask of its memory.

        Args:
            archived: whether it has an archive.
        """
        self._archived = archived
        if self._begun is None and self._hearing.heard_at is None:
            self._begun = datetime.now(UTC)
        self._since = self._hearing.heard_at if self._catch_up.wanted else None
        self._floor = datetime.now(UTC) - self._catch_up.max_age
        self._hearing.entering()
        if self._since is None and not self._history_due:
            return outgoing.NO_HISTORY
        self._hearing.hold()
        if archived:
            return outgoing.NO_HISTORY
        if self._since is None:
            return outgoing.last_of_history(2 * self._catch_up.history + 20)
        # The bridge's own messages come on top of those that are wanted
        return outgoing.history_since(self._since - _OVERLAP, 2 * self._catch_up.max_messages + 100)

    async def fetch(self, wire: Wire, lost: Callable[[], bool]) -> None:
        """Hand over what was missed, and then what was heard since; at the first entry, only note
        where the archive ends. The doctors are to be in by then: so their words are recognised.

        Args:
            wire: the connection.
            lost: whether the bridge is out of the room again.

        Raises:
            Unreachable: not now.
        """
        try:
            if self._history_due:
                await (self._tell_history(wire) if self._archived else self._age_memory())
                self._history_due = False
            if self._since is not None:
                await (self._tell_from_archive(wire) if self._archived else self._sift_memory())
            elif self._archived and self._hearing.mark is None:
                self._hearing.mark = await self._archive.newest_id(wire) or ""
        except (StanzaError, Unreachable) as error:
            if lost() or wire.closed.done():
                raise Unreachable(f"The room {self._room} was lost.") from error
            self._failed(error)
        self._failures = 0
        self._hearing.release()
        self._hearing.forget_learned()

    def _failed(self, error: StanzaError | Unreachable) -> None:
        """Try again soon, or else tell that it is no use."""
        self._failures += 1
        passing = isinstance(error, Unreachable) or error.kind == "wait"
        if passing and self._failures < _TRIES:
            raise Unreachable(
                f"The archive of the room {self._room} can't be read now: {error}"
            ) from error
        log.warning("archive_not_read", room=self._room, reason=str(error))
        self._history_due = False
        if self._since is not None:
            self._missed(f"The archive of the room {self._room} can't be read: {error}")

    def _missed(self, reason: str, count: int | None = None) -> None:
        self._inlet.missed(Missed(self._room, reason, count))

    def _is_too_old(self, said: Said) -> bool:
        return said.delay is not None and said.delay < self._floor

    def _is_from_before(self, said: Said) -> bool:
        """Whether it was said before the room was ever listened to; rooms tell whole seconds."""
        if said.delay is None or self._begun is None:
            return False
        return said.delay < self._begun.replace(microsecond=0)

    async def _learn_about(self, some: Sequence[Said]) -> None:
        if names := self._hearing.in_doubt(some):
            self._hearing.learn(await self._inlet.sent(self._room, names))

    # --- from before the link

    async def _tell_history(self, wire: Wire) -> None:
        """The last messages that were said before the room was linked, and what became of them."""
        found: list[Said] = []
        wanted = self._catch_up.history
        live = {said.stanza_id for said in self._hearing.held}
        async for page in self._archive.backward(wire, Stretch()):
            await self._learn_about(page.said)
            for said in reversed(page.said):
                if said.stanza_id in live or (self._since and not self._is_from_before(said)):
                    continue
                found.append(replace(said, old=True))
                wanted -= said.body is not None and not self._hearing.is_own(said)
                if not wanted:
                    break
            if not wanted or len(found) > _HISTORY_MAX:
                break
        for said in reversed(found):
            self._hearing.replay(said)

    async def _age_memory(self) -> None:
        remembered = [said for said in self._hearing.held if said.tells and said.delay]
        await self._learn_about(remembered)
        words = [said for said in remembered if said.body and not self._hearing.is_own(said)]
        surplus = words[: -self._catch_up.history]
        first = words[len(surplus)] if words else None
        begins = remembered.index(first) if first is not None else len(remembered)
        self._hearing.leave_out(remembered[:begins])
        self._hearing.age(remembered[begins:])

    # --- from the archive

    async def _tell_from_archive(self, wire: Wire) -> None:
        await self._count_too_old(wire)
        stretch, page = await self._begin(wire)
        await self._learn_about(page.said)
        if self._may_be_too_much(page):
            stretch = await self._without_the_oldest(wire, stretch)
        async for page in self._archive.forward(wire, stretch):
            await self._learn_about(page.said)
            for said in page.said:
                unwanted = self._is_too_old(said) or self._is_from_before(said)
                if not unwanted or self._hearing.is_own(said):
                    self._hearing.replay(said)

    async def _begin(self, wire: Wire) -> tuple[Stretch, Page]:
        """What there is to tell, and its first page: all after the last message that is known, or,
        where the archive does not know that any more, since it was said.
        """
        since = max(self._floor, (self._since or self._floor) - _OVERLAP)
        if self._hearing.mark is not None:
            try:
                stretch = Stretch(after=self._hearing.mark, start=self._floor)
                return stretch, await anext(self._archive.forward(wire, stretch))
            except StanzaError as error:
                if error.condition != "item-not-found" or not self._hearing.mark:
                    raise
        stretch = Stretch(start=since)
        return stretch, await anext(self._archive.forward(wire, stretch))

    def _may_be_too_much(self, first: Page) -> bool:
        wanted = self._catch_up.max_messages
        if first.complete:
            return sum(not self._hearing.is_own(said) for said in first.said) > wanted
        return first.count is None or first.count > wanted

    async def _without_the_oldest(self, wire: Wire, stretch: Stretch) -> Stretch:
        """The part of it with no more messages than are wanted; tells how many that leaves out."""
        after, found = stretch.after, 0
        async for said in self._back_through(wire, stretch):
            if said.body is None or self._hearing.is_own(said):
                continue
            if stretch.after or self._hearing.is_news(said):
                found += 1
                if found == self._catch_up.max_messages + 1:
                    after = said.stanza_id
        if found > self._catch_up.max_messages:
            self._missed(self._too_many(), found - self._catch_up.max_messages)
        return replace(stretch, after=after)

    async def _back_through(self, wire: Wire, stretch: Stretch) -> AsyncIterator[Said]:
        """What is in a stretch, the newest first, as far back as is counted."""
        pages = 0
        async for page in self._archive.backward(wire, stretch):
            await self._learn_about(page.said)
            for said in reversed(page.said):
                if stretch.after and said.stanza_id == stretch.after:
                    return
                yield said
            pages += 1
            if pages == _COUNTED_PAGES:
                return

    async def _count_too_old(self, wire: Wire) -> None:
        if self._since is None or self._since >= self._floor:
            return
        count = pages = 0
        end = self._floor + _COARSE
        async for page in self._archive.forward(wire, Stretch(start=self._since, end=end)):
            await self._learn_about(page.said)
            for said in page.said:
                if said.stanza_id == self._hearing.mark:
                    count = 0  # this one is known, and so are those of the same second before it
                elif self._is_too_old(said) and self._hearing.is_news(said):
                    count += 1
            pages += 1
            if pages == _COUNTED_PAGES:
                break
        if count:
            self._missed(self._too_old(), count)

    def _too_old(self) -> str:
        return (
            f"What was said in the room {self._room} before {self._floor:%Y-%m-%d %H:%M} UTC is"
            " too old to be fetched."
        )

    def _too_many(self) -> str:
        most = self._catch_up.max_messages
        return f"More than {most} messages were said in the room {self._room} meanwhile."

    # --- from the room's memory

    async def _sift_memory(self) -> None:
        remembered = [said for said in self._hearing.held if said.tells and said.delay]
        await self._learn_about(remembered)
        names = [self._hearing.name(said) for said in remembered]
        last = self._catch_up.last_id
        later = remembered[names.index(last) + 1 :] if last in names else remembered
        news = [said for said in later if self._hearing.is_news(said)]
        known_from_before = self._hearing.reached_back or len(news) < len(remembered)
        has_heard = self._hearing.has_heard or last is not None
        if news and has_heard and not known_from_before:
            self._missed(
                f"The room {self._room} has no archive, and may have forgotten what was said first."
            )
        most = self._catch_up.max_messages
        old = [said for said in news if self._is_too_old(said)]
        surplus = news[len(old) : -most]
        before = [said for said in remembered if self._is_from_before(said)]
        self._hearing.leave_out([*before, *old, *surplus])
        if old:
            self._missed(self._too_old(), len(old))
        if surplus:
            self._missed(self._too_many(), len(surplus))
