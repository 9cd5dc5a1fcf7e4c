"""A database that is away when the bridge starts is waited for; one that is wrong is not."""

import asyncio
import socket
import sqlite3
from pathlib import Path

import pytest
from core_stage import until
from sqlalchemy import Connection, text
from structlog.typing import EventDict

import bridge.store.database
from bridge.errors import StoreError
from bridge.operations.patience import patiently
from bridge.operations.systemd import Systemd
from bridge.store.database import open_database
from bridge.store.migrate import revisions, upgrade
from sandbox.postgres import Postgres

DELAY = 0.001


def waits(logged: list[EventDict]) -> list[str]:
    return [entry["reason"] for entry in logged if entry["event"] == "waiting_for_database"]


def _newer(connection: Connection) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num='9999'"))


async def test_a_locked_database_is_waited_for_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    monkeypatch.setattr(bridge.store.database, "_BUSY_SECONDS", 0.02)
    path = tmp_path / "consilium.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.setblocking(False)
        async with open_database(f"sqlite:///{path}") as database:
            attempts = 0

            async def work() -> None:
                nonlocal attempts
                attempts += 1
                await database.run(upgrade)

            with Systemd({"NOTIFY_SOCKET": supervisor.getsockname()}) as systemd:
                start = asyncio.create_task(patiently(work, systemd, first_delay=DELAY))
                await until(lambda: attempts >= 3)
                other.close()
                await start
            found, needed = await database.run(revisions)
            assert found == needed is not None
        (reason,) = waits(logged)
        assert "database is locked" in reason
        assert "let that end" in reason
        assert any(entry["event"] == "database_is_up" for entry in logged)
        told = supervisor.recv(4096).decode()
        assert told.startswith("STATUS=Waiting for the database. The database ")
        assert told.endswith("EXTEND_TIMEOUT_USEC=120000000")


async def test_a_postgresql_that_starts_later_than_the_bridge_is_waited_for(
    reachable: Path, logged: list[EventDict]
) -> None:
    async with Postgres(reachable / "late") as cluster:
        await cluster.stop()
        async with open_database(cluster.url()) as database:
            start = asyncio.create_task(patiently(database.claim, Systemd({}), first_delay=DELAY))
            await until(lambda: bool(waits(logged)))
            await cluster.start()
            await start
            await database.run(upgrade)
    assert "Connection refused" in waits(logged)[0]


async def test_a_database_that_can_not_be_used_at_all_is_told_at_once(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_database(f"sqlite:///{tmp_path}/missing/consilium.db") as database:
        with pytest.raises(StoreError, match="No such file or directory"):
            await patiently(database.claim, Systemd({}))
        with pytest.raises(StoreError, match="unable to open"):
            await patiently(lambda: database.run(upgrade), Systemd({}))
    assert waits(logged) == []


async def test_a_database_of_a_newer_version_or_of_another_bridge_is_told_at_once(
    empty_url: str, logged: list[EventDict]
) -> None:
    async with open_database(empty_url) as first, open_database(empty_url) as second:
        await patiently(first.claim, Systemd({}))
        await patiently(first.claim, Systemd({}))  # what is had already is no obstacle
        with pytest.raises(StoreError, match="Another bridge is running"):
            await patiently(second.claim, Systemd({}))
        await first.run(upgrade)
        await first.run(_newer)
        with pytest.raises(StoreError, match="newer version"):
            await patiently(lambda: first.run(upgrade), Systemd({}))
    assert waits(logged) == []
