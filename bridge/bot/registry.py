"""All commands. A new one is added to `MANUALS`, and made in `make_commands`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.bot.command import Command, Manual
from bridge.bot.commands.capabilities import Abilities
from bridge.bot.commands.confirm import Confirm
from bridge.bot.commands.direction import Redirect
from bridge.bot.commands.help import Help
from bridge.bot.commands.link import MakeLink
from bridge.bot.commands.links import Links
from bridge.bot.commands.places import Networks
from bridge.bot.commands.retry import Retry
from bridge.bot.commands.status import Status
from bridge.bot.commands.unlink import Unlink
from bridge.bot.ports import Record, Retries, Rooms
from bridge.bot.standing import Standing
from bridge.contract import Capabilities
from bridge.model import Place
from bridge.portals.service import Portals
from bridge.store.database import Database

MANUALS: Final[Mapping[str, Manual]] = {
    kind.manual.name: kind.manual
    for kind in (Help, Status, Links, Abilities, Retry, MakeLink, Unlink, Redirect, Confirm)
}
"""What people read about each command, in the order in which they are listed."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What commands work with; each is given only what it needs."""

    database: Database
    portals: Portals
    networks: Networks
    standing: Standing
    retries: Retries
    rooms: Rooms
    record: Record
    capabilities: Callable[[Place], Capabilities]
    prefix: str


def make_commands(tools: Tools) -> Mapping[str, Command]:
    """Every command, by name."""
    portals, networks, prefix = tools.portals, tools.networks, tools.prefix
    commands: Sequence[Command] = (
        Help(MANUALS, prefix),
        Status(tools.database, lambda: portals.index, tools.standing, networks, tools.record),
        Links(lambda: portals.index, networks),
        Abilities(networks, tools.capabilities),
        Retry(tools.retries, tools.rooms, tools.record),
        MakeLink(portals, networks, tools.rooms, prefix),
        Unlink(portals, networks, prefix),
        Redirect(portals, networks, prefix),
        Confirm(tools.database, networks),
    )
    return {command.manual.name: command for command in commands}
