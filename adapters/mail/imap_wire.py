"""One connection to an IMAP server (RFC 3501): commands out, answers in.

Own code, and not a library, for what docs/dependencies.md tells.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final, Self

from adapters.mail.imap_reply import LITERAL, Literal, Reply, Unreadable, read_reply
from adapters.mail.timing import Timing

_LONGEST_LINE: Final = 4_000_000
_LONGEST_LITERAL: Final = 8_000_000
_LONGEST_ANSWER: Final = 32_000_000
"""Bytes that one answer may have, its literals included; nobody asks for more at once."""

_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}

Argument = bytes | Literal


class Lost(Exception):  # noqa: N818 - what happened
    """There is no connection any more; `reason` says why, for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Declined(Exception):  # noqa: N818 - what happened
    """The server answered NO or BAD; `words` are its own."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = " ".join(words.split())[:200]


def quoted(text: str) -> Argument:
    """A text as an argument, whatever it holds."""
    data = text.encode()
    if data.isascii() and not any(byte < 32 or byte in b'"\\' for byte in data):
        return b'"%b"' % data
    return Literal(data)


class Wire:
    """One connection. One command is under way at a time; others wait for it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timing: Timing
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._timing = timing
        self._turn = asyncio.Lock()
        self._tag = 0
        self._lost: Lost | None = None
        self._waiting: asyncio.Future[tuple[str, str]] | None = None
        self._may_go_on: asyncio.Future[None] | None = None
        self._heard: list[Reply] = []
        self._task: asyncio.Task[None] | None = None
        self._beneath: asyncio.StreamWriter | None = None
        self.changed = asyncio.Event()
        """Set when the folder has changed. Who looks at the folder clears it before."""
        self.greeting = ""

    @classmethod
    async def open(cls, host: str, port: int, trust: ssl.SSLContext | None, timing: Timing) -> Self:
        """Connect, with TLS from the first byte if there is anything to trust.

        Raises:
            Lost: nobody is there, or it is not who it should be.
        """
        try:
            async with asyncio.timeout(timing.connect):
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=trust, limit=_LONGEST_LINE
                )
        except TimeoutError:
            raise Lost("it does not answer") from None
        except ssl.SSLCertVerificationError as error:
            raise Lost(f"its certificate is not valid: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise Lost(f"it does not speak TLS ({error.reason})") from error
        except OSError as error:
            raise Lost(error.strerror or str(error) or "the connection failed") from error
        _notice_when_it_is_gone(writer)
        wire = cls(reader, writer, timing)
        try:
            async with asyncio.timeout(timing.connect):
                greeting = await wire._line()
        except TimeoutError:
            await wire.close()
            raise Lost("it does not answer") from None
        except BaseException:
            await wire.close()
            raise
        if not greeting.upper().startswith((b"* OK", b"* PREAUTH")):
            await wire.close()
            raise Lost("it lets nobody in now")
        wire.greeting = greeting.decode("utf-8", "replace").strip()
        return wire

    def start(self) -> None:
        """Read answers from now on."""
        if self._task is None:
            self._task = asyncio.create_task(self._read())

    async def secure(self, host: str, trust: ssl.SSLContext) -> None:
        """Go on with TLS (RFC 3501, section 6.2.1), before `start`. What came before counts for
        nothing any more.

        Raises:
            Lost: the server can't, or is not who it should be.
        """
        try:
            async with asyncio.timeout(self._timing.connect):
                self._writer.write(b"S1 STARTTLS\r\n")
                while (line := await self._line()).startswith(b"* "):
                    pass
                if not line.upper().startswith(b"S1 OK"):
                    raise Lost("it offers no STARTTLS")
                await self._wrap(host, trust)
        except TimeoutError:
            raise Lost("it does not answer") from None
        except ssl.SSLCertVerificationError as error:
            raise Lost(f"its certificate is not valid: {error.verify_message}") from error
        except (ssl.SSLError, OSError) as error:
            raise Lost(f"TLS failed ({error})") from error

    async def _wrap(self, host: str, trust: ssl.SSLContext) -> None:
        """Read with a new buffer: nothing that was slipped in before must count."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_LONGEST_LINE)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport = await loop.start_tls(
            self._writer.transport, protocol, trust, server_hostname=host
        )
        if transport is None:
            raise Lost("it closed the connection")
        protocol.connection_made(transport)
        self._beneath = self._writer  # it would hang up when nobody held it any more
        self._reader = reader
        self._writer = asyncio.StreamWriter(transport, protocol, reader, loop)

    async def command(self, *arguments: Argument, timeout: float | None = None) -> list[Reply]:
        """Give a command, and return the untagged answers to it.

        A command that is given up while it is under way ends the connection: its answers would
        be taken for those to the next one.

        Raises:
            Lost: there is no connection.
            Declined: the server answered NO or BAD.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(timeout or self._timing.answer):
                    return await self._ask(arguments)
            except TimeoutError:
                raise self._end("it does not answer any more") from None
            except asyncio.CancelledError:
                self._end("a command was given up")
                raise

    async def idle(self, seconds: float, *, until: asyncio.Event) -> None:
        """Wait until the folder changes (RFC 2177), or for so long, or until something else.

        Raises:
            Lost: there is no connection.
            Declined: the server won't.
        """
        async with self._turn:
            done = self._send_tagged(b"IDLE\r\n")
            try:
                async with asyncio.timeout(self._timing.answer):
                    await self._go_on(done)
                await self._first_of(seconds, done, until)
                async with asyncio.timeout(self._timing.answer):
                    await self._write(b"DONE\r\n")
                    await self._answer(done)
            except TimeoutError:
                raise self._end("it does not answer any more") from None
            except asyncio.CancelledError:
                self._end("a command was given up")
                raise

    async def _first_of(
        self, seconds: float, done: asyncio.Future[tuple[str, str]], until: asyncio.Event
    ) -> None:
        tasks = [asyncio.create_task(each.wait()) for each in (self.changed, until)]
        try:
            first: list[asyncio.Future[Any]] = [done, *tasks]
            await asyncio.wait(first, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def close(self) -> None:
        """Hang up."""
        self._end("the connection was closed")
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    # --- out

    def _send_tagged(self, start: bytes) -> asyncio.Future[tuple[str, str]]:
        if self._lost is not None:
            raise self._lost
        self._tag += 1
        self._heard = []
        self._waiting = asyncio.get_running_loop().create_future()
        self._may_go_on = asyncio.get_running_loop().create_future()
        self._writer.write(b"A%d " % self._tag + start)
        return self._waiting

    async def _ask(self, arguments: Sequence[Argument]) -> list[Reply]:
        first, *further = _in_turns(arguments)
        done = self._send_tagged(first)
        for piece in further:
            await self._go_on(done)
            self._may_go_on = asyncio.get_running_loop().create_future()
            await self._write(piece)
        await self._answer(done)
        heard, self._heard = self._heard, []
        return heard

    async def _answer(self, done: asyncio.Future[tuple[str, str]]) -> None:
        status, words = await done
        if status != "OK":
            raise Declined(words)

    async def _go_on(self, done: asyncio.Future[tuple[str, str]]) -> None:
        """Wait until the server wants to hear more."""
        more = self._may_go_on
        assert more is not None  # noqa: S101 - made with the command
        either: set[asyncio.Future[Any]] = {more, done}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not more.done():
            await self._answer(done)
            raise self._end("it answered before it was asked")

    async def _write(self, data: bytes) -> None:
        if self._lost is not None:
            raise self._lost
        self._writer.write(data)
        try:
            await self._writer.drain()
        except (OSError, ssl.SSLError) as error:
            raise self._end(str(error)) from error

    # --- in

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self._pieces())
        except Lost as error:
            self._end(error.reason)
        except Unreadable as error:
            self._end(f"it does not speak IMAP: {error}")

    async def _line(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            raise Lost("it closed the connection") from None
        except asyncio.LimitOverrunError:
            raise Lost("it sent a line without end") from None
        except (OSError, ssl.SSLError) as error:
            raise Lost(str(error) or "the connection broke") from error

    async def _pieces(self) -> list[bytes | Literal]:
        line = await self._line()
        pieces: list[bytes | Literal] = [line]
        total = len(line)
        while found := LITERAL.search(line):
            size = int(found[1]) if len(found[1]) < 12 else _LONGEST_LITERAL + 1
            total += size
            if size > _LONGEST_LITERAL or total > _LONGEST_ANSWER:
                raise Lost("it sent more than it was asked for")
            try:
                pieces.append(Literal(await self._reader.readexactly(size)))
            except asyncio.IncompleteReadError:
                raise Lost("it closed the connection") from None
            except (OSError, ssl.SSLError) as error:
                raise Lost(str(error) or "the connection broke") from error
            line = await self._line()
            total += len(line)
            pieces.append(line)
        return pieces

    def _take(self, pieces: Sequence[bytes | Literal]) -> None:
        first = pieces[0]
        assert isinstance(first, bytes)  # noqa: S101 - a line comes first
        if first.startswith(b"* "):
            reply = read_reply(pieces)
            if reply.word in {"EXISTS", "EXPUNGE", "RECENT"}:
                self.changed.set()
            if reply.word == "BYE" and self._waiting is None:
                raise Lost("it closed the connection")
            self._heard.append(reply)
            return
        if first.startswith(b"+"):
            if self._may_go_on is not None and not self._may_go_on.done():
                self._may_go_on.set_result(None)
            return
        tag, _, rest = first.strip().partition(b" ")
        status, _, words = rest.partition(b" ")
        if self._waiting is not None and tag == b"A%d" % self._tag and not self._waiting.done():
            plain = words.decode("utf-8", "replace")
            self._waiting.set_result((status.decode("ascii", "replace").upper(), plain))
            self._waiting = None

    def _end(self, reason: str) -> Lost:
        """Note that it is over; whoever waits for an answer is told."""
        if self._lost is None:
            self._lost = Lost(reason)
            self._writer.close()
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_exception(self._lost)
                self._waiting.exception()  # nobody may be waiting for it any more
        return self._lost


def _notice_when_it_is_gone(writer: asyncio.StreamWriter) -> None:
    """A server that vanished without a word would not be missed for as long as an IDLE lasts."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in _KEEPALIVE.items():
        if hasattr(socket, option):  # systems differ
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)


def _in_turns(arguments: Sequence[Argument]) -> list[bytes]:
    """What to send, piece by piece: before each but the first, the server has to agree."""
    pieces = [b""]
    for number, argument in enumerate(arguments):
        space = b" " if number else b""
        if isinstance(argument, Literal):
            pieces[-1] += space + b"{%d}\r\n" % len(argument.data)
            pieces.append(argument.data)
        else:
            pieces[-1] += space + argument
    pieces[-1] += b"\r\n"
    return pieces
