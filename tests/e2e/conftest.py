"""Every test below this folder talks to real servers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bridge_runs import Site, assert_well_behaved

from sandbox.appservice import AppService
from sandbox.bridge import Bridge
from sandbox.hospital import HOSPITALS
from sandbox.meeting import Meeting
from sandbox.people import Colleagues, Doctors
from sandbox.postgres import Postgres
from sandbox.prosody import Prosody
from sandbox.staff import Staff
from sandbox.synapse import Synapse

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Postgres | None:
    """The PostgreSQL that bridges use, None where they use SQLite: see the option `--database`."""
    if request.config.getoption("database") == "sqlite":
        return None
    return request.getfixturevalue("postgres")


@pytest.fixture(scope="module")
async def database_url(cluster: Postgres | None, app_service: AppService) -> str:
    """Where this module's bridge keeps everything."""
    if cluster is None:
        return "sqlite:///consilium.db"
    name = f"bridge_{app_service.id}"
    await cluster.execute(f"CREATE DATABASE {name}")
    return cluster.url(name)


@pytest.fixture(scope="module")
async def site(
    synapse: Synapse,
    prosody: Prosody,
    app_service: AppService,
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    """Where this module runs its bridge."""
    return Site(synapse, prosody, app_service, tmp_path_factory.mktemp("bridge"), database_url)


@pytest.fixture(scope="module")
async def practice(synapse: Synapse) -> AsyncIterator[Doctors]:
    """Doctors who stay for a whole module."""
    async with Doctors(synapse) as people:
        yield people


@pytest.fixture(scope="module")
async def wards(prosody: Prosody) -> AsyncIterator[Colleagues]:
    """Colleagues who stay for a whole module."""
    async with Colleagues(prosody) as people:
        yield people


@pytest.fixture(scope="module")
async def staff(practice: Doctors, wards: Colleagues) -> Staff:
    return await Staff.hire(practice, wards)


@pytest.fixture(scope="module")
async def meeting(site: Site, staff: Staff, wards: Colleagues) -> Meeting:
    """A room of a Matrix portal, and a group of either hospital."""
    groups = {hospital: wards.new_room(hospital) for hospital in HOSPITALS}
    return await staff.meet(site.app_service, groups)


@pytest.fixture(scope="module")
async def bridge_of_all(site: Site, meeting: Meeting) -> AsyncIterator[Bridge]:
    """A bridge between the places of the meeting, which a test may stop and start."""
    bridge = site.bridge({meeting.room: meeting.links()})
    async with bridge:
        yield bridge
    assert_well_behaved(bridge)
