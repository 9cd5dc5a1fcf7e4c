"""The words that rooms are told, and the times in them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.status import words
from bridge.status.words import Clock, Gap


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_times_are_in_utc_and_say_so() -> None:
    assert Clock().time(at("2026-03-01 14:02"), at("2026-03-01 15:00")) == "14:02 UTC"


def test_times_in_a_zone_of_ones_own_need_no_name() -> None:
    clock = Clock(ZoneInfo("Europe/Berlin"))
    assert clock.time(at("2026-07-01 14:02"), at("2026-07-01 15:00")) == "16:02"


def test_times_of_another_day_name_it() -> None:
    now = at("2026-03-02 09:00")
    assert Clock().time(at("2026-03-01 14:02"), now) == "1 Mar, 14:02 UTC"
    span = Clock().span(at("2026-03-01 23:50"), at("2026-03-02 00:10"))
    assert span == "1 Mar, 23:50 UTC to 00:10 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 minute"),
        (720, "12 minutes"),
        (7_000, "117 minutes"),
        (7_200, "2 hours"),
        (3 * 86_400, "3 days"),
    ],
)
def test_durations_are_told_as_people_would(seconds: int, text: str) -> None:
    assert words.lasted(seconds * 1000) == text


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("Hospital B is not reachable.", "⏳ Hospital B: not reachable, retrying"),
        ("Hospital B does not answer.", "⏳ Hospital B: does not answer, retrying"),
        ("The room is full.", "⏳ Hospital B: The room is full, retrying"),
    ],
)
def test_a_reason_does_not_name_the_network_again(reason: str, shown: str) -> None:
    assert words.mark(0, 1, [Gap("Hospital B", reason)]) == shown


def test_networks_that_wait_for_different_reasons_are_only_named() -> None:
    gaps = [Gap("Hospital A", "It is full."), Gap("Hospital B")]
    assert words.mark(1, 3, gaps) == "⏳ 1 of 3 delivered; Hospital A and Hospital B: retrying"


@given(st.text(), st.text(max_size=2000), st.integers(0, 50))
def test_a_mark_is_never_too_long_for_a_reaction(name: str, reason: str, done: int) -> None:
    text = words.mark(done, done + 1, [Gap(name, reason)])
    assert text.startswith("⏳")
    assert len(text) <= 120


@given(st.text(max_size=5000))
def test_a_reason_is_cut_and_ends_as_a_sentence(reason: str) -> None:
    first, _, last = words.set_aside([Gap("B", reason)], [], "!retry").rpartition("\n")
    assert len(first) < 400
    assert first.rstrip()[-1] in ".!?…"
    assert last.endswith("or write !retry.")
