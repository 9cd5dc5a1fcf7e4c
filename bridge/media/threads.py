"""Blocking work off the loop, which is never left behind half done."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

_THREADS: Final = 4

_Result = TypeVar("_Result")


class Workers:
    """A few threads for files, apart from those that the rest of the bridge needs."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "media")

    async def run(self, work: Callable[..., _Result], *args: object) -> _Result:
        """Call it in a thread. When cancelled, wait for its end before going on: so nothing
        writes to a file that is being taken away.
        """
        future = asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})
            if not future.cancelled():
                future.exception()  # whoever cancelled does not ask how it went
            raise

    def close(self) -> None:
        """Take no more work."""
        self._pool.shutdown(wait=False, cancel_futures=True)
