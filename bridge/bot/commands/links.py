"""!links: which groups are linked."""

from collections.abc import Callable
from typing import ClassVar, Final

from bridge.bot.answers import Answer, Block, Piece, words
from bridge.bot.command import Manual, Request, Unfit
from bridge.bot.commands.places import DIRECTIONS, Networks, group_name, portal_name
from bridge.bot.permissions import Rank
from bridge.portals.service import Portal, PortalIndex
from bridge.wording import counted

_PORTALS_SHOWN: Final = 40


class Links:
    """Lists the groups linked to a room; an admin in a private chat is told those of every room."""

    manual: ClassVar[Manual] = Manual(
        "links",
        "which groups this room is linked to",
        details=(
            "For each group: which way the link carries, and where it comes from.",
            "An admin in a private chat with me is told of every room.",
        ),
    )

    def __init__(self, index: Callable[[], PortalIndex], networks: Networks) -> None:
        self._index = index
        self._networks = networks

    async def run(self, request: Request) -> Answer:
        """See `Command.run`."""
        if request.portal is not None:
            return Answer.of("Linked to this room:", self._rows(request.portal))
        if not request.private:
            return Answer.of("No group is linked to this room.")
        if not request.rank.covers(Rank.ADMIN):
            raise Unfit("Write it in the room that it is about.")
        return self._everything()

    def _everything(self) -> Answer:
        portals = self._index().portals
        if not portals:
            return Answer.of("No room is linked to any group.")
        blocks: list[Block] = []
        for portal in portals[:_PORTALS_SHOWN]:
            blocks += [words("In ", portal_name(portal)), self._rows(portal)]
        if (more := len(portals) - _PORTALS_SHOWN) > 0:
            blocks.append(words(f"And {counted(more, 'room')} more."))
        return Answer.of(*blocks)

    def _rows(self, portal: Portal) -> list[Piece]:
        return [
            words(
                group_name(link.place, self._networks),
                f": {DIRECTIONS[link.direction]}; ",
                "from the configuration file" if link.from_config else "made with a command",
            )
            for link in portal.links
        ]
