"""A folder with boards, and a colleague who writes on them by hand."""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from board_adapter import BoardAdapter, Boards, BoardSettings

from bridge.contract import Inlet
from bridge.testing import NETWORK, Lab, Shown, Words


class BoardLab(Lab):
    def __init__(self, directory: Path) -> None:
        self._folder, self._elsewhere = directory / "boards", directory / "elsewhere"
        self._folder.mkdir()

    async def start(self) -> None:
        if self._elsewhere.exists():
            self._elsewhere.rename(self._folder)

    async def stop(self) -> None:
        self._folder.rename(self._elsewhere)

    def network(self, inlet: Inlet) -> Boards:
        settings = BoardSettings(folder=self._folder, seconds=0.02)
        return BoardAdapter.create(network=NETWORK, name="Ward", settings=settings, inlet=inlet)

    async def new_group(self) -> str:
        name = f"ward{secrets.randbelow(10**9)}"
        (self._folder / f"{name}.jsonl").touch()
        return name

    def missing_group(self) -> str:
        return "nowhere"

    async def say(self, group: str, words: Words) -> str:
        ident, now = secrets.token_hex(8), datetime.now(UTC).isoformat()
        note = {"id": ident, "time": now, "author": self.colleague, "text": words.text,
                "by": "hand", "reply_to": words.reply_to}  # fmt: skip
        with (self._folder / f"{group}.jsonl").open("a") as file:
            file.write(json.dumps(note) + "\n")
        return ident

    async def shown(self, group: str) -> Sequence[Shown]:
        lines = (self._folder / f"{group}.jsonl").read_text().splitlines()
        return [
            Shown(note["id"], note["author"], note["text"], reply_to=note["reply_to"])
            for note in map(json.loads, lines)
        ]
