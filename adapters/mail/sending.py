"""Hands mails in at the SMTP server (RFC 5321), each on a connection of its own."""

import asyncio
import contextlib
import re
from collections import deque
from typing import Final

import aiosmtplib
import structlog

from adapters.mail.settings import MailSettings, Tls
from adapters.mail.timing import Timing
from bridge.contract import Refused, Unreachable

log = structlog.get_logger()

_CONNECTIONS: Final = 2
_MINUTE: Final = 60.0
_LONGEST_PAUSE: Final = 5.0
"""Seconds that a mail is held here for the sake of the rate; beyond, it is given back."""
_WORDS: Final = re.compile(r"[^\x20-\x7e\xa0-\uffff]+")
_GREYLISTED: Final = 300.0
_FAREWELL: Final = 2.0
_BUSY: Final = 60.0


class Postman:
    """Sends mails, and says plainly what became of them.

    Args:
        name: what people call the network.
        settings: the network's.
        timing: how long to wait.
    """

    def __init__(self, name: str, settings: MailSettings, timing: Timing) -> None:
        self._name = name
        self._settings = settings
        self._timing = timing
        self._gate = asyncio.Semaphore(_CONNECTIONS)
        self._sent: dict[str, deque[float]] = {}

    async def send(self, recipient: str, mail: bytes) -> None:
        """Hand a mail in; it is accepted when this returns.

        Raises:
            Unreachable: not now; or it may have been accepted (`doubtful`).
            Refused: never.
        """
        await self._keep_to_the_rate(recipient)
        async with self._gate:
            client = await self.connect()
            try:
                await self._transfer(client, recipient, mail)
            finally:
                await hang_up(client)

    async def connect(self) -> aiosmtplib.SMTP:
        """A connection, logged in.

        Raises:
            Unreachable: there is none to have now.
        """
        settings = self._settings
        trust = None
        if settings.smtp_tls is not Tls.OFF:
            trust = await asyncio.to_thread(settings.trust)
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_at,
            use_tls=settings.smtp_tls is Tls.IMPLICIT,
            start_tls=settings.smtp_tls is Tls.STARTTLS,
            tls_context=trust,
            timeout=self._timing.connect,
            local_hostname=settings.domain,
        )
        try:
            await client.connect()
            if settings.smtp_login:
                await client.login(settings.login, settings.password.get_secret_value())
        except aiosmtplib.SMTPAuthenticationError as error:
            client.close()
            raise Unreachable(
                f"The mail server of {self._name} does not let the bridge send"
                f" ({_said(error.message)}). Ask the bridge's admin to check the password."
            ) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise Unreachable(
                f"The mail server of {self._name} is not reachable for sending ({_plain(error)})."
            ) from error
        return client

    async def _transfer(self, client: aiosmtplib.SMTP, recipient: str, mail: bytes) -> None:
        stage = ""
        try:
            await client.mail(
                self._settings.address,
                options=[f"SIZE={len(mail)}"] if client.supports_extension("size") else [],
            )
            await client.rcpt(recipient)
            stage = "data"
            await client.data(mail, timeout=self._timing.answer)
        except aiosmtplib.SMTPResponseException as error:
            raise self._answer(recipient, error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unreachable(
                f"The mail server of {self._name} did not say whether it took the mail"
                f" ({_plain(error)})."
                if stage
                else f"The mail server of {self._name} broke off ({_plain(error)}).",
                doubtful=bool(stage),
            ) from error

    def _answer(
        self, recipient: str, error: aiosmtplib.SMTPResponseException
    ) -> Unreachable | Refused:
        """What a refusal means (RFC 5321, section 4.2.1)."""
        said = _said(error.message)
        if 500 <= error.code < 600:
            if error.code == 552 or "5.3.4" in error.message:
                return Refused(f"The mail is larger than the list {recipient} takes ({said}).")
            return Refused(
                f"The mail server does not take mails for the list {recipient} ({said}).",
                "Ask the list's owner whether the bridge may write to it.",
            )
        wait = _BUSY if error.code == 421 else _GREYLISTED
        return Unreachable(
            f"The mail server asks to wait with mails for the list {recipient} ({said}).",
            retry_after=wait,
        )

    async def _keep_to_the_rate(self, recipient: str) -> None:
        """At most so many a minute: list servers hold back whoever sends more."""
        loop = asyncio.get_running_loop()
        sent = self._sent.setdefault(recipient, deque())
        while sent and sent[0] <= loop.time() - _MINUTE:
            sent.popleft()
        if len(sent) >= self._settings.per_minute:
            pause = sent[0] + _MINUTE - loop.time()
            if pause > _LONGEST_PAUSE:
                raise Unreachable(
                    f"The list {recipient} has got {len(sent)} mails within a minute; more go out"
                    " a little later.",
                    retry_after=pause,
                )
            await asyncio.sleep(max(pause, 0.0))
        sent.append(loop.time())


async def hang_up(client: aiosmtplib.SMTP) -> None:
    """Say goodbye, if the server still listens."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):
        await client.quit(timeout=_FAREWELL)
    client.close()


def _said(message: str) -> str:
    """A server's own words, in one short line."""
    return " ".join(_WORDS.sub(" ", message).split())[:200] or "no reason given"


def _plain(error: Exception) -> str:
    return _said(str(error)) if str(error) else type(error).__name__
