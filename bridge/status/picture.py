"""What is to be shown about one message: decided from what became of its deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bridge.model import Kind
from bridge.status import words
from bridge.status.notifier import Report, Verdict
from bridge.status.words import Gap
from bridge.store.notices import Fate
from bridge.store.tables import DeliveryState


class Telling(StrEnum):
    """Which states are told to machines as well."""

    OFF = "off"
    FAULTS = "faults"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Target:
    """A place as people call it.

    `trouble` tells why nothing gets there now, if that is known; `linked` is False when nothing
    is to be sent there any more.
    """

    network: str
    name: str
    trouble: str | None = None
    linked: bool = True


@dataclass(frozen=True, slots=True)
class Before:
    """What was shown so far, as it matters for what to show now."""

    marked: bool = False
    noticed: bool = False
    reported: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be shown about a message: nothing, when all is well.

    `mark_about` changes only when the mark says something else that matters; `under` tells whether
    the notice belongs under the message; `waiting` whether anything is still to come.
    """

    waiting: bool = False
    mark: str | None = None
    mark_about: str | None = None
    notice: str | None = None
    under: bool = True
    report: Report | None = None


NOTHING: Final = Picture()


@dataclass(frozen=True, slots=True)
class Progress:
    """The deliveries of one message, and the places they are for."""

    fates: Sequence[Fate]
    targets: Mapping[int, Target]

    @property
    def waiting(self) -> list[Fate]:
        """Those still to come."""
        return [fate for fate in self.fates if fate.state is DeliveryState.PENDING]

    @property
    def failed(self) -> list[Fate]:
        """Those set aside."""
        return [fate for fate in self.fates if fate.state is DeliveryState.FAILED]

    @property
    def done(self) -> int:
        """How many arrived."""
        return sum(fate.state is DeliveryState.DONE for fate in self.fates)

    def gaps(self) -> list[Gap]:
        """What is still to come, in words."""
        found = (self.targets[fate.place_id] for fate in self.waiting)
        return [Gap(target.name, target.trouble) for target in found]

    def losses(self) -> list[Gap]:
        """What was set aside, in words."""
        return [Gap(self.targets[fate.place_id].name, fate.last_error) for fate in self.failed]

    def again(self) -> bool:
        """Whether a retry would find anything to do."""
        return any(self.targets[fate.place_id].linked for fate in self.failed)

    def networks(self) -> tuple[str, ...]:
        """The networks that were not reached."""
        fates = (*self.waiting, *self.failed)
        return tuple(sorted({self.targets[fate.place_id].network for fate in fates}))


@dataclass(frozen=True, slots=True)
class Manner:
    """What machines are told, and with which command people have something tried again."""

    telling: Telling = Telling.FAULTS
    retry: str = "!retry"


_CHANGES: Final = {
    Kind.EDITED: words.edit_set_aside,
    Kind.DELETED: words.deletion_set_aside,
}


def picture(
    kind: str, progress: Progress, before: Before, manner: Manner, *, late: bool
) -> Picture:
    """What to show about a message.

    Args:
        kind: what it is.
        progress: how far it has come.
        before: what was shown so far.
        manner: how it is shown.
        late: whether what waits has waited too long.
    """
    waiting = bool(progress.waiting)
    if kind == Kind.SUBJECT:
        losses = progress.losses()
        return Picture(
            notice=words.topic_set_aside(losses, manner.retry) if losses else None, under=False
        )
    if kind in _CHANGES:
        losses = progress.losses()
        told = _CHANGES[Kind(kind)](losses, manner.retry) if losses else None
        return Picture(notice=told, under=kind == Kind.EDITED)
    if kind != Kind.MESSAGE:
        return NOTHING
    shown = waiting and (late or before.marked)
    mark = words.mark(progress.done, len(progress.fates), progress.gaps()) if shown else None
    notice = _notice(progress, before, manner.retry)
    report = None
    if manner.telling is not Telling.OFF:
        everything = before.reported or manner.telling is Telling.ALL
        report = _report(progress, mark or notice or "", shown=shown, everything=everything)
    return Picture(
        waiting, mark, _about(progress) if shown else None, notice, under=True, report=report
    )


def _about(progress: Progress) -> str:
    """Not the reason itself: it may be worded otherwise at each attempt."""
    places = ",".join(
        f"{fate.place_id}{'' if gap.reason is None else '!'}"
        for fate, gap in zip(progress.waiting, progress.gaps(), strict=True)
    )
    return f"{progress.done}/{len(progress.fates)}:{places}"


def _notice(progress: Progress, before: Before, retry: str) -> str | None:
    losses, gaps = progress.losses(), progress.gaps()
    if losses:
        tried = gaps if before.noticed else ()
        return words.set_aside(losses, tried, retry if progress.again() else None)
    if not before.noticed:
        return None
    return words.trying_again(gaps) if gaps else words.delivered_after_all()


def _report(progress: Progress, text: str, *, shown: bool, everything: bool) -> Report | None:
    if progress.waiting:
        return Report(Verdict.PENDING, progress.networks(), text) if shown else None
    if progress.failed:
        # A client that offers "retry" for it sends the message anew: only where that doubles none
        verdict = Verdict.FAIL_PERMANENT if progress.done else Verdict.FAIL_RETRIABLE
        return Report(verdict, progress.networks(), text)
    return Report(Verdict.SUCCESS) if everything and progress.fates else None
