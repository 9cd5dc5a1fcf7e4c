"""Only public addresses may be connected to, whatever they are wrapped in."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.media.addresses import Allowed, checked_allowed, is_public

PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "3fff::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "5f00::1",
    "100::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.1.2.3",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_within_walls_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not Allowed().permits("files.example.org", address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))
    assert Allowed().permits("files.example.org", address)


@given(st.ip_addresses(v=4))
def test_an_address_is_as_public_as_what_it_is_wrapped_in(inner: object) -> None:
    number = int(inner)  # type: ignore[call-overload]
    wrapped = [
        0xFFFF << 32 | number,
        0x64_FF9B << 96 | number,
        0x2002 << 112 | number << 80 | 1,
    ]
    public = {is_public(ip_address(each.to_bytes(16))) for each in wrapped}
    assert public == {is_public(inner)}  # type: ignore[arg-type]


def test_the_admin_can_allow_hosts_and_networks() -> None:
    allowed = Allowed(["Files.Hospital.Example", "*.intern.example", "10.1.0.0/16", "fd00::5"])
    assert allowed.permits("files.hospital.example", "192.168.0.1")
    assert allowed.permits("FILES.hospital.example.", "127.0.0.1")
    assert allowed.permits("a.b.intern.example", "127.0.0.1")
    assert allowed.permits("any.example", "10.1.2.3")
    assert allowed.permits("any.example", "::ffff:10.1.2.3")
    assert allowed.permits("any.example", "fd00::5")
    for host, address in [
        ("hospital.example", "192.168.0.1"),
        ("files.hospital.example.evil.example", "192.168.0.1"),
        ("intern.example", "127.0.0.1"),
        ("any.example", "10.2.0.1"),
        ("any.example", "fd00::6"),
        ("any.example", "no address"),
    ]:
        assert not allowed.permits(host, address), host


@pytest.mark.parametrize(
    "written",
    ["", "10.1.2.3/8", "10.1.2.3.4", "1:2", "http://a.example", "a b", "*", "a/b", "a*.b"],
)
def test_what_is_no_host_and_no_network_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="network"):
        checked_allowed(written)
