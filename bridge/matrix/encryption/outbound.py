"""Megolm sessions of the bot and its ghosts: by these they speak in a room.

https://spec.matrix.org/v1.19/client-server-api/#mmegolmv1aes-sha2. They are in memory only. After a
restart each begins a new one: so no state of a ratchet is ever used twice, whenever the process is
killed, and a message costs no write.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from vodozemac import GroupSession

from bridge.clock import now_ms
from bridge.matrix.encryption.rooms import Room

_HELD: Final = 2_000

DeviceId = tuple[str, str]
"""A user, and the id of one of their devices."""


@dataclass(frozen=True, slots=True)
class Share:
    """The state of a session's ratchet that was given to devices: from `index` on they can read."""

    index: int
    key: str
    devices: tuple[DeviceId, ...]


@dataclass(slots=True)
class OwnSession:
    """A session of one speaker in one room.

    `settled` is what the room and the devices were when everybody who may have it was given it.
    """

    room_id: str
    sender: str
    ratchet: GroupSession
    created_at: int
    messages: int = 0
    settled: tuple[int, int] | None = None
    departures: int = 0
    shared: dict[DeviceId, str] = field(default_factory=dict)
    withheld: set[DeviceId] = field(default_factory=set)
    shares: list[Share] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The session's id."""
        return self.ratchet.session_id

    def worn(self, room: Room) -> bool:
        """Whether the room's settings want a new one by now."""
        old = now_ms() - self.created_at >= room.rotation_ms
        return old or self.messages >= room.rotation_messages

    def lost(self, room: Room, present: Mapping[DeviceId, str]) -> bool:
        """Whether somebody, or a device, has it that is not to read on."""
        if self.departures != room.departures:
            return True
        return any(present.get(device) != key for device, key in self.shared.items())

    def encrypt(self, plain: bytes) -> str:
        """One message, and the ratchet moves on."""
        self.messages += 1
        return self.ratchet.encrypt(plain).to_base64()

    def given(self, devices: Mapping[DeviceId, str]) -> None:
        """These devices, by their keys, can read from now on."""
        self.shared.update(devices)
        index, key = self.ratchet.message_index, self.ratchet.session_key.to_base64()
        self.shares.append(Share(index, key, tuple(devices)))


class OwnSessions:
    """The sessions in use, those needed longest ago are forgotten first."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], OwnSession] = OrderedDict()

    def get(self, room: Room, sender: str) -> OwnSession | None:
        """The session of a speaker in a room, if it may be used still."""
        key = (room.id, sender)
        held = self._held.get(key)
        if held is None:
            return None
        if held.worn(room):
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return held

    def begin(self, room: Room, sender: str) -> OwnSession:
        """A new session, which nobody has yet."""
        made = OwnSession(room.id, sender, GroupSession(), now_ms(), departures=room.departures)
        self._held[room.id, sender] = made
        if len(self._held) > _HELD:
            self._held.popitem(last=False)
        return made

    def drop(self, session: OwnSession) -> None:
        """Use a session no longer."""
        self._held.pop((session.room_id, session.sender), None)

    def forget(self, room_ids: Collection[str]) -> None:
        """Begin anew in these rooms."""
        for key in [key for key in self._held if key[0] in room_ids]:
            del self._held[key]
