"""The key of the installation: made once, and a wrong one opens and overwrites nothing."""

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from bridge.config.encryption import Encryption, Mode
from bridge.errors import ConfigError
from bridge.matrix.encryption.foundation import Foundation, found
from bridge.matrix.encryption.recovery_key import RecoveryKey
from bridge.store import crypto_values
from bridge.store.database import Database

BOT = "@consilium:hospital.test"


async def opened(database: Database, directory: Path, **more: object) -> Foundation:
    settings = Encryption.model_validate({"mode": "allow"} | more)
    assert settings.mode is Mode.ALLOW
    return await found(settings, directory, BOT, database)


async def test_what_is_made_at_the_first_start_is_there_at_the_next(
    database: Database, tmp_path: Path
) -> None:
    first = await opened(database, tmp_path)
    again = await opened(database, tmp_path)
    assert again.account.signing_key == first.account.signing_key
    assert again.account.bot == first.account.bot
    assert again.recovery.bytes == first.recovery.bytes


async def test_the_key_is_in_its_file_alone_which_only_its_owner_reads(
    database: Database, tmp_path: Path
) -> None:
    base = await opened(database, tmp_path)
    file = tmp_path / "encryption.key"
    assert file.stat().st_mode & 0o777 == 0o600
    values = await database.run(crypto_values.load)
    kept = b"".join(values.values())
    written = file.read_text().splitlines()[-1]
    assert base64.b64decode(written) not in kept
    assert base.recovery.bytes not in kept


async def test_a_wrong_key_is_told_and_nothing_is_overwritten(
    database: Database, tmp_path: Path
) -> None:
    await opened(database, tmp_path)
    before = await database.run(crypto_values.load)
    right = (tmp_path / "encryption.key").read_text()
    (tmp_path / "encryption.key").write_text(base64.b64encode(bytes(32)).decode())
    with pytest.raises(ConfigError, match="is not the one") as refusal:
        await opened(database, tmp_path)
    assert "nothing was changed" in refusal.value.advice
    assert await database.run(crypto_values.load) == before

    (tmp_path / "encryption.key").write_text(right)
    await opened(database, tmp_path)


async def test_a_missing_key_is_told_and_none_is_made_in_its_place(
    database: Database, tmp_path: Path
) -> None:
    await opened(database, tmp_path)
    (tmp_path / "encryption.key").unlink()
    with pytest.raises(ConfigError, match="is missing"):
        await opened(database, tmp_path)
    assert not (tmp_path / "encryption.key").exists()


async def test_the_key_may_stand_in_the_configuration(database: Database, tmp_path: Path) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    await opened(database, tmp_path, key=key)
    await opened(database, tmp_path, key=key)
    assert not (tmp_path / "encryption.key").exists()
    with pytest.raises(ConfigError, match=r"The key in encryption\.key is not the one"):
        await opened(database, tmp_path, key=base64.b64encode(bytes(32)).decode())


async def test_a_file_without_a_key_is_told(database: Database, tmp_path: Path) -> None:
    (tmp_path / "encryption.key").write_text("a note to myself\n")
    with pytest.raises(ConfigError, match="holds no encryption key"):
        await opened(database, tmp_path)


async def test_a_recovery_key_from_before_gives_a_new_database_the_same_identities(
    database: Database, tmp_path: Path
) -> None:
    before = RecoveryKey.make()
    first = await opened(database, tmp_path, recovery_key=before.shown())
    assert first.recovery.bytes == before.bytes
    assert (await opened(database, tmp_path)).recovery.bytes == before.bytes


async def test_another_recovery_key_than_that_of_the_database_is_told(
    database: Database, tmp_path: Path
) -> None:
    first = await opened(database, tmp_path)
    with pytest.raises(ConfigError, match=r"recovery_key is another"):
        await opened(database, tmp_path, recovery_key=RecoveryKey.make().shown())
    assert (await opened(database, tmp_path)).recovery.bytes == first.recovery.bytes


def test_a_recovery_key_with_a_slip_is_told_and_not_repeated() -> None:
    shown = RecoveryKey.make().shown()
    slipped = shown[:-1] + ("2" if shown[-1] != "2" else "3")
    with pytest.raises(ValidationError, match="slip") as refusal:
        Encryption.model_validate({"recovery_key": slipped})
    assert slipped not in str(refusal.value)
