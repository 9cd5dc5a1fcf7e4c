"""When a group is left in peace: at night, or when it has had enough for an hour."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the day to another, over midnight where the second is the earlier one."""

    begin: time
    end: time
    zone: tzinfo = UTC

    def left(self, now: datetime) -> timedelta:
        """How much of them is left; nothing outside of them."""
        here = now.astimezone(self.zone)
        clock = here.time().replace(tzinfo=None)
        if self.begin <= self.end:
            quiet = self.begin <= clock < self.end
        else:
            quiet = clock >= self.begin or clock < self.end
        if not quiet:
            return timedelta()
        end = datetime.combine(here.date(), self.end, self.zone)
        return (end if end > here else end + timedelta(days=1)) - here


@dataclass(frozen=True, slots=True)
class Rest:
    """For how long nothing is to be sent, and why, for people."""

    seconds: float
    reason: str


class Restraint:
    """What a link asks for beyond its direction.

    Args:
        quiet: when nothing is sent.
        most_per_hour: how many messages are sent within any hour.
        zone: the one in which people there read times.
        now: the time.
    """

    def __init__(
        self,
        quiet: QuietHours | None,
        most_per_hour: int | None,
        zone: tzinfo = UTC,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._quiet = quiet
        self._most = most_per_hour
        self.zone = zone
        self._now = now
        self._sent: deque[datetime] = deque()

    def rest(self) -> Rest | None:
        """How long to wait now; None when something may be sent."""
        now = self._now()
        if self._quiet is not None and (left := self._quiet.left(now)):
            return Rest(left.total_seconds(), f"quiet hours until {self._quiet.end:%H:%M}")
        while self._sent and now - self._sent[0] >= _HOUR:
            self._sent.popleft()
        if self._most is not None and len(self._sent) >= self._most:
            left = _HOUR - (now - self._sent[0])
            return Rest(left.total_seconds(), f"no more than {self._most} messages an hour")
        return None

    def sent(self) -> None:
        """A message was sent."""
        if self._most is not None:
            self._sent.append(self._now())
