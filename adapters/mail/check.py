"""`consilium check`: the mailbox, sending, and what is to be seen of each list, tried once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.mail.belonging import FIELDS, list_of
from adapters.mail.header import Header
from adapters.mail.imap_wire import Declined, Lost
from adapters.mail.mailbox import Mailbox, NotAllowed, visiting
from adapters.mail.sending import Postman, hang_up
from adapters.mail.settings import MailSettings
from adapters.mail.timing import DEFAULT, Timing
from bridge.contract import Finding, Unreachable

_SECONDS: Final = 18.0
_TIMING: Final = replace(DEFAULT, connect=8.0, answer=8.0)
_LOOKED_BACK: Final = timedelta(days=30)
_LOOKED_AT: Final = 500


async def examine(
    settings: MailSettings, name: str, groups: Sequence[str], timing: Timing = _TIMING
) -> list[Finding]:
    """Try everything; what is wrong is a finding. Bounded to 20 seconds."""
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(_SECONDS), asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(_mailbox(settings, name, groups, timing))
            sending = tasks.create_task(_sending(settings, name, timing))
        findings += [*reading.result(), sending.result()]
    except TimeoutError:
        slow = "The mail servers are too slow to look at everything."
        findings.append(Finding(ok=False, subject=name, sentence=slow, advice="Try again later."))
    return findings


async def _mailbox(
    settings: MailSettings, name: str, groups: Sequence[str], timing: Timing
) -> list[Finding]:
    subject = f"{name}: mailbox"
    where = f"{settings.imap_host}:{settings.imap_at}"
    try:
        async with visiting(settings, timing) as mailbox:
            findings = [_opened(subject, settings, mailbox)]
            seen = await _lists_seen(mailbox, settings, groups)
    except NotAllowed as error:
        return [
            Finding(
                ok=False, subject=subject,
                sentence=f"{where} does not take the password of {settings.login} ({error.words}).",
                advice="Check user and password; some providers want a password for programs.",
            )
        ]  # fmt: skip
    except Declined as error:
        return [
            Finding(
                ok=False, subject=subject,
                sentence=f"The folder {settings.folder} can't be opened ({error.words}).",
                advice="Check folder.",
            )
        ]  # fmt: skip
    except Lost as error:
        return [
            Finding(
                ok=False, subject=subject,
                sentence=f"{where} can't be used: {error.reason}.",
                advice="Check imap_host, imap_port, imap_tls, and ca if the authority is your own.",
            )
        ]  # fmt: skip
    return findings + [_list(name, group, group in seen) for group in groups]


def _opened(subject: str, settings: MailSettings, mailbox: Mailbox) -> Finding:
    sentence = f"{settings.folder} of {settings.login} can be read."
    if mailbox.idles:
        return Finding(ok=True, subject=subject, sentence=sentence)
    return Finding(
        ok=True, subject=subject,
        sentence=f"{sentence} The server does not tell by itself when mail comes (no IDLE).",
        advice="Mails will be up to a minute late.",
    )  # fmt: skip


async def _lists_seen(mailbox: Mailbox, settings: MailSettings, groups: Sequence[str]) -> set[str]:
    """The lists that mail came from lately."""
    uids = await mailbox.arrived_since(datetime.now(UTC) - _LOOKED_BACK)
    found = set()
    for envelope in await mailbox.envelopes(uids[-_LOOKED_AT:], fields=" ".join(FIELDS)):
        loosely = settings.without_list_id
        group = list_of(Header(envelope.header), set(groups), loosely=loosely)
        if group:
            found.add(group)
    return found


def _list(name: str, group: str, seen: bool) -> Finding:  # noqa: FBT001
    subject = f"{name}: {group}"
    if seen:
        return Finding(ok=True, subject=subject, sentence="Mail of this list is in the mailbox.")
    return Finding(
        ok=True, subject=subject,
        sentence="No mail of this list came within the last 30 days.",
        advice="That is so with a new list. Else see whether the bridge's address is subscribed.",
    )  # fmt: skip


async def _sending(settings: MailSettings, name: str, timing: Timing) -> Finding:
    subject = f"{name}: sending"
    try:
        client = await Postman(name, settings, timing).connect()
    except Unreachable as error:
        return Finding(
            ok=False, subject=subject, sentence=error.sentence,
            advice="Check smtp_host, smtp_port, smtp_tls and the password.",
        )  # fmt: skip
    await hang_up(client)
    return Finding(
        ok=True, subject=subject,
        sentence=f"{settings.smtp_host}:{settings.smtp_at} takes mails from {settings.address}.",
    )  # fmt: skip
