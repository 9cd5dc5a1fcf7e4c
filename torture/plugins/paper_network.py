"""A network of files: what is sent to a group is a line in a file, at once and in order.

Made for the tests of the bridge's own endurance, where a real network would be the slower part.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from bridge.contract import (
    Capabilities,
    Finding,
    Health,
    Inlet,
    Outgoing,
    Sent,
    Settings,
)
from bridge.model import Author, Message

_CAPABILITIES: Final = Capabilities(own_names=True, max_text=10_000, knows_own_copies=True)


class PaperSettings(Settings):
    """Where the files are, and what can't be written down."""

    directory: Path = Field(description="Where the files are, one for each group")
    poison: str = Field(default="", description="A text with this in it makes the adapter raise")


class PaperNetwork:
    """Writes."""

    def __init__(self, settings: PaperSettings, inlet: Inlet) -> None:
        self._settings = settings
        self._inlet = inlet

    def capabilities(self, place_id: str) -> Capabilities:  # noqa: ARG002 - all are alike
        """Paper is patient."""
        return _CAPABILITIES

    async def run(self) -> None:
        """Be there."""
        self._inlet.health(Health(up=True))
        await asyncio.Event().wait()

    async def open(self, group: str, present: Sequence[Author], catch_up: object = None) -> None:
        """Nobody else writes there."""

    async def close(self, group: str) -> None:
        """Nothing to do."""

    async def send(self, outgoing: Outgoing) -> Sent:
        """Write a line: the key and the text."""
        event, poison = outgoing.event, self._settings.poison
        if not isinstance(event, Message):
            return Sent()
        if poison and poison in event.text:
            raise RuntimeError("the pen breaks")
        with self._file(outgoing.place.id).open("a", encoding="utf-8") as paper:
            paper.write(f"{outgoing.key}\t{event.text}\n")
        return Sent(outgoing.key)

    async def find(self, outgoing: Outgoing) -> Sent | None:
        """Read what is written."""
        file = self._file(outgoing.place.id)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        found = any(line.partition("\t")[0] == outgoing.key for line in lines)
        return Sent(outgoing.key) if found else None

    async def check(self, groups: Sequence[str]) -> Sequence[Finding]:
        """All is well."""
        return [Finding(ok=True, subject="paper", sentence=f"It has {len(groups)} sheets.")]

    def _file(self, group: str) -> Path:
        return self._settings.directory / f"{group}.txt"


class PaperAdapter:
    """What the entry point names."""

    settings = PaperSettings

    @staticmethod
    def normalise(group: str) -> str:
        """As it is."""
        return group

    @staticmethod
    def create(*, network: str, name: str, settings: Any, inlet: Inlet) -> PaperNetwork:  # noqa: ANN401, ARG004
        """Make one."""
        return PaperNetwork(settings, inlet)
