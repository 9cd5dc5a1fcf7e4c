"""The recovery key: an admin sees it on a terminal, and nowhere else."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

import pytest
import yaml

from bridge.config.encryption import Encryption as Settings
from bridge.matrix.encryption.foundation import Foundation, found
from bridge.store.database import open_database
from bridge.store.migrate import upgrade

BOT = "@consilium:hospital.test"


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """A configuration as it is written for an admin, with encryption on."""
    path = tmp_path / "config.yaml"
    status, _ = await run(path, "init", "--domain", "hospital.test")
    assert status == 0
    content = yaml.safe_load(path.read_text())
    content["encryption"] = {"mode": "allow"}
    content["database"] = {"url": f"sqlite:///{tmp_path / 'consilium.db'}"}
    path.write_text(yaml.safe_dump(content))
    return path


async def run(path: Path, *words: str, stdout: int = PIPE) -> tuple[int, str]:
    """Run a command; its exit status, and what it wrote elsewhere than to a terminal."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "-c", str(path), *words),
        stdin=DEVNULL,
        stdout=stdout,
        stderr=STDOUT if stdout == PIPE else PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await child.communicate()
    return child.returncode or 0, (out or err or b"").decode()


async def made(config: Path) -> Foundation:
    """What the first start makes."""
    async with open_database(f"sqlite:///{config.parent / 'consilium.db'}") as database:
        await database.run(upgrade)
        settings = Settings.model_validate({"mode": "allow"})
        return await found(settings, config.parent, BOT, database)


async def test_it_is_shown_on_a_terminal(config: Path) -> None:
    recovery = (await made(config)).recovery
    master, slave = os.openpty()
    try:
        status, told = await run(config, "encryption", "recovery-key", stdout=slave)
        assert (status, told) == (0, "")
        shown = os.read(master, 1000).decode()
    finally:
        os.close(slave)
        os.close(master)
    assert shown.strip() == recovery.shown()


async def test_it_is_not_written_to_a_file(config: Path) -> None:
    recovery = (await made(config)).recovery
    status, told = await run(config, "encryption", "recovery-key")
    assert status == 2
    assert "on a terminal only" in told
    assert recovery.shown() not in told


async def test_before_the_first_start_there_is_none(config: Path) -> None:
    master, slave = os.openpty()
    try:
        status, told = await run(config, "encryption", "recovery-key", stdout=slave)
    finally:
        os.close(slave)
        os.close(master)
    assert status == 2
    assert "There is no recovery key yet" in told
    assert not (config.parent / "consilium.db").exists()
