"""A short consult of two doctors on Matrix with two colleagues on XMPP, and who must see it how."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.matrix_user import MatrixEvent, MatrixUser
from sandbox.xmpp_user import XmppUser

HOSPITAL_NAMES = {HOSPITAL_A: "Hospital A", HOSPITAL_B: "Hospital B"}
ALICE, BRAM, CHIARA, DMITRI = "Dr. Alice", "Dr. Bram", "Chiara", "Dmitri"


@dataclass(frozen=True)
class Line:
    """Something that one of the four says."""

    speaker: str
    text: str
    emote: bool = False


CONSULT = (
    Line(ALICE, "Good morning. A man of 54, chest pain for two hours, ECG without ST elevation."),
    Line(CHIARA, "Is the high-sensitivity troponin back already?"),
    Line(BRAM, "28 ng/l on arrival, 61 after one hour."),
    Line(DMITRI, "That is a rise. We would keep him and do an angiography within 24 hours."),
    Line(CHIARA, "Agreed. Aspirin and a second agent, unless he bleeds easily?"),
    Line(ALICE, "is calling the cath lab", emote=True),
    Line(DMITRI, "We have a free slot at two: <14:00> & not later, please."),
    Line(BRAM, "Thank you both. Prêt à partir — wij komen eraan 🚑"),
)


@dataclass(frozen=True)
class People:
    """The four, by the name that each has at home, and where they meet."""

    doctors: Mapping[str, MatrixUser]
    colleagues: Mapping[str, XmppUser]
    room: str
    groups: Mapping[str, str]

    async def say(self, line: Line) -> None:
        """Say a line where its speaker is at home, and wait until it is at all three places.

        Raises:
            TimeoutError: it did not arrive somewhere.
        """
        if doctor := self.doctors.get(line.speaker):
            send = doctor.send_emote if line.emote else doctor.send_text
            await send(self.room, line.text)
        else:
            text = f"/me {line.text}" if line.emote else line.text
            self.colleagues[line.speaker].say(self.groups[line.speaker], text)
        await self._arrived(line)

    async def _arrived(self, line: Line) -> None:
        looking = next(iter(self.doctors.values()))
        await looking.wait_for_text(self.room, line.text, timeout=30)
        for name, colleague in self.colleagues.items():
            text = f"/me {line.text}" if line.emote else line.text
            await colleague.wait_for_text(self.groups[name], text, timeout=30)

    async def faults(self) -> list[str]:
        """What is missing, doubled, or under a wrong name; empty when all is well."""
        faults: list[str] = []
        for place, (seen, expected) in (await self._views()).items():
            faults += [f"{place}: missing: {name}: {text}" for name, text in expected - seen]
            faults += [f"{place}: not expected: {name}: {text}" for name, text in seen - expected]
        return faults

    async def _views(self) -> dict[str, tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]]:
        """For each place, who was seen saying what, and who should have been."""
        looking = next(iter(self.doctors.values()))
        names = await looking.members(self.room)
        said = [
            (names.get(event.sender) or event.sender, event.body)
            for event in await looking.messages(self.room)
        ]
        views = {"Matrix": (Counter(said), Counter(self._expected(home=None)))}
        for name, colleague in self.colleagues.items():
            group = self.groups[name]
            heard = [
                (message.nick, message.body.removeprefix("/me "))
                for message in colleague.messages
                if message.room == group and message.body and not message.error
            ]
            views[group] = (Counter(heard), Counter(self._expected(home=name)))
        return views

    def _expected(self, home: str | None) -> list[tuple[str, str]]:
        away = {
            CHIARA: f"{CHIARA} ({HOSPITAL_NAMES[HOSPITAL_A]})",
            DMITRI: f"{DMITRI} ({HOSPITAL_NAMES[HOSPITAL_B]})",
        }
        return [
            (
                line.speaker if line.speaker == home else away.get(line.speaker, line.speaker),
                line.text,
            )
            for line in CONSULT
        ]


def is_message(event: MatrixEvent) -> bool:
    """Whether this is something said in a Matrix room."""
    return event.type == "m.room.message"
