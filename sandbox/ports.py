"""Loopback ports for servers that keep their port across restarts."""

import asyncio
import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"

_LOWEST = 20_000
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given_out: set[int] = set()


def free_port() -> int:
    """A loopback port nobody listens on, given out once in the life of this process.

    It lies below the range from which the kernel picks the ports of outgoing connections. In that
    range a client could be handed the port of a server that is just being restarted, or, polling
    for it, even connect to itself.
    """
    highest = _first_ephemeral_port() - 1
    for port in random.sample(range(_LOWEST, highest), k=200):
        if port not in _given_out and _can_bind(port):
            _given_out.add(port)
            return port
    raise RuntimeError(f"found no free port on {LOOPBACK} between {_LOWEST} and {highest}")


async def is_listening(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except ConnectionError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def _first_ephemeral_port() -> int:
    first, _last = _EPHEMERAL_RANGE.read_text().split()
    # A machine that widened the range leaves no room below it: then no port is quite safe.
    return max(int(first), _LOWEST + 10_000)


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
