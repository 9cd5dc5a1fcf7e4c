"""Tries encryption: does the key fit, and is the bot's device known and signed?"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlalchemy.engine import make_url

from bridge.config.encryption import KeySource
from bridge.config.load import LoadedConfig
from bridge.contract import Finding
from bridge.matrix.client import ActingClient
from bridge.matrix.connection import Connection as Homeserver
from bridge.matrix.encryption.establish import (
    OLD_REGISTRATION,
    WRITE_ANEW,
    Standing,
    bot_is_the_service,
    standing_of,
)
from bridge.matrix.encryption.foundation import Foundation, existing
from bridge.store.crypto_tables import crypto_values
from bridge.store.database import open_database


async def encryption(loaded: LoadedConfig) -> Sequence[Finding]:
    """Open what is kept by the key, and ask the homeserver about the device; nothing is made.

    Raises:
        ConfigError: the key is missing or wrong.
        StoreError: the database can't be read.
        Refused: the homeserver does not let the bot ask.
        Unreachable: the homeserver can't be asked now.
    """
    config = loaded.config
    if not config.encryption.mode.on:
        return ()
    base = await kept(loaded)
    if base is None:
        return [_finding("It is set up at the first start.", ok=True)]
    token = config.appservice.as_token.get_secret_value()
    async with Homeserver(config.homeserver.url, token) as homeserver:
        bot = ActingClient(homeserver, config.bot_id, config.sender_id)
        if config.encryption.keys is KeySource.SYNC and await bot_is_the_service(bot):
            return [_finding(OLD_REGISTRATION, WRITE_ANEW)]
        return [_told(await standing_of(bot, base.account, base.recovery), base)]


async def kept(loaded: LoadedConfig) -> Foundation | None:
    """What encryption rests on, None if it is not made yet; nothing is made.

    Raises:
        ConfigError: the key is missing or wrong.
        StoreError: the database can't be read.
    """
    config = loaded.config
    settings = config.database
    if not _may_exist(settings.url):
        return None
    password = settings.password.get_secret_value() if settings.password else None
    async with open_database(settings.url, password) as database:
        if not await database.run(_has_tables):
            return None
        directory = loaded.path.absolute().parent
        return await existing(config.encryption, directory, config.bot_id, database)


def _may_exist(url: str) -> bool:
    """Whether there may be a database: an SQLite file would be made by looking for it."""
    parsed = make_url(url)
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").exists()


def _has_tables(connection: Connection) -> bool:
    return inspect(connection).has_table(crypto_values.name)


def _told(standing: Standing, base: Foundation) -> Finding:
    device = base.account.bot.device_id
    if standing.signed:
        return _finding(f"The bot's device {device} is known and cross-signed.", ok=True)
    if standing.known:
        return _finding(
            f"The bot's device {device} is not cross-signed: strict clients won't read the bridge.",
            "Write the registration anew, restart the homeserver, then the bridge.",
        )
    return _finding(
        f"The homeserver does not know the bot's device {device}.",
        "Start the bridge: it makes its device anew.",
    )


def _finding(sentence: str, advice: str = "", *, ok: bool = False) -> Finding:
    return Finding(ok=ok, subject="encryption", sentence=sentence, advice=advice)
