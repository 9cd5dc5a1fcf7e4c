"""A cable between the bridge and its server that a test can cut, block and mend."""

import asyncio
from types import TracebackType
from typing import Self

from sandbox.ports import LOOPBACK, free_port


class Cable:
    """A TCP relay. `cut` ends what is connected and refuses more; `block` delivers nothing."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.connections = 0
        self._target = port
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cut()
        for relay in self._relays:
            relay.cancel()
        if self._relays:
            await asyncio.wait(self._relays)

    async def mend(self) -> None:
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._connect, LOOPBACK, self.port)

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    def block(self) -> None:
        """Nothing reaches the bridge any more; what it sends goes through."""
        self._flows.clear()

    def unblock(self) -> None:
        self._flows.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._target)
        except ConnectionError:
            writer.close()
            return
        for source, sink, inward in ((reader, far_writer, False), (far_reader, writer, True)):
            self._writers.add(sink)
            relay = asyncio.create_task(self._relay(source, sink, inward=inward))
            self._relays.add(relay)
            relay.add_done_callback(self._relays.discard)

    async def _relay(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, inward: bool
    ) -> None:
        try:
            while data := await source.read(65536):
                if inward:
                    await self._flows.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()
            self._writers.discard(sink)
