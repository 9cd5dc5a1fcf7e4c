"""Whatever happens to the bridge and its servers: nothing is lost, doubled or out of order.

`make torture` is the long form of it.
"""

import secrets
from pathlib import Path

import pytest

from torture.setting import SHORT
from torture.table import offences, outcome_table, show
from torture.trial import hold

pytestmark = pytest.mark.e2e


async def test_nothing_is_lost_under_torture(tmp_path: Path) -> None:
    seed = secrets.randbelow(10**6)
    outcome = await hold(tmp_path, SHORT, seed, show)
    show(outcome_table(outcome))
    assert outcome.good, "\n".join([f"seed {seed}", *offences(outcome)])
    assert outcome.kills == SHORT.kills
    assert len(outcome.faults) == 6
