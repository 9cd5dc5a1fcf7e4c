"""All that mailing lists need: Dovecot for mailboxes, Postfix between them, Mailman for lists."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.mail_certificate import make_certificate
from sandbox.mail_dovecot import Dovecot
from sandbox.mail_mailman import Mailman
from sandbox.mail_postfix import Postfix
from sandbox.ports import free_port


class MailServers:
    """Real mail servers of one little world, in a directory that everyone can reach.

    Args:
        directory: for all of them; a short path, as sockets are in it.
        mailboxes: addresses, each with its password.
        lists: addresses of lists, each with its members.
        list_settings: what is set otherwise at single lists, as attributes of Mailman's.
        answers: see `Postfix`.
    """

    dovecot: Dovecot
    postfix: Postfix
    mailman: Mailman

    def __init__(
        self,
        directory: Path,
        *,
        mailboxes: Mapping[str, str],
        lists: Mapping[str, Iterable[str]],
        list_settings: Mapping[str, Mapping[str, object]] | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory.resolve()
        self._mailboxes = dict(mailboxes)
        self._lists = {address: tuple(members) for address, members in lists.items()}
        self._list_settings = dict(list_settings or {})
        self._answers = dict(answers or {})
        self._stack = AsyncExitStack()

    @property
    def authority(self) -> Path:
        """The certificate to trust."""
        return self._directory / "tls" / "cert.pem"

    async def __aenter__(self) -> Self:
        certificate = await make_certificate(self._directory / "tls")
        self.dovecot = Dovecot(self._directory / "dovecot", certificate, self._mailboxes)
        # Each has to know the other's port before it starts
        self.mailman = Mailman(self._directory / "mailman", smtp_port=free_port())
        self.postfix = Postfix(
            self._directory / "postfix",
            certificate,
            mailbox_domains={each.partition("@")[2] for each in self._mailboxes},
            lmtp_port=self.dovecot.lmtp_port,
            auth_port=self.dovecot.auth_port,
            list_domains={each.partition("@")[2] for each in self._lists},
            list_port=self.mailman.lmtp_port,
            answers=self._answers,
            plain_port=self.mailman.smtp_port,
        )
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.TaskGroup() as starting:
                    starting.create_task(stack.enter_async_context(self.dovecot))
                    starting.create_task(stack.enter_async_context(self.postfix))
                    starting.create_task(self.mailman.make_lists(self._lists, self._list_settings))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            await stack.enter_async_context(self.mailman)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)
