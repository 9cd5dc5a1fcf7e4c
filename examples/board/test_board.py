"""The board keeps the contract."""

from pathlib import Path

from board_adapter import BoardAdapter
from board_lab import BoardLab

from bridge.testing import Contract


class TestBoard(Contract):
    kind = "board"
    adapter = BoardAdapter

    @staticmethod
    def make_lab(directory: Path) -> BoardLab:
        return BoardLab(directory)
