"""An adapter to copy. Its network is a folder; each file in it is a board that people write on.
A line of `ward3.jsonl` is a note on the board `ward3`: {"id": …, "time": …, "author": …, "text": …,
"by": …, "reply_to": …}, where `by` is who wrote it. See docs/adding-a-network.md for each part.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import Field

from bridge import contract as port
from bridge.contract import Capabilities, CatchUp, Feature, Inlet, Level, Refused, Unreachable
from bridge.model import Author, Message, Place, Roster

US: Final = "consilium"
BOTH: Final = {Feature.NAME: Level.FULL, Feature.REPLY: Level.FULL}
HEARS: Final = {**BOTH, Feature.HISTORY: Level.FULL}
CAN: Final = Capabilities(True, 10_000, knows_own_copies=True, shows=BOTH, hears=HEARS)


class BoardSettings(port.Settings):  # the keys of such a network in the configuration file
    folder: Path = Field(description="The folder that the boards are in")
    seconds: float = Field(default=2.0, gt=0, description="How often it looks for new notes")


class BoardAdapter:  # the door that the entry point names
    settings: ClassVar[type[port.Settings]] = BoardSettings

    @staticmethod
    def normalise(group: str) -> str:
        name = group.strip().lower()
        if not (name.isascii() and name.isalnum()):
            raise ValueError(f"{group!r} is no board: its name has letters and digits, as ward3")
        return name

    @staticmethod
    def declared() -> Mapping[str, Capabilities]:
        return {"": CAN}

    @staticmethod
    def create(*, network: str, name: str, settings: BoardSettings, inlet: Inlet) -> "Boards":
        return Boards(network, name, settings, inlet)


class Boards:  # a network: all boards of one folder
    def __init__(self, network: str, name: str, settings: BoardSettings, inlet: Inlet) -> None:
        self._network, self._name, self._settings, self._inlet = network, name, settings, inlet
        self._open: dict[str, CatchUp] = {}
        self._heard: dict[str, int] = {}  # how many notes of each board are known already
        self._told: dict[str | None, port.Health] = {}

    def capabilities(self, place_id: str) -> Capabilities:
        return CAN

    async def run(self) -> None:
        while True:
            away = not await asyncio.to_thread(self._settings.folder.is_dir)
            self._tell(None, f"The folder of {self._name} is not there." if away else "")
            for board in [] if away else list(self._open):
                try:
                    notes = await self._notes(board)
                    if board in self._open:  # or else it was closed in the meantime
                        await self._look(Place(self._network, board), self._open[board], notes)
                except (Refused, Unreachable) as error:
                    self._tell(board, str(error), lasting=isinstance(error, Refused))
            await asyncio.sleep(self._settings.seconds)

    async def open(
        self, group: str, present: Sequence[Author], catch_up: CatchUp = port.NEVER_HEARD
    ) -> None:
        await self.close(group)
        self._open[group] = catch_up  # `run` comes to it with its next look

    async def close(self, group: str) -> None:
        for known in (self._open, self._heard, self._told):
            known.pop(group, None)

    async def send(self, outgoing: port.Outgoing) -> port.Sent:
        event, board, reply = outgoing.event, outgoing.place.id, outgoing.reply_to
        if not isinstance(event, Message):
            raise Refused(f"On {self._name}, there is nothing but notes, and they stay.")
        await self._notes(board)  # raises where there is no board, which appending would make
        note = {"id": outgoing.key, "time": event.time.isoformat(), "text": event.text, "by": US}
        note |= {"author": event.author.name, "reply_to": reply and reply.id}
        await asyncio.to_thread(self._append, board, json.dumps(note) + "\n")
        return port.Sent(outgoing.key)

    async def find(self, outgoing: port.Outgoing) -> port.Sent | None:
        ids = {note["id"] for note in await self._notes(outgoing.place.id)}
        return port.Sent(outgoing.key) if outgoing.key in ids else None

    async def check(self, groups: Sequence[str]) -> Sequence[port.Finding]:
        found = []
        for group in groups:
            try:
                found.append(port.Finding(True, group, f"{len(await self._notes(group))} notes."))
            except (Refused, Unreachable) as error:
                found.append(port.Finding(False, group, error.sentence, "Check the folder."))
        return found

    async def _look(self, place: Place, catch_up: CatchUp, notes: list[Any]) -> None:
        """Hand over what is new; at first what was missed, and a roster to say that this is all."""
        first = place.id not in self._heard
        new = self._missed(place.id, catch_up, notes) if first else notes[self._heard[place.id] :]
        old = first and catch_up.since is None
        events = [self._message(place, note, old=old) for note in new if note["by"] != US]
        roster = [Roster(place, (), datetime.now(UTC))] if first else []
        if events or roster:
            await self._inlet.receive([*events, *roster])
        self._heard[place.id] = len(notes)  # only now: what was not stored is handed over again
        self._tell(place.id, "")

    def _missed(self, board: str, catch_up: CatchUp, notes: list[Any]) -> list[Any]:
        if catch_up.since is None:  # nobody was here before: nothing but some history is wanted
            return notes[max(0, len(notes) - catch_up.history) :]
        since = max(catch_up.since, datetime.now(UTC) - catch_up.max_age)
        new = [note for note in notes if datetime.fromisoformat(note["time"]) >= since]
        if too_many := max(0, len(new) - catch_up.max_messages):
            self._inlet.missed(port.Missed(board, "It was more than is wanted.", too_many))
        return new[too_many:]

    def _message(self, place: Place, note: dict[str, Any], *, old: bool) -> Message:
        author = Author(self._network, note["author"].lower(), note["author"])
        time, answers = datetime.fromisoformat(note["time"]), note["reply_to"]
        return Message(place, note["id"], author, time, note["text"], reply_to=answers, old=old)

    async def _notes(self, board: str) -> list[Any]:
        try:
            path = self._settings.folder / f"{board}.jsonl"
            lines = (await asyncio.to_thread(path.read_text, "utf-8")).splitlines()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._settings.folder.is_dir():
                raise Refused(f"There is no board {board}.", "Ask its owner for it.") from None
            raise Unreachable(f"{self._name} can't be read. Is the folder there?") from None
        return [json.loads(line) for line in lines]

    def _append(self, board: str, line: str) -> None:
        with (self._settings.folder / f"{board}.jsonl").open("a", encoding="utf-8") as file:
            file.write(line)

    def _tell(self, group: str | None, why_not: str, *, lasting: bool = False) -> None:
        health = port.Health(up=not why_not, reason=why_not, group=group, lasting=lasting)
        if self._told.get(group) != health:
            self._told[group] = health
            self._inlet.health(health)
