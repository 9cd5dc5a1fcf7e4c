"""A folder on an IMAP server, as far as the bridge uses one."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeGuard

from adapters.mail.imap_reply import Reply, Value
from adapters.mail.imap_wire import Argument, Declined, Wire, quoted
from adapters.mail.settings import MailSettings, Tls
from adapters.mail.timing import Timing

HEADER_LIMIT: Final = 65_536
"""Bytes of a mail's header that are read: more than any honest one has."""
_CHUNK: Final = 262_144
_MONTHS: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
_UNKNOWN: Final = datetime.fromtimestamp(0, UTC)


class NotAllowed(Exception):  # noqa: N818 - what happened
    """The server does not take the name and password; `words` are its own."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail in the folder: what there is to know without reading it.

    `uid` is its number in the folder, `arrived` when it came into it, `size` in bytes.
    `structure` is the server's BODYSTRUCTURE, unread; None where it was not asked for.
    """

    uid: int
    arrived: datetime
    size: int
    header: bytes
    structure: Value = None


class Mailbox:
    """One connection with one folder open. Made by `open_mailbox`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.capabilities: frozenset[str] = frozenset()
        self.validity = 0
        self.next_uid = 1

    @property
    def changed(self) -> asyncio.Event:
        """Set when the folder has changed; cleared by whoever looks."""
        return self._wire.changed

    @property
    def idles(self) -> bool:
        """Whether the server tells by itself when mail comes."""
        return "IDLE" in self.capabilities

    async def enter(self, settings: MailSettings, *, read_only: bool) -> None:
        """Log in and open the folder.

        Raises:
            Lost, NotAllowed, Declined: it was not possible.
        """
        await self._learn_capabilities()
        if not self._wire.greeting.upper().startswith("* PREAUTH"):
            await self._log_in(settings.login, settings.password.get_secret_value())
            await self._learn_capabilities()
        verb = b"EXAMINE" if read_only else b"SELECT"
        replies = await self._wire.command(verb, quoted(_utf7(settings.folder)))
        for reply in replies:
            if reply.word == "OK" and "[" in reply.text:
                code = reply.text.partition("[")[2].partition("]")[0].split()
                self._note(code)

    def _note(self, code: Sequence[str]) -> None:
        if len(code) == 2 and code[1].isdigit():
            match code[0].upper():
                case "UIDVALIDITY":
                    self.validity = int(code[1])
                case "UIDNEXT":
                    self.next_uid = int(code[1])

    async def _learn_capabilities(self) -> None:
        for reply in await self._wire.command(b"CAPABILITY"):
            if reply.word == "CAPABILITY":
                names = (each for each in reply.values if isinstance(each, bytes))
                self.capabilities = frozenset(
                    each.decode("ascii", "replace").upper() for each in names
                )

    async def _log_in(self, user: str, password: str) -> None:
        try:
            if {"AUTH=PLAIN", "SASL-IR"} <= self.capabilities:
                token = base64.b64encode(f"\0{user}\0{password}".encode())
                await self._wire.command(b"AUTHENTICATE PLAIN", token)
            else:
                await self._wire.command(b"LOGIN", quoted(user), quoted(password))
        except Declined as error:
            raise NotAllowed(error.words) from None

    # --- looking

    async def search(self, *criteria: Argument) -> list[int]:
        """The numbers of the mails that match, in order.

        Raises:
            Lost, Declined: no answer came.
        """
        found: set[int] = set()
        for reply in await self._wire.command(b"UID SEARCH", *criteria):
            if reply.word == "SEARCH":
                found.update(int(each) for each in reply.values if _is_number(each))
        return sorted(found)

    async def since(self, first: int) -> list[int]:
        """The numbers of all mails from this one on."""
        # "n:*" means the last mail, too, where n is beyond it (RFC 3501, section 6.4.8)
        return [uid for uid in await self.search(b"UID %d:*" % first) if uid >= first]

    async def by_message_id(self, message_id: str) -> list[int]:
        """The numbers of the mails with this Message-ID."""
        return await self.search(b"HEADER", b"Message-ID", quoted(message_id))

    async def arrived_since(self, moment: datetime) -> list[int]:
        """The numbers of the mails of this day and later, and of the day before: days are those
        of the server's time zone.
        """
        day = (moment - timedelta(days=1)).astimezone(UTC)
        date = f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"
        return await self.search(b"SINCE", date.encode())

    async def envelopes(
        self, uids: Sequence[int], *, fields: str = "", structure: bool = False
    ) -> list[Envelope]:
        """What there is to know of these mails, in order; those that are gone are left out.

        Args:
            uids: their numbers; not too many at once.
            fields: header fields, divided by spaces; all when empty.
            structure: whether to ask for the structure, too.
        """
        if not uids:
            return []
        part = f"HEADER.FIELDS ({fields})" if fields else "HEADER"
        items = f"UID INTERNALDATE RFC822.SIZE BODY.PEEK[{part}]<0.{HEADER_LIMIT}>"
        asked = f"({items} BODYSTRUCTURE)" if structure else f"({items})"
        replies = await self._wire.command(b"UID FETCH", _set(uids), asked.encode())
        wanted, found = set(uids), {}
        for reply in replies:
            envelope = _envelope(reply)
            if envelope is not None and envelope.uid in wanted:
                found[envelope.uid] = envelope
        return [found[uid] for uid in sorted(found)]

    async def section(self, uid: int, section: str, start: int, length: int) -> bytes:
        """So many bytes of a part, as it was sent; empty beyond its end.

        Raises:
            Lost, Declined: no answer came.
            KeyError: the mail is not there any more.
        """
        asked = f"BODY.PEEK[{section}]<{start}.{length}>".encode()
        for reply in await self._wire.command(b"UID FETCH", b"%d" % uid, b"(UID " + asked + b")"):
            items = reply.items()
            if items.get("UID") == b"%d" % uid:
                for name, value in items.items():
                    if name.startswith("BODY["):
                        return value if isinstance(value, bytes) else b""
        raise KeyError(uid)

    async def stream(self, uid: int, section: str) -> AsyncIterator[bytes]:
        """A whole part, as it was sent, piece by piece."""
        start = 0
        while True:
            piece = await self.section(uid, section, start, _CHUNK)
            if piece:
                yield piece
            if len(piece) < _CHUNK:
                return
            start += len(piece)

    async def mark_seen(self, uids: Sequence[int]) -> None:
        """Mark mails as read."""
        await self._wire.command(b"UID STORE", _set(uids), rb"+FLAGS.SILENT (\Seen)")

    async def wait(self, timing: Timing, until: asyncio.Event) -> None:
        """Return when there may be new mail, or after some minutes, or when `until` is set."""
        if self.idles:
            await self._wire.idle(timing.idle, until=until)
            return
        try:
            async with asyncio.timeout(timing.look):
                await until.wait()
        except TimeoutError:
            await self._wire.command(b"NOOP")

    async def close(self) -> None:
        """Hang up."""
        await self._wire.close()


async def open_mailbox(
    settings: MailSettings, timing: Timing, *, read_only: bool = False
) -> Mailbox:
    """Connect, log in, and open the folder.

    Raises:
        Lost, NotAllowed, Declined: it was not possible.
    """
    implicit = settings.imap_tls is Tls.IMPLICIT
    trust = None if settings.imap_tls is Tls.OFF else await asyncio.to_thread(settings.trust)
    wire = await Wire.open(
        settings.imap_host, settings.imap_at, trust if implicit else None, timing
    )
    try:
        if trust is not None and not implicit:
            await wire.secure(settings.imap_host, trust)
        wire.start()
        mailbox = Mailbox(wire)
        await mailbox.enter(settings, read_only=read_only)
    except BaseException:
        await wire.close()
        raise
    return mailbox


@asynccontextmanager
async def visiting(settings: MailSettings, timing: Timing) -> AsyncIterator[Mailbox]:
    """A connection of its own, for as long as it is needed, that changes nothing."""
    mailbox = await open_mailbox(settings, timing, read_only=True)
    try:
        yield mailbox
    finally:
        await mailbox.close()


def _envelope(reply: Reply) -> Envelope | None:
    items = reply.items()
    uid, size = items.get("UID"), items.get("RFC822.SIZE")
    header = next((items[name] for name in items if name.startswith("BODY[HEADER")), None)
    if not _is_number(uid) or not isinstance(header, bytes):
        return None
    return Envelope(
        uid=int(uid),
        arrived=_date(items.get("INTERNALDATE")),
        size=int(size) if _is_number(size) else 0,
        header=header,
        structure=items.get("BODYSTRUCTURE"),
    )


def _date(value: Value) -> datetime:
    """` 1-Feb-2026 10:00:00 +0100`, which differs from a mail's dates by its hyphens."""
    if not isinstance(value, bytes):
        return _UNKNOWN
    day, _, rest = value.decode("ascii", "replace").strip().partition(" ")
    try:
        found = parsedate_to_datetime(f"{day.replace('-', ' ')} {rest}")
    except (ValueError, OverflowError):
        return _UNKNOWN
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def _is_number(value: object) -> TypeGuard[bytes]:
    return isinstance(value, bytes) and value.isdigit() and len(value) <= 12


def _set(uids: Sequence[int]) -> bytes:
    """Numbers as a sequence set, with ranges: thousands must fit a line."""
    pieces: list[str] = []
    first = last = None
    for uid in [*sorted(set(uids)), None]:
        if last is not None and uid == last + 1:
            last = uid
            continue
        if first is not None:
            pieces.append(f"{first}" if first == last else f"{first}:{last}")
        first = last = uid
    return ",".join(pieces).encode()


def _utf7(name: str) -> str:
    """A folder's name as IMAP writes it (RFC 3501, section 5.1.3)."""
    if name.isascii():
        return name.replace("&", "&-")
    out, run = [], ""
    for letter in [*name, ""]:
        if letter and not (letter.isascii() and letter.isprintable()):
            run += letter
            continue
        if run:
            coded = base64.b64encode(run.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
            out.append(f"&{coded.decode()}-")
            run = ""
        out.append("&-" if letter == "&" else letter)
    return "".join(out)
