"""What the scripted homeserver is told at its start: application service, rooms and ghosts.

Handed over as a JSON file, because there are up to 10,000 ghosts.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import orjson
from pydantic import TypeAdapter

DOMAIN: Final = "bench.test"


@dataclass(frozen=True, slots=True)
class ScriptedRoom:
    """A room with its doctors (user id and name) and the ghosts that are in it already."""

    id: str
    doctors: dict[str, str]
    ghosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """Everything the homeserver knows before the bridge starts."""

    port: int
    service_url: str
    as_token: str = field(repr=False)
    hs_token: str = field(repr=False)
    bot: str
    rooms: tuple[ScriptedRoom, ...]
    users: tuple[str, ...] = ()
    """Ghosts that are registered, be they in a room or not."""

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_bytes(orjson.dumps(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        script: Self = TypeAdapter(cls).validate_json(path.read_bytes())
        return script


def room_id(number: int) -> str:
    """The id of a scripted room."""
    return f"!case-{number}:{DOMAIN}"


def doctors(number: int, count: int) -> dict[str, str]:
    """So many doctors of a room: user ids and names. Those of room 0 are nobody else's."""
    ids = (f"{number}-{each}" for each in range(1, count + 1))
    return {f"@doctor-{id_}:{DOMAIN}": f"Dr. {id_}" for id_ in ids}
