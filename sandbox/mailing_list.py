"""One mailing list on real mail servers; a colleague and the bridge are subscribed to it."""

import asyncio
import imaplib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.journal import Journal
from sandbox.mail_servers import MailServers
from sandbox.mail_user import MailUser
from sandbox.people import PASSWORD

_BRIDGE = "consilium@hospital.test"
_COLLEAGUE = "anna@clinic.test"
_POLL = 0.1


@dataclass(frozen=True)
class ListMail:
    """A mail as the colleague's mailbox has it."""

    sender: str
    subject: str
    text: str
    id: str
    ancestors: tuple[str, ...]
    """The ids of the mails that it answers, the oldest first."""

    @classmethod
    def of(cls, mail: EmailMessage) -> Self:
        """Read a mail."""
        body = mail.get_body(("plain", "html"))
        return cls(
            parseaddr(str(mail["From"]))[0],
            str(mail["Subject"]),
            body.get_content() if body is not None else "",
            str(mail["Message-ID"]),
            tuple(str(mail.get("References", "")).split()),
        )


class MailingList:
    """The list, its servers, and what the colleague gets from it (`mails`), the own mails included.

    Args:
        directory: of a short path, and one that everyone can reach: the servers drop their rights.
        address: the list's.
        colleague: the name of the colleague.
    """

    def __init__(
        self,
        directory: Path,
        address: str = "heart@lists.test",
        colleague: str = "Anna",
    ) -> None:
        self.address = address
        self.colleague = colleague
        self.mails: Journal[ListMail] = Journal(f"the mails of {colleague}")
        self.servers = MailServers(
            directory,
            mailboxes={_BRIDGE: PASSWORD, _COLLEAGUE: PASSWORD},
            lists={address: (_BRIDGE, _COLLEAGUE)},
        )
        self._stack = AsyncExitStack()

    def network(self, name: str) -> Mapping[str, Any]:
        """The network as the bridge's configuration has it."""
        return {
            "type": "mail",
            "name": name,
            "address": _BRIDGE,
            "password": PASSWORD,
            "imap_host": "localhost",
            "imap_port": self.servers.dovecot.tls_port,
            "smtp_host": "localhost",
            "smtp_port": self.servers.postfix.tls_port,
            "ca": str(self.servers.authority),
            "per_minute": 1000,
        }

    async def write(self, subject: str, text: str, answering: ListMail | None = None) -> str:
        """Write to the list as the colleague; the mail's id."""
        user = self.user()
        headers = {}
        if answering is not None:
            headers = {
                "In_Reply_To": answering.id,
                "References": " ".join((*answering.ancestors, answering.id)),
            }
        mail = user.mail(self.address, subject, text, **headers)
        await user.send(mail, self.address)
        return str(mail["Message-ID"])

    async def die(self) -> None:
        """Take the mailboxes and the sending of mail away, as a power cut would."""
        await self.servers.dovecot.kill()
        await self.servers.postfix.kill()

    async def come_back(self) -> None:
        """Start both again."""
        await self.servers.dovecot.start()
        await self.servers.postfix.start()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.servers)
            reading = asyncio.create_task(self._read(), name=f"the mailbox of {self.colleague}")
            stack.push_async_callback(_end, reading)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    def user(self) -> MailUser:
        """The colleague."""
        return MailUser(
            _COLLEAGUE,
            PASSWORD,
            self.servers.dovecot.plain_port,
            self.servers.postfix.plain_port,
            self.colleague,
        )

    async def _read(self) -> None:
        """Look into the mailbox again and again, and go on when its server comes back."""
        user = self.user()
        while True:
            try:
                fresh = await user.mails(after=len(self.mails))
            except (OSError, imaplib.IMAP4.error):
                fresh = []
            for mail in fresh:
                self.mails.add(ListMail.of(mail))
            await asyncio.sleep(_POLL)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome
