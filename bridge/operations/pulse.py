"""Looks now and then whether the homeserver still answers, and puts that on the board.

Networks tell when they lose their connection; with the homeserver there is none to lose. When it is
back, the board wakes the lanes, which need not sit out their wait.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from bridge.contract import Health
from bridge.health import HealthBoard
from bridge.model import MATRIX

_EVERY_SECONDS: Final = 15.0
_PATIENCE_SECONDS: Final = 10.0


class Pulse:
    """Asks the homeserver.

    Args:
        up: returns once the homeserver answers, however long that takes.
        board: where the state is put.
        every: seconds between two looks.
        patience: seconds after which a homeserver that does not answer counts as away.
    """

    def __init__(
        self,
        up: Callable[[], Awaitable[None]],
        board: HealthBoard,
        *,
        every: float = _EVERY_SECONDS,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._up = up
        self._board = board
        self._every = every
        self._patience = patience

    async def run(self, greeted: Callable[[], Awaitable[None]]) -> None:
        """Look until cancelled, once `greeted` has returned."""
        await greeted()
        while True:
            await asyncio.sleep(self._every)
            try:
                async with asyncio.timeout(self._patience):
                    await self._up()
            except TimeoutError:
                reason = "The homeserver does not answer."
                self._board.report(MATRIX, Health(up=False, reason=reason))
                await self._up()
                self._board.report(MATRIX, Health(up=True))
