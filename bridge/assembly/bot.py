"""Puts the parts of the bot together, for `app`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bridge.bot.desk import Desk
from bridge.bot.parse import Grammar
from bridge.bot.permissions import Permissions
from bridge.bot.ports import KnownNetwork, Record, Retries
from bridge.bot.registry import MANUALS, Tools, make_commands
from bridge.bot.standing import Standing
from bridge.config.load import LoadedConfig
from bridge.contract import Capabilities
from bridge.health import HealthBoard
from bridge.matrix.bot_rooms import BotRooms
from bridge.matrix.client import ActingClient
from bridge.matrix.hearing import Hearing
from bridge.matrix.private_chats import PrivateChats
from bridge.model import Place
from bridge.portals.service import Portals
from bridge.store.database import Database


@dataclass(frozen=True, slots=True)
class Helpdesk:
    """What takes part in the bridge for the sake of commands.

    Attributes:
        hearing: tells what is said to the bot.
        desk: runs commands.
        chats: which rooms beside portals the bot is in.
    """

    hearing: Hearing
    desk: Desk
    chats: PrivateChats

    @classmethod
    def make(  # noqa: PLR0913 - what commands are about
        cls,
        loaded: LoadedConfig,
        client: ActingClient,
        *,
        database: Database,
        portals: Portals,
        retries: Retries,
        record: Record,
        capabilities: Callable[[Place], Capabilities],
        board: HealthBoard,
    ) -> "Helpdesk":
        """The bot for a configuration, acting through `client`."""
        config = loaded.config
        prefix, service = config.bot.prefix, config.appservice
        standing = Standing()
        board.watch(standing.note)
        rooms = BotRooms(client)
        permissions = Permissions.of(config.permissions, config.homeserver.domain)
        networks = {
            each.id: KnownNetwork(each.id, each.name, each.adapter.normalise)
            for each in loaded.networks.values()
        }
        grammar = Grammar(
            {manual.name: manual.most for manual in MANUALS.values()},
            prefix,
            (service.bot_name, service.bot, f"@{service.bot}", config.bot_id),
        )

        tools = Tools(
            database, portals, networks, standing, retries, rooms, record, capabilities, prefix
        )
        desk = Desk(
            database,
            lambda: portals.index,
            grammar,
            permissions,
            make_commands(tools),
            rooms,
            prefix,
        )
        return cls(
            Hearing(grammar, config.bot_id, portals.is_portal),
            desk,
            PrivateChats(client, rooms, permissions, portals.is_portal),
        )

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.desk.run())
            tasks.create_task(self.chats.run())
