"""How links, groups and rooms are named in answers, and which network a word stands for."""

from collections.abc import Mapping

from bridge.bot.answers import Piece, code, room_link, strong, words
from bridge.bot.command import Unfit
from bridge.bot.ports import KnownNetwork
from bridge.model import Direction, Place
from bridge.portals.service import Portal
from bridge.wording import listed, nearest

Networks = Mapping[str, KnownNetwork]
"""The networks of the configuration, by id."""

DIRECTIONS = {
    Direction.IN: "this room reads the group; nothing leaves this room",
    Direction.OUT: "the group reads this room; nothing comes in",
    Direction.BOTH: "both ways",
}


def group_name(place: Place, networks: Networks) -> Piece:
    """A group together with its network."""
    network = networks.get(place.network)
    shown = network.name if network else place.network
    return words(strong(shown), ", ", code(place.id))


def portal_name(portal: Portal) -> Piece:
    """A portal's room."""
    name = portal.room_name or (portal.room.id if portal.room else "?")
    return room_link(portal.room.id, name) if portal.room else words(name)


def group_place(network: str, group: str, networks: Networks) -> Place:
    """The group that two words stand for.

    Raises:
        Unfit: there is no such network, or no such group can be there.
    """
    known = networks.get(network.lower()) or _by_name(network, networks)
    if known is None:
        meant = nearest(network, networks)
        advice = f"Did you mean {meant}?" if meant else f"There are: {listed(networks)}."
        raise Unfit(f"I know no network {network}.", advice)
    try:
        return Place(known.id, known.normalise(group))
    except ValueError as error:
        raise Unfit(f"{group} can't be a group on {known.name}:", f"{error}") from error


def _by_name(name: str, networks: Networks) -> KnownNetwork | None:
    folded = name.casefold()
    return next((each for each in networks.values() if each.name.casefold() == folded), None)


def direction_of(word: str) -> Direction:
    """The direction that a word stands for.

    Raises:
        Unfit: it is none.
    """
    try:
        return Direction(word.lower())
    except ValueError:
        meant = nearest(word, [each.value for each in Direction])
        hint = f" Did you mean {meant}?" if meant else ""
        raise Unfit(f"{word} is no direction.", f"Write in, out or both.{hint}") from None
