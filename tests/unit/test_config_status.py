"""The section `status` of a configuration file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.config.load import load
from bridge.config.problem import UnusableConfig
from bridge.status.picture import Telling

Write = Callable[[str], Path]

HEAD = """\
homeserver: {url: "http://localhost:8008", domain: example.org}
appservice: {url: "http://localhost:29300", as_token: as-hunter2, hs_token: hs-hunter2}
"""


def test_without_a_section_rooms_are_told_after_ten_seconds_and_three_minutes(
    config_file: Write,
) -> None:
    status = load(config_file(HEAD)).config.status
    assert (status.after.seconds, status.away_after.seconds) == (10, 180)
    assert (status.events, status.timezone) == (Telling.FAULTS, "UTC")


@pytest.mark.parametrize("word", ["off", '"off"', "faults", "all"])
def test_events_are_a_word_even_where_yaml_reads_a_truth_value(
    config_file: Write, word: str
) -> None:
    status = load(config_file(f"{HEAD}status: {{events: {word}}}\n")).config.status
    assert status.events is Telling(word.strip('"'))


def test_a_time_zone_goes_by_its_name(config_file: Write) -> None:
    status = load(config_file(f"{HEAD}status: {{timezone: Europe/Berlin}}\n")).config.status
    assert status.timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    "line",
    [
        "timezone: Mars/Base",
        "timezone: ../../etc/passwd",
        'timezone: ""',
        "events: on",
        "events: some",
        "after: 10",
        "after: 0s",
    ],
)
def test_what_can_not_be_is_refused(config_file: Write, line: str) -> None:
    with pytest.raises(UnusableConfig, match=line.partition(":")[0]):
        load(config_file(f"{HEAD}status:\n  {line}\n"))
