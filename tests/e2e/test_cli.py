"""The admin's way through the README: init, registration, check, run."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from command_line import consilium

from sandbox.appservice import AppService
from sandbox.bridge import component_networks
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.meeting import Meeting
from sandbox.people import Colleagues, Doctors
from sandbox.ports import LOOPBACK, free_port
from sandbox.process import Process
from sandbox.prosody import Prosody
from sandbox.staff import Staff
from sandbox.synapse import Synapse


async def test_from_nothing_to_a_running_bridge(tmp_path: Path, prosody: Prosody) -> None:
    config, registration = tmp_path / "config.yaml", tmp_path / "registration.yaml"
    synapse = Synapse(tmp_path / "synapse", server_name="clinic.test", app_services=[registration])
    address = f"http://{LOOPBACK}:{free_port()}"

    made = await consilium(
        config, "init", "--domain", "clinic.test",
        "--homeserver-url", synapse.url, "--bridge-url", address,
    )  # fmt: skip
    assert made.status == 0
    assert config.stat().st_mode & 0o777 == 0o600
    written = await consilium(config, "registration", "-o", str(registration))
    assert written.status == 0
    assert registration.stat().st_mode & 0o777 == 0o600

    async with synapse, Doctors(synapse) as doctors, Colleagues(prosody) as colleagues:
        staff = await Staff.hire(doctors, colleagues)
        groups = {each: colleagues.new_room(each) for each in (HOSPITAL_A, HOSPITAL_B)}
        meeting = await staff.meet(AppService("consilium", "consilium", "_consilium_"), groups)
        _add(config, networks=component_networks(prosody), portals=[_portal(meeting)])

        checked = await consilium(config, "check")
        assert checked.problems == []
        assert checked.status == 0

        async with _run(config, tmp_path / "bridge.log") as bridge:
            await meeting.everyone_is_there()
            await meeting.settle()
            assert await bridge.stop() == 0


async def test_a_second_init_leaves_the_first_configuration_alone(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    assert (await consilium(config, "init", "--domain", "clinic.test")).status == 0
    before = config.read_bytes()
    again = await consilium(config, "init", "--domain", "other.test")
    assert again.status == 2
    assert "already there" in again.lines[0]
    assert config.read_bytes() == before


def _add(config: Path, **sections: Any) -> None:
    content = yaml.safe_load(config.read_text()) | sections
    config.write_text(yaml.safe_dump(content))


def _portal(meeting: Meeting) -> dict[str, Any]:
    keys = ("network", "group", "direction")
    links = [dict(zip(keys, link, strict=True)) for link in meeting.links()]
    return {"room": meeting.room, "links": links}


@asynccontextmanager
async def _run(config: Path, log: Path) -> AsyncIterator[Process]:
    command = [sys.executable, "-m", "bridge", "-c", config, "run"]
    async with Process("the bridge", command, log=log) as bridge:
        yield bridge
    _assert_no_traceback(log)


def _assert_no_traceback(log: Path) -> None:
    assert "Traceback" not in log.read_text()
