"""Feeds keep the contract, as far as one can without being written to."""

from pathlib import Path

from lab_feed import FeedLab

from adapters.web.feed import FeedAdapter
from bridge.testing import Contract


class TestFeed(Contract):
    kind = "feed"
    adapter = FeedAdapter
    sends = False

    @staticmethod
    def make_lab(directory: Path) -> FeedLab:
        return FeedLab(directory)
