"""`consilium check`, run as an admin runs it: each fault is told in a sentence of its own."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bridge_runs import Site, running
from command_line import consilium

from sandbox.bridge import BridgeConfig
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.meeting import Meeting
from sandbox.people import Colleagues
from sandbox.ports import LOOPBACK, free_port
from sandbox.staff import Staff


@pytest.fixture(scope="module")
async def meeting(site: Site, staff: Staff, wards: Colleagues) -> Meeting:
    groups = {hospital: wards.new_room(hospital) for hospital in (HOSPITAL_A, HOSPITAL_B)}
    return await staff.meet(site.app_service, groups)


@pytest.fixture
def well(site: Site, meeting: Meeting) -> BridgeConfig:
    """A configuration with which all is well."""
    return site.bridge({meeting.room: meeting.links()}).config


Break = Callable[[BridgeConfig], BridgeConfig]


def _nothing_runs(well: BridgeConfig) -> BridgeConfig:
    return replace(_no_xmpp(well), homeserver_url=f"http://{LOOPBACK}:{free_port()}")


def _no_homeserver(well: BridgeConfig) -> BridgeConfig:
    return replace(well, homeserver_url=f"http://{LOOPBACK}:{free_port()}")


def _wrong_as_token(well: BridgeConfig) -> BridgeConfig:
    return replace(well, app_service=replace(well.app_service, as_token="another-as-token"))


def _wrong_hs_token(well: BridgeConfig) -> BridgeConfig:
    return replace(well, app_service=replace(well.app_service, hs_token="another-hs-token"))


def _unregistered(well: BridgeConfig) -> BridgeConfig:
    return replace(well, app_service=replace(well.app_service, id="never-registered"))


def _other_namespace(well: BridgeConfig) -> BridgeConfig:
    return replace(well, app_service=replace(well.app_service, ghosts="_others_"))


def _other_bot(well: BridgeConfig) -> BridgeConfig:
    return replace(well, app_service=replace(well.app_service, bot="another-bot"))


def _other_port(well: BridgeConfig) -> BridgeConfig:
    return replace(well, app_service=replace(well.app_service, port=free_port()))


def _no_xmpp(well: BridgeConfig) -> BridgeConfig:
    networks = {id_: {**network, "port": free_port()} for id_, network in well.networks.items()}
    return replace(well, networks=networks)


def _wrong_secret(well: BridgeConfig) -> BridgeConfig:
    network = {**well.networks[HOSPITAL_A.network], "secret": "another secret"}
    return replace(well, networks={**well.networks, HOSPITAL_A.network: network})


def _unknown_component(well: BridgeConfig) -> BridgeConfig:
    network = {**well.networks[HOSPITAL_A.network], "jid": "unknown.hospital-a.test"}
    return replace(well, networks={**well.networks, HOSPITAL_A.network: network})


def _no_such_group(well: BridgeConfig) -> BridgeConfig:
    room, links = next(iter(well.portals.items()))
    missing = (HOSPITAL_A.network, HOSPITAL_A.room("nobody-made-it"), "in")
    return replace(well, portals={room: [*links, missing]})


NO_HOMESERVER = (
    r"homeserver The homeserver is not reachable at \S+\. \| Check that it runs, and url"
)
NO_XMPP = [
    rf"{each.name} {each.name} \(\S+\) can't be reached \(connection refused\)\. \| Start the XMPP"
    for each in (HOSPITAL_A, HOSPITAL_B)
]
REGISTER = r"Write the registration anew with: consilium registration"

FAULTS: dict[str, tuple[Break, list[str]]] = {
    "nothing runs": (_nothing_runs, [NO_HOMESERVER, *NO_XMPP]),
    "no homeserver": (_no_homeserver, [NO_HOMESERVER]),
    "a wrong as_token": (
        _wrong_as_token,
        [rf"does not know the bridge's as_token: the bridge is not registered .*\| {REGISTER}"],
    ),
    "a wrong hs_token": (
        _wrong_hs_token, [rf"reaches \S+, but with another hs_token .*\| {REGISTER}"],
    ),
    "an id that is not registered": (
        _unregistered, [rf"under another id than never-registered\. \| Write the id .*{REGISTER}"],
    ),
    "ghosts of others": (
        _other_namespace, [rf"names that begin with _others_ are not the bridge's .*\| {REGISTER}"],
    ),
    "the bot of others": (
        _other_bot, [rf"belongs to \S+, not to the bot @another-bot:\S+ \| {REGISTER}"],
    ),
    "another port": (_other_port, [r"can't reach the bridge .*refused.* \| Check that \S+ is"]),
    "no XMPP server": (_no_xmpp, NO_XMPP),
    "a wrong component secret": (
        _wrong_secret, [r"Hospital A .* does not accept the secret .*\| Write the same secret"],
    ),
    "a component that is not there": (
        _unknown_component, [r"does not know unknown\.hospital-a\.test\. \| Add the component"],
    ),
    "a group that is not there": (
        _no_such_group, [r"Hospital A: nobody-made-it@\S+ The room does not exist\. \| Make it"],
    ),
}  # fmt: skip


async def test_all_is_well(well: BridgeConfig, tmp_path: Path) -> None:
    told = await consilium(well.write(tmp_path / "config.yaml"), "check")
    assert told.problems == []
    assert told.status == 0
    assert told.lines[-1] == "All is well."


async def test_all_is_well_while_the_bridge_runs(
    site: Site, well: BridgeConfig, meeting: Meeting, tmp_path: Path
) -> None:
    async with running(site.bridge(well.portals)):
        await meeting.everyone_is_there()
        told = await consilium(well.write(tmp_path / "config.yaml"), "check")
        await meeting.settle()
    assert told.problems == []
    assert told.status == 0


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_told_with_its_remedy(
    well: BridgeConfig, tmp_path: Path, fault: str
) -> None:
    breaks, expected = FAULTS[fault]
    told = await consilium(breaks(well).write(tmp_path / "config.yaml"), "check")
    assert told.status == 1
    assert len(told.problems) == len(expected), told.problems
    for problem, pattern in zip(told.problems, expected, strict=True):
        assert re.search(pattern, problem), problem
