"""How much of what was missed is fetched is what the configuration says, link by link."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.assembly.catch_up import CatchingUp
from bridge.config.load import load
from bridge.config.problem import UnusableConfig
from bridge.contract import CatchUp
from bridge.model import MATRIX, Direction, Place
from bridge.portals.service import Link, Portal, Portals, Spot

FILE = """\
homeserver: {{url: "http://localhost:8008/", domain: example.org}}
appservice: {{url: "http://localhost:29300", as_token: as-hunter2, hs_token: hs-hunter2}}
networks:
  aviary: {{type: parrot, key: key-hunter2}}
portals:
  - room: "#board:example.org"
    links:
      - {{network: aviary, group: seeds, catch_up: {0}}}
      - {{network: aviary, group: nuts, catch_up: {{days: 3}}}}
      - {{network: aviary, group: figs}}
"""
Write = Callable[[str], Path]


class NoDatabase:
    """Nothing here asks it."""

    async def run(self, work: Callable[[Any], Any]) -> Any:
        raise AssertionError

    async def claim(self) -> None: ...

    async def close(self) -> None: ...


def made(path: Path) -> CatchingUp:
    database = NoDatabase()
    return CatchingUp.make(load(path), database, Portals(database), {})


def test_each_link_has_its_limits(config_file: Write) -> None:
    limits = made(config_file(FILE.format("{days: 0, messages: 50}"))).limits
    assert limits(Place("aviary", "seeds")) == CatchUp(
        max_age=timedelta(0), max_messages=50, history=50
    )
    assert not limits(Place("aviary", "seeds")).wanted
    assert limits(Place("aviary", "nuts")) == CatchUp(
        max_age=timedelta(3), max_messages=1000, history=50
    )
    assert limits(Place("aviary", "figs")) == CatchUp(
        max_age=timedelta(7), max_messages=1000, history=50
    )
    assert limits(Place("aviary", "linked with a command")) == CatchUp()


def test_in_the_room_the_most_generous_link_counts(config_file: Write) -> None:
    catching_up = made(config_file(FILE.format("{days: 9, messages: 50}")))
    links = tuple(
        Link(number, Place("aviary", group), number, Direction.BOTH)
        for number, group in enumerate(("seeds", "nuts"))
    )
    portal = Portal(1, Place(MATRIX, "!board"), 9, None, links)
    assert catching_up._limits_of_room(Spot(9, portal, None)) == CatchUp(
        max_age=timedelta(9), max_messages=1000
    )


@pytest.mark.parametrize("limits", ["{days: -1}", "{messages: many}", "{hours: 5}", "7"])
def test_limits_that_are_none_are_refused(config_file: Write, limits: str) -> None:
    with pytest.raises(UnusableConfig, match=r"catch_up"):
        load(config_file(FILE.format(limits)))
