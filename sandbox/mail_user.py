"""A colleague with a mail program: sends and reads mails, through the standard library alone."""

import asyncio
import imaplib
import smtplib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import make_msgid

from sandbox.ports import LOOPBACK

_POLL = 0.05


@dataclass(frozen=True)
class MailUser:
    """One mailbox, and where it is."""

    address: str
    password: str
    imap_port: int
    smtp_port: int
    name: str = ""

    def mail(self, to: str, subject: str, text: str, **headers: str) -> EmailMessage:
        """A mail, not yet sent; `headers` are further fields, with `_` for a hyphen."""
        mail = EmailMessage()
        mail["From"] = f"{self.name} <{self.address}>" if self.name else self.address
        mail["To"] = to
        mail["Subject"] = subject
        mail["Message-ID"] = make_msgid(domain=self.address.partition("@")[2])
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        return mail

    async def send(self, mail: EmailMessage | bytes, to: str) -> None:
        """Hand a mail in, as it is."""
        data = mail if isinstance(mail, bytes) else mail.as_bytes()
        await asyncio.to_thread(self._send, data, to)

    def _send(self, data: bytes, to: str) -> None:
        with smtplib.SMTP(LOOPBACK, self.smtp_port, timeout=20) as client:
            client.sendmail(self.address, [to], data)

    async def put(self, raw: bytes, folder: str = "INBOX") -> None:
        """Put a mail into the own mailbox, as if it had come."""
        await self.put_all([raw], folder)

    async def put_all(self, mails: Sequence[bytes], folder: str = "INBOX") -> None:
        """Put mails into the own mailbox, in order."""
        await asyncio.to_thread(self._put, mails, folder)

    async def make_folder(self, name: str) -> None:
        """Make a folder, whose name is given as IMAP writes it."""
        await asyncio.to_thread(self._make_folder, name)

    def _make_folder(self, name: str) -> None:
        with self._imap() as client:
            client.create(f'"{name}"')

    def _put(self, mails: Sequence[bytes], folder: str) -> None:
        with self._imap() as client:
            for raw in mails:
                client.append(f'"{folder}"', "", imaplib.Time2Internaldate(time.time()), raw)

    async def mails(self, *, after: int = 0) -> list[EmailMessage]:
        """All that is in the mailbox, in order; without the first `after`."""
        return await asyncio.to_thread(self._mails, after)

    def _mails(self, after: int) -> list[EmailMessage]:
        with self._imap() as client:
            client.select("INBOX", readonly=True)
            _, found = client.search(None, "ALL")
            mails = []
            for number in found[0].split()[after:]:
                _, data = client.fetch(number.decode(), "(BODY.PEEK[])")
                found_raw = data[0]
                if isinstance(found_raw, tuple):
                    mails.append(message_from_bytes(found_raw[1], policy=default))
        return mails

    async def flags(self) -> list[str]:
        """The flags of each mail, in order."""
        return await asyncio.to_thread(self._flags)

    def _flags(self) -> list[str]:
        with self._imap() as client:
            client.select("INBOX", readonly=True)
            _, data = client.fetch("1:*", "(FLAGS)")
        return [each.decode() for each in data if isinstance(each, bytes)]

    async def mail_with(self, subject: str, timeout: float = 20.0) -> EmailMessage:
        """The first mail whose subject has these words in it, once it is there."""
        async with asyncio.timeout(timeout):
            while True:
                for mail in await self.mails():
                    if subject in str(mail["Subject"]):
                        return mail
                await asyncio.sleep(_POLL)

    async def delete_last(self) -> None:
        """Throw the newest mail away."""
        await asyncio.to_thread(self._delete_last)

    def _delete_last(self) -> None:
        with self._imap() as client:
            client.select("INBOX")
            client.store("*", "+FLAGS", r"(\Deleted)")
            client.expunge()

    def _imap(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4(LOOPBACK, self.imap_port, timeout=20)
        # imaplib's own login knows only ASCII
        token = f"\0{self.address}\0{self.password}".encode()
        client.authenticate("PLAIN", lambda _: token)
        return client
