"""The scripted homeserver's memory: users, rooms, their members and state, and new events."""

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from bench.script import DOMAIN, Script, ScriptedRoom

Content = dict[str, Any]
Event = dict[str, Any]


class MatrixError(Exception):
    """A refusal: HTTP status, error code and sentence, as the specification has them."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


@dataclass(slots=True)
class Room:
    """One room. Its members' states are among the rest of its state."""

    id: str
    state: dict[tuple[str, str], Event] = field(default_factory=dict)

    def membership(self, user: str) -> str:
        """A user's membership; "leave" for one who was never there."""
        event = self.state.get(("m.room.member", user))
        return event["content"]["membership"] if event else "leave"

    def joined(self) -> dict[str, Content]:
        """The content of the membership of all who are in the room, by user id."""
        return {
            key: event["content"]
            for (kind, key), event in self.state.items()
            if kind == "m.room.member" and event["content"]["membership"] == "join"
        }


class Memory:
    """Users, rooms and events."""

    def __init__(self, script: Script) -> None:
        self.bot = script.bot
        self.users: dict[str, Content] = {user: {} for user in (script.bot, *script.users)}
        self.rooms: dict[str, Room] = {}
        self._numbers = itertools.count(1)
        for scripted in script.rooms:
            self._build(scripted)

    def room(self, room_id: str) -> Room:
        """A room that there is."""
        found = self.rooms.get(room_id)
        if found is None:
            raise MatrixError(404, "M_NOT_FOUND", "no such room")
        return found

    def event(self, room: Room, sender: str, kind: str, content: Content) -> Event:
        """Make a message-like event, in the form in which Synapse pushes it."""
        return {
            "type": kind,
            "room_id": room.id,
            "sender": sender,
            "user_id": sender,
            "content": content,
            "origin_server_ts": time.time_ns() // 10**6,
            "event_id": f"$bench{next(self._numbers):038}",
            "unsigned": {"age": 3},
            "age": 3,
        }

    def set_state(self, room: Room, sender: str, kind: str, key: str, content: Content) -> Event:
        """Make a state event, and put it in force."""
        event = self.event(room, sender, kind, content) | {"state_key": key}
        before = room.state.get((kind, key))
        if before is not None:
            event["unsigned"]["prev_content"] = before["content"]
        room.state[kind, key] = event
        return event

    def join(self, room: Room, user: str) -> Event:
        """Have an invited user join."""
        if room.membership(user) == "leave" and user != self.bot:
            raise MatrixError(403, "M_FORBIDDEN", "You are not invited to this room.")
        content = {"membership": "join"} | self.users.get(user, {})
        return self.set_state(room, user, "m.room.member", user, content)

    def require_joined(self, room: Room, user: str) -> None:
        """Refuse what only members may do."""
        if room.membership(user) != "join":
            raise MatrixError(403, "M_FORBIDDEN", f"User {user} not in room {room.id}")

    def _build(self, scripted: ScriptedRoom) -> None:
        room = self.rooms[scripted.id] = Room(scripted.id)
        creator = next(iter(scripted.doctors))
        self.set_state(room, creator, "m.room.create", "", {"room_version": "10"})
        levels = {"users": {creator: 100, self.bot: 100}, "users_default": 0, "invite": 0}
        self.set_state(room, creator, "m.room.power_levels", "", levels)
        self.set_state(room, creator, "m.room.join_rules", "", {"join_rule": "invite"})
        for user, name in scripted.doctors.items():
            content = {"membership": "join", "displayname": name}
            self.set_state(room, user, "m.room.member", user, content)
        for user in (self.bot, *scripted.ghosts):
            self.set_state(room, user, "m.room.member", user, {"membership": "join"})


def localpart_to_user(localpart: str) -> str:
    """The full user id of a local name."""
    return f"@{localpart}:{DOMAIN}"
