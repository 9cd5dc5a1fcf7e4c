"""The example adapter passes the kit, as it does from its own folder when it is installed."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from test_board import TestBoard as Board

from bridge import discovery

ROOT = Path(__file__).parents[2]
PLUGINS = Path(__file__).parent / "plugins"


class TestBoard(Board):
    @pytest.fixture(autouse=True)
    def installed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.syspath_prepend(str(PLUGINS))
        discovery.forget()
        yield
        discovery.forget()

    def test_it_is_short_enough_to_be_read_in_one_go(self) -> None:
        text = (ROOT / "examples" / "board" / "board_adapter.py").read_text()
        assert len(text.splitlines()) < 150

    def test_its_package_names_the_same_entry_point(self) -> None:
        project = tomllib.loads((ROOT / "examples" / "board" / "pyproject.toml").read_text())
        (point,) = distribution("consilium-board").entry_points
        points = project["project"]["entry-points"]["consilium.adapters"]
        assert points == {point.name: point.value}
