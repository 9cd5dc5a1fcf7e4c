"""Takes what the homeserver has for the bot's device: keys that others send, and whose devices
have changed. It comes by /sync or in transactions, and is on disk before either goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import structlog

from bridge.errors import StoreError
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.encryption.account import MEGOLM, Account
from bridge.matrix.encryption.devices import Devices
from bridge.matrix.encryption.inbound import GroupSessions, KeyLetter
from bridge.matrix.encryption.ledger import Ledger
from bridge.matrix.encryption.pairwise import (
    BrokenSessionError,
    Letter,
    Pairwise,
    UnreadableLetterError,
)
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.store import crypto_values

T = TypeVar("T")

log = structlog.get_logger(__name__)

SINCE: Final = "since"
"""Under which name it is kept where the feed has come to."""

_SIGNED: Final = "signed_curve25519"
_LOW: Final = 25
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0


@dataclass(frozen=True, slots=True)
class News:
    """What came at once. `one_time_keys` and `fallback_keys`: how many, and whether one is unused,
    at the homeserver; None if it did not say. `since` where to go on, empty if that is not by time.
    """

    to_device: Sequence[JsonObject] = ()
    changed: Iterable[str] = ()
    left: Iterable[str] = ()
    one_time_keys: int | None = None
    fallback_unused: bool | None = None
    since: str = ""

    @property
    def wants_keys(self) -> bool:
        """Whether keys of the bot's device are used up."""
        few = self.one_time_keys is not None and self.one_time_keys < _LOW
        return few or self.fallback_unused is False


class Correspondent(Protocol):
    """Acts on what devices send beside keys."""

    def broken(self, sender: str, curve_key: str) -> None:
        """A message of this device can't be read: a new session is needed."""
        ...

    def withheld(self, sender: str, content: JsonObject) -> None:
        """Somebody says that they won't give a key."""
        ...

    def requested(self, sender: str, content: JsonObject) -> None:
        """Somebody asks for a key."""
        ...

    def awaited(self, letter: Letter) -> bool:
        """Whether a forwarded key was asked for, and comes from where it was asked for."""
        ...


@dataclass(slots=True)
class Feed:
    """Takes news in, one after the other."""

    bot: ActingClient
    account: Account
    pairwise: Pairwise
    sessions: GroupSessions
    devices: Devices
    ledger: Ledger
    correspondent: Correspondent
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self, news: News) -> None:
        """Take news over, however long the database needs; on disk when it returns.

        A message between devices can be read once only, so none may be given back.
        """
        async with self._turn:
            self.devices.changed(news.changed)
            self.devices.left(news.left)
            arrived = [each for raw in news.to_device if (each := await self._read(raw))]
            if news.since:
                since = news.since.encode()
                self.ledger.put(SINCE, lambda c: crypto_values.save(c, SINCE, since))
            await _insist(self.ledger.commit)
            for room_id, session_id in arrived:
                self.sessions.arrived(room_id, session_id)

    async def top_up(self, news: News) -> None:
        """See to it that others can begin sessions with the bot's device.

        Raises:
            Denied: the homeserver won't take keys.
            Unreachable: not now.
            StoreError: the database failed.
        """
        body: JsonObject = {}
        count = news.one_time_keys
        if count is not None and count < _LOW and (keys := self.account.fresh_keys(count)):
            body["one_time_keys"] = keys
        if news.fallback_unused is False:
            body["fallback_keys"] = self.account.fresh_fallback_key()
        if body:
            await self.upload(body)

    async def upload(self, body: JsonObject) -> None:
        """Upload keys of the bot's device, which are on disk before.

        Raises:
            Denied: the homeserver won't take them.
            Unreachable: not now.
            StoreError: the database failed.
        """
        await self.ledger.commit()
        path = path_of("keys", "upload")
        await self.bot.call("POST", path, body, query=self.account.bot.assertion)
        self.account.published()
        await self.ledger.commit()
        log.info("keys_uploaded", kinds=sorted(body))

    async def _read(self, raw: JsonObject) -> tuple[str, str] | None:
        """Act on a message between devices; the room and session whose key it was."""
        sender, content = text_at(raw, "sender"), object_at(raw, "content")
        match raw.get("type"):
            case "m.room.encrypted":
                try:
                    letter = self.pairwise.decrypt(sender, content)
                except BrokenSessionError as error:
                    log.warning("letter_unreadable", sender=sender, reason=str(error))
                    self.correspondent.broken(sender, text_at(content, "sender_key"))
                except UnreadableLetterError as error:
                    log.warning("letter_unreadable", sender=sender, reason=str(error))
                else:
                    return await self._act(letter)
            case "m.room_key.withheld" | "org.matrix.room_key.withheld":
                self.correspondent.withheld(sender, content)
            case "m.room_key_request":
                self.correspondent.requested(sender, content)
        return None

    async def _act(self, letter: Letter) -> tuple[str, str] | None:
        content = letter.content
        if content.get("algorithm") != MEGOLM:
            return None
        room_id, session_id = text_at(content, "room_id"), text_at(content, "session_id")
        key = text_at(content, "session_key")
        match letter.type:
            case "m.room_key":
                found = KeyLetter(
                    room_id, session_id, key, letter.sender, letter.curve_key, letter.signing_key
                )
            case "m.forwarded_room_key" if self.correspondent.awaited(letter):
                owner = text_at(content, "sender_claimed_ed25519_key")
                curve = text_at(content, "sender_key")
                found = KeyLetter(
                    room_id, session_id, key, letter.sender, curve, owner, forwarded=True
                )
            case _:
                return None
        try:
            new = await _insist(lambda: self.sessions.take(found))
        except ValueError as error:
            log.warning("room_key_unusable", sender=letter.sender, reason=str(error))
            return None
        return (room_id, session_id) if new else None


async def _insist(work: Callable[[], Awaitable[T]]) -> T:
    delay = _FIRST_DELAY
    while True:
        try:
            return await work()
        except StoreError as error:
            log.warning("keys_wait_for_database", reason=str(error))
            await asyncio.sleep(delay)
            delay = min(_LONGEST_DELAY, delay * 2)


def news_of(answer: JsonObject, events: Sequence[JsonObject]) -> News:
    """What a sync's answer says.

    https://spec.matrix.org/v1.19/client-server-api/#extensions-to-sync-1
    """
    lists = object_at(answer, "device_lists")
    counts: Mapping[str, object] = object_at(answer, "device_one_time_keys_count")
    count = counts.get(_SIGNED, 0)
    unused = answer.get("device_unused_fallback_key_types")
    return News(
        events,
        texts(lists.get("changed")),
        texts(lists.get("left")),
        count if isinstance(count, int) else None,
        _SIGNED in unused if isinstance(unused, list) else None,
        text_at(answer, "next_batch"),
    )


def texts(found: object) -> list[str]:
    """The texts in a list of any shape."""
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
