"""Long texts in encrypted rooms: no event is larger than homeservers take."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from matrix_fakes import (
    ROOM,
    GhostsInMemory,
    Reply,
    ScriptedHomeserver,
    acting_bot,
    config,
)

from bridge.config.encryption import Encryption as Settings
from bridge.contract import Copy, Outgoing
from bridge.flow.texts import Wording
from bridge.matrix.encryption.service import Encryption
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.outlet import MatrixOutlet
from bridge.model import MATRIX, Author, Edited, Message, Place
from bridge.store.database import Database

LARGEST = 65_536
"""https://spec.matrix.org/v1.19/client-server-api/#size-limits, all that servers add included."""

ADDED = 4_096

GROUP = Place("muc", "case-7@muc.test")
BOB = Author("muc", "bob", "Bob (Hospital B)")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
THERE = Copy("$own", BOB, NOW, "Hello", key="k0")

LONG = {
    "of three bytes each": "剂" * 30_000,
    "of four bytes each": "🧪 " * 15_000,
    "of what JSON writes as two": '"\n' * 15_000,
}


@dataclass
class Desk:
    """What shows texts in an encrypted room, and the homeserver that gets them."""

    homeserver: ScriptedHomeserver
    outlet: MatrixOutlet

    async def show(self, event: Message | Edited) -> None:
        target = THERE if isinstance(event, Edited) else None
        await self.outlet.send(Outgoing(Place(MATRIX, ROOM), "key", event, target=target))

    def sizes(self) -> list[int]:
        """Those of all events that were sent, as JSON."""
        said = [each for each in self.homeserver.asked if "/send/m.room.encrypted/" in each.path]
        return [len(orjson.dumps(each.body)) for each in said]


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    async with ScriptedHomeserver().running() as homeserver:
        algorithm = {"algorithm": "m.megolm.v1.aes-sha2"}
        homeserver.always("GET", "/state/m.room.encryption", Reply(200, algorithm))
        configured = config(homeserver.url)
        async with acting_bot(configured) as bot:
            ids = GhostIds(configured)
            settings = Settings.model_validate({"mode": "allow"})
            made = await Encryption.make(settings, tmp_path, bot, ids.owns, database)
            made.sealing.open()
            ghosts = Ghosts(bot, ids, GhostsInMemory())
            yield Desk(homeserver, MatrixOutlet(bot, ghosts, encrypts=True))


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("bold", [False, True])
async def test_a_long_text_and_its_edit_fit_into_events(desk: Desk, text: str, bold: bool) -> None:
    can = desk.outlet.capabilities(ROOM)
    strong = text.replace('"', "&quot;").replace("\n", "<br>")
    html = f"<p><strong>{strong}</strong></p>"
    pieces = list(Wording(Place(MATRIX, ROOM), can, {}).pieces(text, html if bold else None))
    assert len(pieces) > 1
    for piece in pieces:
        await desk.show(Message(GROUP, "1", BOB, NOW, piece.text, html=piece.html))
        await desk.show(Edited(GROUP, BOB, NOW, "1", piece.text, html=piece.html))
    assert len(desk.sizes()) == 2 * len(pieces)
    assert max(desk.sizes()) <= LARGEST - ADDED
