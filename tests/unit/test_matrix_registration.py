"""The registration file: what it claims, and what it leaves to others."""

import re

import pytest
import yaml
from matrix_fakes import AS_TOKEN, HS_TOKEN, config

from bridge.config.schema import Config
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.registration import registration, registration_yaml


def test_it_tells_the_homeserver_what_it_must_know() -> None:
    written = registration(config(id="our-bridge", bot="helper", url="http://bridge:1"))
    namespaces = written.pop("namespaces")
    assert written == {
        "id": "our-bridge",
        "url": "http://bridge:1",
        "as_token": AS_TOKEN,
        "hs_token": HS_TOKEN,
        "sender_localpart": "_consilium_service",
        "rate_limited": False,
        "receive_ephemeral": True,
        "de.sorunome.msc2409.push_ephemeral": True,
        "io.element.msc4190": True,
        "org.matrix.msc3202": True,
    }
    assert all(each["exclusive"] for each in namespaces["users"])
    assert namespaces["rooms"] == []


@pytest.mark.parametrize(
    ("user_id", "claimed"),
    [
        (GhostIds(config()).of("muc", "Bob"), True),
        ("@consilium:hospital.test", True),
        ("@consilium2:hospital.test", False),
        ("@anna:hospital.test", False),
        ("@_consilium_muc_bob:hospitalXtest", False),
        ("@_consilium_muc_bob:other.test", False),
    ],
)
def test_it_claims_the_bot_and_the_ghosts_and_nobody_else(user_id: str, claimed: bool) -> None:
    patterns = [each["regex"] for each in registration(config())["namespaces"]["users"]]
    assert any(re.fullmatch(pattern, user_id) for pattern in patterns) == claimed


def test_the_file_reads_back_as_what_was_meant() -> None:
    text = registration_yaml(config())
    assert yaml.safe_load(text) == registration(config())
    assert text.startswith("# Written by `consilium registration`")


def test_it_claims_the_aliases_of_portals_without_keeping_them_from_others() -> None:
    link = {"network": "muc", "group": "case-7@muc.test"}
    rooms = ["#case-7:hospital.test", "#case-7:other.test", "!case-7:hospital.test"]
    portals = [{"room": room, "links": [link]} for room in rooms]
    content = config().model_dump() | {"portals": portals}
    aliases = registration(Config.model_validate(content))["namespaces"]["aliases"]
    assert aliases == [
        {"exclusive": True, "regex": r"#_consilium_.+:hospital\.test"},
        {"exclusive": False, "regex": r"\#case\-7:hospital\.test"},
    ]
