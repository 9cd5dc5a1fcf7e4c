"""One XMPP network: a connection, kept up, and the rooms on it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp import vcards
from adapters.xmpp.assignment import Assignment, Manner
from adapters.xmpp.capabilities import Abilities, capabilities
from adapters.xmpp.check import examine
from adapters.xmpp.decline import decline
from adapters.xmpp.handover import Handover
from adapters.xmpp.identity import LISTENER, RESOURCE
from adapters.xmpp.portraits import Portraits
from adapters.xmpp.room import Room
from adapters.xmpp.settings import Mode, XmppSettings
from adapters.xmpp.timing import DEFAULT, Backoff, Timing
from adapters.xmpp.uploads import Uploads
from adapters.xmpp.wire import IQ, MESSAGE, Rejected, Wire, make_wire
from bridge.contract import (
    NEVER_HEARD,
    Capabilities,
    CatchUp,
    Finding,
    Health,
    Inlet,
    Outgoing,
    Refused,
    Sent,
    Unreachable,
)
from bridge.model import Attachment, Author, Place, Signal

_ENTERED_AT_ONCE: Final = 32
"""Rooms. More would not be faster, and some would wait for their answers too long."""


class XmppNetwork:
    """The XMPP service of one organisation. Implements `bridge.contract.Network`.

    While the connection is down, that is reported once, for the network; rooms report themselves
    when they are entered again.
    """

    def __init__(
        self,
        network: str,
        name: str,
        settings: XmppSettings,
        inlet: Inlet,
        timing: Timing = DEFAULT,
    ) -> None:
        self._network = network
        self._name = name or network
        self._settings = settings
        self._inlet = inlet
        self._timing = timing
        self._domain = settings.jid if settings.mode is Mode.COMPONENT else None
        self._uploads = Uploads(settings, self._name)
        self._portraits = Portraits(inlet, self._show) if self._domain else None
        self._manner = Manner(
            nick=settings.nick,
            listener=f"{LISTENER}@{settings.jid}/{RESOURCE}",
            domain=self._domain,
            create=settings.create_rooms,
            timing=timing,
            gate=asyncio.Semaphore(_ENTERED_AT_ONCE),
            uploads=self._uploads,
            portraits=self._portraits,
        )
        self._rooms: dict[str, Room] = {}
        self._stays: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._wire: Wire | None = None
        self._handover = Handover(inlet)
        self._state: Health | None = None
        self._why_down = f"{self._name} is not connected yet."

    # --- bridge.contract.Outlet

    def capabilities(self, place_id: str) -> Capabilities:
        """What a room can show; of one that is not known, what rooms usually can."""
        room = self._rooms.get(place_id)
        if room is None:
            return capabilities(Abilities(own_names=self._domain is not None))
        return room.capabilities()

    async def send(self, outgoing: Outgoing) -> Sent:
        """Show it in a room; see `Outlet.send`."""
        return await self._room(outgoing.place.id).send(outgoing)

    async def find(self, outgoing: Outgoing) -> Sent | None:
        """Look up a copy; see `Outlet.find`."""
        return await self._room(outgoing.place.id).find(outgoing)

    async def signal(self, place_id: str, signal: Signal) -> None:
        """Show something passing; see `Signalling.signal`."""
        await self._room(place_id).signal(signal)

    def _room(self, place_id: str) -> Room:
        if self._wire is None:
            raise Unreachable(self._why_down)
        room = self._rooms.get(place_id)
        if room is None:
            raise Unreachable(f"The bridge takes no part in the room {place_id} now.")
        return room

    # --- bridge.contract.MediaSource

    @asynccontextmanager
    async def download(self, attachment: Attachment) -> AsyncIterator[AsyncIterator[bytes]]:
        """A picture of a colleague or of a room; see `MediaSource.download`."""
        reference = vcards.resolve(attachment.source)
        if reference is None:
            raise Refused("That is no picture of this network.")
        yield _in_one_piece(await self._room(reference.room).picture(reference))

    def _show(self, author: Author, photo: str) -> None:
        for room in self._rooms.values():
            room.show(author, photo)

    # --- bridge.contract.Network

    async def run(self) -> None:
        """Connect and stay connected until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._handover.run())
            group.create_task(self._stay_connected())

    async def open(
        self, group: str, present: Sequence[Author], catch_up: CatchUp = NEVER_HEARD
    ) -> None:
        """Take part in a room from now on; does not wait for it."""
        if group in self._rooms:
            await self.close(group)
        room = Room(
            Assignment(Place(self._network, group), present, catch_up),
            self._manner,
            self._handover.put,
            self._inlet,
        )
        self._rooms[group] = room
        if self._group is not None and self._wire is not None:
            self._stays[group] = self._group.create_task(room.stay(self._wire))

    async def close(self, group: str) -> None:
        """Leave a room."""
        room = self._rooms.pop(group, None)
        if room is not None:
            room.part()
        stay = self._stays.pop(group, None)
        if stay is not None:
            stay.cancel()
            await asyncio.wait({stay})

    async def check(self, groups: Sequence[str]) -> Sequence[Finding]:
        """Try everything once; see `bridge.contract.Network.check`."""
        return await examine(self._settings, self._name, groups)

    # --- the connection

    async def _stay_connected(self) -> None:
        backoff = Backoff(self._timing)
        while True:
            wire = make_wire(self._settings, self._name, self._take, self._timing)
            try:
                await wire.open()
            except Rejected as error:
                self._down(error.sentence)
            else:
                backoff.succeeded()
                await self._use(wire)
            await asyncio.sleep(backoff.next())

    async def _use(self, wire: Wire) -> None:
        """Be in the rooms for as long as the connection lasts."""
        self._wire = wire
        self._handover.attach(wire)
        self._report(Health(up=True))
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._uploads.discover(wire))
                portraits = None
                if self._portraits is not None:
                    portraits = group.create_task(self._portraits.run(wire))
                for jid, room in self._rooms.items():
                    self._stays[jid] = group.create_task(room.stay(wire))
                try:
                    await wire.watch()
                except asyncio.CancelledError:
                    for room in self._rooms.values():
                        room.part()
                    raise
                self._group = None
                for stay in self._stays.values():
                    stay.cancel()
                if portraits is not None:
                    portraits.cancel()
        finally:
            self._group = None
            self._stays.clear()
            self._down(wire.closed.result() if wire.closed.done() else "The bridge is stopping.")
            self._wire = None
            self._handover.attach(None)
            await wire.close()

    def _down(self, why: str) -> None:
        self._why_down = why
        self._report(Health(up=False, reason=why))

    def _report(self, health: Health) -> None:
        if health != self._state:
            self._state = health
            self._inlet.health(health)

    # --- stanzas

    def _take(self, stanza: Element) -> None:
        """Give a stanza to its room. Copies for doctors, by far the most, end here."""
        sender, to = stanza.get("from"), stanza.get("to")
        wire = self._wire
        if sender is None or to is None or wire is None:
            return
        if stanza.tag in IQ:
            if self._portraits is not None:
                self._portraits.asked(wire, stanza)
            return
        jid, _, nick = sender.partition("/")
        room = self._rooms.get(jid)
        if room is None:
            if stanza.tag in MESSAGE:
                decline(wire, stanza)
            return
        if stanza.tag not in MESSAGE:
            room.presence(stanza, nick, to)
        elif to != wire.hears_as and stanza.get("type") == "groupchat":
            room.overheard(to)
        else:
            room.message(stanza, nick, to)


async def _in_one_piece(data: bytes) -> AsyncIterator[bytes]:
    yield data
