"""An adapter that somebody else could have shipped: found through its entry point, like any other.

What its check does is written in its settings.
"""

import asyncio
from collections.abc import Sequence

from pydantic import Field

from bridge.contract import (
    NEVER_HEARD,
    Capabilities,
    CatchUp,
    Finding,
    Outgoing,
    Secret,
    Sent,
    Settings,
)
from bridge.model import Author


class ParrotSettings(Settings):
    key: Secret = Field(description="The parrot's key")
    port: int = Field(default=1, ge=1, le=65535, description="Its port")
    mood: str = "well"


class ParrotNetwork:
    def __init__(self, name: str, settings: ParrotSettings) -> None:
        self._name, self._mood = name, settings.mood

    def capabilities(self, place_id: str) -> Capabilities:
        return Capabilities(own_names=True, max_text=1000)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def open(
        self, group: str, present: Sequence[Author], catch_up: CatchUp = NEVER_HEARD
    ) -> None: ...

    async def close(self, group: str) -> None: ...

    async def send(self, outgoing: Outgoing) -> Sent:
        return Sent()

    async def find(self, outgoing: Outgoing) -> Sent | None:
        return None

    async def check(self, groups: Sequence[str]) -> Sequence[Finding]:
        match self._mood:
            case "crash":
                msg = "s3cret-detail"
                raise RuntimeError(msg)
            case "hang":
                await asyncio.Event().wait()
            case "ill":
                return [Finding(False, self._name, "It is ill.", "Call a vet.")]
        return [Finding(True, self._name, f"It repeats {', '.join(groups)}.")]


class ParrotAdapter:
    settings = ParrotSettings

    @staticmethod
    def normalise(group: str) -> str:
        if " " in group:
            msg = 'a group has no spaces, as in "seeds"'
            raise ValueError(msg)
        return group.lower()

    @staticmethod
    def create(
        *, network: str, name: str, settings: ParrotSettings, inlet: object
    ) -> ParrotNetwork:
        return ParrotNetwork(name, settings)


class Hollow:
    """No adapter: it has no settings."""
