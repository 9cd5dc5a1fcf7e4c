"""Reads the mailbox: what was missed, and then what comes, in the order in which it came.

Nothing is marked as read before it is on the bridge's disk. A mail that can't be read is told of in
the room, and holds up no other.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog

from adapters.mail.addresses import author_of
from adapters.mail.backlog import DECIDING_FIELDS, Backlog, Found, Group
from adapters.mail.belonging import is_from_a_list, list_id, list_of
from adapters.mail.declining import Reason, is_bounce, own_key, why_not
from adapters.mail.header import Header
from adapters.mail.imap_wire import Declined, Lost
from adapters.mail.mailbox import HEADER_LIMIT, Envelope, Mailbox
from adapters.mail.message_ids import id_of
from adapters.mail.reading import Reading, moment
from adapters.mail.settings import MailSettings
from adapters.mail.threads import Threads
from adapters.mail.timing import Timing
from bridge.contract import Health, Inlet
from bridge.model import Event, Message, Place, Roster

log = structlog.get_logger()

_AT_ONCE: Final = 20
"""Mails that are handed over together."""
_TRIES: Final = 3
"""So often a mail may break the connection before it is left out."""
_MOST_STRANGERS: Final = 500


class Listener:
    """Follows one folder over any number of connections.

    Args:
        network: the network's id.
        settings: the network's.
        inlet: told what comes.
        timing: how long to wait.
        threads: where mails stand.
    """

    def __init__(
        self,
        network: str,
        settings: MailSettings,
        inlet: Inlet,
        timing: Timing,
        threads: Threads,
    ) -> None:
        self._network = network
        self._settings = settings
        self._own = settings.address.lower()
        self._trusted = tuple(each.lower() for each in settings.other_bridges)
        self._inlet = inlet
        self._timing = timing
        self._threads = threads
        self._reading = Reading(network, settings.full_mail)
        self._backlog = Backlog(
            loosely=settings.without_list_id, own=self._own, trusted=self._trusted, inlet=inlet
        )
        self._groups: dict[str, Group] = {}
        self._wake = asyncio.Event()
        self._tries: Counter[tuple[int, int]] = Counter()
        self._strangers: set[str] = set()
        self._marks = settings.mark_seen
        self.returning: set[str] = set()
        """Lists that are known to send the bridge's own mails back to it."""

    def open(self, group: Group) -> None:
        """Listen to a list from now on."""
        self._groups[group.address] = group
        self._wake.set()

    def close(self, address: str) -> None:
        """Listen to it no more."""
        self._groups.pop(address, None)

    def takes_part(self, address: str) -> bool:
        """Whether it is listened to."""
        return address in self._groups

    async def follow(self, mailbox: Mailbox) -> None:
        """Hand over what comes, for as long as the connection lasts.

        Raises:
            Lost: it has ended.
            Declined: the folder can't be read.
        """
        for group in self._groups.values():
            group.inside = False
        position = mailbox.next_uid
        while True:
            self._wake.clear()
            mailbox.changed.clear()
            await self._enter(mailbox, position)
            for uids in _batches(await mailbox.since(position)):
                await self._take(mailbox, uids)
                position = uids[-1] + 1
                self._note_position(mailbox.validity, position)
                await self._mark(mailbox, uids)
            await mailbox.wait(self._timing, self._wake)

    def _note_position(self, validity: int, position: int) -> None:
        for group in self._groups.values():
            if group.inside:
                group.validity, group.next_uid = validity, position

    # --- coming in

    async def _enter(self, mailbox: Mailbox, position: int) -> None:
        """Bring the lists up to date that are not."""
        waiting = {each.address: each for each in self._groups.values() if not each.inside}
        if not waiting:
            return
        found = await self._backlog.find(mailbox, waiting, position)
        for uids in _batches(found.uids):
            await self._take(mailbox, uids, waiting, found)
            await self._mark(mailbox, uids)
        entered = [each for each in waiting.values() if self._groups.get(each.address) is each]
        for group in entered:
            group.inside = True
            group.validity, group.next_uid = mailbox.validity, position
        now = datetime.now(UTC)
        await self._inlet.receive(
            [Roster(Place(self._network, each.address), (), now) for each in entered]
        )
        for group in entered:
            self._inlet.health(Health(up=True, group=group.address))

    # --- mails

    async def _take(
        self,
        mailbox: Mailbox,
        uids: Sequence[int],
        groups: dict[str, Group] | None = None,
        found: Found | None = None,
    ) -> None:
        """Read these mails and hand them over; those of lists that are inside, or of `groups`."""
        if groups is None:
            groups = {each.address: each for each in self._groups.values() if each.inside}
        events: list[Event] = []
        try:
            for envelope in await self._envelopes(mailbox, uids):
                event = await self._read_safely(mailbox, envelope, groups)
                if event is not None:
                    is_old = found is not None and envelope.uid in found.old
                    events.append(replace(event, old=True) if is_old else event)
        finally:
            # What was read before the connection broke is handed over all the same
            if events:
                await self._inlet.receive(events)

    async def _envelopes(self, mailbox: Mailbox, uids: Sequence[int]) -> list[Envelope]:
        """Their headers and structures; one by one where together they are too much."""
        if not any(self._tries[mailbox.validity, uid] for uid in uids):
            try:
                return await mailbox.envelopes(uids, structure=True)
            except (Lost, Declined):
                self._tries.update((mailbox.validity, uid) for uid in uids)
                raise
        found: list[Envelope] = []
        for uid in uids:
            tries = self._tries[mailbox.validity, uid]
            try:
                found += await mailbox.envelopes([uid], structure=tries < _TRIES)
            except (Lost, Declined):
                self._tries[mailbox.validity, uid] += 1
                if tries >= 2 * _TRIES:
                    log.warning("mail_not_read", uid=uid, reason="the server can't tell about it")
                    continue
                raise
        return found

    async def _read_safely(
        self, mailbox: Mailbox, envelope: Envelope, groups: dict[str, Group]
    ) -> Message | None:
        """The message that a mail is; of one that can't be read, that it came."""
        header = Header(envelope.header)
        tried = (mailbox.validity, envelope.uid)
        group = ""
        try:
            header = await _whole_header(mailbox, envelope)
            group = list_of(header, groups.keys(), loosely=self._settings.without_list_id) or ""
            if not group:
                self._tell_of_stranger(header, envelope.uid)
                return None
            groups[group].heard_at = max(
                groups[group].heard_at or envelope.arrived, envelope.arrived
            )
            return await self._read(mailbox, envelope, header, group)
        except KeyError:
            log.info("mail_vanished", uid=envelope.uid, group=group)
            return None
        except (Lost, Declined) as error:
            self._tries[tried] += 1
            if self._tries[tried] < _TRIES:
                raise
            return self._unreadable(envelope, header, group, str(error))
        except Exception as error:
            # Mails are hostile, and the library that reads their headers has its own faults
            log.exception("mail_broke_the_reader", uid=envelope.uid, group=group)
            return self._unreadable(envelope, header, group, type(error).__name__)

    async def _read(
        self, mailbox: Mailbox, envelope: Envelope, header: Header, group: str
    ) -> Message | None:
        reason = why_not(header, group, self._own, self._trusted)
        if reason is Reason.OWN:
            self.returning.add(group)
            await self._threads.place(mailbox, group, header, envelope.arrived)
            log.debug("own_mail_returned", group=group, key=own_key(header, self._own))
            return None
        if reason is not None:
            log.info("mail_not_relayed", group=group, uid=envelope.uid, reason=str(reason))
            return None
        standing = await self._threads.place(mailbox, group, header, envelope.arrived)
        return await self._reading.message(mailbox, envelope, header, group, standing)

    def _unreadable(
        self, envelope: Envelope, header: Header, group: str, reason: str
    ) -> Message | None:
        log.warning("mail_not_read", uid=envelope.uid, group=group, reason=reason)
        if not group:
            return None
        return Message(
            place=Place(self._network, group),
            id=id_of(header),
            author=author_of(header, self._network, group),
            time=moment(header, envelope),
            text="(A mail came that can't be read. It is in the bridge's mailbox.)",
            notice=True,
        )

    def _tell_of_stranger(self, header: Header, uid: int) -> None:
        """Once for each list that nobody has linked; other mails are nobody's business, but those
        that did not arrive.
        """
        if is_bounce(header):
            log.warning("mail_bounced", network=self._network, uid=uid)
            return
        name = list_id(header) if is_from_a_list(header) else ""
        if name and name not in self._strangers and len(self._strangers) < _MOST_STRANGERS:
            self._strangers.add(name)
            log.info("list_not_linked", network=self._network, list=name)

    async def _mark(self, mailbox: Mailbox, uids: Sequence[int]) -> None:
        """Mark them as read, if that is wanted."""
        if not self._marks:
            return
        try:
            await mailbox.mark_seen(uids)
        except Declined as error:
            self._marks = False
            log.warning("mails_not_marked", network=self._network, reason=error.words)


async def _whole_header(mailbox: Mailbox, envelope: Envelope) -> Header:
    """A mail's header; of one that is enormous, what decides about it is fetched apart."""
    if len(envelope.header) < HEADER_LIMIT:
        return Header(envelope.header)
    for found in await mailbox.envelopes([envelope.uid], fields=DECIDING_FIELDS):
        return Header(found.header.rstrip(b"\r\n") + b"\r\n" + envelope.header)
    raise KeyError(envelope.uid)


def _batches(uids: Sequence[int]) -> list[Sequence[int]]:
    return [uids[start : start + _AT_ONCE] for start in range(0, len(uids), _AT_ONCE)]
