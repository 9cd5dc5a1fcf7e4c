"""A message as a mail (RFC 5322): from the bridge's own domain, to the list, by one doctor."""

import asyncio
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from adapters.mail.message_ids import KEY_HEADER, OWN_HEADER, can_be_sent, own_id
from adapters.mail.settings import MailSettings
from adapters.mail.subjects import bare
from bridge.contract import LocalFile, Outgoing, Refused
from bridge.model import Message

_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_POLICY: Final = SMTP.clone(cte_type="7bit")
"""So that no server on the way has to rewrite it, which would break its signature (DKIM)."""
_LONGEST_SUBJECT: Final = 150
_FIRST_WORDS: Final = 70
_LONGEST_NAME: Final = 120


def subject_of(outgoing: Outgoing, known: str) -> str:
    """The subject: that of the conversation, or the first words of a new one.

    Args:
        outgoing: what is sent.
        known: the subject that the conversation has on the list, as far as known.
    """
    title = known or (outgoing.topic.title if outgoing.topic else "")
    title = title or (outgoing.reply_to.text if outgoing.reply_to else "")
    plain = _shortened(bare(one_line(title)), _LONGEST_SUBJECT)
    if ancestors(outgoing):
        return f"Re: {plain or '(no subject)'}"
    if plain:  # a conversation that has begun elsewhere, and is new to the list
        return plain
    event = outgoing.event
    text = event.text if isinstance(event, Message) else ""
    first = next((line for line in text.split("\n") if line.strip()), "")
    name = outgoing.file.name if outgoing.file else ""
    return _shortened(one_line(first or name), _FIRST_WORDS) or "(no subject)"


async def compose(outgoing: Outgoing, settings: MailSettings, subject: str) -> bytes:
    """The mail, ready to be sent.

    Raises:
        Refused: a list can't show this.
    """
    event = outgoing.event
    if not isinstance(event, Message):
        raise Refused(_CANNOT.get(str(event.kind), "A mailing list can't show this."))
    mail = EmailMessage(policy=_POLICY)
    author = one_line(event.author.name)[:_LONGEST_NAME] or "Someone"
    mail["From"] = _mailbox(f"{author} via {settings.via}", settings.address)
    mail["To"] = outgoing.place.id
    mail["Reply-To"] = outgoing.place.id
    mail["Subject"] = subject
    mail["Date"] = format_datetime(min(event.time, datetime.now(UTC)))
    if settings.say_automatic:
        mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_for_mail(event.text) or "\n")
    if event.html:
        mail.add_alternative(f"{event.html}\n", "html")
    if outgoing.file is not None:
        await _attach(mail, outgoing.file, settings.max_file)
    return _named(outgoing, settings) + mail.as_bytes()


_CANNOT: Final = {
    "edited": "A mail can't be changed once it is sent.",
    "deleted": "A mail can't be taken back once it is sent.",
    "reacted": "Mailing lists have no reactions.",
}


def ancestors(outgoing: Outgoing) -> list[str]:
    """The ids of the mails before it, the oldest first."""
    topic, answered = outgoing.topic, outgoing.reply_to
    ids = [
        topic.root.id if topic and topic.root else (topic.id or "") if topic else "",
        answered.id if answered else "",
    ]
    return [each for each in dict.fromkeys(ids) if can_be_sent(each)]


def one_line(text: str) -> str:
    """Without anything that ends a line of a header."""
    return " ".join(_UNSAFE.sub(" ", text).split())


def _named(outgoing: Outgoing, settings: MailSettings) -> bytes:
    """The fields with ids, written by hand: Python's own writer breaks long ids apart."""
    lines = [
        f"Message-ID: <{own_id(outgoing.key, settings.domain)}>",
        f"{OWN_HEADER}: {settings.address.lower()}",
        f"{KEY_HEADER}: {outgoing.key}",
    ]
    before = ancestors(outgoing)
    if before:
        lines.append(f"In-Reply-To: <{before[-1]}>")
        lines.append("References: " + "\r\n ".join(f"<{each}>" for each in before))
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _mailbox(name: str, address: str) -> str:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>'


def _for_mail(text: str) -> str:
    """Lines end in LF alone, which is what the writer wants, and nothing looks like a signature."""
    return "\n".join(
        _UNSAFE_IN_TEXT.sub("", line) for line in text.replace("\r\n", "\n").split("\n")
    ) + ("\n" if text and not text.endswith("\n") else "")


_UNSAFE_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


async def _attach(mail: EmailMessage, file: LocalFile, limit: int) -> None:
    if file.size > limit:
        raise Refused(f"The file is larger than the {limit // 1_000_000} MB that the list takes.")
    data = await asyncio.to_thread(file.path.read_bytes)
    main, _, sub = file.mime.partition("/")
    if not (main.isalnum() and sub) or main in {"multipart", "message"}:
        main, sub = "application", "octet-stream"
    mail.add_attachment(data, maintype=main, subtype=sub, filename=one_line(file.name) or "file")


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    words = text[:longest].rpartition(" ")[0]
    return f"{words or text[:longest]} …"
