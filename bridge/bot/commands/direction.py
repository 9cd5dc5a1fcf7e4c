"""!direction: which way a link carries."""

from typing import ClassVar

from bridge.bot.answers import Answer, words
from bridge.bot.command import Manual, Request, Unfit
from bridge.bot.commands.link import direction_told
from bridge.bot.commands.places import Networks, direction_of, group_name, group_place
from bridge.bot.permissions import Rank
from bridge.portals.service import Portals


class Redirect:
    """Changes which way a link carries that was made with a command."""

    manual: ClassVar[Manual] = Manual(
        "direction",
        "change which way a link carries",
        needs=Rank.ADMIN,
        arguments="<network> <group> <in|out|both>",
        most=3,
        details=(
            "in: the room reads the group. out: the group reads the room. both: both ways.",
            "A link of the configuration file is changed there.",
        ),
    )

    def __init__(self, portals: Portals, networks: Networks, prefix: str) -> None:
        self._portals = portals
        self._networks = networks
        self._prefix = prefix

    async def run(self, request: Request) -> Answer:
        """See `Command.run`."""
        if len(request.arguments) != 3:
            raise Unfit(
                "Tell me a network, a group and a direction.",
                f"Write {self.manual.usage(self._prefix)}.",
            )
        network, name, word = request.arguments
        group, direction = group_place(network, name, self._networks), direction_of(word)
        await self._portals.redirect(group, direction)
        return Answer.of(
            words(group_name(group, self._networks), f": {direction.value}."),
            direction_told(group, direction, self._prefix),
        )
