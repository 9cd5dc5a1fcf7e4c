"""One room: entered, kept, entered again; and its stanzas given to those who understand them."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from xml.etree.ElementTree import Element

import structlog

from adapters.xmpp import faces, outgoing, passing
from adapters.xmpp.about import About
from adapters.xmpp.archive import RESULT, Archive
from adapters.xmpp.assignment import Assignment, Manner
from adapters.xmpp.attendance import Attendance
from adapters.xmpp.backlog import Backlog
from adapters.xmpp.capabilities import Abilities, capabilities
from adapters.xmpp.composing import Composer
from adapters.xmpp.crew import Crew
from adapters.xmpp.decline import decline
from adapters.xmpp.errors import GONE, NOT_INSIDE, StanzaError, cannot_join
from adapters.xmpp.features import Features
from adapters.xmpp.hearing import Hearing
from adapters.xmpp.incoming import CREATED, Said, Seen, read_message, read_update
from adapters.xmpp.lookback import Lookback
from adapters.xmpp.naming import Naming
from adapters.xmpp.occupant import Exit, Occupant
from adapters.xmpp.people import People
from adapters.xmpp.saying import Saying
from adapters.xmpp.scene import Scene
from adapters.xmpp.timing import Backoff
from adapters.xmpp.vcards import Reference
from adapters.xmpp.wire import Wire
from adapters.xmpp.xml import PING
from bridge.contract import (
    Capabilities,
    Health,
    Inlet,
    Outgoing,
    Refused,
    Sent,
    Unreachable,
)
from bridge.model import Author, Event, Read, Signal

log = structlog.get_logger()

_CREW_SECONDS: Final = 10.0
"""How long the roster waits for the doctors, who must not be taken for colleagues in it."""
_AT_ONCE: Final = 8
"""So many doctors enter a room at the same time."""


class Room:
    """The bridge's part in one room.

    Args:
        assignment: the room, and what to do in it.
        manner: how the bridge behaves in every room of the network.
        emit: where events go.
        inlet: where to report all else.
    """

    def __init__(
        self,
        assignment: Assignment,
        manner: Manner,
        emit: Callable[[Event], None],
        inlet: Inlet,
    ) -> None:
        place = assignment.place
        self.jid = place.id
        self._nick = manner.nick
        self._create = manner.create
        self._gate = manner.gate
        self._timing = timing = manner.timing
        self._health = inlet.health
        self._has_doctors = manner.domain is not None
        self._crew = Crew(place.id, manner.domain, manner.listener, timing, self._on_out)
        self._crew.portraits = manner.portraits
        if self._has_doctors:
            self._crew.wanted = {(each.network, each.id): each for each in assignment.present}
        self._uploads = manner.uploads
        self._signal = inlet.signal
        people = People(place)
        self._scene = scene = Scene(place, self._crew, people, Naming(people))
        self._about = About(place, self._crew, emit)
        self._saying = Saying(
            Composer(scene), self._about, manner.uploads, timing, own_names=self._has_doctors
        )
        self._hearing = Hearing(scene, emit, self._saying)
        self._attendance = Attendance(place.id, self._crew, people, emit, timing.farewell)
        self._archive = Archive(place.id)
        self._backlog = Backlog(place.id, self._hearing, self._archive, assignment.catch_up, inlet)
        self._lookback = Lookback(place.id, self._archive, self._hearing, inlet)
        self._wire: Wire | None = None
        self._listens = False
        self._inside = False
        self._lost = False
        self._missing = False
        self._reconfigured = False
        self._nick_free = False
        self._woken = asyncio.Event()
        self._why_lost = f"The room {place.id} has not been entered yet."
        self._exit = Exit.LOST
        self._heard_at = 0.0
        self._reported: Health | None = None

    # --- asked by the network

    async def stay(self, wire: Wire) -> None:
        """Enter the room, and come back into it after every fault, until cancelled."""
        backoff = Backoff(self._timing)
        self._crew.hears_as(wire.hears_as)
        self._reported = None
        try:
            while True:
                self._exit, lasting = Exit.LOST, False
                try:
                    async with self._gate:
                        await self._enter(wire)
                    backoff.succeeded()
                    self._report(up=True)
                    await self._until_lost(wire)
                except (Unreachable, Refused) as error:
                    self._why_lost, lasting = str(error), isinstance(error, Refused)
                self._out(self._why_lost)
                self._report(up=False, lasting=lasting)
                await asyncio.sleep(backoff.next(at_once=self._exit is not Exit.KICKED))
        finally:
            self._out("The connection was lost.")

    def part(self) -> None:
        """Say goodbye, if there is a connection; don't wait for the answer."""
        if self._wire is None:
            return
        with suppress(Unreachable):  # then the connection's end is goodbye enough
            for occupant, nick in self._crew.inside():
                self._wire.post(outgoing.leave(occupant.jid, self.jid, nick))

    def capabilities(self) -> Capabilities:
        """What it can show, as known now."""
        features = self._saying.features
        known = self._inside
        return capabilities(
            Abilities(
                self._has_doctors,
                identified=features.occupant_ids or not known,
                moderator=self._saying.can_moderate if known else None,
                owner=self._about.is_owner if known else None,
                pictures=features.pictures if known else None,
                archive=features.archive or not known,
                uploads=self._uploads.available,
                max_file=self._uploads.max_file,
            )
        )

    def show(self, author: Author, photo: str) -> None:
        """A doctor's picture is known."""
        if self._wire is not None:
            with suppress(Unreachable):  # then it is told when the doctor comes in again
                self._crew.show(self._wire, author, photo)

    async def picture(self, reference: Reference) -> bytes:
        """A picture of somebody in it, or of the room. Raises as `MediaSource.download` does."""
        return await faces.fetch(self._ready(), self._scene, reference)

    async def signal(self, signal: Signal) -> None:
        """Show something passing, if its author is in the room. Raises as `Signalling` does."""
        wire = self._ready()
        occupant = self._crew.occupant_of(signal.author) if self._has_doctors else None
        if occupant is None:
            raise Refused(f"{signal.author.name} is not in the room {self.jid}.")
        reference = signal.target if isinstance(signal, Read) else ""
        contents = passing.payload(signal, self._scene.naming.reference_of(reference))
        wire.post(outgoing.say_in_passing(occupant.jid, self.jid, contents))

    async def send(self, outgoing_: Outgoing) -> Sent:
        """Show it in the room. Raises as `Outlet.send` does."""
        return await self._saying.send(self._ready(), outgoing_, self._hearing)

    async def find(self, outgoing_: Outgoing) -> Sent | None:
        """Look up a copy. Raises as `Outlet.find` does."""
        lookback = self._lookback if self._saying.features.archive else None
        return await self._saying.find(self._ready(), outgoing_, self._hearing, lookback)

    def _ready(self) -> Wire:
        if self._wire is None or not self._inside:
            raise Unreachable(self._why_lost)
        return self._wire

    # --- entering and staying

    async def _enter(self, wire: Wire) -> None:
        self._lost = self._missing = self._reconfigured = self._nick_free = False
        self._woken.clear()
        self._wire = wire
        self._attendance.begin(wire)
        await self._look(wire)
        listener = self._crew.listener
        history = self._backlog.entering(archived=self._saying.features.archive)
        self._listens = True
        async with listener.lock:
            seen = await listener.enter(wire, self._nick, history)
        if CREATED in seen.codes:
            await self._found_new(wire)
        self._heard_at = time.monotonic()
        self._hearing.entered()
        if self._has_doctors:
            await self._bring_doctors(wire)
        await self._catch_up(wire)
        # Only now: the room's order is kept, and what is in doubt can be looked up
        self._inside = True
        self._attendance.tell()

    async def _catch_up(self, wire: Wire) -> None:
        try:
            await self._backlog.fetch(wire, lambda: self._lost)
        except Unreachable as error:
            if self._lost or wire.closed.done():
                raise Unreachable(self._why_lost) from error
            raise
        if self._lost:
            raise Unreachable(self._why_lost)

    async def _look(self, wire: Wire) -> None:
        """Learn what the room can do.

        Also before entering: to enter a room that does not exist would make it.
        """
        try:
            await self._ask_features(wire)
        except StanzaError as error:
            if error.condition in GONE and not self._create:
                raise Unreachable(
                    f"The room {self.jid} does not exist. "
                    "Make it, or set create_rooms: true for this network."
                ) from error
            if error.condition == "jid-malformed" or error.kind == "wait":
                raise cannot_join(self.jid, self._nick, error) from error
            self._believe(Features())  # some services hide what they are from those outside

    async def _ask_features(self, wire: Wire) -> None:
        glimpses = self._about.glimpses
        features = await Features.of(wire, self.jid)
        self._believe(features)
        self._about.looked(features, glimpses)

    def _believe(self, features: Features) -> None:
        self._saying.features = features
        self._scene.naming.trusts_stanza_ids = features.stanza_ids
        self._scene.people.trusts_occupant_ids = features.occupant_ids

    async def _found_new(self, wire: Wire) -> None:
        """Entering has made the room: keep it, or take it away again."""
        try:
            if self._create:
                await wire.ask("set", self.jid, outgoing.accept_defaults())
                log.info("group_made", room=self.jid)
                await self._ask_features(wire)
                return
            await wire.ask("set", self.jid, outgoing.destroy())
        except StanzaError as error:
            raise cannot_join(self.jid, self._nick, error) from error
        raise Unreachable(f"The room {self.jid} does not exist.")

    async def _bring_doctors(self, wire: Wire) -> None:
        """Let the doctors in, and what remains of earlier ones out, before the roster is told."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def bring(author: Author) -> None:
            async with gate:
                try:
                    await self._crew.bring(wire, author)
                except (Unreachable, Refused) as error:
                    log.warning("doctor_not_in", room=self.jid, reason=str(error))

        try:
            async with asyncio.timeout(_CREW_SECONDS), asyncio.TaskGroup() as group:
                for author in list(self._crew.wanted.values()):
                    group.create_task(bring(author))
        except TimeoutError:
            log.warning("doctors_entering_late", room=self.jid)
        await self._probe(wire)

    async def _until_lost(self, wire: Wire) -> None:
        while not self._lost:
            quiet = time.monotonic() - self._heard_at
            try:
                async with asyncio.timeout(max(0.0, self._timing.silence - quiet)):
                    await self._woken.wait()
            except TimeoutError:
                if time.monotonic() - self._heard_at >= self._timing.silence:
                    await self._probe(wire)
                    self._heard_at = time.monotonic()
            else:
                self._woken.clear()
                await self._put_right(wire)

    async def _put_right(self, wire: Wire) -> None:
        """Look after what has changed, but for the loss of the room itself."""
        if self._reconfigured and not self._lost:
            self._reconfigured = False
            await self._look(wire)
        if self._missing and not self._lost:
            self._missing = False
            await asyncio.sleep(self._timing.first_delay)
            await self._bring_doctors(wire)
        if self._nick_free and not self._lost:
            self._nick_free = False
            await self._crew.reclaim(wire)

    async def _probe(self, wire: Wire) -> None:
        """Ask whether the listener is still in the room (XEP-0410).

        Raises:
            Unreachable: it is not, or the room can't be asked.
        """
        nick = self._crew.listener.nick
        if nick is None:
            raise Unreachable(self._why_lost)
        try:
            await wire.ask("get", f"{self.jid}/{nick}", f"<ping xmlns='{PING}'/>")
        except StanzaError as error:
            # Section 3.2: these two come from the bridge's own client, through the room.
            if error.condition not in {"service-unavailable", "feature-not-implemented"}:
                raise Unreachable(f"The room {self.jid} has forgotten the bridge.") from error

    def _on_out(self, occupant: Occupant, how: Exit, seen: Seen) -> None:
        if occupant is not self._crew.listener:
            if how is Exit.LOST:  # through a fault: nobody wanted the doctor to go
                self._missing = True
                self._woken.set()
            return
        reason = f" ({seen.reason})" if seen.reason else ""
        words = {
            Exit.KICKED: "The bridge was kicked from the room {}{}.",
            Exit.BANNED: "The bridge was banned from the room {}{}.",
            Exit.DESTROYED: "The room {} was destroyed{}.",
        }.get(how, "The room {} put the bridge out{}.")
        self._lose(words.format(self.jid, reason), how)

    def _lose(self, why: str, how: Exit = Exit.LOST) -> None:
        self._why_lost, self._exit = why, how
        self._inside = False
        self._attendance.hush()
        self._lost = True
        self._woken.set()

    def _out(self, why: str) -> None:
        self._why_lost = why
        self._listens = self._inside = False
        self._hearing.drop_held()
        self._saying.lost(why)
        self._attendance.end()

    def _report(self, *, up: bool, lasting: bool = False) -> None:
        health = Health(up, "" if up else self._why_lost, self.jid, lasting)
        if self._reported != health:
            self._reported = health
            self._health(health)

    # --- stanzas of the room

    def message(self, stanza: Element, nick: str, to: str) -> None:
        """Take a message from the room or one in it, to the listener or about an own message."""
        kind = stanza.get("type")
        if kind == "groupchat":
            self._heard_at = time.monotonic()
            if not self._listens:
                return  # to an occupant that an earlier run has left: the room tells it at entry
            self._heard(read_message(stanza, self.jid, nick))
        elif kind == "error":
            self._failed(StanzaError.of(stanza), stanza.get("id"), to)
        elif not nick:
            result = stanza.find(RESULT)
            if result is not None:
                self._archive.collect(result)
        elif self._wire is not None:
            decline(self._wire, stanza)

    def _heard(self, said: Said) -> None:
        if said.tells and (said.nick or said.deletes):
            self._hearing.message(said)
        elif said.subject is not None:
            self._hearing.set_subject(said)
        elif not said.nick:
            self._announced(said)
        elif said.parts:
            self._passed(said)

    def presence(self, stanza: Element, nick: str, to: str) -> None:
        """Take a presence, to the listener or to a doctor."""
        if to == self._crew.listener.jid:
            self._heard_at = time.monotonic()
            if not nick:
                self._about_room(stanza)
            if stanza.get("type") == "unavailable" and self._crew.wishes(nick):
                self._nick_free = True
                self._woken.set()
        self._attendance.presence(stanza, nick, to)

    def _about_room(self, stanza: Element) -> None:
        photo = read_update(stanza)
        if photo is not None:
            self._about.picture_seen(photo)

    def overheard(self, to: str) -> None:
        """Take note that a copy for a doctor went by."""
        self._attendance.overheard(to)

    def _passed(self, said: Said) -> None:
        signal = passing.read(said, self._scene)
        if signal is not None and self._inside:
            self._signal(signal)

    def _announced(self, said: Said) -> None:
        """The room itself says something: to be read by people, or that it was reconfigured."""
        if said.body is not None:
            log.info("announcement_not_mirrored", room=self.jid)
        else:
            self._reconfigured = True
            self._woken.set()

    def _failed(self, error: StanzaError, key: str | None, to: str) -> None:
        self._saying.refused(key, error)
        if error.condition == NOT_INSIDE and to == self._crew.listener.jid:
            self._lose(f"The room {self.jid} has forgotten the bridge.")
