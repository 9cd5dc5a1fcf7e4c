"""Ghosts: the Matrix users that stand for remote authors, made when they are first needed."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog

from bridge.contract import Refused, Unreachable
from bridge.matrix.client import ActingClient
from bridge.matrix.faults import Denied
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.portraits import Portraits, mark_of
from bridge.matrix.rights import WHERE_TO_CHANGE, bot_missing, rights_in, shown_level
from bridge.model import Author

log = structlog.get_logger(__name__)

HELD_MAX: Final = 5_000
"""How many ghosts are kept in memory; the others are read from the store when they speak."""

_NAME_MAX: Final = 250


@dataclass(frozen=True, slots=True)
class GhostRecord:
    """A ghost that the homeserver knows, with the name and avatar it has there.

    `name` is empty and `avatar` None as long as none was set. `portrait` marks the picture of their
    own that the author had then; None if the author had none.
    """

    user_id: str
    network: str
    author_id: str
    name: str = ""
    avatar: str | None = None
    portrait: str | None = None


class GhostStore(Protocol):
    """Where facts about ghosts outlive a restart. May raise `StoreError`."""

    async def load(self, user_id: str) -> GhostRecord | None:
        """A ghost that was saved."""
        ...

    async def save(self, record: GhostRecord) -> None:
        """Save a new ghost, or what changed."""
        ...

    async def rooms(self, user_id: str) -> frozenset[str]:
        """The ids of the rooms it is in."""
        ...

    async def add_room(self, user_id: str, room_id: str) -> None:
        """It is in this room; harmless when that is known."""
        ...

    async def remove_room(self, user_id: str, room_id: str) -> None:
        """It is no longer in this room; harmless when that is known."""
        ...


@dataclass(slots=True)
class _Held:
    """A ghost in memory. `busy` counts those who use it or wait to."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    busy: int = 0
    loaded: bool = False
    record: GhostRecord | None = None
    rooms: set[str] = field(default_factory=set)


class Ghosts:
    """Brings ghosts to where they are needed, each by one task at a time.

    Args:
        bot: the bot's client; it invites where a ghost can't enter by itself.
        ids: tells their user ids.
        store: where facts about them are kept.
        avatars: by network, the content URI (`mxc://…`) for those who have no avatar of their own.
            Looked at anew each time, since it grows while the homeserver is given the pictures.
        portraits: brings pictures that authors have of their own; without it, none are shown.
    """

    def __init__(
        self,
        bot: ActingClient,
        ids: GhostIds,
        store: GhostStore,
        avatars: Mapping[str, str] | None = None,
        portraits: Portraits | None = None,
    ) -> None:
        self._bot = bot
        self._ids = ids
        self._store = store
        self._avatars: Mapping[str, str] = {} if avatars is None else avatars
        self._portraits = portraits
        self._ghosts: OrderedDict[str, _Held] = OrderedDict()

    @property
    def held(self) -> int:
        """How many are kept in memory."""
        return len(self._ghosts)

    @property
    def ids(self) -> GhostIds:
        """Tells their user ids."""
        return self._ids

    def id_of(self, author: Author) -> str:
        """The user id of the author's ghost, whether or not it exists."""
        return self._ids.of(author.network, author.id)

    def behind(self, user_id: str) -> Author | None:
        """The author whose ghost this is; None unless it is kept in memory."""
        held = self._ghosts.get(user_id)
        record = held.record if held is not None else None
        return None if record is None else Author(record.network, record.author_id, record.name)

    async def ensure(self, author: Author, room_id: str, *, anew: bool = False) -> str:
        """See to it that the author's ghost exists, looks as they do, and is in the room.

        Sends nothing and reads nothing from the store when that is known to be so.

        Args:
            author: `name` is the one to show.
            room_id: where the ghost must be.
            anew: `author` tells how they look now, and one who has no avatar has none any more;
                else it may just not be told.

        Returns:
            The ghost's user id.

        Raises:
            Refused: the ghost can't get in; the advice tells what the room's admin can do.
            Unreachable: not now.
            StoreError: the store failed.
        """
        user_id = self.id_of(author)
        held = self._ghosts.get(user_id)
        if held is not None and self._settled(held, author, room_id, anew=anew):
            self._ghosts.move_to_end(user_id)
            return user_id
        async with self._exclusively(user_id) as ghost:
            record = ghost.record or await self._create(ghost, user_id, author)
            await self._dress(ghost, record, author, anew=anew)
            if room_id not in ghost.rooms:
                await self._bring_in(ghost, user_id, author, room_id)
        return user_id

    async def wear(self, author: Author, uri: str | None) -> None:
        """Have the author's ghost wear the picture that `author.avatar` refers to.

        Args:
            author: whose ghost; nothing is done if there is none.
            uri: where the picture is on the homeserver; None if there is none to have.

        Raises:
            Unreachable: not now.
            StoreError: the store failed.
        """
        async with self._exclusively(self.id_of(author)) as ghost:
            record = ghost.record
            if record is None or author.avatar is None:
                return
            fresh = uri or self._avatars.get(author.network) or record.avatar
            await self._put_on(ghost, replace(record, portrait=mark_of(author.avatar)), fresh)

    async def follow(self, user_id: str, room_id: str) -> None:
        """Bring a ghost that exists into a room.

        Raises:
            Refused: it can't get in.
            Unreachable: not now.
            StoreError: the store failed.
        """
        async with self._exclusively(user_id) as ghost:
            record = ghost.record
            if record is None or room_id in ghost.rooms:
                return
            author = Author(record.network, record.author_id, record.name)
            await self._bring_in(ghost, user_id, author, room_id)

    async def leave(self, author: Author, room_id: str, reason: str = "") -> None:
        """Take the author's ghost out of a room, if it is in there.

        Raises:
            Refused: the homeserver won't.
            Unreachable: not now.
            StoreError: the store failed.
        """
        user_id = self.id_of(author)
        async with self._exclusively(user_id) as ghost:
            if room_id not in ghost.rooms:
                return
            try:
                await self._bot.acting_as(user_id).leave(room_id, reason)
            except Denied as error:
                if not (error.forbidden or error.missing):
                    raise
                log.info("ghost_was_gone", user_id=user_id, room=room_id, reason=error.said)
            await self._not_in(ghost, user_id, room_id)

    async def inside(self, author: Author, room_id: str) -> str | None:
        """The user id of the author's ghost, if it is in the room.

        Raises:
            StoreError: the store failed.
        """
        user_id = self.id_of(author)
        held = self._ghosts.get(user_id)
        if held is not None and held.loaded:
            return user_id if room_id in held.rooms else None
        async with self._exclusively(user_id) as ghost:
            return user_id if room_id in ghost.rooms else None

    async def expelled(self, user_id: str, room_id: str) -> None:
        """Forget that a ghost is in a room: the homeserver says it is not.

        Raises:
            StoreError: the store failed.
        """
        async with self._exclusively(user_id) as ghost:
            await self._not_in(ghost, user_id, room_id)

    def _settled(self, held: _Held, author: Author, room_id: str, *, anew: bool) -> bool:
        record = held.record
        return (
            record is not None
            and room_id in held.rooms
            and record.name == author.name[:_NAME_MAX]
            and self._avatar(record, author, anew=anew) in {None, record.avatar}
        )

    def _avatar(self, record: GhostRecord, author: Author, *, anew: bool) -> str | None:
        """The content URI to show now; None for what is shown already. A picture that is somewhere
        else is fetched first, beside.
        """
        avatar = author.avatar
        if avatar is None:
            if record.portrait is not None and not anew:
                return None
        elif avatar.startswith("mxc://"):
            return avatar
        elif self._portraits is not None:
            if record.portrait == mark_of(avatar):
                return None
            self._portraits.want(author)
            if record.portrait is not None:
                return None
        return self._avatars.get(author.network)

    async def _create(self, ghost: _Held, user_id: str, author: Author) -> GhostRecord:
        await self._register(user_id)
        record = GhostRecord(user_id, author.network, author.id)
        await self._save(ghost, record)
        return record

    async def _register(self, user_id: str) -> bool:
        try:
            return await self._bot.register_user(self._ids.localpart(user_id))
        except Denied as error:
            if error.errcode != "M_EXCLUSIVE":
                raise
            sentence = (
                f"The homeserver does not let the bridge make {user_id}: write the registration"
                " anew with the present ghost_prefix and restart the homeserver."
            )
            raise Unreachable(sentence) from error

    async def _dress(
        self, ghost: _Held, record: GhostRecord, author: Author, *, anew: bool = False
    ) -> None:
        """Give it the name and avatar, if they are others than it has.

        A homeserver may keep them from being changed; what is said matters more.
        """
        client = self._bot.acting_as(record.user_id)
        name = author.name[:_NAME_MAX]
        if name and name != record.name:
            try:
                await client.set_displayname(name)
            except Denied as error:
                log.warning("ghost_not_named", user_id=record.user_id, reason=error.said)
            record = replace(record, name=name)
            await self._save(ghost, record)
        avatar = self._avatar(record, author, anew=anew)
        if avatar is not None and avatar != record.avatar:
            await self._put_on(ghost, replace(record, portrait=None), avatar)

    async def _put_on(self, ghost: _Held, record: GhostRecord, avatar: str | None) -> None:
        if avatar is not None and avatar != record.avatar:
            try:
                await self._bot.acting_as(record.user_id).set_avatar(avatar)
            except Denied as error:
                log.warning("ghost_without_avatar", user_id=record.user_id, reason=error.said)
        await self._save(ghost, replace(record, avatar=avatar))

    async def _bring_in(self, ghost: _Held, user_id: str, author: Author, room_id: str) -> None:
        client = self._bot.acting_as(user_id)
        try:
            await client.enter(room_id)
        except Denied as error:
            if not error.forbidden:
                raise await self._no_way_in(room_id, error) from error
            if await self._register(user_id):
                # The homeserver had lost it, and with it all that was known about it
                log.warning("ghost_made_again", user_id=user_id)
                await self._strip(ghost, user_id)
                record = GhostRecord(user_id, author.network, author.id)
                await self._dress(ghost, record, author)
            await self._enter_invited(client, room_id)
        ghost.rooms.add(room_id)
        await self._store.add_room(user_id, room_id)

    async def _enter_invited(self, client: ActingClient, room_id: str) -> None:
        try:
            await self._bot.room_invite(room_id, client.user_id)
            await client.enter(room_id)
        except Denied as error:
            raise await self._no_way_in(room_id, error) from error

    async def _no_way_in(self, room_id: str, error: Denied) -> Refused | Unreachable:
        """What to tell about a ghost that can't enter."""
        bot = self._bot.user_id
        try:
            rights = await rights_in(room_id, self._bot)
        except Denied:
            return bot_missing(bot, room_id)
        has, needs = rights.of(bot), rights.for_invite()
        if has < needs:
            return Refused(
                f"{bot} may not invite people to this room.",
                f"Give it a power level of at least {shown_level(needs)}, {WHERE_TO_CHANGE};"
                f" it has {shown_level(has)}.",
            )
        return Refused(
            f"Somebody of another network can't enter this room: {error.said}",
            "If they are banned here, lift the ban.",
        )

    async def _strip(self, ghost: _Held, user_id: str) -> None:
        for room_id in list(ghost.rooms):
            await self._not_in(ghost, user_id, room_id)

    async def _not_in(self, ghost: _Held, user_id: str, room_id: str) -> None:
        ghost.rooms.discard(room_id)
        await self._store.remove_room(user_id, room_id)

    async def _save(self, ghost: _Held, record: GhostRecord) -> None:
        await self._store.save(record)
        ghost.record = record

    @asynccontextmanager
    async def _exclusively(self, user_id: str) -> AsyncIterator[_Held]:
        """The ghost, loaded, for one task at a time."""
        ghost = self._ghosts.setdefault(user_id, _Held())
        self._ghosts.move_to_end(user_id)
        ghost.busy += 1
        try:
            async with ghost.lock:
                if not ghost.loaded:
                    ghost.record = await self._store.load(user_id)
                    ghost.rooms = set(await self._store.rooms(user_id))
                    ghost.loaded = True
                yield ghost
        finally:
            ghost.busy -= 1
            self._shrink()

    def _shrink(self) -> None:
        """Forget the ghosts that were needed longest ago; but never one that is in use."""
        while len(self._ghosts) > HELD_MAX:
            idle = next((uid for uid, held in self._ghosts.items() if not held.busy), None)
            if idle is None:
                return
            del self._ghosts[idle]
