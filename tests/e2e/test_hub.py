"""One Matrix room is linked to two XMPP rooms, a mailing list, a forum and a feed at once.

All servers are real, but for the forum, which is a stand-in.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bridge_runs import Site, assert_well_behaved
from hub import ANN, ANNA, BOARD, JOURNAL, MAIL, Hub, hub

from sandbox import matrix_acts as acts
from sandbox.meeting import MATRIX_ROOM, Meeting
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI


@pytest.fixture(scope="module")
async def running(site: Site, meeting: Meeting, reachable: Path) -> AsyncIterator[Hub]:
    if os.geteuid() != 0:
        pytest.skip("Dovecot and Postfix, as they are used here, run as root only")
    async with hub(site, meeting, reachable / "hub") as found:
        await meeting.everyone_is_there()
        yield found
    assert_well_behaved(found.bridge)


async def test_what_is_said_anywhere_is_everywhere_once_with_name_and_network(
    running: Hub,
) -> None:
    words = [await running.says(who) for who in (ALICE, CHIARA, DMITRI, ANNA, ANN, JOURNAL)]
    for word in words:
        await running.arrived(word)
    await running.settle()
    assert not running.faults()
