"""Whether every place has everything once, under its author's name, in order, and timed right."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import chain
from typing import Final

from torture.archives import Shown
from torture.cast import CAST, Person, Side
from torture.ears import Ears, Spot
from torture.words import Utterance

_TIME_SLACK: Final = 5.0
"""What a group shows live bears no time of its own (only its archive and history do), so a copy has
that at which the bridge heard it. On a quiet machine that is less than a second later. On one that
is at its limit, the group's server is late to tell it, which all who are there notice, and the
bridge is late to read it, with seconds of talk before it after a restart: the slack is for this.
"""

_GROUP_TICK: Final = 1.0
"""Groups tell the second in which something was said."""


class Kind(StrEnum):
    """What can be wrong with a message."""

    UNSAID = "not even where it was said"
    LOST = "lost"
    DOUBLED = "doubled"
    MISPLACED = "out of order"
    MISNAMED = "wrong name"
    MISTIMED = "wrong time"


@dataclass(frozen=True, slots=True)
class Offence:
    """One message that is not at a place as it should be."""

    kind: Kind
    spot: Spot
    utterance: Utterance
    detail: str = ""
    ids: tuple[str, ...] = ()
    """Every id it has anywhere: to find it in the bridge's log."""


@dataclass(slots=True)
class Verdict:
    """All offences, and how long the copies took, in seconds, by the side they went to.

    `furthest_off` is how many seconds the room's copies are away from when they were said, at most.
    """

    said: int = 0
    expected: int = 0
    arrived: int = 0
    offences: list[Offence] = field(default_factory=list)
    furthest_off: float = 0.0
    delays: dict[Side, list[float]] = field(default_factory=lambda: {side: [] for side in Side})

    def count(self, kind: Kind) -> int:
        """How many offences of this kind there are."""
        return sum(offence.kind is kind for offence in self.offences)

    @property
    def longest(self) -> float:
        """The longest delay; NaN if nothing arrived."""
        return max(chain.from_iterable(self.delays.values()), default=float("nan"))

    @property
    def good(self) -> bool:
        """Whether nothing is wrong, and something was said at all."""
        return not self.offences and self.arrived > 0


def judge(
    places: Mapping[Spot, Sequence[Shown]], said: Mapping[tuple[int, str], int], ears: Ears
) -> Verdict:
    """Compare what all places have.

    Args:
        places: what each has, in its order.
        said: how many messages each author of each portal believes to have said.
        ears: when what was heard, for the delays.
    """
    verdict = Verdict()
    people = {person.key: person for person in CAST}
    for (portal, author), count in said.items():
        home = Spot(portal, people[author].side)
        due = [Utterance(portal, author, number) for number in range(1, count + 1)]
        verdict.said += len(due)
        have = _by_utterance(places[home], author)
        for side in Side:
            spot = Spot(portal, side)
            found = _by_utterance(places[spot], author)
            missing = Kind.UNSAID if side is people[author].side else Kind.LOST
            heard = partial(ears.first, home)
            _compare(verdict, people[author], spot, due, found, have, missing, heard)
            if side is not people[author].side:
                verdict.expected += len(due)
                verdict.arrived += sum(each in found for each in due)
                verdict.delays[side] += _delays(ears, home, spot, due, have, found)
    return verdict


def _by_utterance(shown: Sequence[Shown], author: str) -> dict[Utterance, list[Shown]]:
    found: dict[Utterance, list[Shown]] = defaultdict(list)
    for each in shown:
        if each.utterance.author == author:
            found[each.utterance].append(each)
    return dict(found)


def _compare(  # noqa: PLR0913, PLR0917 - one author, two places
    verdict: Verdict,
    author: Person,
    spot: Spot,
    due: Sequence[Utterance],
    found: Mapping[Utterance, Sequence[Shown]],
    have: Mapping[Utterance, Sequence[Shown]],
    missing: Kind,
    heard: Callable[[Utterance], float | None],
) -> None:
    def accuse(kind: Kind, utterance: Utterance, detail: str = "") -> None:
        shown = (*have.get(utterance, ()), *found.get(utterance, ()))
        ids = tuple(dict.fromkeys(each.id for each in shown))
        verdict.offences.append(Offence(kind, spot, utterance, detail, ids))

    for utterance in due:
        copies = found.get(utterance, ())
        if not copies:
            accuse(missing, utterance)
        elif len(copies) > 1:
            accuse(Kind.DOUBLED, utterance, f"{len(copies)} times")
        for copy in copies:
            if copy.name != author.shown(spot.side):
                accuse(Kind.MISNAMED, utterance, f'as "{copy.name}"')
            off = _off(copy, have.get(utterance, ()), spot, heard(utterance))
            verdict.furthest_off = max(verdict.furthest_off, off)
            if off > _TIME_SLACK:
                accuse(Kind.MISTIMED, utterance, f"{off:.1f} s off")
    newest = 0
    for utterance in found:  # in the order of the place
        if utterance.number < newest:
            accuse(Kind.MISPLACED, utterance, f"after {newest}")
        newest = max(newest, utterance.number)


def _off(copy: Shown, said: Sequence[Shown], spot: Spot, heard: float | None) -> float:
    """How many seconds the room's copy is away from the time at which it was said in a group, or
    heard there by others.
    """
    if spot.side is not Side.MATRIX or not said or said[0] is copy:
        return 0.0
    early, late = said[0].at - copy.at, copy.at - max(said[0].at + _GROUP_TICK, heard or 0.0)
    return max(early, late, 0.0)


def _delays(  # noqa: PLR0913, PLR0917 - two places
    ears: Ears,
    home: Spot,
    spot: Spot,
    due: Sequence[Utterance],
    have: Mapping[Utterance, Sequence[Shown]],
    found: Mapping[Utterance, Sequence[Shown]],
) -> Iterator[float]:
    """From being said to being heard; the group's own time stands in where nobody listened.

    Without the first of each author, who has to be brought in with it.
    """
    for utterance in due[1:]:
        said = ears.first(home, utterance)
        if said is None and utterance in have:
            said = have[utterance][0].at
        heard = ears.first(spot, utterance)
        if heard is None and utterance in found and spot.side is not Side.MATRIX:
            heard = found[utterance][0].at
        if said is not None and heard is not None:
            yield max(0.0, heard - said)
