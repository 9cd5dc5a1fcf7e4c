"""Every word that rooms are told about deliveries: short, for a doctor on a phone.

Element cuts a reaction after about 15 characters and shows all of it when it is held or hovered
over; so a mark begins with what matters most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from bridge.wording import counted, listed

RETRY_SIGN: Final = "🔁"

_MARK_CHARACTERS: Final = 120
_REASON_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Gap:
    """A place that a message has not reached: how people call it, and why, if that is known."""

    name: str
    reason: str | None = None


def mark(done: int, total: int, waiting: Sequence[Gap]) -> str:
    """What stands at a message that has not reached every place yet."""
    so_far = f"{done} of {total} delivered; " if total > 1 else ""
    return _cut(f"⏳ {so_far}{_waits(waiting)}", _MARK_CHARACTERS)


def _waits(waiting: Sequence[Gap]) -> str:
    names = listed(gap.name for gap in waiting)
    reasons = {gap.reason for gap in waiting}
    if reasons == {None}:
        return f"{names}: waiting"
    if len(reasons) > 1:
        return f"{names}: retrying"
    return f"{names}: {_bare(reasons.pop() or '', waiting[0].name)}, retrying"


def _bare(reason: str, name: str) -> str:
    """A reason to be put behind the name of a network."""
    return reason.strip().rstrip(".").removeprefix(f"{name} is ").removeprefix(f"{name} ")


NOT_REACHABLE: Final = "not reachable"


def set_aside(failed: Sequence[Gap], waiting: Sequence[Gap], retry: str | None) -> str:
    """What is said under a message that was given up for some places.

    `retry` is the command that has it tried again; None if that is of no use.
    """
    lines = [f"Not delivered to {gap.name}: {_because(gap)}" for gap in failed]
    if waiting:
        lines.append(trying_again(waiting))
    if retry is not None:
        lines.append(f"To try again, react with {RETRY_SIGN} to this message or write {retry}.")
    return "\n".join(lines)


def topic_set_aside(failed: Sequence[Gap], retry: str) -> str:
    """What is said about a new topic of the room that was given up for some places."""
    lines = [f"The new topic is not shown in {gap.name}: {_because(gap)}" for gap in failed]
    return "\n".join([*lines, f"To try again, write {retry}."])


def edit_set_aside(failed: Sequence[Gap], retry: str) -> str:
    """What is said under a message whose edit was given up for some places."""
    lines = [f"The edit is not shown in {gap.name}: {_because(gap)}" for gap in failed]
    return "\n".join([*lines, f"To try again, write {retry}."])


def deletion_set_aside(failed: Sequence[Gap], retry: str) -> str:
    """What is said about a deleted message that is still to be read at some places."""
    lines = [
        f"A message deleted here is not deleted in {gap.name}: {_because(gap)}" for gap in failed
    ]
    return "\n".join([*lines, f"To try again, write {retry}."])


def _because(gap: Gap) -> str:
    reason = _cut((gap.reason or "").strip(), _REASON_CHARACTERS)
    if not reason:
        return "the reason is not known."
    return reason if reason.endswith((".", "!", "?", "…")) else f"{reason}."


def trying_again(waiting: Sequence[Gap]) -> str:
    """What the same notice says while it is tried again."""
    return f"Trying again: {listed(gap.name for gap in waiting)}."


def delivered_after_all() -> str:
    """What the same notice says when all is well."""
    return "✓ Delivered everywhere now."


# --- networks that are away ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells times as people in the room read them; the zone is named where it is UTC."""

    zone: tzinfo = UTC

    def time(self, at: int, now: int) -> str:
        """Hours and minutes, with the day if it is another one. Both in milliseconds."""
        moment, today = self._local(at), self._local(now)
        day = "" if moment.date() == today.date() else f"{moment.day} {moment:%b}, "
        return f"{day}{moment:%H:%M}{self._suffix}"

    def span(self, since: int, until: int) -> str:
        """Two times."""
        first, last = self._local(since), self._local(until)
        if first.date() == last.date():
            return f"{first:%H:%M} to {last:%H:%M}{self._suffix}"
        return f"{self.time(since, until)} to {self.time(until, until)}"

    @property
    def _suffix(self) -> str:
        return " UTC" if self.zone is UTC else ""

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1000, self.zone)


def lasted(milliseconds: int) -> str:
    """A duration: "12 minutes"."""
    minutes = max(1, round(milliseconds / 60_000))
    if minutes < 120:
        return counted(minutes, "minute")
    hours = round(minutes / 60)
    return counted(hours, "hour") if hours < 48 else counted(round(hours / 24), "day")


@dataclass(frozen=True, slots=True)
class Away:
    """A network or group that can't be used, as a room is told of it.

    `reason` is given when it will not pass by itself; `outward` tells whether what is written in
    the room goes there.
    """

    name: str
    outward: bool
    since: str
    reason: str = ""


def away(place: Away, patience: str) -> str:
    """What a room is told while a network or group is away; it waits so long at most."""
    if place.reason:
        reason = _cut(place.reason, _REASON_CHARACTERS)
        first = f"{place.name}: {reason if reason.endswith('.') else reason + '.'}"
        then = "when that is done"
    else:
        first = f"{place.name} has not been reachable since {place.since}."
        then = "when it is back"
    if place.outward:
        return f"{first} What you write is kept for up to {patience} and sent {then}."
    return f"{first} Until then nothing from there arrives here."


def back(name: str, duration: str, span: str) -> str:
    """What the same notice says while what was kept is being sent."""
    return f"{name} is back. It was away for {duration} ({span}). What was kept is being sent."


def was_away(name: str, duration: str, span: str, end: str) -> str:
    """What the same notice says in the end."""
    return f"{name} was away for {duration} ({span}). {end}".rstrip()


ALL_SENT: Final = "Everything kept was sent."


def not_all_sent(lost: int, retry: str) -> str:
    """How it ended for what was kept."""
    return f"{counted(lost, 'message')} could not be sent; write {retry} to try again."


def not_linked_any_more() -> str:
    """What the same notice says when the link was removed meanwhile."""
    return "The group that could not be reached is not linked to this room any more."


def unreadable(reason: str) -> str:
    """What a room is told about something written in it that could not be passed on."""
    return f"A message was not passed on: {_cut(reason.strip().rstrip('.'), _REASON_CHARACTERS)}."


def unreadable_there(name: str) -> str:
    """What a room is told about something said in a group that can't be shown."""
    return f"Something from {name} can't be shown here. The bridge's log says more."


def missed(name: str | None, reason: str, count: int | None) -> str:
    """What a room is told of what could not be fetched afterwards; no name for the room itself."""
    many = "Some messages" if count is None else f"About {counted(count, 'message')}"
    if name is None:
        return _cut(f"{many} of this room could not be passed on. {reason}", _REASON_CHARACTERS)
    return _cut(f"{many} from {name} can't be shown here. {reason}", _REASON_CHARACTERS)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
