"""Discourse categories keep the contract, on the stand-in."""

from pathlib import Path

from lab_discourse import DiscourseLab

from adapters.discourse import DiscourseAdapter
from bridge.testing import Contract


class TestDiscourse(Contract):
    kind = "discourse"
    adapter = DiscourseAdapter

    @staticmethod
    def make_lab(directory: Path) -> DiscourseLab:
        return DiscourseLab(directory)
