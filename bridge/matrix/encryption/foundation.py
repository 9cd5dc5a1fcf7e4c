"""What encryption rests on: the key of the installation, and what was kept by it.

Everything that opens a sealed value does it here, before anything is written: so a wrong key is
told, and nothing is overwritten.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vodozemac import Account as Ratchets

from bridge.config.encryption import Encryption as Settings
from bridge.errors import ConfigError
from bridge.matrix.encryption.account import ACCOUNT, Account, Owner
from bridge.matrix.encryption.feed import SINCE
from bridge.matrix.encryption.key_file import make_key, parse_key, read_key
from bridge.matrix.encryption.ledger import Ledger
from bridge.matrix.encryption.recovery_key import RecoveryKey
from bridge.matrix.encryption.vault import Vault, WrongKeyError
from bridge.store import crypto_values
from bridge.store.database import Database

RECOVERY: Final = "recovery"
DEVICE: Final = "device"

_CHECK: Final = "check"
_CHECKED: Final = b"consilium"


@dataclass(frozen=True, slots=True)
class Foundation:
    """What there is one of. `since`: where an earlier run's feed has come to."""

    vault: Vault
    ledger: Ledger
    account: Account
    recovery: RecoveryKey
    since: str


async def found(settings: Settings, directory: Path, bot_id: str, database: Database) -> Foundation:
    """Open what was kept, or make it at the first start.

    Args:
        settings: the section of the configuration.
        directory: what a relative path of the key's file is taken from.
        bot_id: the bot's user id.
        database: where it is kept.

    Raises:
        ConfigError: the key is missing or wrong.
        StoreError: the database failed.
    """
    if (kept := await existing(settings, directory, bot_id, database)) is not None:
        return kept
    path = directory / settings.key_file
    vault = Vault(_given(settings, path) or make_key(path))
    values = _new(vault, _wanted(settings) or RecoveryKey.make())
    await database.run(lambda c: crypto_values.save_new(c, values))
    return _opened(vault, values, bot_id, Ledger(database))


async def existing(
    settings: Settings, directory: Path, bot_id: str, database: Database
) -> Foundation | None:
    """Open what was kept; as `found`, but nothing is made. None if nothing was kept."""
    values = await database.run(crypto_values.load)
    if _CHECK not in values:
        return None
    path = directory / settings.key_file
    key = _given(settings, path)
    if key is None:
        raise ConfigError(
            f"The encryption key is missing: there is no file {path}.",
            "Restore it from a backup; without it, what the database holds can't be opened.",
        )
    try:
        opened = _opened(Vault(key), values, bot_id, Ledger(database))
    except WrongKeyError as error:
        raise wrong_key("encryption.key" if settings.key else str(path)) from error
    wanted = _wanted(settings)
    if wanted is not None and wanted.bytes != opened.recovery.bytes:
        raise ConfigError(
            "encryption.recovery_key is another than that of this database.",
            "Take it out of the configuration: it is for the first start with a new database.",
        )
    return opened


def wrong_key(where: str) -> ConfigError:
    """The key does not open what was kept."""
    return ConfigError(
        f"The key in {where} is not the one that the database's secrets were sealed with.",
        "Put back the key that belongs to this database; nothing was changed.",
    )


def _given(settings: Settings, path: Path) -> bytes | None:
    if settings.key is not None:
        return parse_key(settings.key.get_secret_value())
    return read_key(path)


def _wanted(settings: Settings) -> RecoveryKey | None:
    if settings.recovery_key is None:
        return None
    return RecoveryKey.parse(settings.recovery_key.get_secret_value())


def _new(vault: Vault, recovery: RecoveryKey) -> dict[str, bytes]:
    return {
        _CHECK: vault.seal(_CHECKED),
        RECOVERY: vault.seal(recovery.bytes),
        DEVICE: f"CONSILIUM_{secrets.token_hex(5).upper()}".encode(),
        ACCOUNT: Ratchets().pickle(vault.pickle_key).encode(),
    }


def _opened(vault: Vault, values: Mapping[str, bytes], bot_id: str, ledger: Ledger) -> Foundation:
    vault.open(values[_CHECK])
    recovery = RecoveryKey(vault.open(values[RECOVERY]))
    ratchets = Account.opened(values[ACCOUNT].decode(), vault)
    bot = Owner(bot_id, values[DEVICE].decode())
    account = Account(ratchets, vault, ledger, bot)
    return Foundation(vault, ledger, account, recovery, values.get(SINCE, b"").decode())
