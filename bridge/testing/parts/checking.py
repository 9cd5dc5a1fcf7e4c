"""`consilium check`: what it says when all is well, and when it is not."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bridge.contract import Capabilities, Finding
from bridge.testing.base import Part, knowing
from bridge.testing.ears import Ears, Store
from bridge.testing.lab import Lab

_SECONDS: Final = 20.0


class Checking(Part):
    """Findings."""

    async def test_all_is_found_to_be_well(self, lab: Lab, group: str) -> None:
        findings = await _findings(lab, self.declared(), group)
        assert findings
        assert [each for each in findings if not each.ok] == []

    @knowing
    async def test_a_group_that_is_not_there_is_found(self, lab: Lab, group: str) -> None:
        missing = lab.missing_group()
        findings = await _findings(lab, self.declared(), group, missing)
        bad = [each for each in findings if not each.ok]
        assert len(bad) == 1, "one of two groups is not there"
        assert missing in bad[0].subject + bad[0].sentence
        assert bad[0].advice, "it is not said what to do"

    async def test_a_network_that_is_away_is_found(self, lab: Lab, group: str) -> None:
        await lab.stop()
        try:
            findings = await _findings(lab, self.declared(), group)
        finally:
            await lab.start()
        bad = [each for each in findings if not each.ok]
        assert bad
        assert all(each.advice for each in bad), "it is not said what to do"
        again = await _findings(lab, self.declared(), group)
        assert [each for each in again if not each.ok] == []


async def _findings(lab: Lab, declared: Capabilities, *groups: str) -> Sequence[Finding]:
    network = lab.network(Ears(declared, Store()))
    async with asyncio.timeout(_SECONDS):
        findings = await network.check(groups)
    assert all(each.sentence.strip() and each.subject.strip() for each in findings)
    return findings
