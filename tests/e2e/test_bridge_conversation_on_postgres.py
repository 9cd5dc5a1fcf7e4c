"""The conversation goes on PostgreSQL as it does on SQLite."""

import pytest
from bridge_runs import Site
from test_bridge_conversation import (  # noqa: F401 - run here again
    meeting,
    meetings,
    test_a_doctor_gets_the_name_when_the_one_who_took_it_has_left,
    test_a_hundred_messages_from_all_sides_at_once_keep_their_order,
    test_a_text_arrives_as_it_was_written,
    test_a_text_too_long_for_one_message_arrives_in_pieces,
    test_characters_that_xml_forbids_do_not_keep_a_message_from_arriving,
    test_the_same_stanza_id_chosen_twice_is_two_messages,
    test_what_one_says_all_read_once_and_under_their_own_name,
)


@pytest.fixture(scope="module")
def site(site_on_postgres: Site) -> Site:
    return site_on_postgres
