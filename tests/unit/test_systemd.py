"""Word to systemd goes out as sd_notify(3) says, or nowhere, and never disturbs the bridge."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.operations.systemd import Systemd


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def test_words_arrive_as_lines(supervisor: socket.socket) -> None:
    with Systemd({"NOTIFY_SOCKET": supervisor.getsockname()}) as systemd:
        assert systemd.listens
        systemd.tell(READY="1", STATUS="All is\nwell — ü.")
    assert supervisor.recv(4096).decode() == "READY=1\nSTATUS=All is well — ü."


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0consilium-test-{os.getpid()}")
        with Systemd({"NOTIFY_SOCKET": f"@consilium-test-{os.getpid()}"}) as systemd:
            systemd.tell(WATCHDOG="1")
        assert listening.recv(4096) == b"WATCHDOG=1"


def test_without_a_supervisor_words_go_nowhere() -> None:
    with Systemd({}) as systemd:
        systemd.tell(READY="1")
        assert not systemd.listens
        assert systemd.watchdog_seconds is None


def test_a_supervisor_that_is_gone_or_does_not_read_holds_nothing_up(
    supervisor: socket.socket, tmp_path: Path
) -> None:
    with Systemd({"NOTIFY_SOCKET": supervisor.getsockname()}) as systemd:
        for _ in range(1_000):  # more than any buffer of a socket holds
            systemd.tell(STATUS="x" * 1_000)
        (tmp_path / "notify").unlink()
        systemd.tell(STATUS="x")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "90000000"}, 90.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_only_where_it_is_this_processs(
    environment: dict[str, str], seconds: float | None
) -> None:
    assert Systemd(environment).watchdog_seconds == seconds


@given(
    st.dictionaries(st.sampled_from(["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]), st.text())
)
def test_no_environment_breaks_it(environment: dict[str, str]) -> None:
    with Systemd(environment) as systemd:
        systemd.tell(READY="1")
