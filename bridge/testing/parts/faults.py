"""When the network or a group is away."""

from contextlib import suppress

import pytest

from bridge.contract import NEVER_HEARD, Outgoing, Refused, Unreachable
from bridge.testing.base import Part, knowing, only_where, receiving, sending
from bridge.testing.lab import Lab, Words
from bridge.testing.stage import Stage, performing, said


class Faults(Part):
    """Temporary and permanent errors. The last part of the suite, as it stops the network."""

    @knowing
    async def test_a_group_that_is_not_there_is_told_of(self, lab: Lab, stage: Stage) -> None:
        group = lab.missing_group()
        await stage.network.open(group, (), NEVER_HEARD)
        if not self.sends:
            assert (await stage.ill(group)).lasting
            return
        with pytest.raises((Refused, Unreachable)) as error:
            await stage.say(group, "Is there anybody who hears this?")
        if not isinstance(error.value, Refused):
            await stage.ill(group)  # waits for the group; people have to be told of that

    @knowing
    async def test_a_group_that_is_not_there_holds_up_no_other(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.network.open(lab.missing_group(), (), NEVER_HEARD)
        await stage.enter(group)

    @sending
    async def test_nothing_can_be_sent_before_there_is_a_connection(
        self, lab: Lab, group: str
    ) -> None:
        async with performing(lab, self.declared()) as stage:
            with suppress(Unreachable):
                await stage.say(group, "Said very early in the morning")
            await stage.enter(group)
            await stage.say(group, "Said when everybody was up")
            await stage.sees(group, "when everybody was up")

    @sending
    async def test_a_network_that_is_away_is_unreachable_and_comes_back(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await lab.stop()
        try:
            if self.notices:
                await stage.ill(None, group)
            outgoing = await self._unsent(stage, group)
        finally:
            await lab.start()

        async def again() -> bool:
            """As the core tries again."""
            with suppress(Unreachable):
                if await stage.network.find(outgoing) is None:
                    await stage.deliver(outgoing)
                return True
            return False

        await stage.until_there(again, "that it can be sent again")
        await stage.sees(group, "whether anybody is there")
        assert len([e for e in await lab.shown(group) if "anybody is there" in e.text]) == 1
        await stage.well(None)
        await stage.well(group)

    async def _unsent(self, stage: Stage, group: str) -> Outgoing:
        text = "I can't tell whether anybody is there"
        outgoing = stage.outgoing(group, said(text))
        with pytest.raises(Unreachable) as error:
            await stage.deliver(outgoing)
        assert error.value.sentence.strip()
        return outgoing

    @receiving
    async def test_a_network_that_was_away_is_heard_again(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await lab.say(group, Words("Said before the lights went out"))
        await stage.hears(group, "before the lights")
        await lab.stop()
        try:
            if self.notices:
                await stage.ill(None, group)
        finally:
            await lab.start()
        await lab.say(group, Words("Said as soon as they were on"))
        await stage.hears(group, "as soon as they were on")
        if self.notices:
            await stage.well(None)
            await stage.well(group)

    @only_where(lambda part: part.notices)
    async def test_a_network_that_is_away_at_first_is_waited_for(
        self, lab: Lab, group: str
    ) -> None:
        await lab.stop()
        try:
            async with performing(lab, self.declared()) as stage:
                await stage.network.open(group, (), NEVER_HEARD)
                await stage.ill(None, group)
                await lab.start()
                await stage.well(None)
                await stage.well(group)
        finally:
            await lab.start()
