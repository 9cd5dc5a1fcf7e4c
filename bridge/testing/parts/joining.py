"""Taking part in a group, and no longer."""

from bridge.contract import NEVER_HEARD
from bridge.model import Message, Roster
from bridge.testing.base import Part, only_where, receiving, sending
from bridge.testing.lab import Lab, Words
from bridge.testing.stage import Stage, clearly_later, performing


class Joining(Part):
    """open and close."""

    async def test_a_group_that_is_opened_tells_who_is_there_and_is_well(
        self, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        assert len(stage.ears.of(Roster, group)) == 1
        state = stage.ears.state(group)
        assert state is not None
        assert state.up

    async def test_a_group_can_be_opened_before_the_network_is_connected(
        self, lab: Lab, group: str
    ) -> None:
        async with performing(lab, self.declared()) as stage:
            await stage.network.open(group, (), NEVER_HEARD)
            await stage.happens(Roster, group)
            await stage.well(group)

    @only_where(lambda part: part.receives and part.catches_up)
    async def test_what_was_said_before_is_not_handed_over(self, lab: Lab, group: str) -> None:
        await lab.say(group, Words("said before anybody was there"))
        await clearly_later(lab)
        async with performing(lab, self.declared()) as stage:
            await stage.enter(group)
            await lab.say(group, Words("said to all who are there"))
            await stage.hears(group, "to all who are there")
            assert len(stage.ears.texts(group)) == 1

    @receiving
    async def test_a_closed_group_is_not_heard_any_more(self, lab: Lab, stage: Stage) -> None:
        closed, open_ = await lab.new_group(), await lab.new_group()
        await stage.enter(closed)
        await stage.enter(open_)
        await stage.network.close(closed)
        await _said_unheard(lab, closed)
        await lab.say(open_, Words("said where it is heard"))
        await stage.hears(open_, "where it is heard")
        assert stage.ears.texts(closed) == []

    @receiving
    async def test_a_closed_group_can_be_opened_again(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await stage.network.close(group)
        await stage.enter(group)
        await lab.say(group, Words("said after coming back"))
        assert len(await _all(stage, group, "after coming back")) == 1

    async def test_to_close_what_is_not_open_does_no_harm(self, stage: Stage, group: str) -> None:
        await stage.network.close(group)
        await stage.enter(group)

    @receiving
    async def test_groups_do_not_mix(self, lab: Lab, stage: Stage) -> None:
        groups = [await lab.new_group() for _ in range(3)]
        for group in groups:
            await stage.enter(group)
        for number, group in enumerate(groups):
            await lab.say(group, Words(f"said in room {number}"))
        for number, group in enumerate(groups):
            await stage.hears(group, f"in room {number}")
            assert len(stage.ears.texts(group)) == 1

    @sending
    async def test_messages_go_to_several_groups_at_once(self, lab: Lab, stage: Stage) -> None:
        groups = [await lab.new_group() for _ in range(3)]
        for group in groups:
            await stage.enter(group)
            await stage.say(group, f"for {group} alone, and for nobody else")
        for group in groups:
            await stage.sees(group, f"for {group} alone")
            assert len(await lab.shown(group)) == 1


async def _all(stage: Stage, group: str, text: str) -> list[Message]:
    await stage.hears(group, text)
    return [each for each in stage.ears.of(Message, group) if text in each.text]


async def _said_unheard(lab: Lab, group: str) -> None:
    await lab.say(group, Words("said where nobody listens"))
