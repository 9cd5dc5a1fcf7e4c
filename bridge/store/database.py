"""One database, SQLite or PostgreSQL, behind one door: `Database.run`.

A unit of work is a plain function of a SQLAlchemy `Connection` and runs in one transaction. On
PostgreSQL it runs on SQLAlchemy's asyncio engine (asyncpg). On SQLite it runs whole on the one
thread that owns the file: the asyncio driver would hand over to such a thread for every single
statement, which cost 1.3 ms of CPU for each relayed message where this costs 0.55 ms.
"""

import asyncio
import errno
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Final, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Connection, create_engine, event, exc, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bridge.errors import StoreError, StoreUnavailableError, UnstorableError

T = TypeVar("T")

_CONNECT_SECONDS = 10
_BUSY_SECONDS = 30
_ADVISORY_LOCK = 0x636F6E73  # "cons"; one bridge per PostgreSQL database

# https://www.postgresql.org/docs/current/errcodes-appendix.html: data, constraints, limits
_UNSTORABLE_STATES = ("22", "23", "54")
# Same page: refused log-ins, missing databases and tables, missing rights; all else may pass
_LASTING_STATES = ("0A", "28", "3D", "3F", "42")
_POSTGRES_FAULTS = (
    SQLAlchemyError,
    OSError,
    TimeoutError,
    # SQLAlchemy translates none of those that come while a connection is made or looked at
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_DRIVER_PUZZLED = (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.ProtocolError)
"""A connection that ended while it was spoken to: what the driver says then is about itself."""
_PASSED_ON = (DBAPIError, exc.TimeoutError)  # what SQLAlchemy raises else is a fault of the bridge
_POSTGRES_OPTIONS = {"host", "passfile", "port", "ssl", "sslmode", "target_session_attrs"}
_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_OF_THE_DISK: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_PRIMARY_CODE: Final = 0xFF  # https://sqlite.org/rescode.html: an extended code's last byte
_SESSION = {
    "application_name": "consilium",
    # A bridge whose machine vanished must not hold its claim for two hours
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class Database(Protocol):
    """What the rest of the bridge sees of a database."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction: committed when it returns, undone when it raises.

        What `work` raises itself is passed on.

        Raises:
            UnstorableError: the database runs, but refuses what `work` gave it.
            StoreUnavailableError: the database failed, and may be well again later.
            StoreError: the database failed; nothing of `work` is stored, as far as can be told:
                when a connection breaks during a commit, all of it may be.
        """
        ...

    async def claim(self) -> None:
        """Make this process the only bridge on this database, until `close`.

        Raises:
            StoreUnavailableError: the database failed, and may be well again later.
            StoreError: another bridge runs on it, or it can't be used at all.
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
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            "The database URL can't be read.",
            "Write sqlite:///file.db or postgresql://user@host/name.",
        ) from error
    if password is not None:
        parsed = parsed.set(password=password)
    if parsed.get_backend_name() == "sqlite":
        return _SqliteDatabase(parsed)
    return _PostgresDatabase(parsed)


class _SqliteDatabase:
    """One file, one thread, one connection that lives as long as this object."""

    def __init__(self, url: URL) -> None:
        self._path = Path(url.database or "consilium.db")
        self._engine: Engine = create_engine(
            url, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True
        )
        event.listen(self._engine, "connect", _set_pragmas)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="consilium-db")
        self._connection: Connection | None = None
        self._claim: IO[str] | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)

    def _work(self, work: Callable[[Connection], T]) -> T:
        try:
            return self._transaction(work)
        except (IntegrityError, DataError) as error:
            raise _refused(error) from None
        except DBAPIError as error:
            raise self._failed(error) from error

    def _failed(self, error: DBAPIError) -> StoreError:
        sentence = f"The database {self._path} failed: {_reason(error)}."
        code = getattr(_cause(error), "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code in _LOCKED:
            advice = "Another program holds it, such as a backup or sqlite3: let that end."
            return StoreUnavailableError(sentence, advice)
        if code in _OF_THE_DISK:
            advice = "Check its disk, and make room there if it is full."
            return StoreUnavailableError(sentence, advice)
        return StoreError(
            sentence,
            "Check that its folder exists, that the disk is not full, and that the bridge's "
            "user may write there.",
        )

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        # BEGIN and COMMIT by hand, on a connection that stays: handing one out of SQLAlchemy's
        # pool and taking it back costs as much as a small transaction itself.
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            )
        connection = self._connection
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            found = work(connection)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            if connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
                self._roll_back(connection)
            raise
        return found

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.exec_driver_sql("ROLLBACK")
        except DBAPIError:
            # Still in that transaction, it could begin no other: the next one gets a new connection
            connection.invalidate()
            connection.close()
            self._connection = None
            raise

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    async def claim(self) -> None:
        if self._claim is not None:
            return
        lock = self._path.with_name(self._path.name + ".lock")
        try:
            with ExitStack() as stack:
                file = stack.enter_context(lock.open("w"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._claim = file
                stack.pop_all()
        except BlockingIOError as error:
            raise StoreError(
                f"Another bridge is running on the database {self._path}.", "Stop it first."
            ) from error
        except OSError as error:
            sentence = f"The file {lock} can't be written: {error.strerror}."
            if error.errno in _FULL:
                raise StoreUnavailableError(sentence, "Make room on its disk.") from error
            raise StoreError(
                sentence, "Give the bridge's user write access to the database's folder."
            ) from error

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
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


class _PostgresDatabase:
    def __init__(self, url: URL) -> None:
        self._shown = url.render_as_string(hide_password=True)
        if unknown := sorted(url.query.keys() - _POSTGRES_OPTIONS):
            raise StoreError(
                f"The database URL has an option that is not known: {unknown[0]}.",
                f"These are known: {', '.join(sorted(_POSTGRES_OPTIONS))}.",
            )
        if mode := url.query.get("sslmode"):  # as libpq calls it, and so everybody
            url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
        self._engine: AsyncEngine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=4,
            max_overflow=2,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "timeout": _CONNECT_SECONDS,
                "command_timeout": _BUSY_SECONDS,
                "server_settings": _SESSION,
            },
        )
        self._claim: AsyncConnection | None = None
        self._claim_ended: Callable[[], bool] = lambda: False
        self._claiming = asyncio.Lock()

    async def run(self, work: Callable[[Connection], T]) -> T:
        if self._claim_ended():
            await self._claim_again()
        try:
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)
        except _POSTGRES_FAULTS as error:
            raise self._failed(error) from error

    async def claim(self) -> None:
        if self._claim is not None:
            return
        try:
            async with AsyncExitStack() as stack:
                connection = await stack.enter_async_context(self._engine.connect())
                taken = await connection.scalar(
                    text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK}
                )
                await connection.commit()
                if taken:
                    raw = await connection.get_raw_connection()
                    self._claim_ended = raw.driver_connection.is_closed  # type: ignore[union-attr]
                    self._claim = connection
                    stack.pop_all()
        except _POSTGRES_FAULTS as error:
            raise self._failed(error) from error
        if not taken:
            raise StoreError(
                f"Another bridge is running on the database {self._shown}.", "Stop it first."
            )

    async def _claim_again(self) -> None:
        """PostgreSQL was restarted, or the connection cut: the claim ended with its session."""
        async with self._claiming:
            if not self._claim_ended():
                return
            if self._claim is not None:
                with suppress(*_POSTGRES_FAULTS):
                    await self._claim.close()
                self._claim = None
            await self.claim()

    async def close(self) -> None:
        if self._claim is not None:
            # The server would notice the end of a connection only a moment later
            with suppress(*_POSTGRES_FAULTS):
                await self._claim.scalar(
                    text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK}
                )
            await self._claim.close()
        await self._engine.dispose()

    def _failed(self, error: Exception) -> StoreError:
        state = (getattr(_cause(error), "sqlstate", None) or "")[:2]
        if state in _UNSTORABLE_STATES:
            raise _refused(error) from None
        ours = isinstance(error, SQLAlchemyError) and not isinstance(error, _PASSED_ON)
        ours = ours or isinstance(error, asyncpg.ClientConfigurationError)
        kind = StoreError if ours or state in _LASTING_STATES else StoreUnavailableError
        return kind(
            f"The database {self._shown} failed: {_reason(error)}.",
            "Check that PostgreSQL runs there and lets this user in.",
        )


def _cause(error: BaseException) -> BaseException:
    """What the driver raised."""
    return error.orig if isinstance(error, DBAPIError) and error.orig else error


def _refused(error: Exception) -> UnstorableError:
    # Only the kind of fault, and not as its cause: the driver quotes values, and logs may not
    cause = _cause(error)
    return UnstorableError(
        f"The database refuses what it was given ({type(cause.__cause__ or cause).__name__})."
    )


def _reason(error: Exception) -> str:
    cause = _cause(error)
    if type(cause.__cause__ or cause) in _DRIVER_PUZZLED:
        return "the connection broke"
    match cause:
        case TimeoutError():
            return "it does not answer"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)
        case OSError(strerror=str(words)):
            return words
    return (str(cause).splitlines() or [type(cause).__name__])[0].rstrip(".")
