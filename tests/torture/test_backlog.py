"""A bridge that starts with more undelivered messages than it could hold in memory."""

from pathlib import Path

import pytest

from torture.backlog import drain
from torture.table import show

ROWS = 20_000  # the full figure: python -m torture --backlog 100000

pytestmark = pytest.mark.e2e


async def test_a_start_with_very_many_undelivered_rows_is_quick_small_and_in_order(
    tmp_path: Path,
) -> None:
    drained = await drain(tmp_path, ROWS)
    show(str(drained))
    assert drained.good, str(drained)
    assert drained.ready_seconds < 15, str(drained)
    assert drained.peak < 300, str(drained)
