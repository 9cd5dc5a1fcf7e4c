"""Pushes events to the bridge as Synapse's appservice scheduler does: one transaction at a time, at
most 100 events in each, one that failed again after a pause that doubles, and nothing before it.
"""

import asyncio
import itertools
from collections import deque
from typing import Final

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from bench.rooms import Event

_EVENTS_MAX: Final = 100
_TIMEOUT: Final = ClientTimeout(60)
_PAUSE_MAX: Final = 512


class Pusher:
    """The queue of one application service."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url}/_matrix/app/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._events: deque[Event] = deque()
        self._something = asyncio.Event()
        self._again = asyncio.Event()
        self.transactions = 0
        self.failures = 0

    def push(self, event: Event) -> None:
        """Have an event pushed in its turn."""
        self._events.append(event)
        self._something.set()

    async def run(self) -> None:
        """Push until cancelled."""
        async with ClientSession(headers=self._headers, timeout=_TIMEOUT) as session:
            for number in itertools.count(1):
                await self._something.wait()
                size = min(len(self._events), _EVENTS_MAX)
                events = [self._events.popleft() for _ in range(size)]
                if not self._events:
                    self._something.clear()
                await self._until_taken(session, number, events)

    async def ping(self, transaction_id: str | None) -> tuple[int, str]:
        """Ping the bridge; its status and answer. 0 when it can't be reached.

        As with Synapse, success also ends the pause after a failed transaction.
        """
        body = orjson.dumps({"transaction_id": transaction_id} if transaction_id else {})
        async with ClientSession(headers=self._headers, timeout=_TIMEOUT) as session:
            try:
                async with session.post(f"{self._url}/ping", data=body) as response:
                    answer = await response.text()
            except (ClientError, TimeoutError) as error:
                return 0, type(error).__name__
        if response.ok:
            self._again.set()
        return response.status, answer

    async def _until_taken(self, session: ClientSession, number: int, events: list[Event]) -> None:
        body = orjson.dumps(
            {
                "events": events,
                "ephemeral": [],
                "de.sorunome.msc2409.ephemeral": [],
                "de.sorunome.msc2409.to_device": [],
            }
        )
        pause = 2
        self._again.clear()
        while not await self._put(session, number, body):
            self.failures += 1
            try:
                async with asyncio.timeout(pause):
                    await self._again.wait()
            except TimeoutError:
                pause = min(pause * 2, _PAUSE_MAX)
            self._again.clear()
        self.transactions += 1

    async def _put(self, session: ClientSession, number: int, body: bytes) -> bool:
        try:
            async with session.put(f"{self._url}/transactions/{number}", data=body) as response:
                await response.read()
                return response.ok
        except (ClientError, TimeoutError):
            return False
