"""The real servers that tests talk to: each starts once, when the first test asks for it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sandbox.appservice import AppService, app_services
from sandbox.hospital import HOSPITALS
from sandbox.people import Colleagues, Doctors
from sandbox.postgres import Postgres
from sandbox.prosody import Prosody
from sandbox.synapse import Synapse

# Synapse learns of application services only when it starts, so they are made beforehand, one for
# each test module that runs a bridge.
APP_SERVICES = 50


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="what the bridges of the end-to-end tests keep everything in; with postgresql, only "
        "the tests that run such a bridge are run (those of the core always use both)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("database") == "sqlite":
        return
    runs_a_bridge = [item for item in items if "database_url" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[each for each in items if each not in runs_a_bridge])
    items[:] = runs_a_bridge


@pytest.fixture(scope="session")
def all_app_services() -> list[AppService]:
    return app_services(APP_SERVICES)


@pytest.fixture(scope="session")
def unused_app_services(all_app_services: list[AppService]) -> Iterator[AppService]:
    return iter(all_app_services)


@pytest.fixture(scope="module")
def app_service(unused_app_services: Iterator[AppService]) -> AppService:
    """An application service Synapse knows, this test module's own."""
    service = next(unused_app_services, None)
    if service is None:
        pytest.fail(f"more than {APP_SERVICES} test modules want one: raise APP_SERVICES")
    return service


@pytest.fixture(scope="session")
async def synapse(
    tmp_path_factory: pytest.TempPathFactory, all_app_services: list[AppService]
) -> AsyncIterator[Synapse]:
    """A homeserver that knows all application services. Who stops or pauses it starts it again."""
    directory = tmp_path_factory.mktemp("synapse")
    registrations = [service.registration for service in all_app_services]
    async with Synapse(directory, app_services=registrations) as server:
        yield server


@pytest.fixture(scope="session")
async def prosody(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prosody]:
    """The XMPP services of both hospitals. Who stops or pauses it starts it again."""
    server = Prosody.of(HOSPITALS, tmp_path_factory.mktemp("prosody"))
    server.muc_modules += ("muc_moderation", "vcard_muc")
    async with server:
        yield server


@pytest.fixture(scope="session")
def reachable() -> Iterator[Path]:
    """A folder that other users of this machine can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="consilium-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@pytest.fixture(scope="session")
async def postgres(reachable: Path) -> AsyncIterator[Postgres]:
    async with Postgres(reachable / "postgres") as cluster:
        yield cluster


@pytest.fixture
async def doctors(synapse: Synapse) -> AsyncIterator[Doctors]:
    async with Doctors(synapse) as people:
        yield people


@pytest.fixture
async def colleagues(prosody: Prosody) -> AsyncIterator[Colleagues]:
    async with Colleagues(prosody) as people:
        yield people
