"""How a network stands, and for how long."""

import pytest

from bridge.bot.standing import Standing, lasting
from bridge.contract import Health
from bridge.model import Place

GROUP = Place("hospital-b", "board")


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def test_what_was_not_heard_of_is_not_connected_yet() -> None:
    assert Standing().of(GROUP).in_words == "not connected yet"


def test_a_group_is_away_with_its_network_and_otherwise_for_itself() -> None:
    standing = Standing(Clock())
    standing.note("hospital-b", Health(up=True))
    assert standing.of(GROUP).in_words == "connected"
    standing.note("hospital-b", Health(up=False, reason="Banned.", group="board"))
    assert standing.of(GROUP).in_words == "away for less than a minute: Banned."
    standing.note("hospital-b", Health(up=True, group="board"))
    assert standing.of(GROUP).up
    standing.note("hospital-b", Health(up=False, reason="Not reachable."))
    assert standing.of(GROUP).in_words == "away for less than a minute: Not reachable."


def test_another_reason_is_no_new_beginning() -> None:
    clock = Clock()
    standing = Standing(clock)
    standing.note("hospital-b", Health(up=False, reason="one"))
    clock.now = 90_000
    standing.note("hospital-b", Health(up=False, reason="other"))
    assert standing.of(GROUP).in_words == "away for 1 min: other"
    standing.note("hospital-b", Health(up=True))
    standing.note("hospital-b", Health(up=False))
    assert standing.of(GROUP).in_words == "away for less than a minute"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 min"),
        (7_199, "1 h"),
        (90_000, "1 day"),
        (172_800, "2 days"),
    ],
)
def test_durations_are_told_in_their_largest_unit(seconds: float, told: str) -> None:
    assert lasting(seconds) == told
