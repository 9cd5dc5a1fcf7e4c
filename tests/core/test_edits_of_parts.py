"""What was said in several messages, because it was long or has files, is changed and deleted as
the one thing it is.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from core_stage import (
    ANNA,
    EVERYTHING,
    START,
    WARD_A,
    Core,
    MakeCore,
    ScriptedOutlet,
    said,
    until,
)

from bridge.contract import Capabilities, Feature, Health, Level, LocalFile, Outgoing, Unreachable
from bridge.model import Attachment, Deleted, Edited, MediaKind, Message

ABLE = EVERYTHING
NO_CAPTIONS = replace(ABLE, captions=False)
PHOTO = Attachment(MediaKind.IMAGE, "https://a.example/1", "photo.jpg", "image/jpeg", 5)
SCAN = replace(PHOTO, source="https://a.example/2", name="scan.jpg")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, LocalFile]:
    path = tmp_path / "file"
    path.write_bytes(b"photo")
    return {
        each.source: LocalFile(path, each.name, each.mime, 5, MediaKind.IMAGE)
        for each in (PHOTO, SCAN)
    }


@pytest.fixture
async def core(
    make_core: MakeCore,
    files: dict[str, LocalFile],
    matrix: ScriptedOutlet,
    hospital_a: ScriptedOutlet,
    hospital_b: ScriptedOutlet,
) -> Core:
    for outlet in (matrix, hospital_a, hospital_b):
        outlet.shows = ABLE
    made = make_core()
    made.files.here.update(files)
    await made.start()
    return made


def sent(text: str, *files: Attachment) -> Message:
    return replace(said(1, text="x"), text=text, attachments=files)


def edited(text: str, number: int = 1) -> Edited:
    when = START + timedelta(seconds=90 + number)
    return Edited(WARD_A, ANNA, when, "m1", text, id=f"e{number}")


def deleted() -> Deleted:
    return Deleted(WARD_A, ANNA, START, "m1", id="gone")


async def shown(outlet: ScriptedOutlet, count: int) -> list[Outgoing]:
    await until(lambda: len(outlet.there) >= count)
    return outlet.there


async def after(core: Core, outlet: ScriptedOutlet, before: int, event: Edited) -> list[Outgoing]:
    """What came of an event, and of it alone."""
    await shown(outlet, before)
    await core.receive(event)
    await core.receive(said(50, text="a fence"))
    await until(lambda: outlet.texts()[-1].endswith("a fence"))
    return outlet.there[before:-1]


def told(outgoing: Outgoing, there: list[Outgoing]) -> tuple[str, str, int]:
    """What is done, with which text, to which of the messages that were there."""
    event = outgoing.event
    keys = [each.key for each in there]
    about = -1 if outgoing.target is None else keys.index(outgoing.target.key)
    return event.kind.value, event.text if isinstance(event, Message | Edited) else "", about


async def test_another_caption_leaves_the_file_where_it_is(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = NO_CAPTIONS
    await core.receive(sent("left", PHOTO))
    changes = await after(core, hospital_b, 2, edited("right"))
    assert [told(each, hospital_b.there) for each in changes] == [("edited", "right", 0)]


async def test_another_caption_leaves_the_further_files_where_they_are(
    core: Core, matrix: ScriptedOutlet
) -> None:
    await core.receive(sent("left", PHOTO, SCAN))
    changes = await after(core, matrix, 2, edited("right"))
    assert [told(each, matrix.there) for each in changes] == [("edited", "right", 0)]


async def test_a_caption_that_is_taken_away_leaves_the_file(
    core: Core, matrix: ScriptedOutlet, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = NO_CAPTIONS
    await core.receive(sent("left", PHOTO))
    await shown(matrix, 1)
    changes = await after(core, hospital_b, 2, edited(""))
    assert [told(each, hospital_b.there) for each in changes] == [("deleted", "", 0)]
    assert told(matrix.there[1], matrix.there) == ("edited", "", 0)


async def test_a_caption_that_comes_later_follows_where_files_have_none_and_changes_and_goes(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = NO_CAPTIONS
    await core.receive(sent("", PHOTO))
    await shown(hospital_b, 1)
    await core.receive(edited("left", 1))
    await shown(hospital_b, 2)
    await core.receive(edited("right", 2))
    await shown(hospital_b, 3)
    await core.receive(deleted())
    there = await shown(hospital_b, 5)
    assert [told(each, there) for each in there[1:3]] == [
        ("message", "left", -1),
        ("edited", "right", 1),
    ]
    assert sorted(told(each, there) for each in there[3:]) == [
        ("deleted", "", 0),
        ("deleted", "", 1),
    ]


async def test_the_line_that_stands_for_a_file_stays_above_another_caption(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = replace(NO_CAPTIONS, shows={Feature.EDIT: Level.FULL})
    core.files.links[PHOTO.source] = "https://bridge.example/media/x"
    await core.receive(sent("left", PHOTO))
    [change] = await after(core, hospital_b, 1, edited("right"))
    line = "[image] photo.jpg (5 bytes) https://bridge.example/media/x"
    assert told(change, hospital_b.there) == ("edited", f"{line}\nright", 0)


async def test_one_account_still_tells_who_sent_a_file_without_a_caption(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = replace(NO_CAPTIONS, own_names=False)
    await core.receive(sent("left", PHOTO))
    [change] = await after(core, hospital_b, 2, edited(""))
    text = "Anna (Hospital A): [image] photo.jpg (5 bytes)"
    assert told(change, hospital_b.there) == ("edited", text, 0)


async def test_what_an_edit_has_added_is_changed_by_the_next_and_deleted_with_the_rest(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = replace(ABLE, max_text=20)
    await core.receive(sent("one two"))
    await shown(hospital_b, 1)
    await core.receive(edited("one two three four five six", 1))
    await shown(hospital_b, 3)
    await core.receive(edited("one two three four five seven", 2))
    await shown(hospital_b, 5)
    await core.receive(deleted())
    there = await shown(hospital_b, 7)
    assert [told(each, there) for each in there[1:5]] == [
        ("edited", "one two three four", 0),
        ("message", "five six", -1),
        ("edited", "one two three four", 0),
        ("edited", "five seven", 2),
    ]
    assert sorted(told(each, there) for each in there[5:]) == [
        ("deleted", "", 0),
        ("deleted", "", 2),
    ]


async def test_parts_that_were_taken_away_come_back_as_new_ones(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = replace(ABLE, max_text=20)
    await core.receive(sent("one two three four five six"))
    await shown(hospital_b, 2)
    await core.receive(edited("one", 1))
    await shown(hospital_b, 4)
    await core.receive(edited("one two three four five seven", 2))
    there = await shown(hospital_b, 6)
    assert [told(each, there) for each in there[4:]] == [
        ("edited", "one two three four", 0),
        ("message", "five seven", -1),
    ]


async def test_the_marked_text_that_stands_for_an_edit_is_deleted_too(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    hospital_b.shows = Capabilities(
        own_names=True, max_text=60_000, shows={Feature.DELETE: Level.FULL}
    )
    await core.receive(sent("a name"))
    await shown(hospital_b, 1)
    await core.receive(edited("another name", 1))
    await shown(hospital_b, 2)
    await core.receive(deleted())
    there = await shown(hospital_b, 4)
    assert sorted(told(each, there) for each in there[2:]) == [
        ("deleted", "", 0),
        ("deleted", "", 1),
    ]


async def test_an_edit_of_what_is_deleted_while_it_waits_is_never_shown(
    core: Core, hospital_b: ScriptedOutlet
) -> None:
    await core.receive(sent("a name"))
    await shown(hospital_b, 1)
    hospital_b.script.append(Unreachable("away", retry_after=600))
    await core.receive(edited("another name", 1))
    await until(lambda: len(hospital_b.attempts) == 2)
    await core.receive(deleted())
    core.lanes.wake("hospital-b", Health(up=True))
    there = await shown(hospital_b, 2)
    assert [told(each, there)[0] for each in there[1:]] == ["deleted"]
