"""Tells rooms something as the bot: implements `bridge.status.notifier.Notifier`.

A mark is a reaction whose key is the text; clients show it under the message. A notice about a
message is in a thread under it, so that the conversation goes on undisturbed.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import structlog

from bridge.contract import Refused
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.status.notifier import Report, Verdict

log = structlog.get_logger(__name__)

STATUS_EVENT: Final = "com.beeper.message_send_status"
"""https://pkg.go.dev/maunium.net/go/mautrix/event#BeeperMessageStatusEventContent"""

_PER_SECOND: Final = 10.0
_BURST: Final = 10
_ANCHORS_HELD: Final = 500
_REASONS: Final = {
    Verdict.PENDING: "m.foreign_network_error",
    Verdict.FAIL_RETRIABLE: "m.event_not_handled",
    Verdict.FAIL_PERMANENT: "m.event_not_handled",
}


class Pace:
    """Lets through a burst, and from then on so many in a second. The rest wait in turn."""

    def __init__(
        self,
        per_second: float = _PER_SECOND,
        burst: int = _BURST,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gap = 1 / per_second
        self._ahead = (burst - 1) * self._gap
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0

    async def turn(self) -> None:
        """Return when it is the caller's turn."""
        now = self._clock()
        self._next = max(self._next, now - self._ahead) + self._gap
        if (wait := self._next - self._gap - now) > 0:
            await self._sleep(wait)


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Where to put what is said about an event: people see `shown`, and `thread` holds notices."""

    shown: str
    thread: str


class MatrixNotices:
    """Speaks as the bot.

    Args:
        bot: the bot's client.
        pace: how fast, in all rooms together.
    """

    def __init__(self, bot: ActingClient, pace: Pace | None = None) -> None:
        self._bot = bot
        self._pace = pace or Pace()
        self._anchors: OrderedDict[str, _Anchor] = OrderedDict()

    async def mark(self, room_id: str, event_id: str, text: str, key: str) -> str:
        """React to an event with a text; see `Notifier.mark`."""
        anchor = await self._anchor(room_id, event_id)
        relation = {"rel_type": "m.annotation", "event_id": anchor.shown, "key": text}
        try:
            return await self._send(room_id, "m.reaction", {"m.relates_to": relation}, key)
        except Denied as error:
            # It is there from before a crash, and the homeserver has forgotten the key since
            if error.errcode == "M_DUPLICATE_ANNOTATION" and (
                found := await self._find_mark(room_id, anchor.shown, text)
            ):
                return found
            raise

    async def unmark(self, room_id: str, mark_id: str, key: str) -> None:
        """Take a reaction back; see `Notifier.unmark`."""
        await self._pace.turn()
        await self._bot.call("PUT", path_of("rooms", room_id, "redact", mark_id, key), {})

    async def say(self, room_id: str, text: str, key: str, *, under: str | None = None) -> str:
        """Say something, in a thread if it is about a message; see `Notifier.say`."""
        content = _notice(text)
        if under is not None:
            anchor = await self._anchor(room_id, under)
            content["m.relates_to"] = {
                "rel_type": "m.thread",
                "event_id": anchor.thread,
                # For clients that know no threads, it is an answer to the message
                "is_falling_back": anchor.thread == anchor.shown,
                "m.in_reply_to": {"event_id": anchor.shown},
            }
        return await self._send(room_id, "m.room.message", content, key)

    async def change(self, room_id: str, notice_id: str, text: str, key: str) -> None:
        """Edit what was said; see `Notifier.change`.

        https://spec.matrix.org/v1.19/client-server-api/#event-replacements
        """
        content = _notice(f"* {text}") | {
            "m.new_content": _notice(text),
            "m.relates_to": {"rel_type": "m.replace", "event_id": notice_id},
        }
        await self._send(room_id, "m.room.message", content, key)

    async def report(self, room_id: str, event_id: str, report: Report, key: str) -> None:
        """Tell clients that understand it; see `Notifier.report`."""
        content: JsonObject = {
            "m.relates_to": {"rel_type": "m.reference", "event_id": event_id},
            "status": report.verdict.value,
            "network": ", ".join(report.networks),
        }
        if reason := _REASONS.get(report.verdict):
            content |= {"reason": reason, "message": report.text}
        await self._send(room_id, STATUS_EVENT, content, key)

    async def _send(self, room_id: str, event_type: str, content: JsonObject, key: str) -> str:
        await self._pace.turn()
        return await self._bot.send_event(room_id, event_type, content, key)

    async def _anchor(self, room_id: str, event_id: str) -> _Anchor:
        """What people see of an event: an edit is seen at the message that it changes.

        Raises:
            Refused: it was deleted, so nobody sees anything of it.
            Unreachable: it can't be told now.
        """
        if (held := self._anchors.get(event_id)) is not None:
            return held
        await self._pace.turn()
        event = await self._bot.call("GET", path_of("rooms", room_id, "event", event_id))
        if object_at(event, "unsigned").get("redacted_because"):
            raise Refused("The message was deleted.")
        relation = object_at(object_at(event, "content"), "m.relates_to")
        related = text_at(relation, "event_id")
        kind = relation.get("rel_type") if related else None
        if kind == "m.replace":
            anchor = await self._anchor_of_edited(room_id, related)
        else:
            anchor = _Anchor(event_id, related if kind == "m.thread" else event_id)
        self._anchors[event_id] = anchor
        if len(self._anchors) > _ANCHORS_HELD:
            self._anchors.popitem(last=False)
        return anchor

    async def _anchor_of_edited(self, room_id: str, event_id: str) -> _Anchor:
        await self._pace.turn()
        event = await self._bot.call("GET", path_of("rooms", room_id, "event", event_id))
        relation = object_at(object_at(event, "content"), "m.relates_to")
        in_thread = relation.get("rel_type") == "m.thread"
        return _Anchor(event_id, text_at(relation, "event_id") if in_thread else event_id)

    async def _find_mark(self, room_id: str, event_id: str, text: str) -> str | None:
        path = f"/_matrix/client/v1/rooms/{quote(room_id, safe='')}/relations"
        await self._pace.turn()
        path = f"{path}/{quote(event_id, safe='')}/m.annotation/m.reaction"
        answer = await self._bot.call("GET", path)
        chunk = answer.get("chunk")
        for event in chunk if isinstance(chunk, list) else ():
            if not isinstance(event, dict) or event.get("sender") != self._bot.user_id:
                continue
            relation = object_at(object_at(event, "content"), "m.relates_to")
            if relation.get("key") == text:
                return text_at(event, "event_id") or None
        return None


def _notice(text: str) -> JsonObject:
    # Without m.mentions, "@room" in a reason would ring for everyone
    return {"msgtype": "m.notice", "body": text, "m.mentions": {}}
