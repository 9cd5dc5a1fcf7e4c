"""What a process uses, as Linux accounts it (proc(5)): CPU time of all its threads, and memory."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_USER_TIME, _SYSTEM_TIME = 11, 12  # fields 14 and 15 of stat(5), counted after "(command) "


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MB (10**6 bytes): now, and the most there ever was."""

    now: float
    peak: float


class Meter:
    """Reads one running process."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")

    def cpu(self) -> float:
        """CPU seconds used so far, in user and kernel, exact to a hundredth."""
        _, _, fields = (self._proc / "stat").read_text().rpartition(") ")
        values = fields.split()
        return (int(values[_USER_TIME]) + int(values[_SYSTEM_TIME])) / _TICKS

    def memory(self) -> Memory:
        """Resident memory."""
        lines = (self._proc / "status").read_text().splitlines()
        found = dict(line.split(":", 1) for line in lines)
        return Memory(_megabytes(found["VmRSS"]), _megabytes(found["VmHWM"]))


def _megabytes(value: str) -> float:
    return int(value.split(maxsplit=1)[0]) * 1024 / 10**6
