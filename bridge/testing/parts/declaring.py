"""What an adapter says of itself before anything runs."""

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.contract import Feature, Level, MediaSource, Settings, Signalling
from bridge.discovery import find_adapter
from bridge.testing.base import Part, receiving, shows
from bridge.testing.lab import Lab
from bridge.testing.stage import Stage

_PASSING: Final = (Feature.TYPING, Feature.READ)


class Declares(Part):
    """The door, and its promises."""

    def test_it_is_found_by_its_entry_point(self) -> None:
        assert find_adapter(self.kind) is self.adapter

    def test_every_key_of_its_settings_is_described(self) -> None:
        assert issubclass(self.adapter.settings, Settings)
        fields = self.adapter.settings.model_fields
        assert [name for name, field in fields.items() if not field.description] == []

    def test_what_it_declares_makes_sense(self) -> None:
        declared = self.declared()
        assert declared.max_text > 0
        assert all(note.strip() for note in declared.notes.values())
        hears = [each for each in declared.hears if declared.hearing(each) is Level.OTHERWISE]
        assert hears == [], "something is heard or it is not"
        if not self.sends:
            assert [each for each in Feature if declared.does(each)] == []

    # Every adapter's class inherits this one test
    @settings(suppress_health_check=[HealthCheck.differing_executors])
    @given(st.text(max_size=60))
    def test_a_normalised_group_stays_as_it_is(self, group: str) -> None:
        self._stays(group)

    async def test_two_spellings_of_a_group_are_normalised_alike(self, lab: Lab) -> None:
        group = await lab.new_group()
        assert self.adapter.normalise(group) == group, "new_group is to give the normalised id"
        assert self.adapter.normalise(f"  {group}\n") == group

    async def test_what_is_no_group_is_refused_with_a_sentence(self, lab: Lab) -> None:
        group = await lab.new_group()
        for broken in ("", "   ", "\x00", "\n"):
            with pytest.raises(ValueError, match=r"\w+ \w+"):
                self.adapter.normalise(broken)
        for odd in (group + "\x00", group * 2, group.upper(), group[1:], f"<{group}>", group + " "):
            self._stays(odd)

    def _stays(self, group: str) -> None:
        try:
            normal = self.adapter.normalise(group)
        except ValueError:
            return
        assert self.adapter.normalise(normal) == normal
        assert normal

    async def test_a_running_network_can_do_what_is_declared(
        self, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        declared, can = self.declared(), stage.can(group)
        for name in ("own_names", "knows_own_copies", "dialect", "captions", "max_text"):
            assert getattr(can, name) == getattr(declared, name), name
        for feature in Feature:
            for said, runs in (
                (declared.showing(feature), can.showing(feature)),
                (declared.hearing(feature), can.hearing(feature)),
            ):
                # What is declared in part may depend on the place
                assert said is Level.PARTLY or runs is said, f"{feature}: {runs} is not {said}"

    async def test_a_group_that_was_never_opened_has_capabilities(
        self, stage: Stage, group: str
    ) -> None:
        assert stage.can(group).max_text > 0

    @shows(*_PASSING)
    async def test_it_shows_passing_things(self, stage: Stage) -> None:
        assert isinstance(stage.network, Signalling)

    @receiving
    async def test_own_references_can_be_resolved(self, stage: Stage) -> None:
        if self.declared().hearing(Feature.AVATAR) is not Level.REFUSED:
            assert isinstance(stage.network, MediaSource)
