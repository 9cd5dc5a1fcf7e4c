"""Puts the parts together, starts them in order, and stops them in order."""

import asyncio
import os
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from bridge.assembly.bot import Helpdesk
from bridge.assembly.catch_up import CatchingUp
from bridge.assembly.delivering import Delivering, Outlets, keep_trying
from bridge.assembly.matrix_side import MatrixSide
from bridge.assembly.status import make_retry_reactions, make_status
from bridge.attendance.groups import Groups
from bridge.attendance.room_gaps import RoomGaps
from bridge.attendance.rooms import PortalRooms
from bridge.config.load import LoadedConfig
from bridge.contract import Network
from bridge.delivery.lane import KEEP_TRYING_MS
from bridge.delivery.lanes import Lanes
from bridge.delivery.recorder import Recorder
from bridge.delivery.retry import Retries
from bridge.errors import StoreError
from bridge.health import HealthBoard
from bridge.inlet import NetworkInlet
from bridge.matrix.avatars import Avatars, Drawable
from bridge.matrix.client import ActingClient
from bridge.matrix.connection import Connection
from bridge.matrix.convert import Converter
from bridge.matrix.encryption.service import Encryption
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.homeserver import Homeserver
from bridge.matrix.raw import JsonObject
from bridge.matrix.retry_reactions import RetryReactions
from bridge.matrix.rooms import Rooms
from bridge.matrix.server import AppserviceServer
from bridge.model import MATRIX, Place
from bridge.operations.console import Console, Instruments
from bridge.operations.metrics import Metrics, own_version
from bridge.operations.patience import patiently
from bridge.operations.pulse import Pulse
from bridge.operations.retention import Retention
from bridge.operations.systemd import Systemd
from bridge.operations.vitals import Vitals
from bridge.pictures.badge import Badge
from bridge.portals.service import PortalIndex, Portals, WantedPortal
from bridge.status.service import Status
from bridge.store import runs
from bridge.store.avatars import StoredAvatars
from bridge.store.database import Database, open_database
from bridge.store.migrate import upgrade
from bridge.transactions import Observer, Transactions

log = structlog.get_logger(__name__)

_FLUSH_SECONDS: Final = 2.0
_END_SECONDS: Final = 1.0


async def run(loaded: LoadedConfig) -> None:
    """Bridge until cancelled; then finish what is being sent, keep the rest, and return.

    Raises:
        ConsiliumError: it can't start, with what to do about it.
    """
    settings = loaded.config.database
    password = settings.password.get_secret_value() if settings.password else None
    log.info("starting", version=own_version())
    with Systemd(os.environ) as systemd:
        async with open_database(settings.url, password) as opened:
            metrics = Metrics((MATRIX, *loaded.networks))
            vitals = Vitals(opened, metrics.transacted)
            database = vitals.database
            await patiently(database.claim, systemd)
            await patiently(lambda: database.run(upgrade), systemd)
            crashed = await patiently(lambda: database.run(runs.begin), systemd)
            if crashed:
                log.info("last_run_ended_early", consequence="what is in doubt is looked up first")
            in_order = await _bridge(loaded, Instruments(metrics, vitals, systemd), crashed=crashed)
            if in_order:
                await _in_time(database.run(runs.end), _END_SECONDS, "the end of this run")
    log.info("stopped", in_doubt=not in_order)


async def _bridge(loaded: LoadedConfig, instruments: Instruments, *, crashed: bool) -> bool:
    """Run every part until cancelled. True if it ended in order, with nothing in doubt."""
    async with AsyncExitStack() as stack:
        parts = await _Parts.make(loaded, instruments, stack, crashed=crashed)
        await parts.prepare(loaded)
        return await parts.work(stack)


async def _in_time(work: Coroutine[Any, Any, None], seconds: float, what: str) -> bool:
    """Do a last piece of work on the database. False if it failed or took too long."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except (StoreError, TimeoutError) as error:
        log.warning("not_written_down", what=what, reason=str(error) or "The database is slow.")
        return False
    return True


@dataclass(slots=True)
class _Parts:
    """Every part that runs, and the order in which they start and stop."""

    database: Database
    board: HealthBoard
    portals: Portals
    delivering: Delivering
    side: MatrixSide
    networks: Mapping[str, Network]
    groups: Groups
    rooms: PortalRooms
    room_gaps: RoomGaps
    avatars: Avatars
    helpdesk: Helpdesk
    status: Status
    retry_reactions: RetryReactions
    server: AppserviceServer
    console: Console
    pulse: Pulse
    retention: Retention
    encryption: Encryption | None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    async def make(
        cls, loaded: LoadedConfig, instruments: Instruments, stack: AsyncExitStack, *, crashed: bool
    ) -> "_Parts":
        config, database = loaded.config, instruments.vitals.database
        board = HealthBoard()
        portals = Portals(database)
        names = {MATRIX: "Matrix"} | {each.id: each.name for each in loaded.networks.values()}
        outlets = Outlets({}, names)
        recorder = Recorder(database)
        ids = GhostIds(config)
        connection = await stack.enter_async_context(
            Connection(config.homeserver.url, config.appservice.as_token.get_secret_value())
        )
        bot = ActingClient(connection, config.bot_id, config.sender_id)
        encryption = await _encryption(loaded, bot, ids, database)
        status = make_status(
            loaded, bot, database=database, portals=portals, board=board,
            kept_ms=keep_trying(loaded),
        )  # fmt: skip
        console = Console.make(loaded, instruments, recorder, board, lambda: side.ghosts.held)
        delivering = await Delivering.make(
            loaded, stack, outlets=outlets, database=database, recorder=recorder, portals=portals,
            console=console, status=status, crashed=crashed,
        )  # fmt: skip
        lanes, intake = delivering.lanes, delivering.intake
        retries = Retries(intake, portals, lanes, recorder.flush)
        retries.watch(status.messages.retried)
        retry_reactions = make_retry_reactions(
            loaded, bot, ids, database=database, portals=portals, retries=retries
        )
        helpdesk = Helpdesk.make(
            loaded,
            bot,
            database=database,
            portals=portals,
            retries=retries,
            record=recorder.flush,
            capabilities=outlets.capabilities,
            board=board,
        )
        encrypts = config.encryption.mode.encrypts_new_rooms
        rooms = Rooms(bot, ids, helpdesk.chats.welcome, encrypted=encrypts)
        homeserver = Homeserver(config, bot)
        avatars = Avatars(bot, _pictures(loaded), StoredAvatars(database))
        catching_up = CatchingUp.make(loaded, database, portals, names)
        side = MatrixSide.make(
            bot, ids, database=database, portals=portals, board=board, avatars=avatars.uris,
            picture_of=delivering.files.faces.of, recorded=catching_up.past.copies.recorded,
            encryption=encryption,
        )  # fmt: skip
        portal_rooms = PortalRooms(homeserver, rooms, portals, intake, board, side.upgrades)
        outlets.by_network[MATRIX] = side.outlet
        echoes = _Echoes(lanes, outlets)
        catching_up.past.gaps.watch(status.unreadable.missed)
        networks = {
            each.id: each.adapter.create(
                network=each.id,
                name=each.name,
                settings=each.settings,
                inlet=NetworkInlet(
                    each.id,
                    intake,
                    board,
                    echoes.pass_by,
                    catching_up.past,
                    asides=delivering.asides,
                ),
            )
            for each in loaded.networks.values()
        }
        outlets.by_network.update(
            networks if encryption is None else encryption.gated(networks, names, config)
        )
        groups = Groups(database, networks, names, catching_up.limits, policies=delivering.policies)
        transactions = Transactions(
            Converter(ids, helpdesk.hearing, side.ghosts.behind),
            intake,
            _all(
                portal_rooms.observe,
                helpdesk.chats.observe,
                retry_reactions.observe,
                side.upgrades.observe,
            ),
            helpdesk.desk.offer,
            delivering.signals.take,
        )
        room_gaps = catching_up.room_gaps(bot, ids, transactions, intake, encryption)
        portal_rooms.watch(room_gaps.look)
        doors = [*console.doors(portal_rooms.ready), *delivering.files.doors]
        if encryption is None:
            server = AppserviceServer(config.appservice, transactions, doors)
        else:
            arrivals = await encryption.before(transactions, portals.is_portal)
            server = AppserviceServer(config.appservice, arrivals, doors, encryption.keys)
        board.watch(lanes.wake)
        return cls(
            database, board, portals, delivering, side, networks, groups, portal_rooms,
            room_gaps, avatars, helpdesk, status, retry_reactions, server, console,
            Pulse(homeserver.wait_until_up, board),
            _retention(loaded, database, instruments.metrics), encryption,
        )  # fmt: skip

    async def prepare(self, loaded: LoadedConfig) -> None:
        """Bring the database and the configuration together, before anything runs."""
        wanted, systemd = _wanted(loaded), self.console.instruments.systemd
        await patiently(lambda: self.database.run(self.delivering.relay.resume), systemd)
        await patiently(lambda: self.portals.configure(wanted), systemd)
        await patiently(self.delivering.lanes.resume, systemd)
        await patiently(lambda: self.database.run(self.console.backlog.load), systemd)
        follow = (self.delivering.lanes.follow, self.groups.follow, self.rooms.follow)
        for watcher in (*follow, self.console.backlog.follow, self.status.messages.follow):
            self.portals.watch(watcher)
            watcher(PortalIndex(), self.portals.index)
        self.console.resumed = True

    async def work(self, stack: AsyncExitStack) -> bool:
        """Start every part, from the inside to the outside, and run until cancelled."""
        in_order = False
        try:
            async with asyncio.TaskGroup() as group:
                self._start(group, "recorder", self.delivering.recorder.run())
                self._start(group, "lanes", self.delivering.lanes.run())
                self._start(group, "intake", self.delivering.intake.run())
                self._start(group, "signals", self.delivering.signals.run())
                self._start(group, "files", self.delivering.files.depot.run())
                await stack.enter_async_context(self.server)
                self._start(group, "console", self.console.run())
                for id_, network in self.networks.items():
                    self._start(group, f"network {id_}", network.run())
                self._start(group, "groups", self.groups.run())
                self._start(group, "rooms", self.rooms.run())
                self._start(group, "matrix side", self.side.run(self.rooms.until_ready))
                self._start(group, "room gaps", self.room_gaps.run())
                self._start(group, "helpdesk", self.helpdesk.run())
                self._start(group, "status", self.status.run(self.rooms.until_ready))
                self._start(group, "retry reactions", self.retry_reactions.run())
                self._start(group, "avatars", self.avatars.run(self.rooms.until_ready))
                self._start(group, "pulse", self.pulse.run(self.rooms.until_ready))
                self._start(group, "retention", self.retention.run())
                if self.encryption is not None:
                    self._start(group, "encryption", self.encryption.run(self.rooms.until_ready))
                in_order = await self._until_cancelled()
                for task in self.tasks:
                    task.cancel()
        finally:
            recorded = await _in_time(
                self.delivering.recorder.flush(), _FLUSH_SECONDS, "the last outcomes"
            )
        return in_order and recorded

    def _start(self, group: asyncio.TaskGroup, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(group.create_task(work, name=name))

    async def _until_cancelled(self) -> bool:
        """Wait; then let nothing new in and let the lanes finish what they are sending."""
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if any(_broke(task) for task in self.tasks):
                raise
        log.info("stopping")
        self.console.supervision.stopping()
        _, in_order = await asyncio.gather(self.server.stop(), self.delivering.lanes.stop())
        return in_order


@dataclass(frozen=True, slots=True)
class _Echoes:
    """Own copies that come back from adapters that can't recognise them."""

    lanes: Lanes
    outlets: Outlets

    async def pass_by(self, place: Place) -> None:
        """Wait until what may be coming back from this place is known."""
        if not self.outlets.capabilities(place).knows_own_copies:
            await self.lanes.in_hand(place)


async def _encryption(
    loaded: LoadedConfig, bot: ActingClient, ids: GhostIds, database: Database
) -> Encryption | None:
    """What has the bridge take part in encrypted rooms, if the configuration wants that."""
    settings = loaded.config.encryption
    if not settings.mode.on:
        return None
    directory = loaded.path.absolute().parent
    return await Encryption.make(settings, directory, bot, ids.owns, database)


def _all(*observers: Observer) -> Observer:
    """Several observers as one."""

    def observe(raw: JsonObject) -> None:
        for observer in observers:
            observer(raw)

    return observe


def _retention(loaded: LoadedConfig, database: Database, metrics: Metrics) -> Retention:
    spans = [link.keep_trying.milliseconds for link in loaded.config.links]
    return Retention(
        database,
        days=loaded.config.retention.days,
        longest_trying_ms=max([KEEP_TRYING_MS, *spans]),
        pruned=metrics.pruned,
    )


def _broke(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _pictures(loaded: LoadedConfig) -> Mapping[str, Drawable]:
    """The avatar of each network, and the bot's, as they are configured or else drawn."""
    service = loaded.config.appservice
    bot = service.bot_avatar or Badge.of(service.bot_name, service.bot)
    return {MATRIX: bot} | {
        each.id: loaded.config.networks[each.id].avatar or Badge.of(each.name, each.id)
        for each in loaded.networks.values()
    }


def _wanted(loaded: LoadedConfig) -> Sequence[WantedPortal]:
    return [
        WantedPortal(portal.room, {link.place: link.direction for link in portal.links})
        for portal in loaded.config.portals
    ]
