"""Tells the supervisor how the bridge is: ready, alive, in a plain sentence, and when it stops."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from bridge.contract import Health
from bridge.model import MATRIX
from bridge.operations.systemd import Systemd
from bridge.operations.vitals import Vitals

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0
_SIGNS_PER_LIMIT: Final = 3
"""How many signs of life within the time that one is wanted in."""


class Supervision:
    """Looks once a second, and says what is new.

    Args:
        systemd: whom to tell.
        vitals: whether there is any life to tell of.
        states: the last state of each network (group None) and group.
        waiting: how many deliveries wait, by network.
    """

    def __init__(
        self,
        systemd: Systemd,
        vitals: Vitals,
        states: Callable[[], Mapping[tuple[str, str | None], Health]],
        waiting: Callable[[], Mapping[str, int]],
    ) -> None:
        self._systemd = systemd
        self._vitals = vitals
        self._states = states
        self._waiting = waiting
        self._told = ""
        self._sign_at = float("-inf")

    async def run(self) -> None:
        """Say that the bridge is ready, and how it is, until cancelled.

        Ready means that it listens and takes everything over. The homeserver may still be away:
        then systemd must not wait for it, and least of all end a bridge that waits.
        """
        if not self._systemd.listens:
            return
        self._told = self.sentence()
        self._systemd.tell(READY="1", STATUS=self._told)
        while True:
            self._look()
            await asyncio.sleep(_LOOK_SECONDS)

    def stopping(self) -> None:
        """Say that the bridge stops."""
        self._systemd.tell(STOPPING="1", STATUS="Stopping: what is being sent is finished.")

    def sentence(self) -> str:
        """How the bridge is, in one sentence."""
        networks = {id_: health for (id_, group), health in self._states().items() if group is None}
        matrix = networks.pop(MATRIX, None)
        if matrix is None:
            return "Waiting for the homeserver."
        if not matrix.up:
            return matrix.reason
        away = sorted(id_ for id_, health in networks.items() if not health.up)
        waiting = sum(self._waiting().values())
        waits = f"{waiting} {'delivery waits' if waiting == 1 else 'deliveries wait'}"
        reached = f"can't be reached: {', '.join(away)}" if away else "all networks are reached"
        return f"Bridging; {reached}; {waits if waiting else 'nothing waits'}."

    def _look(self) -> None:
        if silence := self._vitals.silence():
            if self._told != silence:
                log.error("no_sign_of_life", reason=silence)
                self._tell(silence)
            return
        limit, now = self._systemd.watchdog_seconds, time.monotonic()
        if limit is not None and now - self._sign_at >= limit / _SIGNS_PER_LIMIT:
            self._sign_at = now
            self._systemd.tell(WATCHDOG="1")
        if (sentence := self.sentence()) != self._told:
            self._tell(sentence)

    def _tell(self, sentence: str) -> None:
        self._told = sentence
        self._systemd.tell(STATUS=sentence)
