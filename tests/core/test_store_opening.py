"""A database is opened, migrated, claimed, and refused in plain words."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from traceback import format_exception

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, text

import bridge.store.database
from bridge.errors import StoreError, StoreUnavailableError, UnstorableError
from bridge.model import Place
from bridge.store import places, tables
from bridge.store.database import Database, open_database
from bridge.store.migrate import revisions, upgrade
from sandbox.ports import free_port
from sandbox.postgres import Postgres


def _ask(connection: Connection) -> int:
    return int(connection.scalar(text("SELECT 1")) or 0)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a while: for root, nothing is read-only."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


async def test_the_migrations_make_exactly_the_tables(empty_url: str) -> None:
    def difference(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, tables.metadata))

    async with open_database(empty_url) as database:
        assert await database.run(difference) != []
        await database.run(upgrade)
        assert await database.run(difference) == []


async def test_upgrading_a_current_database_changes_nothing(database: Database) -> None:
    await database.run(lambda c: places.intern(c, [Place("n", "p")]))
    await database.run(upgrade)
    found, needed = await database.run(revisions)
    assert found == needed is not None
    assert await database.run(places.load) == {Place("n", "p"): 1}


async def test_a_database_of_a_newer_version_is_refused(empty_url: str) -> None:
    newer = text("UPDATE alembic_version SET version_num='9999'")
    async with open_database(empty_url) as database:
        await database.run(upgrade)
        await database.run(lambda c: c.execute(newer))
        with pytest.raises(StoreError, match="newer version of Consilium") as refusal:
            await database.run(upgrade)
    assert refusal.value.advice


async def test_an_upgrade_that_breaks_leaves_nothing_behind(empty_url: str) -> None:
    def half(connection: Connection) -> None:
        upgrade(connection)
        raise RuntimeError("broken halfway")

    async with open_database(empty_url) as database:
        with pytest.raises(RuntimeError):
            await database.run(half)
        assert (await database.run(revisions))[0] is None
        await database.run(upgrade)


async def test_only_one_bridge_runs_on_a_database(url: str) -> None:
    async with open_database(url) as first:
        await first.claim()
        async with open_database(url) as second:
            with pytest.raises(StoreError, match="Another bridge is running"):
                await second.claim()
        async with open_database(url) as third:
            with pytest.raises(StoreError, match="Another bridge is running"):
                await third.claim()
    async with open_database(url) as later:
        await later.claim()


async def test_what_a_work_raises_undoes_it(database: Database) -> None:
    def work(connection: Connection) -> None:
        places.intern(connection, [Place("n", "p")])
        raise LookupError

    with pytest.raises(LookupError):
        await database.run(work)
    assert await database.run(places.load) == {}


async def test_what_the_database_can_not_take_is_told_apart_from_its_faults(
    database: Database,
) -> None:
    def twice(connection: Connection) -> None:
        for _ in range(2):
            connection.execute(insert(tables.places), {"network": "n", "ident": "secret"})

    with pytest.raises(UnstorableError) as refusal:
        await database.run(twice)
    assert "secret" not in "".join(format_exception(refusal.value))
    assert await database.run(_ask) == 1


# --- SQLite ---


async def _refusal(url: str, password: str | None = None) -> StoreError:
    async with open_database(url, password) as database:
        with pytest.raises(StoreError) as refusal:
            await database.run(_ask)
    assert refusal.value.advice
    assert "\n" not in str(refusal.value)
    return refusal.value


async def _lasting_refusal(url: str, password: str | None = None) -> StoreError:
    refusal = await _refusal(url, password)
    assert not isinstance(refusal, StoreUnavailableError)
    return refusal


async def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/consilium.db"
    assert "unable to open database file" in str(await _lasting_refusal(url))
    async with open_database(url) as database:
        with pytest.raises(StoreError, match="No such file or directory"):
            await database.claim()


async def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    assert "unable to open" in str(await _refusal(f"sqlite:///{tmp_path}"))


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes, and not at all a database " * 100)
    assert "file is not a database" in str(await _lasting_refusal(f"sqlite:///{path}"))


async def test_a_file_that_can_only_be_read_is_told(reachable: Path) -> None:
    path = reachable / "readonly.db"
    sqlite3.connect(path).close()
    path.write_bytes(b"")
    path.chmod(0o444)
    with unprivileged():
        refusal = await _refusal(f"sqlite:///{path}")
        async with open_database(f"sqlite:///{path}") as database:
            with pytest.raises(StoreError, match="Permission denied"):
                await database.claim()
    assert "readonly" in str(refusal)


async def test_a_lock_held_elsewhere_for_a_while_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "consilium.db"
    async with open_database(f"sqlite:///{path}") as database:
        await database.run(upgrade)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        work = asyncio.create_task(database.run(_ask))
        await asyncio.wait({work}, timeout=0.05)
        assert not work.done()
        other.execute("COMMIT")
        assert await work == 1
        other.close()


async def test_a_lock_that_is_never_given_back_is_told_and_got_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge.store.database, "_BUSY_SECONDS", 0.02)
    path = tmp_path / "consilium.db"
    async with open_database(f"sqlite:///{path}") as database:
        await database.run(upgrade)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="database is locked"):
            await database.run(_ask)
        other.close()
        assert await database.run(_ask) == 1


async def test_a_full_disk_is_told_and_got_over(tmp_path: Path) -> None:
    def fill(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO meta VALUES ('big', :value)"), {"value": "x" * 1_000_000}
        )

    async with open_database(f"sqlite:///{tmp_path / 'consilium.db'}") as database:
        await database.run(upgrade)
        await database.run(lambda c: c.exec_driver_sql("PRAGMA max_page_count=40"))
        with pytest.raises(StoreUnavailableError, match="database or disk is full"):
            await database.run(fill)
        await database.run(lambda c: c.exec_driver_sql("PRAGMA max_page_count=100000"))
        await database.run(fill)


async def test_a_transaction_that_can_not_even_be_undone_is_got_over(tmp_path: Path) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO meta VALUES ('half', 'done')"))
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        raise LookupError

    def count(connection: Connection) -> int:
        return int(connection.scalar(text("SELECT count(*) FROM meta")) or 0)

    async with open_database(f"sqlite:///{tmp_path / 'consilium.db'}") as database:
        await database.run(upgrade)
        with pytest.raises(StoreError, match="not authorized"):
            await database.run(work)
        assert await database.run(count) == 0


# --- PostgreSQL ---


async def test_a_wrong_password_is_told(postgres: Postgres) -> None:
    url = f"postgresql://{postgres.user}@127.0.0.1:{postgres.port}/postgres"
    refusal = str(await _lasting_refusal(url, "not-the-password"))
    assert "password authentication failed" in refusal
    assert "not-the-password" not in refusal


async def test_a_password_given_apart_is_used(postgres: Postgres) -> None:
    url = f"postgresql://{postgres.user}@127.0.0.1:{postgres.port}/postgres?sslmode=prefer"
    async with open_database(url, postgres.password) as database:
        assert await database.run(_ask) == 1


async def test_a_missing_database_is_told(postgres: Postgres) -> None:
    assert 'database "nowhere" does not exist' in str(
        await _lasting_refusal(postgres.url("nowhere"))
    )


async def test_a_port_where_nothing_listens_is_told() -> None:
    url = f"postgresql://someone:secret-word@127.0.0.1:{free_port()}/consilium"
    refusal = str(await _refusal(url))
    assert "Connection refused" in refusal
    assert "secret-word" not in refusal
    async with open_database(url) as database:
        with pytest.raises(StoreUnavailableError, match="Connection refused"):
            await database.claim()


async def test_a_host_that_does_not_exist_is_told() -> None:
    assert "database" in str(await _refusal("postgresql://someone@nowhere.invalid/consilium"))


@pytest.mark.parametrize(
    "url",
    [
        "no url at all",
        "postgresql://host:port/name",
        "postgresql://someone@127.0.0.1/name?colour=red",
    ],
)
async def test_a_url_that_makes_no_sense_is_told(url: str) -> None:
    with pytest.raises(StoreError) as refusal:
        async with open_database(url):
            pass
    assert refusal.value.advice


async def test_a_connection_cut_by_the_server_is_got_over(
    postgres: Postgres, reachable: Path
) -> None:
    async with open_database(postgres.url()) as database:
        with pytest.raises(StoreError, match="terminat"):
            await database.run(
                lambda c: c.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            )
        assert await database.run(_ask) == 1


@asynccontextmanager
async def ending_at_once() -> AsyncIterator[str]:
    """What PostgreSQL is like when it is stopped just after it let someone in: it says so, unasked,
    and hangs up a moment later.
    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4) + body

    farewell = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
    settings = (b"server_version\x0016.1\0", b"client_encoding\0UTF8\0")
    welcome = message(b"R", bytes(4)) + b"".join(message(b"S", each) for each in settings)
    welcome += message(b"K", bytes(8)) + message(b"Z", b"I")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
        writer.write(welcome + message(b"E", farewell))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"postgresql://someone@127.0.0.1:{port}/consilium?sslmode=disable"


async def test_a_server_that_ends_while_it_is_spoken_to_is_told_in_plain_words() -> None:
    async with ending_at_once() as url, open_database(url) as database:
        for work in (lambda: database.run(_ask), database.claim):
            with pytest.raises(StoreUnavailableError) as refusal:
                await work()
            assert "switch to state" not in str(refusal.value)
            assert refusal.value.advice


async def test_a_restart_of_the_server_is_got_over_and_the_claim_is_made_anew(
    reachable: Path,
) -> None:
    async with (
        Postgres(reachable / "restarted") as cluster,
        open_database(cluster.url()) as first,
        open_database(cluster.url()) as second,
    ):
        await first.claim()
        await cluster.stop()
        with pytest.raises(StoreUnavailableError):
            await first.run(_ask)
        await cluster.start()
        assert await first.run(_ask) == 1
        with pytest.raises(StoreError, match="Another bridge is running"):
            await second.claim()


async def test_a_bridge_whose_claim_another_one_has_taken_does_nothing_more(
    reachable: Path,
) -> None:
    async with (
        Postgres(reachable / "taken") as cluster,
        open_database(cluster.url()) as first,
        open_database(cluster.url()) as second,
    ):
        await first.claim()
        await cluster.restart()
        await second.claim()
        with pytest.raises(StoreError, match="Another bridge is running"):
            await first.run(_ask)
