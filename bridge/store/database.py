"""One database, SQLite or PostgreSQL, behind one door: `Database.run`.

A unit of work is a plain function of a SQLAlchemy `Connection` and runs in one transaction. On
PostgreSQL it runs on SQLAlchemy's asyncio engine (asyncpg). On SQLite it runs whole on the one
thread that owns the file: the asyncio driver would hand over to such a thread for every single
statement, which cost 1.3 ms of CPU for each relayed message where this costs 0.55 ms.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Protocol, TypeVar

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bridge.errors import StoreError

T = TypeVar("T")

_CONNECT_SECONDS = 10
_BUSY_SECONDS = 30
_ADVISORY_LOCK = 0x636F6E73  # "cons"; one bridge per PostgreSQL database


class Database(Protocol):
    """What the rest of the bridge sees of a database."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction: committed when it returns, undone when it raises.

        Raises:
            StoreError: the database failed; nothing of `work` is stored.
        """
        ...

    async def claim(self) -> None:
        """Make this process the only bridge on this database, until `close`.

        Raises:
            StoreError: another bridge runs on it.
        """
        ...

    async def close(self) -> None:
        """Give back every connection."""
        ...


@asynccontextmanager
async def open_database(url: str, password: str | None = None) -> AsyncIterator[Database]:
    """Open the database at `url` (`sqlite:///path` or `postgresql://…`); close it at the end.

    Raises:
        StoreError: the URL can't be read.
    """
    database = _make(url, password)
    try:
        yield database
    finally:
        await database.close()


def _make(url: str, password: str | None) -> Database:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError("The database URL can't be read.", "Write sqlite:///file.db.") from error
    if password is not None:
        parsed = parsed.set(password=password)
    if parsed.get_backend_name() == "sqlite":
        return _SqliteDatabase(parsed)
    return _PostgresDatabase(parsed)


class _SqliteDatabase:
    """One file, one thread, one connection that lives as long as this object."""

    def __init__(self, url: URL) -> None:
        self._path = Path(url.database or "consilium.db")
        self._engine: Engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
        event.listen(self._engine, "connect", _set_pragmas)
        event.listen(self._engine, "begin", _begin_immediate)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="consilium-db")
        self._claim: IO[str] | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)

    def _work(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            raise StoreError(
                f"The database {self._path} failed: {_reason(error)}.",
                "Check that the disk is not full and that the file can be written.",
            ) from error

    async def claim(self) -> None:
        lock = self._path.with_name(self._path.name + ".lock")
        try:
            self._claim = lock.open("w")
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                f"Another bridge is running on the database {self._path}.", "Stop it first."
            ) from error
        except OSError as error:
            raise StoreError(
                f"The file {lock} can't be written: {error.strerror}.",
                "Give the bridge's user write access to the database's folder.",
            ) from error

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=True)
        if self._claim is not None:
            self._claim.close()


def _set_pragmas(connection: object, _record: object) -> None:
    # WAL with FULL: a commit is on disk when it returns (https://sqlite.org/pragma.html).
    # Transactions are begun by hand, as SQLAlchemy advises for sqlite3's legacy mode.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-8000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class _PostgresDatabase:
    def __init__(self, url: URL) -> None:
        self._shown = url.render_as_string(hide_password=True)
        self._engine: AsyncEngine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=4,
            max_overflow=2,
            pool_pre_ping=True,
            connect_args={"timeout": _CONNECT_SECONDS, "command_timeout": _BUSY_SECONDS},
        )
        self._claim: AsyncConnection | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        try:
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise self._failed(error) from error

    async def claim(self) -> None:
        try:
            self._claim = await self._engine.connect()
            taken = await self._claim.scalar(
                text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK}
            )
            await self._claim.commit()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise self._failed(error) from error
        if not taken:
            raise StoreError(
                f"Another bridge is running on the database {self._shown}.", "Stop it first."
            )

    async def close(self) -> None:
        if self._claim is not None:
            await self._claim.close()
        await self._engine.dispose()

    def _failed(self, error: Exception) -> StoreError:
        return StoreError(
            f"The database {self._shown} failed: {_reason(error)}.",
            "Check that PostgreSQL runs there and lets this user in.",
        )


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return (str(cause).splitlines() or [type(cause).__name__])[0].rstrip(".")
