"""Word to systemd, by the protocol of sd_notify(3): a datagram of `NAME=value` lines.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html and sd_watchdog_enabled(3).
docs/dependencies.md tells why this is not a library.
"""

import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import structlog

log = structlog.get_logger(__name__)


class Systemd:
    """The way to whoever supervises this process; without one, all words go nowhere.

    Args:
        environment: `NOTIFY_SOCKET` names the socket; `WATCHDOG_USEC`, for the process
            `WATCHDOG_PID`, tells how often a sign of life is wanted.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        self.watchdog_seconds = _watchdog(environment)

    def __enter__(self) -> Self:
        if self._address[:1] in {"/", "@"}:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)  # noqa: FBT003 - a supervisor that hangs must not hang the bridge
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def listens(self) -> bool:
        """Whether there is anyone to tell."""
        return self._socket is not None

    def starts_later(self, sentence: str, seconds: float) -> None:
        """Say why the start takes its time, and ask for so many seconds more."""
        self.tell(STATUS=sentence, EXTEND_TIMEOUT_USEC=str(round(seconds * 1_000_000)))

    def tell(self, **words: str) -> None:
        """Send words, as in `tell(READY="1", STATUS="All is well.")`. Never raises or waits."""
        if self._socket is None:
            return
        lines = (f"{name}={' '.join(value.split())}" for name, value in words.items())
        # A name that begins with @ is an abstract one, whose first byte is 0, unix(7)
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            self._socket.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            log.debug("supervisor_not_told", words=sorted(words), reason=error.strerror)


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """How many seconds may pass between two signs of life; None when nobody waits for them."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        return None
    return int(microseconds) / 1_000_000
