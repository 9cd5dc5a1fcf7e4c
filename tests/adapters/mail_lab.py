"""The adapter at work on real mail servers, and an inlet that remembers."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from adapters.mail.network import MailNetwork
from adapters.mail.settings import MailSettings
from adapters.mail.timing import DEFAULT, Timing
from bridge.contract import (
    NEVER_HEARD,
    CatchUp,
    Copy,
    Health,
    LocalFile,
    Missed,
    Outgoing,
    Picture,
    Sent,
    Topic,
)
from bridge.model import Author, Event, Message, Place, Roster, Signal
from sandbox.journal import Journal
from sandbox.mail_servers import MailServers
from sandbox.mail_user import MailUser

BRIDGE = "consilium@hospital.test"
PASSWORD = "pässwörd with spaces"
LISTS = "lists.test"
QUICK = replace(DEFAULT, first_delay=0.2, echo=5.0, connect=5.0)
NETWORK = "lists"


class Recorder:
    """An inlet that remembers, and can be told to be slow."""

    def __init__(self) -> None:
        self.events: Journal[Event] = Journal("the events")
        self.healths: Journal[Health] = Journal("the health")
        self.gaps: Journal[Missed] = Journal("what was missed")
        self.open = asyncio.Event()
        self.open.set()

    async def receive(self, events: Sequence[Event]) -> None:
        await self.open.wait()
        for event in events:
            self.events.add(event)

    def health(self, health: Health) -> None:
        self.healths.add(health)

    async def recorded(self, group: str, ids: Collection[str]) -> Mapping[str, datetime]:
        return {}

    async def sent(self, group: str, keys: Collection[str]) -> Mapping[str, str | None]:
        return {}

    def missed(self, missed: Missed) -> None:
        self.gaps.add(missed)

    def signal(self, signal: Signal) -> None:
        pass

    async def avatar(self, author: Author) -> Picture | None:
        return None

    def messages(self, group: str | None = None) -> list[Message]:
        return [
            event
            for event in self.events
            if isinstance(event, Message) and (group is None or event.place.id == group)
        ]

    async def message(self, words: str, timeout: float = 20.0) -> Message:
        """The first message with these words in it."""
        found = await self.events.wait_for(
            lambda event: isinstance(event, Message) and words in event.text, timeout=timeout
        )
        assert isinstance(found, Message)
        return found

    async def roster(self, group: str, *, after: int = 0) -> Event:
        return await self.events.wait_for(
            lambda event: isinstance(event, Roster) and event.place.id == group,
            after=after,
            timeout=20,
        )

    async def up(self, group: str | None = None, *, after: int = 0) -> None:
        await self.healths.wait_for(
            lambda each: each.up and each.group == group, after=after, timeout=20
        )

    async def down(self, *, after: int = 0) -> Health:
        return await self.healths.wait_for(lambda each: not each.up, after=after, timeout=20)


@dataclass
class Bridge:
    """The adapter at work, as the core would use it."""

    network: MailNetwork
    inlet: Recorder
    _keys: itertools.count = field(default_factory=lambda: itertools.count(1))

    def outgoing(self, group: str, text: str, **more: Any) -> Outgoing:
        number = next(self._keys)
        letters = "".join("abcdefghijklmnopqrstuvwxyz"[int(digit)] for digit in f"{number:05d}")
        return outgoing(group, text, f"{letters:q>26}", **more)

    async def say(self, group: str, text: str, **more: Any) -> Sent:
        return await self.network.send(self.outgoing(group, text, **more))

    async def enter(self, group: str, catch_up: CatchUp = NEVER_HEARD) -> None:
        after = len(self.inlet.events)
        await self.network.open(group, (), catch_up)
        await self.inlet.roster(group, after=after)


def outgoing(  # noqa: PLR0917
    group: str,
    text: str,
    key: str,
    author: str = "Dr. Ann",
    html: str | None = None,
    reply_to: Copy | None = None,
    topic: Topic | None = None,
    file: LocalFile | None = None,
) -> Outgoing:
    event = Message(
        Place("matrix", "!room:hospital.test"),
        "$event",
        Author("matrix", "@ann:hospital.test", author),
        datetime.now(UTC),
        text,
        html=html,
    )
    return Outgoing(Place(NETWORK, group), key, event, reply_to=reply_to, topic=topic, file=file)


def copy_of(message: Message) -> Copy:
    """How the core knows a message that came from the list."""
    return Copy(message.id, message.author, message.time, message.text)


def settings(servers: MailServers, **more: object) -> MailSettings:
    return MailSettings.model_validate(
        {
            "address": BRIDGE,
            "password": PASSWORD,
            "imap_host": "localhost",
            "imap_port": servers.dovecot.tls_port,
            "smtp_host": "localhost",
            "smtp_port": servers.postfix.tls_port,
            "ca": servers.authority,
            **more,
        }
    )


@asynccontextmanager
async def running(chosen: MailSettings, timing: Timing = QUICK) -> AsyncIterator[Bridge]:
    inlet = Recorder()
    network = MailNetwork(NETWORK, "Hospital lists", chosen, inlet, timing)
    task = asyncio.create_task(network.run())
    try:
        yield Bridge(network, inlet)
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


def user(servers: MailServers, address: str, name: str = "") -> MailUser:
    return MailUser(
        address,
        servers.dovecot.users[address],
        servers.dovecot.plain_port,
        servers.postfix.plain_port,
        name,
    )
