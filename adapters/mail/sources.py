"""Where a file of a mail is: what `Attachment.source` says, and how it is fetched."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from adapters.mail.charsets import decode
from adapters.mail.header import Header
from adapters.mail.imap_wire import Declined, Lost
from adapters.mail.mailbox import Mailbox, NotAllowed, visiting
from adapters.mail.new_html import plain_of
from adapters.mail.plan import Body, plan_of
from adapters.mail.settings import MailSettings
from adapters.mail.structure import Broken, Part, read_structure
from adapters.mail.timing import Timing
from adapters.mail.transfer import decoder
from bridge.contract import Refused, Unreachable
from bridge.model import Attachment

_SOURCE: Final = re.compile(r"imap:(\d{1,12})/(\d{1,12})/([\d.]{1,80}|text)/([a-z0-9-]{0,30})")
_SHOWN: Final = ("From", "Date", "To", "Cc", "Subject")
_LONGEST_TEXT: Final = 4_000_000
TEXT: Final = "text"


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a mail, or its whole text (`TEXT`), decoded from `encoding`."""

    validity: int
    uid: int
    section: str
    encoding: str = ""

    def __str__(self) -> str:
        return f"imap:{self.validity}/{self.uid}/{self.section}/{self.encoding}"

    @classmethod
    def read(cls, text: str) -> "Source":
        """The source that this text means.

        Raises:
            Refused: it means none.
        """
        found = _SOURCE.fullmatch(text)
        if found is None:
            raise Refused("This is no file of a mail.")
        return cls(int(found[1]), int(found[2]), found[3], found[4])


@asynccontextmanager
async def download(
    attachment: Attachment, settings: MailSettings, timing: Timing, name: str
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The file, piece by piece; see `bridge.contract.MediaSource.download`."""
    source = Source.read(attachment.source)
    try:
        async with visiting(settings, timing) as mailbox:
            if mailbox.validity != source.validity:
                raise Refused("The mailbox was made anew since, and the file is not in it.")
            yield _pieces(mailbox, source)
    except (Lost, NotAllowed, Declined) as error:
        raise Unreachable(f"The mailbox of {name} can't be read now: {error}.") from error


async def _pieces(mailbox: Mailbox, source: Source) -> AsyncIterator[bytes]:
    try:
        if source.section == TEXT:
            yield await whole_text(mailbox, source.uid)
            return
        tool = decoder(source.encoding)
        async for piece in mailbox.stream(source.uid, source.section):
            if data := tool.feed(piece):
                yield data
        if data := tool.end():
            yield data
    except KeyError:
        raise Refused("The mail is not in the mailbox any more.") from None


async def whole_text(mailbox: Mailbox, uid: int) -> bytes:
    """All that a mail says, with its quotations, as a text file. Of its header, only what anyone
    on the list sees: the rest tells about the bridge's own subscription.

    Raises:
        KeyError: it is not there any more.
    """
    found = await mailbox.envelopes([uid], structure=True)
    if not found:
        raise KeyError(uid)
    header = Header(found[0].header)
    lines = [f"{name}: {header.words(name)}" for name in _SHOWN if header.has(name)]
    try:
        plan = plan_of(read_structure(found[0].structure))
    except Broken:
        text = decode(await mailbox.section(uid, "TEXT", 0, _LONGEST_TEXT), "utf-8")
    else:
        text = "\n\n".join([await _words_of(mailbox, uid, body) for body in plan.bodies])
    return ("\n".join(lines) + "\n\n" + text.strip() + "\n").encode()


async def _words_of(mailbox: Mailbox, uid: int, body: Body) -> str:
    words = ""
    if body.text is not None:
        words = await text_of(mailbox, uid, body.text, _LONGEST_TEXT)
    if body.html is not None and not words.strip():
        words = plain_of(await text_of(mailbox, uid, body.html, _LONGEST_TEXT))
    return words


async def text_of(mailbox: Mailbox, uid: int, part: Part, limit: int) -> str:
    """What a part says, up to so many bytes as sent, with LF at the end of lines.

    Raises:
        KeyError: the mail is not there any more.
    """
    tool = decoder(part.encoding)
    data = tool.feed(await mailbox.section(uid, part.section, 0, limit)) + tool.end()
    text = decode(data, part.charset).replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "").removeprefix("\ufeff")
