"""Puts the parts of encryption together, in the order in which they need each other."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import structlog
from sqlalchemy import Connection

from bridge.clock import now_ms
from bridge.config.encryption import DeviceRule, KeySource, Mode
from bridge.config.encryption import Encryption as Settings
from bridge.config.schema import Config
from bridge.contract import Network, Outlet, Unreachable
from bridge.errors import ConsiliumError, HomeserverError, StoreError
from bridge.matrix.client import ActingClient
from bridge.matrix.encryption.answering import Answering
from bridge.matrix.encryption.arrivals import Arrivals
from bridge.matrix.encryption.claims import Claims
from bridge.matrix.encryption.devices import Devices
from bridge.matrix.encryption.establish import (
    OLD_REGISTRATION,
    WRITE_ANEW,
    Establishing,
    bot_is_the_service,
)
from bridge.matrix.encryption.feed import Feed
from bridge.matrix.encryption.foundation import Foundation, found, wrong_key
from bridge.matrix.encryption.gate import Confirmations, GatedOutlet
from bridge.matrix.encryption.inbound import GroupSessions
from bridge.matrix.encryption.mending import Mending
from bridge.matrix.encryption.pairwise import Pairwise
from bridge.matrix.encryption.personas import Personas
from bridge.matrix.encryption.pushed import pushed_news
from bridge.matrix.encryption.rooms import EncryptedRooms
from bridge.matrix.encryption.seal import Sealing
from bridge.matrix.encryption.sharing import Recipients, Sharing
from bridge.matrix.encryption.syncing import Syncing
from bridge.matrix.encryption.telling import Telling
from bridge.matrix.encryption.unseal import Unsealing
from bridge.matrix.encryption.vault import WrongKeyError
from bridge.matrix.notices import MatrixNotices
from bridge.matrix.raw import JsonObject
from bridge.matrix.server import Keys, TransactionSink
from bridge.store import crypto_devices, crypto_sessions
from bridge.store.database import Database

log = structlog.get_logger(__name__)

_RETRY_SECONDS: Final = 15.0
_PUSHED_HELD: Final = 100
_DAY_SECONDS: Final = 86_400.0
_GIVEN_AGAIN_MS: Final = 30 * 86_400_000


@dataclass(slots=True)
class Encryption:
    """All of encryption, for `bridge.app`."""

    settings: Settings
    foundation: Foundation
    rooms: EncryptedRooms
    devices: Devices
    feed: Feed
    syncing: Syncing
    sealing: Sealing
    unsealing: Unsealing
    sessions: GroupSessions
    establishing: Establishing
    mending: Mending
    telling: Telling
    owns: Callable[[str], bool]
    database: Database
    pushed: deque[str]
    arrivals: Arrivals | None = None

    @classmethod
    async def make(
        cls,
        settings: Settings,
        directory: Path,
        bot: ActingClient,
        owns: Callable[[str], bool],
        database: Database,
    ) -> Self:
        """Open what was kept.

        Args:
            settings: the section of the configuration; its mode is on.
            directory: what relative paths in it are taken from.
            bot: the bot's client; what it and its likes send is encrypted from now on.
            owns: tells whether a user is the bot or a ghost.
            database: where everything is kept.

        Raises:
            ConfigError: the key is missing or wrong.
            StoreError: the database failed.
        """
        base = await found(settings, directory, bot.user_id, database)
        account, vault, ledger = base.account, base.vault, base.ledger
        rooms = EncryptedRooms(bot, owns, ledger)
        devices = Devices(bot, ledger)
        pairwise = Pairwise(account, vault, ledger)
        sessions = GroupSessions(database, vault, ledger)
        personas = Personas(bot, account, base.recovery, database, ledger)
        claims = Claims(bot, pairwise)
        recipients = Recipients(devices, signed_only=settings.devices is DeviceRule.SIGNED)
        answering = Answering(
            bot, database, vault, rooms, devices, recipients, claims, pairwise, personas, ledger
        )
        mending = Mending(bot, account, devices, claims, pairwise, personas, ledger, answering)
        sharing = Sharing(
            bot, account, personas, rooms, devices, recipients, claims, pairwise, vault, ledger
        )
        feed = Feed(bot, account, pairwise, sessions, devices, ledger, mending)
        telling = Telling(rooms, database, ledger, MatrixNotices(bot), mending.why_missing)
        mending.watch(telling.read)
        sealing = Sealing(account, rooms, sharing, personas, settings.mode)
        rooms.load(await database.run(crypto_devices.load_rooms))
        devices.load(
            await database.run(crypto_devices.load_users),
            await database.run(crypto_devices.load_devices),
        )
        try:
            pairwise.load(await database.run(crypto_sessions.load_olm))
        except WrongKeyError as error:
            raise wrong_key(settings.key_file) from error
        bot.seal = sealing
        return cls(
            settings,
            base,
            rooms,
            devices,
            feed,
            Syncing(bot, feed, base.since),
            sealing,
            Unsealing(account, sessions, devices, settings.devices),
            sessions,
            Establishing(bot, account, base.recovery, personas, feed),
            mending,
            telling,
            owns,
            database,
            deque(maxlen=_PUSHED_HELD),
        )

    async def before(self, inner: TransactionSink, is_portal: Callable[[str], bool]) -> Arrivals:
        """What decrypts for the way in.

        Args:
            inner: where decrypted events go.
            is_portal: whether a room is that of a portal.

        Raises:
            StoreError: the database failed.
        """
        required = self.settings.mode is Mode.REQUIRE
        arrivals = Arrivals(
            inner,
            self.unsealing,
            self.rooms,
            self.owns,
            self.database,
            is_portal if required else lambda _: False,
        )
        await arrivals.load()
        self.sessions.watch(arrivals.key_came)
        arrivals.watch(self.mending.late, self.telling.read)
        arrivals.watch(self.telling.late, lambda _: None)
        self.arrivals = arrivals
        return arrivals

    def gated(
        self, networks: Mapping[str, Network], names: Mapping[str, str], config: Config
    ) -> Mapping[str, Outlet]:
        """The networks, to which nothing of an encrypted room goes before that was confirmed."""
        confirmed = [link.place for link in config.links if link.encryption]
        confirmations = Confirmations(confirmed, self.database)
        command = f"{config.bot.prefix}confirm"
        return {
            id_: GatedOutlet(network, id_, names.get(id_, id_), command, self.rooms, confirmations)
            for id_, network in networks.items()
        }

    @property
    def keys(self) -> Keys | None:
        """What takes keys from transactions, if the configuration has them pushed."""
        return self._pushed if self.settings.keys is KeySource.PUSH else None

    async def _pushed(self, txn_id: str, body: JsonObject) -> None:
        """Take what a transaction holds for the bot's device; harmless when it is repeated."""
        if txn_id in self.pushed:
            return
        news = pushed_news(body, self.foundation.account.bot)
        await self.feed.take(news)
        self.pushed.append(txn_id)
        if news.wants_keys and self.sealing.is_open:
            self.mending.top_up(self.feed, news)

    async def opened(self, events: Sequence[JsonObject]) -> Sequence[JsonObject]:
        """What was found in a room's past, decrypted; what can't be waits for its key.

        Raises:
            StoreError: the database failed.
        """
        return events if self.arrivals is None else await self.arrivals.open_past(events)

    async def run(self, until_ready: Callable[[], Awaitable[None]]) -> None:
        """Work until cancelled.

        Args:
            until_ready: returns once the homeserver and the bridge know each other.

        Raises:
            HomeserverError: the homeserver does not let the bot's device be signed, and the
                configuration requires that.
        """
        async with asyncio.TaskGroup() as group:
            if self.arrivals is not None:
                group.create_task(self.arrivals.run(), name="encrypted arrivals")
                group.create_task(self.telling.run(), name="encryption notices")
            group.create_task(self._open(until_ready), name="encryption")

    async def _open(self, until_ready: Callable[[], Awaitable[None]]) -> None:
        await until_ready()
        while True:
            if await self._established():
                break
            await asyncio.sleep(_RETRY_SECONDS)
        if self.settings.keys is KeySource.PUSH:
            self.devices.all_changed()  # Synapse does not push again what it could not push
        self.sealing.open()
        log.info("encryption_ready", device=self.foundation.account.bot.device_id)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.mending.run(), name="mending")
            group.create_task(self._tidy(), name="encryption tidying")
            if self.settings.keys is KeySource.SYNC:
                group.create_task(self.syncing.run(), name="key sync")

    async def _reason(self, error: ConsiliumError) -> str:
        if self.settings.keys is KeySource.SYNC and isinstance(error, Unreachable):
            try:
                if await bot_is_the_service(self.feed.bot):
                    return f"{OLD_REGISTRATION} {WRITE_ANEW}"
            except Unreachable as unreachable:
                return str(unreachable)
        return str(error)

    async def _tidy(self) -> None:
        """Forget, once a day, to whom old keys were given: nobody is given them again."""
        while True:
            try:
                await self.database.run(_forget_old_shares)
            except StoreError as error:
                log.warning("encryption_not_tidied", reason=str(error))
            await asyncio.sleep(_DAY_SECONDS)

    async def _established(self) -> bool:
        """Whether the bot's device is there now, and all news is in.

        Raises:
            HomeserverError: it can't be there or be signed, and must be.
        """
        required = self.settings.mode is Mode.REQUIRE
        try:
            standing = await self.establishing.establish()
            if self.settings.keys is KeySource.SYNC and standing.known:
                await self.syncing.step(wait_ms=0)
        except ConsiliumError as error:
            if required and isinstance(error, HomeserverError):
                raise
            log.warning("encryption_waits", reason=await self._reason(error))
            return False
        if required and not standing.signed:
            raise HomeserverError(
                "The bot's device is not signed by its own identity, which mode: require asks for.",
                "Write the registration anew with: consilium registration; and restart the"
                " homeserver.",
            )
        return standing.known


def _forget_old_shares(connection: Connection) -> None:
    crypto_sessions.drop_own(connection, now_ms() - _GIVEN_AGAIN_MS)
