"""What was said while the bridge was away, and before the link."""

from datetime import datetime, timedelta
from typing import Final

from bridge.contract import CatchUp, Feature
from bridge.model import Message, Roster
from bridge.testing.base import Part, hears, only_where, receiving, sending
from bridge.testing.lab import Lab, Words
from bridge.testing.stage import Stage, clearly_later, now, performing

_CLOCKS: Final = timedelta(seconds=1)
"""Some networks tell whole seconds only."""

fetching: Final = only_where(lambda part: part.receives and part.catches_up)


class Past(Part):
    """Catching up."""

    @receiving
    async def test_what_was_said_while_the_bridge_was_down_is_heard_afterwards(
        self, lab: Lab, group: str
    ) -> None:
        begun = now() - _CLOCKS
        async with performing(lab, self.declared()) as stage:
            await stage.enter(group)
            await lab.say(group, Words("Said while it still ran"))
            last = await stage.hears(group, "while it still ran")
        since = now()
        wanted = [f"Said meanwhile, number {number}" for number in range(3)]
        for text in wanted:
            await lab.say(group, Words(text))
        catch_up = CatchUp(since, last.id, begun)
        async with performing(lab, self.declared(), stage.store) as stage:
            await stage.enter(group, catch_up=catch_up)
            await stage.hears(group, wanted[-1])
            await lab.say(group, Words("Said after it came back"))
            await stage.hears(group, "after it came back")
            heard = _once(stage, group, known={last.id})
            assert len(heard) == len(wanted) + 1
            assert all(text in each.text for text, each in zip(wanted, heard, strict=False))
            assert "came back" in heard[-1].text
            if self.catches_up:
                self._before_the_roster(stage, group, wanted[-1])

    def _before_the_roster(self, stage: Stage, group: str, text: str) -> None:
        events = [event for event in stage.ears.events if event.place.id == group]
        roster = next(i for i, event in enumerate(events) if isinstance(event, Roster))
        assert any(isinstance(each, Message) and text in each.text for each in events[:roster])

    @receiving
    @sending
    async def test_own_words_are_not_caught_up_with(self, lab: Lab, group: str) -> None:
        begun = now() - _CLOCKS
        async with performing(lab, self.declared()) as stage:
            await stage.enter(group)
            own = await stage.say(group, "Said by a doctor of ours")
            await stage.sees(group, "by a doctor of ours")
        await lab.say(group, Words("Said by somebody else"))
        async with performing(lab, self.declared(), stage.store) as stage:
            await stage.enter(group, catch_up=CatchUp(begun, None, begun))
            await stage.hears(group, "by somebody else")
            # One that can't tell hands them over by the id that the core knows them by
            known = set() if self.declared().knows_own_copies else own.names
            strange = [each.text for each in stage.ears.of(Message, group) if each.id not in known]
            assert ["somebody else" in text for text in strange] == [True]

    @fetching
    async def test_of_too_many_the_newest_come_and_the_rest_is_told(
        self, lab: Lab, group: str
    ) -> None:
        begun, last, stage = await self._away(lab, group)
        catch_up = CatchUp(now(), last.id, begun, max_messages=2)
        for number in range(4):
            await lab.say(group, Words(f"Said meanwhile, number {number}"))
        async with performing(lab, self.declared(), stage.store) as stage:
            await stage.enter(group, catch_up=catch_up)
            heard = [each.text for each in _once(stage, group, known={last.id})]
            assert [text.split("number ")[-1][0] for text in heard] == ["2", "3"]
            await stage.until(
                lambda: [each for each in stage.ears.gaps if each.group == group], "what is missing"
            )

    @fetching
    async def test_nothing_is_fetched_that_is_not_wanted(self, lab: Lab, group: str) -> None:
        begun, last, stage = await self._away(lab, group)
        catch_up = CatchUp(now(), last.id, begun, max_messages=0)
        await lab.say(group, Words("Said meanwhile, to nobody"))
        async with performing(lab, self.declared(), stage.store) as stage:
            await stage.enter(group, catch_up=catch_up)
            await lab.say(group, Words("Said to all again"))
            await stage.hears(group, "Said to all again")
            heard = _once(stage, group, known={last.id})
            assert len(heard) == 1

    async def _away(self, lab: Lab, group: str) -> tuple[datetime, Message, Stage]:
        """A first run has come and gone; when it began, and the last that it heard."""
        begun = now() - _CLOCKS
        async with performing(lab, self.declared()) as stage:
            await stage.enter(group)
            await lab.say(group, Words("Said while it still ran"))
            return begun, await stage.hears(group, "while it still ran"), stage

    @hears(Feature.HISTORY)
    async def test_a_new_link_shows_what_was_said_last(self, lab: Lab, group: str) -> None:
        for number in range(4):
            await lab.say(group, Words(f"Said long ago, number {number}"))
        await clearly_later(lab)
        async with performing(lab, self.declared()) as stage:
            await stage.enter(group, catch_up=CatchUp(history=2))
            await lab.say(group, Words("Said at this moment"))
            await stage.hears(group, "at this moment")
            messages = stage.ears.of(Message, group)
            assert [each.old for each in messages] == [True, True, False]
            assert [each.text.split("number ")[-1][0] for each in messages[:2]] == ["2", "3"]
            self._before_the_roster(stage, group, "number 3")


def _once(stage: Stage, group: str, known: set[str]) -> list[Message]:
    """What is new to the core: it drops what it knows by its id."""
    messages = {each.id: each for each in stage.ears.of(Message, group)}
    return [each for ident, each in messages.items() if ident not in known]
