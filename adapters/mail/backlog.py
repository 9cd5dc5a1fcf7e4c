"""What was said on the lists while nobody listened: which mails of the folder that are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from adapters.mail import belonging, declining
from adapters.mail.header import Header
from adapters.mail.mailbox import Envelope, Mailbox
from bridge.contract import CatchUp, Inlet, Missed

log = structlog.get_logger()

_OVERLAP: Final = timedelta(minutes=10)
"""How much further back is looked than needed: clocks differ. What is known is dropped later."""
_SCANNED_AT_ONCE: Final = 200
_SCANNED_FOR_HISTORY: Final = 5_000
DECIDING_FIELDS: Final = f"{' '.join(belonging.FIELDS)} {declining.FIELDS}"
"""What has to be known of a mail to tell whether it is to be read."""


@dataclass(slots=True)
class Group:
    """One list that the bridge takes part in.

    `next_uid` is the first mail that it has not been read to, in the folder that `validity` names;
    None as long as nothing was read in this run. `inside`: it is up to date.
    """

    address: str
    catch_up: CatchUp
    opened: datetime = field(default_factory=lambda: datetime.now(UTC))
    validity: int = 0
    next_uid: int | None = None
    heard_at: datetime | None = None
    inside: bool = False

    @property
    def since(self) -> datetime:
        """What came before is known, or not wanted."""
        if self.heard_at is not None:
            return self.heard_at - _OVERLAP
        if self.catch_up.since is not None:
            return self.catch_up.since - _OVERLAP
        return (self.catch_up.begun or self.opened).replace(microsecond=0)

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever heard on it."""
        return self.heard_at is None and self.catch_up.since is None

    def goes_on(self, validity: int) -> bool:
        """Whether the folder's numbers tell where to go on."""
        return self.next_uid is not None and self.validity == validity


@dataclass(frozen=True, slots=True)
class Found:
    """The mails to read, in order; `old` are those that were there before the link."""

    uids: Sequence[int]
    old: frozenset[int] = frozenset()


class Backlog:
    """Looks through a folder for what several lists have missed, once for all of them.

    Args:
        settings_loosely: see `list_of`.
        own, trusted: see `why_not`.
        inlet: told of what can't be had.
    """

    def __init__(self, *, loosely: bool, own: str, trusted: Sequence[str], inlet: Inlet) -> None:
        self._loosely = loosely
        self._own = own
        self._trusted = trusted
        self._inlet = inlet

    async def find(self, mailbox: Mailbox, groups: Mapping[str, Group], before: int) -> Found:
        """The mails with lower numbers than `before` that these lists have missed.

        Raises:
            Lost, Declined: the mailbox can't be read.
        """
        uids: list[int] = []
        old: set[int] = set()
        scanned = await self._scan(mailbox, groups, before)
        for group in groups.values():
            mails = scanned.get(group.address, [])
            missed = [each for each in mails if self._is_missed(group, each, mailbox.validity)]
            uids += self._within_limits(group, missed)
            if group.is_new and group.catch_up.history:
                known = {each.uid for each in missed}
                earlier = [each.uid for each in mails if each.uid not in known]
                old.update(earlier[-group.catch_up.history :])
        return Found(sorted({*uids, *old}), frozenset(old))

    def _is_missed(self, group: Group, mail: Envelope, validity: int) -> bool:
        if group.next_uid is not None and group.goes_on(validity):
            return mail.uid >= group.next_uid
        return mail.arrived >= group.since

    async def _scan(
        self, mailbox: Mailbox, groups: Mapping[str, Group], before: int
    ) -> dict[str, list[Envelope]]:
        """The mails of each list among all that may be of interest."""
        candidates: set[int] = set()
        going_on = [each for each in groups.values() if each.goes_on(mailbox.validity)]
        by_time = [each for each in groups.values() if not each.goes_on(mailbox.validity)]
        if going_on:
            candidates.update(await mailbox.since(min(each.next_uid or 1 for each in going_on)))
        if by_time:
            candidates.update(await mailbox.arrived_since(min(each.since for each in by_time)))
        if any(each.is_new and each.catch_up.history for each in by_time):
            candidates.update((await mailbox.search(b"ALL"))[-_SCANNED_FOR_HISTORY:])
        wanted = sorted(uid for uid in candidates if uid < before)
        found: dict[str, list[Envelope]] = {}
        for start in range(0, len(wanted), _SCANNED_AT_ONCE):
            batch = wanted[start : start + _SCANNED_AT_ONCE]
            for envelope in await mailbox.envelopes(batch, fields=DECIDING_FIELDS):
                header = Header(envelope.header)
                group = belonging.list_of(header, groups.keys(), loosely=self._loosely)
                if group and not declining.why_not(header, group, self._own, self._trusted):
                    found.setdefault(group, []).append(envelope)
        return found

    def _within_limits(self, group: Group, missed: Sequence[Envelope]) -> list[int]:
        """What is wanted of it; tells how much is left out."""
        limits = group.catch_up
        if not limits.wanted:
            return []
        floor = datetime.now(UTC) - limits.max_age
        fresh = [each for each in missed if each.arrived >= floor]
        if len(fresh) < len(missed):
            reason = (
                f"What was said on the list {group.address} before {floor:%Y-%m-%d %H:%M} UTC is"
                " too old to be fetched."
            )
            self._inlet.missed(Missed(group.address, reason, len(missed) - len(fresh)))
        if len(fresh) > limits.max_messages:
            reason = (
                f"More than {limits.max_messages} mails were sent to the list {group.address}"
                " meanwhile."
            )
            self._inlet.missed(Missed(group.address, reason, len(fresh) - limits.max_messages))
        return [each.uid for each in fresh[-limits.max_messages :]]
