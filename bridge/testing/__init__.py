"""The contract kit: one suite of tests that every adapter has to pass, anybody's.

`docs/adding-a-network.md` tells how to use it. In short, in a file of tests:

    class TestBoard(Contract):
        kind = "board"
        adapter = BoardAdapter

        @staticmethod
        def make_lab(directory: Path) -> BoardLab:
            return BoardLab(directory)

It needs pytest, pytest-asyncio and hypothesis, which the bridge itself does not.
"""

import pytest

pytest.register_assert_rewrite(
    "bridge.testing.base", "bridge.testing.parts", "bridge.testing.stage"
)

from bridge.testing.contract import Contract  # noqa: E402 - asserts of it are to explain themselves
from bridge.testing.lab import NETWORK, File, Lab, Shown, Words  # noqa: E402

__all__ = ["NETWORK", "Contract", "File", "Lab", "Shown", "Words"]
