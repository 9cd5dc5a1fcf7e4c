"""Which addresses are out on the internet, and which are on this machine or in this house."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from aiohttp import DefaultResolver
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64: Final = ip_network("64:ff9b::/96")
"""IPv4 behind a translator (RFC 6052)."""
PRIVATE: Final = "the address is private"


def is_public(address: str) -> bool:
    """Whether it leads out to the internet. What is no address does not."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    within = _embedded(found)
    return found.is_global and not found.is_multicast and (within is None or is_public(str(within)))


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address really leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


class Resolver(AbstractResolver):
    """Finds hosts, and knows afterwards which of them are out on the internet.

    Args:
        private: whether hosts may be found whose address is private.
    """

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._resolver = DefaultResolver()
        self._public: dict[str, bool] = {}

    def leads_out(self, host: str) -> bool:
        """Whether a host that was found, or is written as an address, is on the internet."""
        return self._public.get(host, is_public(host))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            OSError: it is not found, or one of its addresses is private and must not be.
        """
        found = await self._resolver.resolve(host, port, family)
        public = all(is_public(each["host"]) for each in found)
        if not (public or self._private):
            raise OSError(PRIVATE)
        self._public[host] = public
        return found

    async def close(self) -> None:
        """Release what it holds."""
        await self._resolver.close()
