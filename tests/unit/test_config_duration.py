"""Spans of time in the configuration are read as people write them, and faults are explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.config.duration import Duration, parse_duration
from bridge.config.schema import Link


def link(keep_trying: object) -> Link:
    return Link.model_validate({"network": "a", "group": "b", "keep_trying": keep_trying})


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43_200), ("3 d", 259_200), ("2w", 1_209_600)],
)  # fmt: skip
def test_a_span_is_a_number_and_a_unit(written: str, seconds: int) -> None:
    assert link(written).keep_trying.seconds == seconds


def test_a_link_that_says_nothing_keeps_trying_for_three_days() -> None:
    assert Link(network="a", group="b").keep_trying.milliseconds == 3 * 86_400_000


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (3, "the unit is missing"),
        ("3", "no length of time"),
        ("3 days", "no length of time"),
        ("-3d", "no length of time"),
        ("1.5h", "no length of time"),
        ("", "no length of time"),
        (True, "no length of time"),
        (None, "no length of time"),
        (["3d"], "no length of time"),
        ("٣d", "no length of time"),
        ("0s", "longer than nothing"),
        ("99w", "at most a year"),
    ],
)
def test_what_is_no_span_is_explained(written: object, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        link(written)


def test_a_link_that_is_written_out_can_be_read_again() -> None:
    assert Link.model_validate(link("12h").model_dump()) == link("12h")


@given(st.integers(1, 366 * 86_400))
def test_a_span_is_read_as_it_is_printed(seconds: int) -> None:
    assert parse_duration(str(Duration(seconds))) == Duration(seconds)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.none()))
def test_nothing_else_breaks_the_reader(written: object) -> None:
    try:
        assert 0 < parse_duration(written).seconds <= 366 * 86_400
    except ValueError as error:
        assert str(error)  # noqa: PT017 - any other exception fails the test
