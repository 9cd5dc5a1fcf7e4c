"""What is on stage in a benchmark: how many rooms, doctors and known ghosts; and the bridge's
configuration for it.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from bench.script import DOMAIN, Script, ScriptedRoom, doctors, room_id
from sandbox.appservice import AppService
from sandbox.hospital import HOSPITAL_A
from sandbox.ports import LOOPBACK, free_port

NETWORK: Final = "hospital"
DATABASE: Final = "consilium.db"


@dataclass(frozen=True, slots=True)
class Setting:
    """So many portals with so many doctors in each; `ghosts` are known already, spread evenly."""

    portals: int = 1
    doctors: int = 1
    ghosts: int = 0

    def ghosts_of(self, number: int, service: AppService) -> tuple[str, ...]:
        """The user ids of the known ghosts of a room."""
        each = self.ghosts // self.portals
        ids = range(number * each, (number + 1) * each)
        return tuple(f"@{service.ghosts}{NETWORK}_known-{id_}:{DOMAIN}" for id_ in ids)


def group(number: int) -> str:
    """The address of the group that is linked to a scripted room."""
    return HOSPITAL_A.room(f"case-{number}")


def make_service() -> AppService:
    """The bridge's registration."""
    return AppService(id="consilium", bot="consilium", ghosts="_consilium_")


def make_script(setting: Setting, service: AppService) -> Script:
    """What the homeserver knows."""
    rooms = tuple(
        ScriptedRoom(
            room_id(number), doctors(number, setting.doctors), setting.ghosts_of(number, service)
        )
        for number in range(setting.portals)
    )
    return Script(
        port=free_port(),
        service_url=service.url,
        as_token=service.as_token,
        hs_token=service.hs_token,
        bot=f"@{service.bot}:{DOMAIN}",
        rooms=rooms,
        users=tuple(ghost for room in rooms for ghost in room.ghosts),
    )


def write_config(
    path: Path, setting: Setting, service: AppService, homeserver_port: int, component_port: int
) -> None:
    """Write the bridge's configuration, everything at its default that can be."""
    config: dict[str, Any] = {
        "homeserver": {"url": f"http://{LOOPBACK}:{homeserver_port}", "domain": DOMAIN},
        "appservice": {
            "id": service.id,
            "url": service.url,
            "port": service.port,
            "as_token": service.as_token,
            "hs_token": service.hs_token,
            "bot": service.bot,
            "ghost_prefix": service.ghosts,
        },
        "database": {"url": f"sqlite:///{DATABASE}"},
        "networks": {
            NETWORK: {
                "type": "xmpp",
                "name": "Hospital A",
                "mode": "component",
                "jid": HOSPITAL_A.component,
                "secret": HOSPITAL_A.component_secret,
                "host": LOOPBACK,
                "port": component_port,
            }
        },
        "portals": [
            {
                "room": room_id(number),
                "links": [{"network": NETWORK, "group": group(number), "direction": "both"}],
            }
            for number in range(setting.portals)
        ],
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def password() -> str:
    """A password for the colleague's account."""
    return secrets.token_hex(8)
