"""Databases, SQLite and PostgreSQL: what runs on one has to run on the other."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from core_stage import Core, ScriptedOutlet
from sqlalchemy import text
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bridge.model import MATRIX
from bridge.store.database import Database, open_database
from bridge.store.migrate import upgrade
from bridge.store.tables import metadata
from sandbox.postgres import Postgres

SERVERS = ("sqlite", "postgresql")


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """What is logged, which is not printed."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass(frozen=True)
class Source:
    """Where databases come from: a PostgreSQL cluster, or none for SQLite; and one made ready."""

    cluster: Postgres | None
    ready: str


@pytest.fixture
def source(server: str, request: pytest.FixtureRequest) -> Source:
    if server == "sqlite":
        return Source(None, request.getfixturevalue("sqlite_ready"))
    cluster = request.getfixturevalue("postgres")
    return Source(cluster, request.getfixturevalue("postgres_ready"))


@pytest.fixture(scope="session")
async def sqlite_ready(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with this version's tables, to be copied."""
    path = tmp_path_factory.mktemp("ready") / "consilium.db"
    async with open_database(f"sqlite:///{path}") as opened:
        await opened.run(upgrade)
    return str(path)


@pytest.fixture(scope="session")
async def postgres_ready(postgres: Postgres) -> str:
    """A database with this version's tables, emptied for each test: copies take long."""
    await postgres.execute("CREATE DATABASE ready")
    async with open_database(postgres.url("ready")) as opened:
        await opened.run(upgrade)
    return "ready"


@pytest.fixture
async def empty_url(source: Source, tmp_path: Path) -> AsyncIterator[str]:
    """A database with nothing in it."""
    if source.cluster is None:
        yield f"sqlite:///{tmp_path / 'consilium.db'}"
        return
    await source.cluster.execute("CREATE DATABASE empty TEMPLATE template0")
    yield source.cluster.url("empty")
    await source.cluster.execute("DROP DATABASE empty")


@pytest.fixture
async def url(source: Source, tmp_path: Path) -> str:
    """A database with this version's tables, and nothing in them."""
    if source.cluster is None:
        path = tmp_path / "consilium.db"
        shutil.copy(source.ready, path)
        return f"sqlite:///{path}"
    url = source.cluster.url(source.ready)
    tables = ", ".join(metadata.tables)
    async with open_database(url) as opened:
        await opened.run(lambda c: c.execute(text(f"TRUNCATE {tables} RESTART IDENTITY")))
    return url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as opened:
        yield opened


@pytest.fixture
def matrix() -> ScriptedOutlet:
    return ScriptedOutlet()


@pytest.fixture
def hospital_a() -> ScriptedOutlet:
    return ScriptedOutlet()


@pytest.fixture
def hospital_b() -> ScriptedOutlet:
    return ScriptedOutlet()


@pytest.fixture
def outlets(
    matrix: ScriptedOutlet, hospital_a: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> dict[str, ScriptedOutlet]:
    return {MATRIX: matrix, "hospital-a": hospital_a, "hospital-b": hospital_b}


MakeCore = Callable[..., Core]


@pytest.fixture
async def make_core(
    database: Database, outlets: dict[str, ScriptedOutlet]
) -> AsyncIterator[MakeCore]:
    """Makes cores, which still run at the end of the test, or were ended by it."""
    made: list[Core] = []

    def make(**options: Any) -> Core:
        made.append(Core(database, outlets, **options))
        return made[-1]

    yield make
    broken = [fault for core in made for fault in core.broke()]
    for core in made:
        await core.crash()
    assert broken == []


@pytest.fixture
async def core(make_core: MakeCore) -> Core:
    """A running core with one portal that mirrors the wards of both hospitals."""
    made = make_core()
    await made.start()
    return made
