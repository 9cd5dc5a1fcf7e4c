"""!capabilities: what the networks of this room can do."""

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Final

from bridge.bot.answers import Answer, Block, Piece, strong, words
from bridge.bot.command import Manual, Request, Unfit
from bridge.bot.commands.places import Networks, group_name
from bridge.contract import Capabilities, Feature, Level
from bridge.model import Place
from bridge.portals.service import Portal
from bridge.wording import listed

_OUT: Final = {
    Level.FULL: "Crosses as it is",
    Level.PARTLY: "Crosses in part",
    Level.OTHERWISE: "Is shown in another way",
    Level.REFUSED: "Does not cross",
}
_GROUPS_SHOWN: Final = 10


class Abilities:
    """Tells, for each group of the room, what arrives there and what comes from there."""

    manual: ClassVar[Manual] = Manual(
        "capabilities",
        "what the networks of this room can show",
        details=(
            "For each group: what arrives there, and how; and what does not come from there.",
            "What is shown in another way is a message: an edit a marked text, a file a link.",
        ),
    )

    def __init__(self, networks: Networks, capabilities: Callable[[Place], Capabilities]) -> None:
        self._networks = networks
        self._capabilities = capabilities

    async def run(self, request: Request) -> Answer:
        """See `Command.run`."""
        if request.portal is None:
            raise Unfit("Write it in a room that is linked to a group.")
        return Answer.of(*self._blocks(request.portal))

    def _blocks(self, portal: Portal) -> Iterable[Block]:
        for link in portal.links[:_GROUPS_SHOWN]:
            can = self._capabilities(link.place)
            yield strong(group_name(link.place, self._networks))
            rows: list[Piece] = []
            if link.direction.outward:
                rows += _rows({each: can.showing(each) for each in Feature}, can, _OUT)
            if link.direction.inward:
                missing = [each.value for each in Feature if can.hearing(each) is Level.REFUSED]
                if missing:
                    rows.append(words("Does not come from there: ", listed(missing)))
            yield rows


def _rows(
    levels: Mapping[Feature, Level], can: Capabilities, titles: Mapping[Level, str]
) -> list[Piece]:
    rows: list[Piece] = []
    for level, title in titles.items():
        named = [_named(each, can, level) for each in levels if levels[each] is level]
        if named:
            rows.append(words(f"{title}: ", listed(named)))
    return rows


def _named(feature: Feature, can: Capabilities, level: Level) -> str:
    """The feature; with what is to be known about it where it does not cross as it is."""
    note = can.notes.get(feature) if level is not Level.FULL else None
    return f"{feature.value} ({note})" if note else feature.value
