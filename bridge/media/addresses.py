"""Which addresses strangers may have the bridge connect to: public ones, and what the admin allows.

https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import re
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CARRIES_IPV4: Final = (
    # RFC 6052 NAT64, RFC 4291 mapped and compatible, RFC 2765 translated: the last 32 bits
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("2002::/16"), 80),  # RFC 3056, 6to4: bits 16 to 48
)
_NEVER: Final[tuple[Network, ...]] = (
    # What is not global by https://www.iana.org/assignments/iana-ipv6-special-registry and the
    # like, but is to older versions of Python, or leads to an IPv4 address that can't be read
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("::/96"),
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
    IPv6Network("5f00::/16"),
    IPv6Network("fec0::/10"),
)
_HOST: Final = re.compile(r"(?=.{1,253}$)(\*\.)?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def is_public(address: Address) -> bool:
    """Whether it is an address of the public internet, also within what it may be wrapped in."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        for network, shift in _CARRIES_IPV4:
            if address in network:
                return is_public(IPv4Address(int(address) >> shift & 0xFFFF_FFFF))
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def checked_allowed(written: str) -> str:
    """A host or network that may be fetched from, in its one spelling.

    Raises:
        ValueError: it is neither.
    """
    name = written.strip().lower().rstrip(".")
    if re.fullmatch(r"[0-9a-f:.]+(/[0-9]+)?", name) and (
        ":" in name or not name.strip("0123456789./")
    ):
        try:
            return str(ip_network(name))
        except ValueError:
            msg = "this is no network: write 10.1.0.0/16, or 10.1.2.3 for a single address"
            raise ValueError(msg) from None
    if not _HOST.fullmatch(name):
        msg = "write a host (files.example.org, *.example.org) or a network (10.1.0.0/16)"
        raise ValueError(msg)
    return name


class Allowed:
    """What the admin allows beyond the public internet.

    Args:
        entries: hosts (`files.example.org`; `*.example.org` for all under it) and networks
            (`10.1.0.0/16`), as `checked_allowed` returns them.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for entry in map(checked_allowed, entries):
            try:
                self._networks.append(ip_network(entry))
            except ValueError:
                self._hosts.add(entry)

    def permits(self, host: str, address: str) -> bool:
        """Whether a connection to this address may be made for this host."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return is_public(parsed) or self._named(host.lower().rstrip(".")) or self._within(parsed)

    def _named(self, host: str) -> bool:
        above = host.split(".")
        wider = ("*." + ".".join(above[at:]) for at in range(1, len(above)))
        return host in self._hosts or any(each in self._hosts for each in wider)

    def _within(self, address: Address) -> bool:
        inner = getattr(address, "ipv4_mapped", None) or address
        return any(inner in network for network in self._networks)
