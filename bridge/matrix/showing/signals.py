"""Shows passing things, by ghosts that are in the room already."""

from typing import Final

from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.ghosts import Ghosts
from bridge.model import Read, Signal, Typing

_TYPING_MS: Final = 30_000
"""For so long somebody is shown to be typing who does not say that they stopped, or go on."""


class Passing:
    """Tells rooms who is typing, and how far people have read.

    Args:
        bot: the bot's client.
        ghosts: who types and reads.
    """

    def __init__(self, bot: ActingClient, ghosts: Ghosts) -> None:
        self._bot = bot
        self._ghosts = ghosts

    async def show(self, room_id: str, signal: Signal) -> None:
        """Show it, if its author's ghost is in the room.

        Raises:
            Refused: the homeserver won't.
            Unreachable: not now.
            StoreError: the store failed.
        """
        ghost = await self._ghosts.inside(signal.author, room_id)
        if ghost is None:
            return
        client = self._bot.acting_as(ghost)
        match signal:
            case Typing():
                # https://spec.matrix.org/v1.19/client-server-api/#typing-notifications
                body: dict[str, object] = {"typing": signal.typing}
                if signal.typing:
                    body["timeout"] = _TYPING_MS
                await client.call("PUT", path_of("rooms", room_id, "typing", ghost), body)
            case Read():
                # https://spec.matrix.org/v1.19/client-server-api/#receipts
                path = path_of("rooms", room_id, "receipt", "m.read", signal.target)
                await client.call("POST", path, {})
