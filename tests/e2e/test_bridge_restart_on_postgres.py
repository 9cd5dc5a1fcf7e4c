"""Whatever stops or dies, nothing is lost or doubled on PostgreSQL either."""

import pytest
from bridge_runs import Site
from test_bridge_restart import (  # noqa: F401 - run here again
    app_service,
    bridge,
    bridge_of_all,
    meeting,
    prosody,
    synapse,
    test_a_bridge_killed_again_and_again_in_a_stream_loses_and_doubles_nothing,
    test_a_bridge_that_is_started_before_all_others_waits_for_them,
    test_the_database_knows_everyone_after_all_that,
    test_what_doctors_say_while_the_bridge_is_stopped_arrives_after_its_start,
    test_while_the_homeserver_is_away_the_groups_talk_on_and_it_hears_all_afterwards,
    test_who_came_and_went_while_the_bridge_was_stopped_is_known_after_its_start,
)


@pytest.fixture(scope="module")
def site(site_on_postgres: Site) -> Site:
    return site_on_postgres
