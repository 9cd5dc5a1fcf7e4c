"""One attempt to show what a delivery is about: find what it refers to, fetch its files, send."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from bridge.contract import LocalFile, Outgoing, Outlet, Refused, Sent, Unreachable
from bridge.delivery.digest import digest
from bridge.delivery.relating import Relating
from bridge.delivery.withdrawn import Withdrawn
from bridge.errors import StoreError
from bridge.flow.keys import delivery_key
from bridge.flow.otherwise import described
from bridge.flow.presentation import Stage, present
from bridge.flow.relations import NONE, Relations
from bridge.flow.relay import Duty
from bridge.model import (
    Attachment,
    Deleted,
    Deliverable,
    Edited,
    Message,
    PictureChanged,
    Place,
)
from bridge.portals.policy import EVERYTHING, Policy
from bridge.store.tables import ADDED, GONE

log = structlog.get_logger(__name__)

_FETCH_ATTEMPTS: Final = 5
"""So often a file is asked for before its message goes without it: a dead file server must not hold
a lane for days.
"""
_STAND_IN: Final = ".x"
_SLOW_LINE: Final = 100_000
"""Bytes a second."""
_LONGEST_UPLOAD: Final = 840.0


class Files(Protocol):
    """Where files come from, and how they get a public link."""

    def fetch(
        self, attachment: Attachment, origin: Place, target: Place, limit: int | None
    ) -> AbstractAsyncContextManager[LocalFile]:
        """The file on the bridge's disk, for as long as the context lasts.

        Args:
            attachment: as its network told it.
            origin: where it was sent.
            target: where it is to go.
            limit: bytes that the target takes at most.

        Raises:
            Unreachable: it can't be had now.
            Refused: it can't be had, or may not go there, with a sentence for people.
        """
        ...

    def link(self, attachment: Attachment, message_id: int, number: int) -> str | None:
        """A URL where anyone can fetch it for a while, None where the bridge has none.

        Args:
            attachment: as its network told it.
            message_id: the message it goes with.
            number: which of that message's files it is, from 0.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What showing needs.

    `outlet` finds who sends to a network, None for one not configured. `seconds` bounds one send.
    `policies` tells what links ask for.
    """

    outlet: Callable[[str], Outlet | None]
    relating: Relating
    files: Files
    withdrawn: Withdrawn
    network_names: Mapping[str, str]
    seconds: float = 60.0
    policies: Callable[[Place], Policy] = lambda _: EVERYTHING


class Showing:
    """Makes attempts for one place."""

    def __init__(self, place: Place, tools: Tools) -> None:
        self._place = place
        self._tools = tools

    async def attempt(self, duty: Duty) -> None:
        """Send what is not sent yet of a duty. `duty.sent` tells how far it came, also when it
        ends with an error.

        Raises:
            Unreachable, TimeoutError: try again later.
            Refused: never try this again.
        """
        if duty.event is None:
            raise Refused("It can't be read any more.")
        outlet = self._tools.outlet(self._place.network)
        if outlet is None:
            raise Unreachable(f"{self._network_name} is not in the configuration.")
        can = outlet.capabilities(self._place.id)
        event, relations = duty.event, NONE
        if duty.together:
            event = digest(duty, self._tools.network_names, self._tools.withdrawn.has)
        else:
            relations = await self._relations(duty, own_names=can.own_names)
        linking = self._linking(duty, relations)
        byline = self._tools.policies(self._place).byline
        stage = Stage(self._place, can, self._tools.network_names, linking, byline)
        key = delivery_key(event, duty.message_id, self._place)
        refused: Refused | None = None
        for number, outgoing in enumerate(
            present(event, key=key, stage=stage, relations=relations)
        ):
            if number < len(duty.sent):
                continue
            if isinstance(duty.event, Edited):
                duty.marks[number] = _mark(outgoing)
            refused = await self._with_file(outlet, outgoing, duty) or refused
        if refused is not None:
            raise refused

    def _linking(self, duty: Duty, relations: Relations) -> Callable[[Attachment], str | None]:
        number, message = duty.message_id, duty.event
        if isinstance(message, Edited) and duty.target_id is not None:
            number, message = duty.target_id, relations.original
        files = message.attachments if isinstance(message, Message) else ()
        return lambda file: self._tools.files.link(file, number, files.index(file))

    async def _relations(self, duty: Duty, *, own_names: bool) -> Relations:
        try:
            return await self._tools.relating.look(duty, self._place, own_names=own_names)
        except StoreError as error:
            log.error("lane_not_read", place=str(self._place), reason=str(error))
            raise Unreachable("The bridge's own database has a fault.") from error

    async def _with_file(self, outlet: Outlet, outgoing: Outgoing, duty: Duty) -> Refused | None:
        """Send one piece, with its file if it has one. A file that can't be carried is named
        instead, and why is returned.
        """
        event = outgoing.event
        attachment = _attachment(event)
        if attachment is None:
            await self._send(outlet, outgoing, duty)
            return None
        limit = outlet.capabilities(self._place.id).max_file
        fetching = self._tools.files.fetch(attachment, event.place, self._place, limit)
        async with AsyncExitStack() as stack:
            try:
                file = await stack.enter_async_context(fetching)
            except Unreachable as error:
                if duty.attempts < _FETCH_ATTEMPTS:
                    raise
                reason = Refused(error.sentence, error.advice)
            except Refused as error:
                reason = error
            else:
                sending = replace(outgoing, file=file)
                refusal = await self._refusal(outlet, sending, duty)
                if refusal is None:
                    return None
                reason = refusal
        if not isinstance(event, Message):
            raise reason
        log.info("file_not_carried", message=duty.message_id, place=str(self._place))
        await self._send(outlet, _without_file(outgoing, event, reason), duty)
        return reason

    async def _refusal(self, outlet: Outlet, outgoing: Outgoing, duty: Duty) -> Refused | None:
        try:
            await self._send(outlet, outgoing, duty)
        except Refused as error:
            return error
        return None

    async def _send(self, outlet: Outlet, outgoing: Outgoing, duty: Duty) -> None:
        async with asyncio.timeout(self._seconds(outgoing)):
            if duty.doubtful:
                found = await outlet.find(outgoing)
                if found is None:
                    # It is not there, and nothing that was to follow it; until the next fault
                    duty.doubtful = False
                else:
                    duty.sent.append(found)
                    return
            if duty.withdrawn or self._is_withdrawn(duty):
                duty.sent.append(Sent())
                return
            duty.sent.append(await outlet.send(outgoing))

    def _is_withdrawn(self, duty: Duty) -> bool:
        withdrawn = self._tools.withdrawn
        if duty.together:
            return all(withdrawn.has(each.message_id) for each in (duty, *duty.together))
        if withdrawn.has(duty.message_id):
            return True
        edits = isinstance(duty.event, Edited) and duty.target_id is not None
        return edits and withdrawn.has(duty.target_id or 0)

    def _seconds(self, outgoing: Outgoing) -> float:
        """How long one send may take: a file as long as a slow line needs for it."""
        size = 0 if outgoing.file is None else outgoing.file.size
        return self._tools.seconds + min(size / _SLOW_LINE, _LONGEST_UPLOAD)

    @property
    def _network_name(self) -> str:
        return self._tools.network_names.get(self._place.network, self._place.network)


def _attachment(event: Deliverable) -> Attachment | None:
    """The file that has to be fetched to show an event."""
    match event:
        case Message():
            return event.attachments[0] if event.attachments else None
        case PictureChanged():
            return event.picture
    return None


def _mark(outgoing: Outgoing) -> int:
    """What an edit does here beside changing what is there."""
    match outgoing.event:
        case Message():
            return ADDED
        case Deleted():
            return GONE
    return 0


def _without_file(outgoing: Outgoing, event: Message, reason: Refused) -> Outgoing:
    """Under another key: a later attempt that brings the file is not this one."""
    line = described(event.attachments[0], outgoing.link, f": {reason.sentence}")
    text = f"{line}\n{event.text}" if event.text else line
    bare = replace(event, text=text, html=None, attachments=())
    return replace(outgoing, key=outgoing.key + _STAND_IN, event=bare)
