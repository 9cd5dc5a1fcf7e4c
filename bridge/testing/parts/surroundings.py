"""Subject, name and picture of a group."""

from pathlib import Path

import pytest

from bridge.contract import Feature, LocalFile, Refused
from bridge.model import (
    Attachment,
    Deliverable,
    MediaKind,
    PictureChanged,
    SubjectChanged,
    TitleChanged,
)
from bridge.testing.base import Part, hears, shows
from bridge.testing.lab import Lab
from bridge.testing.parts.people import PICTURE
from bridge.testing.stage import ANN, ROOM, Stage, now


class Surroundings(Part):
    """What a group is called, and what it looks like."""

    @shows(Feature.SUBJECT)
    async def test_a_subject_is_shown(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        event = SubjectChanged(ROOM, ANN, now(), "Bed twelve, and nothing else")
        if await _can(stage, group, Feature.SUBJECT, event):

            async def look() -> bool:
                return await lab.subject(group) == event.subject

            await stage.until_there(look, "the subject")

    @shows(Feature.TITLE)
    async def test_a_name_is_shown(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        event = TitleChanged(ROOM, ANN, now(), "Cardiology")
        if await _can(stage, group, Feature.TITLE, event):

            async def look() -> bool:
                return await lab.title(group) == event.title

            await stage.until_there(look, "the name")

    @shows(Feature.PICTURE)
    async def test_a_picture_is_shown(
        self, lab: Lab, stage: Stage, group: str, tmp_path: Path
    ) -> None:
        await stage.enter(group)
        path = tmp_path / "picture"
        path.write_bytes(PICTURE)
        attachment = Attachment(MediaKind.IMAGE, "mxc://a/picture", "picture.png", "image/png")
        event = PictureChanged(ROOM, ANN, now(), attachment)
        file = LocalFile(path, "picture.png", "image/png", len(PICTURE), MediaKind.IMAGE)
        if await _can(stage, group, Feature.PICTURE, event, file):

            async def look() -> bool:
                return await lab.picture(group) == PICTURE

            await stage.until_there(look, "the picture")

    @hears(Feature.SUBJECT)
    async def test_a_subject_is_heard(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        await lab.set_subject(group, "Bed thirteen")
        assert (await stage.happens(SubjectChanged, group)).subject == "Bed thirteen"

    @hears(Feature.TITLE)
    async def test_a_name_is_heard(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        before = len(stage.ears.of(TitleChanged, group))
        await lab.set_title(group, "Neurology")
        assert (await stage.happens(TitleChanged, group, before)).title == "Neurology"

    @hears(Feature.PICTURE)
    async def test_a_picture_is_heard(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        before = len(stage.ears.of(PictureChanged, group))
        await lab.set_picture(group, PICTURE)
        assert (await stage.happens(PictureChanged, group, before)).picture is not None


async def _can(
    stage: Stage,
    group: str,
    feature: Feature,
    event: Deliverable,
    file: LocalFile | None = None,
) -> bool:
    """Show it; where this very place can't, it has to be refused."""
    outgoing = stage.outgoing(group, event, file=file)
    if stage.can(group).does(feature):
        await stage.deliver(outgoing)
        return True
    with pytest.raises(Refused):
        await stage.deliver(outgoing)
    return False
