"""Messages, both ways."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from bridge.contract import Dialect, Feature
from bridge.model import Mention, Message
from bridge.testing.base import Part, hears, receiving, sending, shows
from bridge.testing.lab import NETWORK, Lab, Words
from bridge.testing.stage import ANN, BOB, Stage, names, now, performing, said

_SKEW: Final = timedelta(minutes=2)
_SIGNS: Final = "5 µg < 7 & \"more\" 'than' 3 > 2; é, ß, 心, 🫀; https://example.org/?a=1&b=2"
_BOLD: Final = {Dialect.XMPP: "*{}*", Dialect.MARKDOWN: "**{}**"}


class Talking(Part):
    """What is said."""

    # --- shown there

    @sending
    async def test_a_message_is_shown_there_once_under_its_authors_name(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        copied = await stage.say(group, "Shall we discuss the patient of bed twelve?")
        assert copied.sent.id
        seen = await stage.sees(group, "patient of bed twelve")
        by_line = seen.author if stage.can(group).own_names else seen.text
        assert ANN.name in by_line
        assert len(await lab.shown(group)) == 1

    @sending
    async def test_every_sign_arrives_as_it_was_written(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        html = "<p>" + _SIGNS.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        has_html = stage.can(group).dialect in {Dialect.HTML, Dialect.MAIL}
        await stage.send(group, said(_SIGNS, html=f"{html}</p>" if has_html else None))
        seen = await stage.sees(group, "心")
        assert _SIGNS in seen.text

    @sending
    async def test_messages_of_several_people_keep_their_order(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        wanted = [f"The {number}th thing to say about it" for number in range(5, 11)]
        for number, text in enumerate(wanted):
            await stage.say(group, text, (ANN, BOB)[number % 2])
        await stage.sees(group, wanted[-1])
        shown = [each.text for each in await lab.shown(group)]
        assert len(shown) == len(wanted)
        assert all(text in there for text, there in zip(wanted, shown, strict=True))

    @sending
    async def test_the_longest_text_arrives_whole(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        can = stage.can(group)
        room = can.max_text - (0 if can.own_names else len(f"{ANN.name}: ".encode()))
        words = "".join(f"word{number:06}é\n" for number in range(room // 13 + 1))
        text = words.encode()[:room].decode(errors="ignore").strip()
        await stage.say(group, text)
        seen = await stage.sees(group, "word000000")
        wanted, shown = text.split(), seen.text.removeprefix(f"{ANN.name}: ").split()
        assert shown[: len(wanted)] == wanted  # lists put a line below

    @sending
    async def test_one_key_makes_one_message_however_often_it_is_sent(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        first = await stage.say(group, "Once is enough for this one")
        await stage.sees(group, "Once is enough")
        found = await stage.found(first.outgoing)
        if found is None:
            again = await stage.deliver(first.outgoing)
            assert again.sent.id in first.names
        else:
            assert found.id in first.names
        await stage.say(group, "And something else after it")
        await stage.sees(group, "And something else")
        assert len(await lab.shown(group)) == 2

    @sending
    async def test_a_message_of_an_earlier_run_is_not_made_again(
        self, lab: Lab, group: str
    ) -> None:
        async with performing(lab, self.declared()) as stage:
            await stage.enter(group)
            first = await stage.say(group, "Said right before the crash")
            await stage.sees(group, "before the crash")
        async with performing(lab, self.declared(), stage.store) as stage:
            await stage.enter(group)
            if await stage.found(first.outgoing) is None:
                await stage.deliver(first.outgoing)
            await stage.say(group, "Said by the run after that")
            await stage.sees(group, "by the run after")
        assert len(await lab.shown(group)) == 2

    @sending
    async def test_what_was_never_sent_is_not_found(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        outgoing = stage.outgoing(group, said("This was never said to anybody"))
        assert await stage.found(outgoing) is None

    @shows(Feature.EMOTE)
    async def test_an_emote_is_shown_as_one(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        await stage.send(group, said("nods and looks at the X-ray", emote=True))
        assert (await stage.sees(group, "nods and looks")).emote

    @shows(Feature.FORMATTING)
    async def test_formatted_text_is_shown_so(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        dialect = stage.can(group).dialect
        mark = _BOLD.get(dialect)
        text = "Never without a second opinion"
        message = replace(said(text), html=f"<p><strong>{text}</strong></p>")
        if mark is not None:
            message = replace(message, text=mark.format(text), html=None)
        await stage.send(group, message)
        seen = await stage.sees(group, text)
        assert (mark.format(text) in seen.text) if mark else (f"<strong>{text}" in seen.html)

    @shows(Feature.MENTION)
    @receiving
    async def test_people_of_the_network_can_be_called(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await lab.say(group, Words("Here I am, if you need me"))
        person = (await stage.hears(group, "if you need me")).author
        mention = Mention(NETWORK, person.id, f"@{person.name}")
        text = f"What does @{person.name} think about it?"
        await stage.send(group, said(text, mentions=(mention,)))
        seen = await stage.sees(group, "think about it")
        assert lab.colleague in seen.mentions

    # --- heard from there

    @receiving
    async def test_a_message_is_heard_with_its_author_and_time(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        await lab.say(group, Words(_SIGNS))
        heard = await stage.hears(group, "心")
        assert heard.place == (NETWORK, group)
        assert _SIGNS in heard.text
        assert heard.author.name == lab.colleague
        assert abs(heard.time - now()) < _SKEW
        assert heard.id
        assert (heard.emote, heard.old, heard.attachments) == (False, False, ())

    @receiving
    async def test_one_author_is_one_author(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        await lab.say(group, Words("The first of two messages"))
        await lab.say(group, Words("The second of two messages"))
        first, second = [await stage.hears(group, each) for each in ("The first", "The second")]
        assert first.author == second.author
        assert names(first).isdisjoint(names(second))

    @receiving
    async def test_messages_are_heard_in_order(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        wanted = [f"Number {number} of what I have to say" for number in range(10)]
        for text in wanted:
            await lab.say(group, Words(text))
        await stage.until(lambda: len(stage.ears.texts(group)) >= len(wanted), "all ten messages")
        heard = stage.ears.texts(group)
        assert len(heard) == len(wanted)
        assert all(text in there for text, there in zip(wanted, heard, strict=True))

    @sending
    @receiving
    async def test_own_words_are_not_handed_over(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        copied = await stage.say(group, "An echo is nothing to be told of")
        await stage.sees(group, "An echo")
        await lab.say(group, Words("But this one is to be told"))
        await stage.hears(group, "But this one")
        others = [
            each for each in stage.ears.of(Message, group)
            if self.declared().knows_own_copies or names(each).isdisjoint(copied.names)
        ]  # fmt: skip
        assert ["But this one" in each.text for each in others] == [True]

    @hears(Feature.EMOTE)
    async def test_an_emote_is_heard_as_one(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        await lab.say(group, Words("waves at everybody", emote=True))
        heard = await stage.hears(group, "waves at everybody")
        assert heard.emote
        assert heard.text.startswith("waves"), "the text is what the author does"

    @hears(Feature.FORMATTING)
    async def test_formatted_text_is_heard_so(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        await lab.say(group, Words("very important", bold=True))
        heard = await stage.hears(group, "very important")
        mark = _BOLD.get(stage.can(group).dialect)
        in_html = heard.html or ""
        bold = any(f"<{tag}>very important" in in_html for tag in ("b", "strong"))
        assert bold or (mark is not None and mark.format("very important") in heard.text)

    @hears(Feature.MENTION)
    async def test_it_is_heard_who_is_called(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        await lab.say(group, Words("a question for somebody", mention=True))
        heard = await stage.hears(group, "a question for somebody")
        assert heard.mentions
        assert all(each.span in heard.text and each.id for each in heard.mentions)
