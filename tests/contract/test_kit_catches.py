"""The kit finds adapters out that don't keep the contract: a good one, made worse in one point."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from board_adapter import CAN, US, BoardAdapter, Boards
from board_lab import BoardLab

from bridge.contract import (
    Capabilities,
    CatchUp,
    Feature,
    Health,
    Inlet,
    Level,
    Outgoing,
    Refused,
    Sent,
)
from bridge.model import Message, Place
from bridge.testing import Contract
from bridge.testing.stage import performing


class Forgetful(Boards):
    """Sends again what is there already."""

    async def find(self, outgoing: Outgoing) -> Sent | None:
        return None


class Echoing(Boards):
    """Hands over what the bridge has said itself."""

    async def _look(self, place: Place, catch_up: CatchUp, notes: list[dict]) -> None:
        notes = [{**note, "by": note["by"].replace(US, "?")} for note in notes]
        await super()._look(place, catch_up, notes)


class Swallowing(Boards):
    """Says that it is there, and does nothing."""

    async def send(self, outgoing: Outgoing) -> Sent:
        return Sent(outgoing.key)


class Obliging(Boards):
    """Takes what it declares to refuse."""

    async def send(self, outgoing: Outgoing) -> Sent:
        return await super().send(outgoing) if isinstance(outgoing.event, Message) else Sent()


class Shortening(Boards):
    """Takes shorter texts than it declares."""

    async def send(self, outgoing: Outgoing) -> Sent:
        assert isinstance(outgoing.event, Message)
        event = replace(outgoing.event, text=outgoing.event.text[:5_000])
        return await super().send(replace(outgoing, event=event))


class Deaf(Boards):
    """Does not fetch what was said while it was away."""

    def _missed(self, board: str, catch_up: CatchUp, notes: list[dict]) -> list[dict]:
        return []


class Greedy(Boards):
    """Hands over all that was ever said."""

    def _missed(self, board: str, catch_up: CatchUp, notes: list[dict]) -> list[dict]:
        return notes


class Cheerful(Boards):
    """Never says that it is away."""

    def _tell(self, group: str | None, why_not: str, *, lasting: bool = False) -> None:
        self._inlet.health(Health(up=True, group=group))


class Boastful(Boards):
    """Can do less when it runs than was declared."""

    def capabilities(self, place_id: str) -> Capabilities:
        return replace(CAN, shows={Feature.NAME: Level.FULL})


class Lingering(Boards):
    """Goes on hearing what was closed."""

    async def close(self, group: str) -> None:
        """Nothing."""


class Blind(Boards):
    """Takes messages for boards that are not there."""

    async def send(self, outgoing: Outgoing) -> Sent:
        try:
            return await super().send(outgoing)
        except Refused:
            return Sent(outgoing.key)


WORSE = [
    (Forgetful, "one_key_makes_one_message_however_often_it_is_sent"),
    (Forgetful, "a_message_of_an_earlier_run_is_not_made_again"),
    (Echoing, "own_words_are_not_handed_over"),
    (Echoing, "own_words_are_not_caught_up_with"),
    (Swallowing, "a_message_is_shown_there_once_under_its_authors_name"),
    (Obliging, "what_is_declared_as_refused_is_refused"),
    (Shortening, "the_longest_text_arrives_whole"),
    (Deaf, "what_was_said_while_the_bridge_was_down_is_heard_afterwards"),
    (Greedy, "what_was_said_before_is_not_handed_over"),
    (Greedy, "of_too_many_the_newest_come_and_the_rest_is_told"),
    (Cheerful, "a_network_that_is_away_is_unreachable_and_comes_back"),
    (Boastful, "a_running_network_can_do_what_is_declared"),
    (Lingering, "a_closed_group_is_not_heard_any_more"),
    (Blind, "a_group_that_is_not_there_is_told_of"),
]


class Suite(Contract):
    kind = "board"
    adapter = BoardAdapter


class WorseLab(BoardLab):
    patience = 0.5

    def __init__(self, directory: Path, make: type[Boards]) -> None:
        super().__init__(directory)
        self._make = make

    def network(self, inlet: Inlet) -> Boards:
        good = super().network(inlet)
        return self._make(good._network, good._name, good._settings, inlet)


@pytest.fixture
async def lab(tmp_path: Path, make: type[Boards]) -> AsyncIterator[WorseLab]:
    async with WorseLab(tmp_path, make) as found:
        yield found


async def _run(name: str, lab: WorseLab, directory: Path) -> None:
    test: Callable = getattr(Suite(), f"test_{name}")
    wanted = test.__code__.co_varnames[1 : test.__code__.co_argcount]
    async with performing(lab, CAN) as stage:
        given = {
            "lab": lab, "stage": stage, "group": await lab.new_group(), "tmp_path": directory
        }  # fmt: skip
        await test(**{each: given[each] for each in wanted})


@pytest.mark.parametrize(("make", "name"), WORSE, ids=lambda each: getattr(each, "__name__", each))
async def test_what_an_adapter_does_amiss_is_found(
    lab: WorseLab, name: str, tmp_path: Path
) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await _run(name, lab, tmp_path)


@pytest.mark.parametrize("make", [Boards])
@pytest.mark.parametrize("name", sorted({name for _, name in WORSE}))
async def test_the_good_one_passes_the_same_tests(lab: WorseLab, name: str, tmp_path: Path) -> None:
    await _run(name, lab, tmp_path)
