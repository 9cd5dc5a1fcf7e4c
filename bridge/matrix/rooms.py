"""The rooms of the portals: found or made, entered, and who is in them."""

from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog

from bridge.errors import HomeserverError
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.model import MATRIX, Author

log = structlog.get_logger(__name__)

_MEGOLM: Final = "m.megolm.v1.aes-sha2"
_NO_PORTAL: Final = (
    "This room is not connected to anything. Whoever runs the bridge can add it to its"
    " configuration; then invite me again."
)


class Welcome(Protocol):
    """Tells whether to follow someone's invitation to a room, `direct` if to a private chat."""

    def __call__(self, inviter: str, *, direct: bool) -> bool:
        """Decide."""
        ...


class Rooms:
    """What the bot does about rooms.

    Args:
        bot: the bot's client.
        ids: tells who is a ghost.
        welcome: whether to follow someone's invitation to a room that is no portal.
        encrypted: whether rooms that are made are encrypted.
    """

    def __init__(
        self,
        bot: ActingClient,
        ids: GhostIds,
        welcome: Welcome | None = None,
        *,
        encrypted: bool = False,
    ) -> None:
        self._bot = bot
        self._ids = ids
        self._welcome = welcome
        self._encrypted = encrypted

    @property
    def bot_id(self) -> str:
        """The bot's user id."""
        return self._bot.user_id

    async def joined(self) -> frozenset[str]:
        """The ids of all rooms that the bot is in.

        Raises:
            Denied: the homeserver does not let the bot ask.
            Unreachable: it can't be told now.
        """
        answer = await self._bot.call("GET", path_of("joined_rooms"))
        rooms = answer.get("joined_rooms")
        return frozenset(rooms if isinstance(rooms, list) else ())

    async def resolve(self, name: str) -> str:
        """The id of a room that the configuration names.

        An alias of this homeserver that nobody uses yet gets a new room: not listed, and open to
        users of this homeserver only, who enter by its alias and read what is said from then on.

        Args:
            name: a room id, taken as it is, or an alias.

        Raises:
            HomeserverError: the alias leads nowhere and no room can be made for it.
            Unreachable: not now.
        """
        if not name.startswith("#"):
            return name
        if (room_id := await self._look_up(name)) is not None:
            return room_id
        local, _, domain = name[1:].partition(":")
        if domain != self._ids.domain:
            raise HomeserverError(
                f"There is no room {name} on its homeserver.",
                "Check the alias in the configuration, or write the room's id.",
            )
        return await self._create(name, local)

    async def enter(self, room_id: str) -> None:
        """Let the bot join; harmless when it is in the room.

        Raises:
            HomeserverError: the bot is not let in; it will follow an invitation.
            Unreachable: not now.
        """
        try:
            await self._bot.enter(room_id)
        except Denied as error:
            raise HomeserverError(
                f"The bot can't enter the room {room_id}: {error.said or error.errcode}",
                f"Invite {self._bot.user_id} to the room, or check its id in the configuration.",
            ) from error

    async def members(self, room_id: str) -> tuple[Author, ...]:
        """Everyone who is in a room, without ghosts and the bot.

        Raises:
            Denied: the bot is not in the room.
            Unreachable: it can't be told now.
        """
        answer = await self._bot.call("GET", path_of("rooms", room_id, "joined_members"))
        joined = object_at(answer, "joined")
        return tuple(
            _author(user_id, object_at(joined, user_id))
            for user_id in joined
            if not self._ids.owns(user_id)
        )

    async def invited(self, raw: JsonObject, wanted: Callable[[str], bool]) -> bool:
        """React to an event that may invite the bot: enter a portal's room, or one in which it is
        welcome to listen to commands; decline all others.

        A declined invitation tells why: its reason is shown in the room.

        Args:
            raw: any event, of any shape.
            wanted: whether a room id is that of a portal.

        Returns:
            Whether the bot has entered the room of a portal.

        Raises:
            HomeserverError: the bot is not let in all the same.
            Unreachable: not now.
        """
        room_id = text_at(raw, "room_id")
        if not room_id or not self._invites_bot(raw):
            return False
        inviter = text_at(raw, "sender")
        if wanted(room_id):
            await self.enter(room_id)
            log.info("invitation_accepted", room=room_id, inviter=inviter)
            return True
        if self._welcome and self._welcome(
            inviter, direct=object_at(raw, "content").get("is_direct") is True
        ):
            await self.enter(room_id)
            log.info("private_invitation_accepted", room=room_id, inviter=inviter)
            return False
        log.warning("invitation_declined", room=room_id, inviter=inviter)
        try:
            await self._bot.leave(room_id, _NO_PORTAL)
        except Denied as error:
            log.info("invitation_was_withdrawn", room=room_id, reason=error.said)
        return False

    def _invites_bot(self, raw: JsonObject) -> bool:
        return (
            raw.get("type") == "m.room.member"
            and raw.get("state_key") == self._bot.user_id
            and object_at(raw, "content").get("membership") == "invite"
        )

    async def _look_up(self, alias: str) -> str | None:
        try:
            answer = await self._bot.call("GET", path_of("directory", "room", alias))
        except Denied as error:
            if error.missing:
                return None
            raise HomeserverError(
                f"The room {alias} can't be looked up: {error.said or error.errcode}",
                "Check the alias in the configuration, or write the room's id.",
            ) from error
        return text_at(answer, "room_id") or None

    async def _create(self, alias: str, local: str) -> str:
        try:
            answer = await self._bot.call(
                "POST", path_of("createRoom"), _new_room(local, encrypted=self._encrypted)
            )
        except Denied as error:
            if error.errcode == "M_ROOM_IN_USE" and (found := await self._look_up(alias)):
                return found
            raise HomeserverError(
                f"The room {alias} can't be made: {error.said or error.errcode}",
                f"Make it in Element, give it this address, and invite {self._bot.user_id};"
                " or write the registration anew, which lets the bridge make it.",
            ) from error
        room_id = text_at(answer, "room_id")
        if not room_id:
            raise HomeserverError(f"The homeserver made no room for {alias}.")
        log.info("room_made", alias=alias, room=room_id)
        return room_id


def _new_room(local: str, *, encrypted: bool) -> JsonObject:
    """https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom."""
    state: list[dict[str, Any]] = [
        {"type": "m.room.join_rules", "content": {"join_rule": "public"}},
        {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}},
        {"type": "m.room.guest_access", "content": {"guest_access": "forbidden"}},
    ]
    if encrypted:
        state.append({"type": "m.room.encryption", "content": {"algorithm": _MEGOLM}})
    return {
        "preset": "private_chat",
        "visibility": "private",
        "name": local,
        "room_alias_name": local,
        "creation_content": {"m.federate": False},
        "initial_state": [{**each, "state_key": ""} for each in state],
    }


def _author(user_id: str, member: JsonObject) -> Author:
    name, avatar = text_at(member, "display_name"), text_at(member, "avatar_url")
    return Author(MATRIX, user_id, name, avatar or None)
