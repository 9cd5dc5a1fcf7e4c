"""What the database has a part in goes on PostgreSQL as it does on SQLite."""

import pytest
from bridge_runs import Site
from test_bridge_operations import (  # noqa: F401 - run here again
    app_service,
    bridge,
    bridge_of_all,
    meeting,
    prosody,
    synapse,
    test_a_bridge_whose_database_can_not_be_written_is_not_ready_but_lives,
    test_a_running_bridge_is_live_and_ready_and_tells_figures,
    test_it_stops_in_time_in_the_middle_of_a_stream,
    test_it_stops_in_time_while_it_waits_for_the_database_at_its_start,
    test_it_stops_in_time_while_the_database_hangs,
)


@pytest.fixture(scope="module")
def site(site_on_postgres: Site) -> Site:
    return site_on_postgres
