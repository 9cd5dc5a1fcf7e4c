"""Application services a homeserver knows from its start, for bridges that come later.

A homeserver reads its registrations only when it starts. So a test run registers a handful at once
and hands each bridge under test one of them.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.ports import LOOPBACK, free_port

Registration = Mapping[str, Any]


def _token() -> str:
    return secrets.token_hex(24)


@dataclass(frozen=True)
class AppService:
    """One application service: where it listens, its tokens, and the names it owns."""

    id: str
    bot: str
    ghosts: str
    port: int = field(default_factory=free_port)
    as_token: str = field(default_factory=_token, repr=False)
    hs_token: str = field(default_factory=_token, repr=False)

    @property
    def url(self) -> str:
        """Where the homeserver pushes to."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def registration(self) -> dict[str, Any]:
        """The registration file's content: all of `ghosts…` and the bot are its own."""
        return {
            "id": self.id,
            "url": self.url,
            "as_token": self.as_token,
            "hs_token": self.hs_token,
            "sender_localpart": f"{self.ghosts}service",
            "rate_limited": False,
            "receive_ephemeral": True,
            "de.sorunome.msc2409.push_ephemeral": True,
            "org.matrix.msc3202": True,
            "io.element.msc4190": True,
            "namespaces": {
                "users": [
                    {"exclusive": True, "regex": f"@{self.ghosts}.*"},
                    {"exclusive": True, "regex": f"@{self.bot}:.*"},
                ],
                "aliases": [{"exclusive": True, "regex": f"#{self.ghosts}.*"}],
                "rooms": [],
            },
        }


def app_services(count: int) -> list[AppService]:
    """`consilium1`, `consilium2`, … with ghosts `_consilium1_…`, `_consilium2_…`, ready to use."""
    return [
        AppService(id=f"consilium{number}", bot=f"consilium{number}", ghosts=f"_consilium{number}_")
        for number in range(1, count + 1)
    ]
