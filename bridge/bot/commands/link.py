"""!link: a group is linked to a room."""

from typing import ClassVar

from bridge.bot.answers import Answer, Piece, code, words
from bridge.bot.command import Manual, Request, Unfit
from bridge.bot.commands.places import Networks, direction_of, group_name, group_place
from bridge.bot.permissions import Rank
from bridge.bot.ports import Rooms
from bridge.model import Direction, Place
from bridge.portals.service import Portals

_SIGNS_OF_A_ROOM = ("!", "#")


class MakeLink:
    """Links a group to this room, or to the one that is named."""

    manual: ClassVar[Manual] = Manual(
        "link",
        "link a group to this room",
        needs=Rank.ADMIN,
        arguments="[room] <network> <group> [in|out|both]",
        most=4,
        details=(
            "Without a direction, the room reads the group and nothing leaves the room.",
            "From a private chat, name the room by its address or id. I have to be in it.",
        ),
    )

    def __init__(self, portals: Portals, networks: Networks, rooms: Rooms, prefix: str) -> None:
        self._portals = portals
        self._networks = networks
        self._rooms = rooms
        self._prefix = prefix

    async def run(self, request: Request) -> Answer:
        """See `Command.run`."""
        room, rest = await self._room(request)
        if len(rest) not in {2, 3}:
            raise Unfit(
                "Tell me a network and a group.", f"Write {self.manual.usage(self._prefix)}."
            )
        group = group_place(rest[0], rest[1], self._networks)
        direction = direction_of(rest[2]) if len(rest) == 3 else Direction.IN
        await self._portals.link(room, group, direction)
        return Answer.of(
            words("Linked: ", group_name(group, self._networks), "."),
            self.told(group, direction),
        )

    async def _room(self, request: Request) -> tuple[str, tuple[str, ...]]:
        """The room to link, and the words that are left."""
        first, *rest = request.arguments or ("",)
        if first.startswith(_SIGNS_OF_A_ROOM):
            room_id = first if first.startswith("!") else await self._rooms.find(first)
            if room_id is None:
                raise Unfit(f"There is no room {first}.")
            if await self._rooms.people(room_id) is None:
                raise Unfit("I am not in that room.", "Invite me there first.")
            return room_id, tuple(rest)
        if request.private:
            raise Unfit(
                "This is a private chat.",
                f"Tell me which room: {self._prefix}link #room:example.org <network> <group>."
                f" (This one would be {request.room_id}.)",
            )
        return request.room_id, request.arguments

    def told(self, group: Place, direction: Direction) -> Piece:
        """What a direction means, said so that nobody is surprised."""
        return direction_told(group, direction, self._prefix)


def direction_told(group: Place, direction: Direction, prefix: str) -> Piece:
    """What goes where from now on."""
    match direction:
        case Direction.IN:
            both = code(f"{prefix}direction {group.network} {group.id} both")
            return words(
                "It is inward-only: the room reads the group, and nothing leaves the room, not "
                "even who is in it. To open it: ",
                both,
            )
        case Direction.OUT:
            return words(
                "From now on the group reads what is said in the room, and who is in it. What is "
                "said in the group does not come here."
            )
        case Direction.BOTH:
            return words(
                "From now on the room and the group read each other: what is said in the room, and "
                "who is in it, goes out."
            )
