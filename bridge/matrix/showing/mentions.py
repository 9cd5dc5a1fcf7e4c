"""How those who are mentioned are shown, and who of them is rung."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.raw import JsonObject
from bridge.model import MATRIX, Mention

_RUNG_MAX: Final = 10
"""Whoever mentions more people at once wants a room's attention, which nobody may from outside."""

_IN_LINKS: Final = "@:!$"


class Pills:
    """Tells the users who stand for those who are mentioned.

    Args:
        ids: tells the ids of ghosts.
    """

    def __init__(self, ids: GhostIds) -> None:
        self._ids = ids

    def user(self, network: str, author_id: str) -> str:
        """The Matrix user who stands for an author of any network."""
        return author_id if network == MATRIX else self._ids.of(network, author_id)

    def link(self, network: str, author_id: str) -> str:
        """What leads to that user: https://spec.matrix.org/v1.19/appendices/#matrixto-navigation."""
        return f"https://matrix.to/#/{quote(self.user(network, author_id), safe=_IN_LINKS)}"

    def rung(self, mentions: Iterable[Mention], *more: str) -> JsonObject:
        """Who is notified. Never the whole room, and without this key "@room" would do that.

        https://spec.matrix.org/v1.19/client-server-api/#user-and-room-mentions

        Args:
            mentions: who is mentioned.
            more: further users.
        """
        users = {self.user(each.network, each.id) for each in mentions}
        if len(users) > _RUNG_MAX:
            users = set()
        users |= set(more)
        return {"user_ids": sorted(users)} if users else {}
