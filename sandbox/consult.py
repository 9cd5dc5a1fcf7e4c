"""A short consult of two doctors on Matrix with two colleagues on XMPP, and who must see it how."""

from collections import Counter
from collections.abc import Collection

from sandbox.meeting import Line, Meeting
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI

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


async def hold(meeting: Meeting) -> None:
    """Hold the consult: each line is said when the one before has arrived everywhere.

    Raises:
        TimeoutError: one did not arrive somewhere.
    """
    for line in CONSULT:
        await meeting.say(line.speaker, line.text, emote=line.emote)
        await meeting.arrived(line.text)


def faults(meeting: Meeting, others: Collection[str] = ()) -> list[str]:
    """What is missing, doubled, or under a wrong name after the consult; empty if all is well.

    Args:
        meeting: where it was held.
        others: what else was said there.
    """
    found: list[str] = []
    for place, lines in meeting.seen().items():
        seen = Counter(line for line in lines if not any(other in line.text for other in others))
        due = Counter(
            Line(meeting.shown(line.speaker, place), line.text, line.emote) for line in CONSULT
        )
        found += [f"{place}: missing: {line.speaker}: {line.text}" for line in due - seen]
        found += [f"{place}: not expected: {line.speaker}: {line.text}" for line in seen - due]
    return found
