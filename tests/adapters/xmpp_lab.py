"""The adapter at work on a real Prosody, and an inlet that remembers."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from adapters.xmpp.network import XmppNetwork
from adapters.xmpp.settings import XmppSettings
from adapters.xmpp.timing import DEFAULT, Timing
from bridge.contract import (
    NEVER_HEARD,
    CatchUp,
    Copy,
    Health,
    Missed,
    Outgoing,
    Picture,
    Sent,
    Unreachable,
)
from bridge.model import Author, Deleted, Edited, Event, Message, Place, Reacted, Signal
from sandbox.journal import Journal
from sandbox.ports import LOOPBACK
from sandbox.prosody import Prosody

DOMAIN = "hospital.test"
COMPONENT = "consilium.hospital.test"
SECRET = "a-secret-of-the-tests"
MUC = "muc.hospital.test"
UPLOADS = "files.hospital.test"
PLAIN_MUC = "plain.hospital.test"
"""Rooms with neither archive nor stanza ids nor occupant ids."""

QUICK = replace(DEFAULT, first_delay=0.2, answer=5.0, farewell=0.3)
NETWORK = "hospital"


class Recorder:
    """An inlet that remembers, and can be told to be slow."""

    def __init__(self) -> None:
        self.events: Journal[Event] = Journal("the events")
        self.healths: Journal[Health] = Journal("the health")
        self.batches: list[int] = []
        self.gaps: Journal[Missed] = Journal("what was missed")
        self.signals: Journal[Signal] = Journal("what is only of the moment")
        self.pictures: dict[str, Picture] = {}
        """What `avatar` answers, by the reference."""
        self.own: dict[str, str | None] = {}
        """What `sent` answers: keys of own copies, with the names they were shown under."""
        self.open = asyncio.Event()
        self.open.set()

    async def receive(self, events: Sequence[Event]) -> None:
        await self.open.wait()
        self.batches.append(len(events))
        for event in events:
            self.events.add(event)

    def health(self, health: Health) -> None:
        self.healths.add(health)

    async def recorded(self, group: str, ids: Collection[str]) -> Mapping[str, datetime]:
        return {}

    async def sent(
        self, group: str, keys: Collection[str] | Mapping[str, Sent]
    ) -> Mapping[str, str | None]:
        return {key: self.own[key] for key in keys if key in self.own}

    def missed(self, missed: Missed) -> None:
        self.gaps.add(missed)

    def signal(self, signal: Signal) -> None:
        self.signals.add(signal)

    async def avatar(self, author: Author) -> Picture | None:
        if author.avatar == "away":
            raise Unreachable("Not now.")
        return self.pictures.get(author.avatar or "")

    def of(self, kind: type, room: str | None = None) -> list:
        return [
            event
            for event in self.events
            if isinstance(event, kind) and (room is None or event.place.id == room)
        ]

    def texts(self, room: str | None = None) -> list[str]:
        return [event.text for event in self.of(Message, room)]

    async def text(self, text: str, timeout: float = 10.0) -> Message:
        found = await self.events.wait_for(
            lambda event: isinstance(event, Message) and event.text == text, timeout=timeout
        )
        assert isinstance(found, Message)
        return found

    async def first(self, kind: type, *, after: int = 0, name: str | None = None):
        return await self.events.wait_for(
            lambda event: isinstance(event, kind) and (name is None or event.author.name == name),
            after=after,
        )

    async def up(self, room: str | None, *, after: int = 0, timeout: float = 10.0) -> None:
        await self.healths.wait_for(
            lambda each: each.up and each.group == room, after=after, timeout=timeout
        )

    async def down(self, room: str | None, *, after: int = 0, timeout: float = 10.0) -> str:
        found = await self.healths.wait_for(
            lambda each: not each.up and each.group == room, after=after, timeout=timeout
        )
        return found.reason


@dataclass(frozen=True)
class Copied:
    """Something shown in a room, and how it is called there."""

    outgoing: Outgoing
    sent: Sent

    @property
    def copy(self) -> Copy:
        """What the core would tell of it later."""
        event = self.outgoing.event
        text = event.text if isinstance(event, Message) else ""
        assert self.sent.id is not None
        return Copy(self.sent.id, event.author, event.time, text, self.outgoing.key)


def copy_of(message: Message) -> Copy:
    """What the core would tell of a colleague's message."""
    return Copy(message.id, message.author, message.time, message.text)


def message(author: Author, text: str, **more: object) -> Callable[[Place], Message]:
    return lambda place: Message(place, "$event", author, datetime.now(UTC), text, **more)


def edited(author: Author, text: str, **more: object) -> Callable[[Place], Edited]:
    return lambda place: Edited(place, author, datetime.now(UTC), "$event", text, **more)


def deleted(author: Author, reason: str = "") -> Callable[[Place], Deleted]:
    return lambda place: Deleted(place, author, datetime.now(UTC), "$event", reason)


def reacted(author: Author, emoji: str, *, gone: bool = False) -> Callable[[Place], Reacted]:
    return lambda place: Reacted(place, author, datetime.now(UTC), "$event", emoji, gone)


@dataclass
class Bridge:
    """The adapter at work, as the core would use it."""

    network: XmppNetwork
    inlet: Recorder
    keys: itertools.count = field(default_factory=lambda: itertools.count(1))

    def outgoing(self, room: str, make: Callable[[Place], Event]) -> Outgoing:
        key = f"{next(self.keys):a>26}"
        event = make(Place("matrix", "!room:hospital"))
        self.inlet.own[key] = event.author.name
        return Outgoing(Place(NETWORK, room), key, event)

    def message(self, room: str, author: Author, text: str, *, emote: bool = False) -> Outgoing:
        return self.outgoing(
            room,
            lambda place: Message(place, "$event", author, datetime.now(UTC), text, emote=emote),
        )

    async def say(self, room: str, author: Author, text: str, *, emote: bool = False) -> str | None:
        return (await self.network.send(self.message(room, author, text, emote=emote))).id

    async def send(self, room: str, make: Callable[[Place], Event], **more: object) -> Copied:
        """Show it, with more of what the core would say."""
        outgoing = replace(self.outgoing(room, make), **more)
        return Copied(outgoing, await self.network.send(outgoing))

    async def enter(self, room: str, *present: Author, catch_up: CatchUp = NEVER_HEARD) -> None:
        after = len(self.inlet.healths)
        await self.network.open(room, present, catch_up)
        await self.inlet.up(room, after=after)


def doctor(name: str) -> Author:
    local = re.sub(r"\W+", ".", name.lower()).strip(".")
    return Author("matrix", f"@{local}:hospital.example", name)


ANN = doctor("Dr Ann")
BOB = doctor("Dr Bob")


_numbers = itertools.count(1)


def new_room(muc: str = MUC) -> str:
    return f"ward-{next(_numbers)}@{muc}"


def component_settings(server: Prosody, **more: object) -> XmppSettings:
    return XmppSettings.model_validate(
        {
            "mode": "component",
            "jid": COMPONENT,
            "secret": SECRET,
            "host": LOOPBACK,
            "port": server.component_port,
            **more,
        }
    )


def account_settings(server: Prosody, **more: object) -> XmppSettings:
    return XmppSettings.model_validate(
        {
            "mode": "account",
            "jid": f"bridge@{DOMAIN}",
            "password": "password",
            "host": LOOPBACK,
            "port": server.client_port,
            "tls": "off",
            **more,
        }
    )


@asynccontextmanager
async def running(settings: XmppSettings, timing: Timing = QUICK) -> AsyncIterator[Bridge]:
    inlet = Recorder()
    network = XmppNetwork(NETWORK, "Hospital", settings, inlet, timing)
    task = asyncio.create_task(network.run())
    try:
        yield Bridge(network, inlet)
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
