"""Edits, deletions and reactions, both ways."""

import pytest

from bridge.contract import Feature, Refused
from bridge.model import Deleted, Edited, Reacted, Reactions
from bridge.testing.base import Part, hears, receiving, sending, shows
from bridge.testing.lab import Lab, Words
from bridge.testing.stage import ANN, ROOM, Stage, copy_of, names, now


def _edited(text: str) -> Edited:
    return Edited(ROOM, ANN, now(), "$event", text)


def _deleted(*, moderated: bool = False) -> Deleted:
    return Deleted(ROOM, ANN, now(), "$event", moderated=moderated)


def _reacted(emoji: str, *, gone: bool = False) -> Reacted:
    return Reacted(ROOM, ANN, now(), "$event", emoji, gone)


class Changes(Part):
    """What becomes of a message afterwards."""

    # --- shown there

    @shows(Feature.EDIT)
    async def test_an_edit_is_shown(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        first = await stage.say(group, "Give him 80 mg of it every day")
        await stage.sees(group, "Give him 80 mg")
        for text in ("Give him 8 mg of it every day", "Give him 8 mg of it every other day"):
            await stage.send(group, _edited(text), target=first.copy)
            await stage.sees(group, text)
        assert len(await lab.shown(group)) == 1

    @shows(Feature.DELETE)
    async def test_a_deletion_is_shown(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        first = await stage.say(group, "This was meant for somebody else")
        await stage.sees(group, "for somebody else")
        await stage.send(group, _deleted(), target=first.copy)
        await stage.sees_no(group, "for somebody else")

    @shows(Feature.DELETE)
    async def test_to_delete_twice_does_no_harm(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        first = await stage.say(group, "This was meant for somebody else")
        deletion = await stage.send(group, _deleted(), target=first.copy)
        await stage.deliver(deletion.outgoing)
        await stage.sees_no(group, "for somebody else")

    @shows(Feature.MODERATION)
    @receiving
    async def test_a_moderators_deletion_is_shown_or_refused(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await lab.say(group, Words("Buy cheap watches from me"))
        spam = await stage.hears(group, "cheap watches")
        deletion = stage.outgoing(group, _deleted(moderated=True), target=copy_of(spam))
        if stage.can(group).does(Feature.MODERATION):
            await stage.deliver(deletion)
            await stage.sees_no(group, "cheap watches")
        else:
            with pytest.raises(Refused):
                await stage.deliver(deletion)

    @shows(Feature.REACTION)
    @receiving
    async def test_a_reaction_is_shown_and_taken_back(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await lab.say(group, Words("Shall we operate tomorrow?"))
        target = copy_of(await stage.hears(group, "operate tomorrow"))
        emoji = lab.emoji
        reaction = await stage.send(group, _reacted(emoji), target=target, standing=(emoji,))
        await stage.sees(group, "operate tomorrow", lambda seen: emoji in seen.reactions)
        own = reaction.copy if reaction.sent.id else None
        await stage.send(group, _reacted(emoji, gone=True), target=target, reaction=own)
        await stage.sees(group, "operate tomorrow", lambda seen: not seen.reactions)

    # --- heard from there

    @hears(Feature.EDIT)
    async def test_an_edit_is_heard(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        ident = await lab.say(group, Words("Give her 50 mg of it every day"))
        heard = await stage.hears(group, "Give her 50 mg")
        for number, text in enumerate(("Give her 5 mg every day", "Give her 5 mg every night")):
            await lab.edit(group, ident, text)
            edit = await stage.happens(Edited, group, number)
            assert text in edit.text
            assert edit.target in names(heard)
            assert edit.author.id == heard.author.id
        assert len(stage.ears.texts(group)) == 1

    @hears(Feature.DELETE)
    async def test_a_deletion_is_heard(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        ident = await lab.say(group, Words("That was for somebody else"))
        heard = await stage.hears(group, "for somebody else")
        await lab.delete(group, ident)
        deletion = await stage.happens(Deleted, group)
        assert deletion.target in names(heard)
        assert deletion.author.id == heard.author.id or deletion.moderated
        assert len(stage.ears.texts(group)) == 1

    @hears(Feature.MODERATION)
    async def test_a_moderators_deletion_is_heard(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        ident = await lab.say(group, Words("Buy cheap pills from me"))
        heard = await stage.hears(group, "cheap pills")
        await lab.moderate(group, ident)
        deletion = await stage.happens(Deleted, group)
        assert deletion.target in names(heard)
        assert deletion.moderated

    @hears(Feature.REACTION)
    @sending
    async def test_a_reaction_to_a_doctor_is_heard_and_taken_back(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        first = await stage.say(group, "I would wait for a week or two")
        ident = (await stage.sees(group, "I would wait")).id
        await self._is_heard(lab, stage, group, ident, first.names)

    @hears(Feature.REACTION)
    async def test_a_reaction_is_heard_and_taken_back(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        ident = await lab.say(group, Words("I have done what you asked for"))
        heard = await stage.hears(group, "I have done")
        await self._is_heard(lab, stage, group, ident, names(heard))

    async def _is_heard(
        self, lab: Lab, stage: Stage, group: str, ident: str, called: set[str]
    ) -> None:
        await lab.react(group, ident, lab.emoji)
        await stage.until(lambda: _standing(stage, group, called) == {lab.emoji}, "the reaction")
        await lab.react(group, ident, lab.emoji, gone=True)
        await stage.until(lambda: _standing(stage, group, called) == set(), "it to be taken back")


def _standing(stage: Stage, group: str, called: set[str]) -> set[str] | None:
    """The reactions on a message, after all that was heard; None when nothing was heard of any."""
    standing: set[str] | None = None
    by_id: dict[str, str] = {}
    for event in stage.ears.events:
        match event:
            case Reacted() if event.place.id == group and event.target in called:
                standing = (standing or set()) ^ {event.emoji}
                if event.id is not None:
                    by_id[event.id] = event.emoji
            case Reactions() if event.place.id == group and event.target in called:
                standing = set(event.emojis)
            case Deleted() if event.target in by_id:
                standing = (standing or set()) - {by_id[event.target]}
    return standing
