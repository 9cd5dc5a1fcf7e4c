"""A stage for what rooms are told: the core with its scripted networks, a room that writes down
what it is told, and a clock that tests move on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from core_stage import BOTH_WARDS, DOCTOR, NAMES, NEVER, ROOM, Core, MakeCore, said

from bridge.clock import now_ms
from bridge.contract import Health, Unreachable
from bridge.delivery.retry import Retries
from bridge.portals.service import WantedPortal
from bridge.status.notifier import Report
from bridge.status.picture import Manner, Telling
from bridge.status.service import Status, StatusSettings
from bridge.store.database import Database


@dataclass
class Clock:
    """The time, as far as the test has moved it on."""

    ahead_ms: int = 0

    def now(self) -> int:
        return now_ms() + self.ahead_ms

    def pass_by(self, seconds: float) -> None:
        self.ahead_ms += round(seconds * 1000)


@dataclass
class TalkingRoom:
    """A `Notifier` whose rooms show what they were told; what is told with one key shows once."""

    marks: dict[str, tuple[str, str]] = field(default_factory=dict)
    notices: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    reports: list[tuple[str, Report]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    rooms: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    faults: list[Exception] = field(default_factory=list)
    silent: bool = False

    async def mark(self, room_id: str, event_id: str, text: str, key: str) -> str:
        self._request(room_id, "mark", key)
        self.marks[f"${key}"] = (event_id, text)
        return f"${key}"

    async def unmark(self, room_id: str, mark_id: str, key: str) -> None:
        self._request(room_id, "unmark", key)
        self.marks.pop(mark_id, None)

    async def say(self, room_id: str, text: str, key: str, *, under: str | None = None) -> str:
        self._request(room_id, "say", key)
        if f"${key}" not in self.notices:
            self.notices[f"${key}"] = (under, text)
        return f"${key}"

    async def change(self, room_id: str, notice_id: str, text: str, key: str) -> None:
        self._request(room_id, "change", key)
        self.notices[notice_id] = (self.notices[notice_id][0], text)

    async def report(self, room_id: str, event_id: str, report: Report, key: str) -> None:
        self._request(room_id, "report", key)
        self.reports.append((event_id, report))

    def _request(self, room_id: str, what: str, key: str) -> None:
        if self.silent:
            raise Unreachable("The homeserver is not reachable.")
        if self.faults:
            raise self.faults.pop(0)
        assert len(key) <= 255
        self.rooms.add(room_id)
        self.requests.append(what)
        self.keys.add(key)

    def marked(self) -> dict[str, str]:
        """The texts at messages, by the messages' ids."""
        return dict(self.marks.values())

    def noted(self) -> list[str]:
        """The notices, in order."""
        return [text for _, text in self.notices.values()]


class Stage:
    """The core, and its status."""

    def __init__(
        self,
        make_core: MakeCore,
        database: Database,
        room: TalkingRoom,
        clock: Clock,
        telling: Telling = Telling.OFF,
        **options: object,
    ) -> None:
        self.clock = clock
        self.room = room
        self.status = Status(
            database=database,
            notifier=room,
            index=lambda: self.core.portals.index,
            names=NAMES,
            settings=StatusSettings(manner=Manner(telling)),
            now=clock.now,
        )
        self.core: Core = make_core(
            watcher=self.status.messages,
            patience=NEVER,
            intake_watchers=(self.status.unreadable,),
            **options,
        )
        self.retries = Retries(
            self.core.intake, self.core.portals, self.core.lanes, self.core.recorder.flush
        )
        self.retries.watch(self.status.messages.retried)

    async def start(self, wanted: Sequence[WantedPortal] | None = None) -> None:
        await self.core.start(wanted or BOTH_WARDS)
        self.core.portals.watch(self.status.messages.follow)
        for part in (self.status.messages, self.status.outages, self.status.unreadable):
            await part.resume()

    async def doctor_says(self, number: int) -> None:
        await self.core.receive(said(number, ROOM, DOCTOR))

    async def later(self, seconds: float = 11) -> None:
        """Let time pass, and have told whatever there is to tell."""
        await self.core.recorder.flush()
        self.clock.pass_by(seconds)
        await self.look()

    async def look(self) -> None:
        """Have told whatever there is to tell, a moment from now."""
        await self.tell()
        self.clock.pass_by(2.1)  # until the next search, and what it found is looked at
        await self.tell()
        self.clock.pass_by(2.1)
        await self.tell()

    async def tell(self) -> None:
        for part in (self.status.messages, self.status.outages, self.status.unreadable):
            while await part.step():
                pass

    def back(self, network: str, group: str | None = None) -> None:
        """The network is up again: lanes try at once."""
        health = Health(up=True, group=group)
        self.status.outages.note(network, health)
        self.core.lanes.wake(network, health)

    async def crash(self) -> None:
        await self.core.crash()
