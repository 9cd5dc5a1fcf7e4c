"""What is declared as refused is refused, with a sentence, and never dropped in silence."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from bridge.contract import (
    Capabilities,
    Copy,
    Feature,
    Level,
    LocalFile,
    Outgoing,
    Refused,
    Signalling,
)
from bridge.model import (
    Attachment,
    Deleted,
    Deliverable,
    Edited,
    Joined,
    MediaKind,
    PictureChanged,
    Place,
    Reacted,
    Read,
    Signal,
    SubjectChanged,
    TitleChanged,
    Typing,
)
from bridge.testing.base import Part, only_where, sending
from bridge.testing.lab import NETWORK, Lab
from bridge.testing.stage import ANN, ROOM, Stage, now, said

_PICTURE: Final = Attachment(MediaKind.IMAGE, "mxc://a/b", "picture.png", "image/png")
_EVENTS: Final[dict[Feature, Callable[[], Deliverable]]] = {
    Feature.EMOTE: lambda: said("waves at everybody", emote=True),
    Feature.EDIT: lambda: Edited(ROOM, ANN, now(), "$event", "What I meant to say is this"),
    Feature.DELETE: lambda: Deleted(ROOM, ANN, now(), "$event"),
    Feature.REACTION: lambda: Reacted(ROOM, ANN, now(), "$event", "👍"),
    Feature.MEMBERSHIP: lambda: Joined(ROOM, ANN, now()),
    Feature.SUBJECT: lambda: SubjectChanged(ROOM, ANN, now(), "A subject"),
    Feature.TITLE: lambda: TitleChanged(ROOM, ANN, now(), "A name"),
    Feature.PICTURE: lambda: PictureChanged(ROOM, ANN, now(), _PICTURE),
}
_PASSING: Final[dict[Feature, Signal]] = {
    Feature.TYPING: Typing(ROOM, ANN, typing=True),
    Feature.READ: Read(Place(NETWORK, "x"), ANN, "x"),
}
refusing: Final = only_where(lambda part: bool(refused_by(part.declared())))


def refused_by(declared: Capabilities) -> list[Feature]:
    """What can be asked for, and is declared to be refused."""
    return [each for each in _EVENTS if declared.showing(each) is Level.REFUSED]


class Honesty(Part):
    """Capabilities are kept to, also where they say no."""

    @refusing
    async def test_what_is_declared_as_refused_is_refused(
        self, stage: Stage, group: str, tmp_path: Path
    ) -> None:
        await stage.enter(group)
        target = None
        if self.sends:
            first = await stage.say(group, "Something that was said before it")
            target = first.copy
        path = tmp_path / "picture"
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
        file = LocalFile(path, "picture.png", "image/png", 8, MediaKind.IMAGE)
        taken = []
        for feature in refused_by(self.declared()):
            event = _EVENTS[feature]()
            more = {"file": file} if feature is Feature.PICTURE else {}
            refusal = await _refusal(stage, stage.outgoing(
                group, event, target=None if _is_new(event) else target,
                standing=("👍",) if isinstance(event, Reacted) else (), **more,
            ))  # fmt: skip
            if refusal is None:
                taken.append(feature)
            else:
                assert refusal.sentence.strip(), f"{feature}: it is not said why"
        assert taken == [], "accepted without a word, although they are declared as refused"

    @sending
    async def test_what_was_refused_leaves_nothing_there(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await stage.say(group, "The only thing to be seen there")
        for feature in refused_by(self.declared()):
            with pytest.raises(Refused):
                await stage.send(group, _EVENTS[feature](), target=_nothing())
        await stage.say(group, "And the last thing to be seen there")
        await stage.sees(group, "And the last thing")
        assert len(await lab.shown(group)) == 2

    @only_where(lambda part: not part.sends)
    async def test_what_is_only_listened_to_takes_no_messages(
        self, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        with pytest.raises(Refused) as refused:
            await stage.say(group, "Nobody there will ever read this")
        assert refused.value.sentence

    async def test_passing_things_that_are_not_shown_do_no_harm(
        self, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        if isinstance(stage.network, Signalling):
            for feature, signal in _PASSING.items():
                if not self.declared().does(feature):
                    with pytest.raises(Refused):
                        await stage.network.signal(group, signal)


async def _refusal(stage: Stage, outgoing: Outgoing) -> Refused | None:
    try:
        await stage.deliver(outgoing)
    except Refused as refused:
        return refused
    return None


def _is_new(event: Deliverable) -> bool:
    return not isinstance(event, Edited | Deleted | Reacted)


def _nothing() -> Copy:
    return Copy("0", ANN, now(), "What is not there", "a" * 26)
