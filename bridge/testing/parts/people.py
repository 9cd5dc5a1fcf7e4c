"""Who is there, what they look like, and what they do at this moment."""

import base64
from dataclasses import replace
from typing import Final

from bridge.contract import Feature, Level, MediaSource, Picture, Signalling
from bridge.model import (
    Attachment,
    Author,
    Joined,
    Left,
    MediaKind,
    Place,
    Read,
    Roster,
    Typing,
)
from bridge.testing.base import Part, hears, only_where, sending, shows
from bridge.testing.lab import NETWORK, Lab, Words
from bridge.testing.stage import ANN, BOB, ROOM, Stage, names, now

PICTURE: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR42mP8z8Dwn4GBgYGJAQoYGBgAJQYCAxFlfQoAAAAASUVORK5CYII="
)


class People(Part):
    """People, and passing things."""

    # --- shown there

    @only_where(lambda part: part.declared().showing(Feature.MEMBERSHIP) is Level.FULL)
    async def test_doctors_who_are_present_are_shown(self, stage: Stage, group: str) -> None:
        await stage.enter(group, ANN)
        await _presence(stage, group, ANN, present=True)

    @shows(Feature.MEMBERSHIP)
    async def test_doctors_come_and_go(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        for doctor in (ANN, BOB):
            await stage.send(group, Joined(ROOM, doctor, now()))
            await _presence(stage, group, doctor, present=True)
        await stage.send(group, Left(ROOM, ANN, now()))
        await _presence(stage, group, ANN, present=False)
        await _presence(stage, group, BOB, present=True)

    @shows(Feature.NAME)
    async def test_each_doctor_has_their_own_name(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        for author in (ANN, BOB):
            await stage.say(group, f"I, {author.id}, have seen it", author)
            assert author.name in (await stage.sees(group, author.id)).author

    @shows(Feature.AVATAR)
    async def test_a_doctors_picture_is_shown(self, lab: Lab, stage: Stage, group: str) -> None:
        stage.store.pictures["mxc://a/face"] = Picture("image/png", PICTURE)
        author = replace(ANN, avatar="mxc://a/face")
        await stage.enter(group, author)
        await stage.say(group, "This is what I look like", author)

        async def look() -> bool:
            return await lab.avatar(group, ANN.name) == PICTURE

        await stage.until_there(look, "the doctor's picture")

    @shows(Feature.TYPING)
    async def test_it_is_shown_that_a_doctor_writes(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group, ANN)
        assert isinstance(stage.network, Signalling)
        await stage.network.signal(group, Typing(ROOM, ANN, typing=True))

        async def look() -> bool:
            return any(ANN.name in each for each in await lab.typing(group))

        await stage.until_there(look, "that the doctor writes")

    @shows(Feature.READ)
    async def test_it_is_shown_what_a_doctor_has_read(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group, ANN)
        ident = await lab.say(group, Words("Read this if you can"))
        heard = await stage.hears(group, "Read this")
        assert isinstance(stage.network, Signalling)
        await stage.network.signal(group, Read(Place(NETWORK, group), ANN, heard.id))

        async def look() -> bool:
            return any(ANN.name in each for each in await lab.readers(group, ident))

        await stage.until_there(look, "that the doctor has read it")

    # --- heard from there

    @hears(Feature.MEMBERSHIP)
    async def test_those_present_are_in_the_roster(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        (roster,) = stage.ears.of(Roster, group)
        assert lab.colleague in {author.name for author in roster.authors}

    @hears(Feature.MEMBERSHIP)
    async def test_colleagues_come_and_go(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        await lab.come(group, "Dora")
        joined = await stage.happens(Joined, group)
        assert joined.author.name == "Dora"
        await lab.go(group, "Dora")
        left = await stage.happens(Left, group)
        assert left.author.id == joined.author.id

    @hears(Feature.MEMBERSHIP)
    @sending
    async def test_the_bridge_and_its_doctors_are_no_colleagues(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group, ANN)
        await stage.say(group, "I am here as well, as it were", BOB)
        await lab.say(group, Words("And so am I, if you ask me"))
        await stage.hears(group, "And so am I")
        (roster,) = stage.ears.of(Roster, group)
        assert [author.name for author in roster.authors] == [lab.colleague]
        assert stage.ears.of(Joined, group) == []

    @hears(Feature.NAME)
    async def test_a_colleague_is_heard_by_name(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        await lab.say(group, Words("My name stands beside this"))
        assert (await stage.hears(group, "My name stands")).author.name == lab.colleague

    @hears(Feature.AVATAR)
    async def test_a_colleagues_picture_can_be_had(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await lab.set_avatar(group, PICTURE)
        await lab.say(group, Words("This is what I look like"))
        await stage.hears(group, "what I look like")
        source = await stage.until(lambda: _latest_avatar(stage, group), "a reference to it")
        assert isinstance(stage.network, MediaSource)
        async with stage.network.download(Attachment(MediaKind.IMAGE, source)) as pieces:
            assert b"".join([piece async for piece in pieces])

    @hears(Feature.TYPING)
    async def test_it_is_heard_that_a_colleague_writes(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await lab.begin_to_write(group)
        found = await stage.until(
            lambda: [each for each in stage.ears.signals if isinstance(each, Typing)], "writing"
        )
        assert found[0].typing
        assert found[0].author.name == lab.colleague

    @hears(Feature.READ)
    @sending
    async def test_it_is_heard_what_a_colleague_has_read(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        copied = await stage.say(group, "Please tell me when you have read this")
        await lab.read(group, (await stage.sees(group, "Please tell me")).id)
        found = await stage.until(
            lambda: [each for each in stage.ears.signals if isinstance(each, Read)], "reading"
        )
        assert found[0].target in copied.names
        assert found[0].author.name == lab.colleague

    @hears(Feature.READ)
    async def test_a_message_has_a_name_by_which_it_was_read(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        ident = await lab.say(group, Words("I read what I write"))
        heard = await stage.hears(group, "what I write")
        await lab.read(group, ident)
        found = await stage.until(
            lambda: [each for each in stage.ears.signals if isinstance(each, Read)], "reading"
        )
        assert found[0].target in names(heard)


async def _presence(stage: Stage, group: str, doctor: Author, *, present: bool) -> None:
    async def look() -> bool:
        return any(doctor.name in each for each in await stage.lab.people(group)) is present

    await stage.until_there(look, f"{doctor.name} {'there' if present else 'not there'}")


def _latest_avatar(stage: Stage, group: str) -> str | None:
    authors = [
        author
        for event in stage.ears.events
        if event.place.id == group
        for author in (event.authors if isinstance(event, Roster) else (event.author,))
    ]
    return next((each.avatar for each in reversed(authors) if each.avatar), None)
