"""!unlink: a link is taken away."""

from typing import ClassVar

from bridge.bot.answers import Answer, words
from bridge.bot.command import Manual, Request, Unfit
from bridge.bot.commands.places import Networks, group_name, group_place
from bridge.bot.permissions import Rank
from bridge.model import Place
from bridge.portals.service import Portals


class Unlink:
    """Takes a link away that was made with a command."""

    manual: ClassVar[Manual] = Manual(
        "unlink",
        "take a link away",
        needs=Rank.ADMIN,
        arguments="<network> <group>",
        most=2,
        details=(
            "What waits for the group is given up. What was said stays where it is.",
            "A link of the configuration file is taken away there.",
        ),
    )

    def __init__(self, portals: Portals, networks: Networks, prefix: str) -> None:
        self._portals = portals
        self._networks = networks
        self._prefix = prefix

    async def run(self, request: Request) -> Answer:
        """See `Command.run`."""
        if len(request.arguments) != 2:
            raise Unfit(
                "Tell me a network and a group.", f"Write {self.manual.usage(self._prefix)}."
            )
        network, name = request.arguments
        exact = self._portals.index.at(Place(network, name))  # the network itself may be gone
        group = Place(network, name) if exact else group_place(network, name, self._networks)
        await self._portals.unlink(group)
        return Answer.of(
            words(
                "No longer linked: ",
                group_name(group, self._networks),
                ". From now on nothing goes there, and nothing comes from there.",
            )
        )
