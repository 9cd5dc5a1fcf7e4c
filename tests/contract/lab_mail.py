"""Real mail servers with lists of Mailman's, and a colleague with a mail program."""

import asyncio
import imaplib
import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import escape
from pathlib import Path

from mail_lab import BRIDGE, LISTS, PASSWORD, QUICK, settings, user

from adapters.mail.network import MailNetwork
from bridge.contract import Inlet
from bridge.testing import NETWORK, Lab, Shown, Words
from sandbox.mail_servers import MailServers
from sandbox.mail_user import MailUser
from sandbox.ports import LOOPBACK

_ANNA = "anna@clinic.test"
_LISTS = 60
_POLL = 0.02


class MailLab(Lab):
    """Lists that the bridge and the colleague are subscribed to."""

    colleague = "Anna Jansen"
    patience = 20.0
    exact = 1.0

    def __init__(self, _directory: Path) -> None:
        # Other users of this machine have to reach it, unlike pytest's own
        self._directory = tempfile.TemporaryDirectory(prefix="consilium-")
        Path(self._directory.name).chmod(0o755)
        lists = [f"kit{number}@{LISTS}" for number in range(_LISTS)]
        self._servers = MailServers(
            Path(self._directory.name) / "mail",
            mailboxes={BRIDGE: PASSWORD, _ANNA: "anna"},
            lists=dict.fromkeys(lists, (BRIDGE, _ANNA)),
        )
        self._lists = iter(lists)
        self._subjects = itertools.count(1)
        self._begun = self._running = False
        self._mailboxes: dict[str, imaplib.IMAP4] = {}
        self._seen: list[EmailMessage] = []
        self._next_uid = 1

    # --- the network

    async def start(self) -> None:
        if self._running:
            return
        if self._begun:
            await self._servers.dovecot.start()
            await self._servers.postfix.start()
        else:
            await self._servers.__aenter__()
        self._begun = self._running = True

    async def stop(self) -> None:
        if self._running:
            await self._hang_up()
            await self._servers.postfix.stop()
            await self._servers.dovecot.stop()
        self._running = False

    async def __aexit__(self, *exception: object) -> None:
        await self._hang_up()
        await self.start()
        await self._servers.__aexit__(None, None, None)
        self._directory.cleanup()

    async def _hang_up(self) -> None:
        for mailbox in self._mailboxes.values():
            await asyncio.to_thread(mailbox.shutdown)
        self._mailboxes.clear()

    def network(self, inlet: Inlet) -> MailNetwork:
        timing = replace(QUICK, first_delay=0.05, echo=1.0)
        return MailNetwork(NETWORK, "Hospital lists", settings(self._servers), inlet, timing)

    async def new_group(self) -> str:
        return next(self._lists)

    # --- the colleague

    @property
    def _anna(self) -> MailUser:
        return user(self._servers, _ANNA, self.colleague)

    async def say(self, group: str, words: Words) -> str:
        before = words.reply_to or words.topic
        headers = {"In_Reply_To": f"<{before}>", "References": f"<{before}>"} if before else {}
        subject = f"Subject {next(self._subjects)}"
        mail = self._anna.mail(group, subject, words.text, **headers)
        if words.bold:
            mail.add_alternative(f"<p><b>{escape(words.text)}</b></p>", "html")
        if words.file is not None:
            main, _, sub = words.file.mime.partition("/")
            mail.add_attachment(
                words.file.data, maintype=main, subtype=sub, filename=words.file.name
            )
        await self._anna.send(mail, group)
        await self._arrives(str(mail["Message-ID"]))
        return _bare(mail["Message-ID"])

    async def _arrives(self, ident: str) -> None:
        """Until the list has given it to the bridge."""
        async with asyncio.timeout(self.patience):
            while not await asyncio.to_thread(self._is_there, ident):  # noqa: ASYNC110
                await asyncio.sleep(_POLL)

    def _is_there(self, ident: str) -> bool:
        _, found = self._mailbox(BRIDGE, PASSWORD).search(
            None, "HEADER", "Message-ID", f'"{ident}"'
        )
        return bool(found[0])

    def _mailbox(self, address: str, password: str) -> imaplib.IMAP4:
        """A mailbox as it is now, over one connection for all looks into it."""
        if address not in self._mailboxes:
            client = imaplib.IMAP4(LOOPBACK, self._servers.dovecot.plain_port, timeout=20)
            client.authenticate("PLAIN", lambda _: f"\0{address}\0{password}".encode())
            client.select("INBOX", readonly=True)
            self._mailboxes[address] = client
        self._mailboxes[address].noop()
        return self._mailboxes[address]

    async def shown(self, group: str) -> Sequence[Shown]:
        await asyncio.to_thread(self._look)
        return [_as_seen(mail) for mail in self._seen if group in str(mail["To"])]

    def _look(self) -> None:
        mailbox = self._mailbox(_ANNA, "anna")
        _, data = mailbox.uid("FETCH", f"{self._next_uid}:*", "(UID BODY.PEEK[])")
        for each in data:
            if isinstance(each, tuple):
                uid = int(each[0].split(b"UID ")[1].split()[0])
                if uid >= self._next_uid:
                    self._seen.append(message_from_bytes(each[1], policy=default))
                    self._next_uid = uid + 1


def _bare(ident: object) -> str:
    return str(ident).strip().strip("<>")


def _as_seen(mail: EmailMessage) -> Shown:
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    before = [_bare(each) for each in str(mail["References"] or "").split()]
    file = next(iter(mail.iter_attachments()), None)
    return Shown(
        _bare(mail["Message-ID"]),
        mail["From"].addresses[0].display_name,
        "" if plain is None else plain.get_content().strip().replace("\r\n", "\n"),
        html="" if html is None else html.get_content(),
        reply_to=_bare(mail["In-Reply-To"]) if mail["In-Reply-To"] else None,
        topic=before[0] if before else None,
        file=None if file is None else file.get_content(),
    )
