"""docs/operations.md, the dashboard and the unit tell of what is there: all figures and events."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.contract import Health
from bridge.delivery.recorder import Recorder
from bridge.model import MATRIX
from bridge.operations.backlog import Backlog
from bridge.operations.gauges import Gauges
from bridge.operations.metrics import Metrics
from bridge.operations.vitals import Vitals

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy" / "grafana.json").read_text())
LEVELS = {"debug", "info", "warning", "error", "exception"}


class NoDatabase:
    """Nothing is asked of it."""


@pytest.fixture(scope="module")
def families() -> dict[str, Any]:
    """Every family of figures by its name."""
    database: Any = NoDatabase()
    recorder = Recorder(database)
    vitals = Vitals(database)
    backlog = Backlog(database, recorder)
    states = {(MATRIX, None): Health(up=True)}
    metrics = Metrics([MATRIX, "hospital-a"])
    networks = (MATRIX, "hospital-a")
    metrics.add(Gauges(networks, lambda: states, backlog, vitals, lambda: 0, lambda: 0))
    found = text_string_to_metric_families(metrics.render().decode())
    return {family.name: family for family in found}


def rows(first: str) -> list[list[str]]:
    """The rows of the table whose first column has this title."""
    match = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert match
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in match[1].splitlines()
    ]


# --- figures ------------------------------------------------------------------------------------


def test_the_table_has_every_figure_and_no_other(families: dict[str, Any]) -> None:
    told = {row[0].strip("`") for row in rows("metric")}
    assert told == {name for name in families if not name.startswith("process_")} | {"process_*"}


def test_the_table_tells_the_kind_and_labels_of_each_figure(families: dict[str, Any]) -> None:
    for name, kind, _ in (row for row in rows("metric") if "*" not in row[0]):
        family = families[name.strip("`")]
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert kind.split(",")[0] == family.type, name
        if "build_info" not in name:
            assert set(re.findall(r"network|table|state", kind)) == labels, name


def figures_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:consilium|process)_[a-z_]+\b", text))


def known(families: dict[str, Any]) -> set[str]:
    return {sample.name for family in families.values() for sample in family.samples}


def test_alerts_ask_only_for_figures_that_are_there(families: dict[str, Any]) -> None:
    asked = {name for row in rows("alert") for name in figures_in(row[1])}
    assert len(asked) >= 8
    assert asked <= known(families)


# --- the dashboard ------------------------------------------------------------------------------


def queries() -> list[str]:
    return [t["expr"] for panel in DASHBOARD["panels"] for t in panel.get("targets", [])]


def test_the_dashboard_asks_only_for_figures_that_are_there(families: dict[str, Any]) -> None:
    asked = {name for query in queries() for name in figures_in(query)}
    variables = {
        name
        for each in DASHBOARD["templating"]["list"]
        for name in figures_in(str(each.get("definition", "")))
    }
    assert len(variables) == 2
    assert asked | variables <= known(families)


def test_the_dashboard_shows_every_figure(families: dict[str, Any]) -> None:
    shown = " ".join(queries())
    silent = [name for name in families if name.startswith("consilium_") and name not in shown]
    assert silent == ["consilium_relayed"]


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["title"]
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for query in queries():
        assert query.count("(") == query.count(")")
        assert 'job="$job"' in query


def test_no_two_panels_of_the_dashboard_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (at["x"] + right, at["y"] + down) for right in range(at["w"]) for down in range(at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


# --- the log ------------------------------------------------------------------------------------


@cache
def log_calls() -> list[tuple[str, str, ast.Call]]:
    """Where, at which level, and how each line is logged."""
    return list(_log_calls())


def _log_calls() -> Iterator[tuple[str, str, ast.Call]]:
    for folder in ("bridge", "adapters"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in {"log", "_log"}
                    and node.func.attr in LEVELS
                ):
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node.func.attr, node


def event_of(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def test_every_line_of_the_log_is_an_event_and_fields() -> None:
    wrong = [
        where
        for where, _, call in log_calls()
        if len(call.args) != 1 or not re.fullmatch(r"[a-z]+(_[a-z]+)*", event_of(call))
    ]
    assert wrong == []


def test_the_table_has_every_event_of_the_log_with_its_level_and_no_other() -> None:
    logged: dict[str, set[str]] = {}
    for _, level, call in log_calls():
        logged.setdefault(event_of(call), set()).add("error" if level == "exception" else level)
    told = {row[0].strip("`"): set(row[1].split(", ")) for row in rows("event")}
    assert told == logged


def test_the_table_of_events_is_in_order() -> None:
    events = [row[0].strip("`") for row in rows("event")]
    assert events == sorted(events)


def test_a_field_has_one_name_everywhere() -> None:
    other_names = {
        "error",
        "err",
        "why",
        "room_id",
        "msg",
        "exception",
        "user",
        "delivery_id",
        "id",
    }
    found = {
        f"{where} {keyword.arg}"
        for where, _, call in log_calls()
        for keyword in call.keywords
        if keyword.arg in other_names
    }
    assert found == set()


# --- the unit -----------------------------------------------------------------------------------


def test_the_unit_waits_for_word_and_for_signs_of_life() -> None:
    unit = (ROOT / "deploy" / "consilium.service").read_text()
    assert "\nType=notify\n" in unit
    assert "\nNotifyAccess=main\n" in unit
    watchdog = re.search(r"^WatchdogSec=(\d+)$", unit, re.MULTILINE)
    assert watchdog
    assert 60 <= int(watchdog[1]) <= 180
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop
    assert int(stop[1]) > 10
    families = re.search(r"^RestrictAddressFamilies=(.*)$", unit, re.MULTILINE)
    assert families
    assert "AF_UNIX" in families[1]
