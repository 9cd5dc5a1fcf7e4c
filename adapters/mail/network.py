"""One mailbox and the lists it is subscribed to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from adapters.mail import sources
from adapters.mail.backlog import Group
from adapters.mail.check import examine
from adapters.mail.composing import ancestors, compose, subject_of
from adapters.mail.features import capabilities_of
from adapters.mail.header import Header
from adapters.mail.imap_wire import Declined, Lost, quoted
from adapters.mail.listening import Listener
from adapters.mail.mailbox import NotAllowed, open_mailbox, visiting
from adapters.mail.message_ids import KEY_HEADER, own_id
from adapters.mail.sending import Postman
from adapters.mail.settings import MailSettings
from adapters.mail.subjects import bare
from adapters.mail.threads import FIELDS, Thread, Threads
from adapters.mail.timing import DEFAULT, Backoff, Timing
from bridge.contract import (
    NEVER_HEARD,
    Capabilities,
    CatchUp,
    Finding,
    Health,
    Inlet,
    Outgoing,
    Sent,
    Unreachable,
)
from bridge.model import Attachment, Author


class MailNetwork:
    """Implements `bridge.contract.Network` and `MediaSource`."""

    def __init__(
        self,
        network: str,
        name: str,
        settings: MailSettings,
        inlet: Inlet,
        timing: Timing = DEFAULT,
    ) -> None:
        self._name = name or network
        self._settings = settings
        self._inlet = inlet
        self._timing = timing
        self._threads = Threads(settings.address.lower(), loosely=settings.without_list_id)
        self._listener = Listener(network, settings, inlet, timing, self._threads)
        self._postman = Postman(self._name, settings, timing)
        self._state: Health | None = None
        self._in_doubt: dict[str, float] = {}
        self._capabilities = capabilities_of(settings.max_file)

    # --- bridge.contract.Outlet

    def capabilities(self, place_id: str) -> Capabilities:  # noqa: ARG002 - all lists are alike
        """What lists can show."""
        return self._capabilities

    async def send(self, outgoing: Outgoing) -> Sent:
        """Send it to the list; see `Outlet.send`."""
        group = outgoing.place.id
        if not self._listener.takes_part(group):
            raise Unreachable(f"The bridge takes no part in the list {group} now.")
        known = await self._subject(outgoing)
        subject = subject_of(outgoing, known)
        mail = await compose(outgoing, self._settings, subject)
        await self._postman.send(group, mail)
        return self._sent(outgoing, known or bare(subject))

    async def find(self, outgoing: Outgoing) -> Sent | None:
        """Look whether a mail in doubt has come back from its list; see `Outlet.find`.

        Where it has not, it is sent again under the same Message-ID, which lists and mailboxes
        know a mail by that they have already.
        """
        group = outgoing.place.id
        try:
            async with visiting(self._settings, self._timing) as mailbox:
                name = own_id(outgoing.key, self._settings.domain)
                if await mailbox.search(
                    b"HEADER", KEY_HEADER.encode(), quoted(outgoing.key)
                ) or await mailbox.by_message_id(f"<{name}>"):
                    self._in_doubt.pop(outgoing.key, None)
                    return self._sent(outgoing, "")
        except (Lost, NotAllowed, Declined) as error:
            raise Unreachable(
                f"The mailbox of {self._name} can't be read now ({error})."
            ) from error
        now = asyncio.get_running_loop().time()
        asked = self._in_doubt.setdefault(outgoing.key, now)
        if group in self._listener.returning and now - asked < self._timing.echo:
            raise Unreachable(
                f"It is not known yet whether the list {group} got the mail.",
                retry_after=self._timing.echo / 4,
                doubtful=True,
            )
        self._in_doubt.pop(outgoing.key, None)
        return None

    def _sent(self, outgoing: Outgoing, subject: str) -> Sent:
        name = own_id(outgoing.key, self._settings.domain)
        root = next(iter(ancestors(outgoing)), name)
        self._threads.sent(outgoing.place.id, name, Thread(root, subject))
        return Sent(name, topic=root)

    async def _subject(self, outgoing: Outgoing) -> str:
        """What the conversation is called on the list; empty where that can't be found out."""
        group, before = outgoing.place.id, ancestors(outgoing)
        for each in reversed(before):
            if known := self._threads.subject(group, each):
                return known
        if not before:
            return ""
        try:
            async with visiting(self._settings, self._timing) as mailbox:
                for each in reversed(before):
                    uids = await mailbox.by_message_id(f"<{each}>")
                    for envelope in await mailbox.envelopes(uids[:1], fields=FIELDS):
                        return bare(Header(envelope.header).words("Subject"))
        except (Lost, NotAllowed, Declined):
            return ""  # the title will do; the mail must not wait for the mailbox
        return ""

    # --- bridge.contract.MediaSource

    def download(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A file of a mail, or its full text; see `MediaSource.download`."""
        return sources.download(attachment, self._settings, self._timing, self._name)

    # --- bridge.contract.Network

    async def open(
        self,
        group: str,
        present: Sequence[Author],  # noqa: ARG002 - lists show nobody's presence
        catch_up: CatchUp = NEVER_HEARD,
    ) -> None:
        """Listen to a list from now on; does not wait for it."""
        self._listener.open(Group(group, catch_up))

    async def close(self, group: str) -> None:
        """Listen to it no more. The mailbox stays subscribed: that is the admin's to change."""
        self._listener.close(group)

    async def check(self, groups: Sequence[str]) -> Sequence[Finding]:
        """Try everything once; see `bridge.contract.Network.check`."""
        return await examine(self._settings, self._name, groups)

    async def run(self) -> None:
        """Read the mailbox, over and over again, until cancelled."""
        backoff = Backoff(self._timing)
        while True:
            try:
                mailbox = await open_mailbox(self._settings, self._timing)
            except NotAllowed as error:
                self._down(
                    f"The mailbox of {self._name} does not take the bridge's password"
                    f" ({error.words}). Ask the bridge's admin.",
                    lasting=True,
                )
            except Declined as error:
                self._down(
                    f"The folder {self._settings.folder} of the mailbox of {self._name} can't be"
                    f" opened ({error.words}). Ask the bridge's admin.",
                    lasting=True,
                )
            except Lost as error:
                self._down(f"The mailbox of {self._name} is not reachable: {error.reason}.")
            else:
                backoff.succeeded()
                self._report(Health(up=True))
                try:
                    await self._listener.follow(mailbox)
                except (Lost, Declined) as error:
                    self._down(f"The connection to the mailbox of {self._name} was lost: {error}.")
                finally:
                    await mailbox.close()
            await asyncio.sleep(backoff.next())

    def _down(self, why: str, *, lasting: bool = False) -> None:
        self._report(Health(up=False, reason=why, lasting=lasting))

    def _report(self, health: Health) -> None:
        if health != self._state:
            self._state = health
            self._inlet.health(health)
